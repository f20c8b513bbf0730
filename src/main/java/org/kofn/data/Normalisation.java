package org.kofn.data;

import org.kofn.base.KofnException;

/**
 * What turns the pixels of a set into what networks see: (pixel/255 − mean)/std, channel by channel.
 *
 * @param mean per channel, of pixel/255
 * @param std per channel, of pixel/255
 */
record Normalisation(float[] mean, float[] std) {
    /** Of the digits' training part. */
    private static final Normalisation DIGITS = new Normalisation(new float[] {0.2896f}, new float[] {0.3551f});

    /** ImageNet's, in wide use for photographs, and their average for grey: the same whatever files are there. */
    private static final Normalisation PHOTO =
            new Normalisation(new float[] {0.485f, 0.456f, 0.406f}, new float[] {0.229f, 0.224f, 0.225f});

    private static final Normalisation GREY = new Normalisation(new float[] {0.449f}, new float[] {0.226f});

    /**
     * That of a set.
     *
     * @param set as recipes say it
     * @param channels of its images
     * @throws KofnException (usage) for an unknown set, or one with another number of channels
     */
    static Normalisation of(String set, int channels) {
        Normalisation found =
                switch (set) {
                    case DataCatalog.DIGITS -> DIGITS;
                    case DataCatalog.FOLDER -> channels == 1 ? GREY : PHOTO;
                    default -> of(DataSpec.downloadable(set));
                };
        if (found.mean.length != channels) {
            throw KofnException.usage("data: images of %s have %d channels, not %d", set, found.mean.length, channels);
        }
        return found;
    }

    private static Normalisation of(DataSpec spec) {
        float[] mean = new float[spec.channels()];
        float[] std = new float[spec.channels()];
        for (int channel = 0; channel < spec.channels(); channel++) {
            mean[channel] = spec.mean().get(channel);
            std[channel] = spec.std().get(channel);
        }
        return new Normalisation(mean, std);
    }
}
