package org.kofn.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** The command line of another Java that has this one's classes and natives, for what may end its process. */
final class ChildJava {
    private ChildJava() {}

    /**
     * Java with one of kofn's programs.
     *
     * @param options of the Java machine; they come last, and so win over what this one passes on
     */
    static List<String> command(Class<?> program, List<String> options) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:+UseSerialGC", "-XX:+SuppressFatalErrorMessage"));
        new TreeMap<>(System.getProperties()).forEach((key, value) -> {
            if (key.toString().startsWith("org.bytedeco.")) {
                command.add("-D" + key + "=" + value);
            }
        });
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
        return command;
    }
}
