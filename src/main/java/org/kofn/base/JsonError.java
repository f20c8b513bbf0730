package org.kofn.base;

import com.fasterxml.jackson.core.JacksonException;

/** Why a text is no JSON, or not the JSON that was wanted, in a few words. */
public final class JsonError {
    private static final int LONGEST = 200;

    private JsonError() {}

    /** The first line of Jackson's message, without the names of our classes; cut where a hostile text made it long. */
    public static String reason(JacksonException error) {
        String line = error.getOriginalMessage().lines().findFirst().orElse("not JSON");
        String plain = line.replaceAll(" \\(class [^)]*\\)", "");
        return plain.length() <= LONGEST ? plain : plain.substring(0, LONGEST) + "…";
    }
}
