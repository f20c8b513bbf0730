package org.kofn.recipe;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kofn.data.DataCatalog;

/**
 * What to train on. Short form: {@code data: mnist}.
 *
 * @param name one of {@link DataCatalog#names()}
 * @param dir the directory that holds the data sets; null for {@code KOFN_DATA} or {@code ~/.cache/kofn}; for
 *     {@code folder} the directory of the pictures, required
 * @param validation images held out of the training set to choose the best checkpoint by: a number, a percentage, or
 *     {@code 0} for none
 * @param shift training images are shifted by up to so many pixels each way, zeros move in
 * @param crop training images are padded by so many pixels on every side and cropped at random to their size
 * @param flip whether half of the training images are mirrored left to right
 */
@ShortForm("name")
public record DataRecipe(
        String name,
        @Default(Default.NONE) String dir,
        @Default("10%") String validation,
        @Default("0") int shift,
        @Default("0") int crop,
        @Default("false") boolean flip) {
    private static final Pattern COUNT = Pattern.compile("(\\d{1,9})|(\\d+(?:\\.\\d+)?)\\s*%");

    /**
     * Checks the name, that {@code folder} has a place, the form of {@code validation}, and that pixels are not
     * negative.
     */
    public DataRecipe {
        Check.oneOf("name", "data set", name, DataCatalog.names());
        if (name.equals(DataCatalog.FOLDER) && dir == null) {
            throw Check.error("dir", "a folder of pictures needs one: the directory with train/<class>/*.png in it");
        }
        Matcher count = COUNT.matcher(validation);
        if (!count.matches() || (count.group(2) != null && Double.parseDouble(count.group(2)) >= 100)) {
            throw Check.error("validation", "'%s' is not a number of images such as 5000, or below 100%%", validation);
        }
        Check.atLeast("shift", 0, shift);
        Check.atLeast("crop", 0, crop);
    }

    /**
     * How many of {@code trainSize} images are held out.
     *
     * @throws org.kofn.base.KofnException (usage) when nothing would be left to train on
     */
    public long validationCount(long trainSize) {
        Matcher count = COUNT.matcher(validation);
        if (!count.matches()) {
            throw new IllegalStateException(validation);
        }
        long held = count.group(1) != null
                ? Long.parseLong(count.group(1))
                : Math.round(Double.parseDouble(count.group(2)) / 100 * trainSize);
        if (held >= trainSize) {
            throw Check.error(
                    "data.validation",
                    "%s leaves none of the %d training images; hold out fewer",
                    validation,
                    trainSize);
        }
        return held;
    }
}
