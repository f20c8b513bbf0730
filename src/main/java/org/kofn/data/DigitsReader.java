package org.kofn.data;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * The optical digits of the UCI repository (E. Alpaydin, C. Kaynak, 1998; CC BY 4.0), which come with kofn, so that the
 * first run needs no download. A row holds the 64 values of an 8×8 image, 0 … 16, and the digit. The values are
 * multiplied by {@value #SCALE}, so that 16 becomes 240 and every value stays exact in uint8.
 */
final class DigitsReader {
    /** From a published value to a pixel. */
    static final int SCALE = 15;

    private static final int SIDE = 8;
    private static final int DARKEST = 16;
    private static final int CLASSES = 10;

    private DigitsReader() {}

    /** Reads the 3,823 training rows or the 1,797 test rows. */
    static Samples read(Part part) {
        String resource = "digits/optdigits." + (part == Part.TRAIN ? "tra" : "tes") + ".gz";
        try (InputStream raw = DigitsReader.class.getResourceAsStream(resource)) {
            if (raw == null) {
                throw new IllegalStateException(resource + " is missing from kofn's jar");
            }
            return parse(new BufferedReader(new InputStreamReader(new GZIPInputStream(raw), StandardCharsets.US_ASCII))
                    .lines()
                    .toList());
        } catch (IOException e) {
            throw new UncheckedIOException(resource, e);
        }
    }

    private static Samples parse(List<String> rows) {
        Samples out = new Samples(rows.size(), 1, SIDE, SIDE, CLASSES);
        byte[] pixels = new byte[SIDE * SIDE];
        for (int i = 0; i < rows.size(); i++) {
            String[] values = rows.get(i).split(",");
            for (int j = 0; j < pixels.length; j++) {
                int value = Integer.parseInt(values[j]);
                if (value < 0 || value > DARKEST) {
                    throw new IllegalStateException("row " + i + ": value " + value);
                }
                pixels[j] = (byte) (value * SCALE);
            }
            out.putPixels((long) i * pixels.length, pixels, 0, pixels.length);
            out.putLabel(i, Integer.parseInt(values[pixels.length]));
        }
        return out;
    }
}
