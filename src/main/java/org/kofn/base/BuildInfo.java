package org.kofn.base;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/**
 * What this build of kofn is, as Maven wrote it into {@code org/kofn/build.properties}.
 *
 * @param version the project's version, such as {@code 0.1.0}
 * @param commit the commit it was built from, with {@code -dirty} where the tree had changes; {@code unknown} outside a
 *     repository
 * @param presets the version of JavaCPP's presets for LibTorch, such as {@code 2.10.0-1.5.13}
 */
public record BuildInfo(String version, String commit, String presets) {
    private static final String UNKNOWN = "unknown";

    /** This build. Values that nobody filled in (classes compiled without Maven) read {@code unknown}. */
    public static BuildInfo current() {
        Properties properties = new Properties();
        try (InputStream in = BuildInfo.class.getResourceAsStream("/org/kofn/build.properties")) {
            if (in != null) {
                properties.load(in);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("build.properties of kofn's own jar", e);
        }
        return new BuildInfo(value(properties, "version"), value(properties, "commit"), value(properties, "presets"));
    }

    /** The version of LibTorch: the presets' version up to the hyphen. */
    public String libTorch() {
        return presets.split("-", 2)[0];
    }

    private static String value(Properties properties, String key) {
        String value = properties.getProperty(key, UNKNOWN);
        return value.startsWith("${") ? UNKNOWN : value;
    }
}
