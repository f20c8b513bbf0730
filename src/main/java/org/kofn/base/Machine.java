package org.kofn.base;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What Linux says about the machine: its processor, its memory, NVIDIA's driver. Empty answers where it says nothing.
 */
public final class Machine {
    /** Features of a CPU that sparse and quantised kernels care about, as {@code /proc/cpuinfo} spells them. */
    private static final Set<String> FEATURES = Set.of(
            "avx2",
            "fma",
            "f16c",
            "avx512f",
            "avx512bw",
            "avx512vl",
            "avx512_vnni",
            "avx512_bf16",
            "avx512_vbmi",
            "avx_vnni",
            "amx_tile",
            "amx_int8",
            "amx_bf16",
            "asimd",
            "asimddp",
            "sve",
            "bf16",
            "i8mm");

    private final Path proc;

    /** Reads below {@code proc}, which is {@code /proc} outside tests. */
    public Machine(Path proc) {
        this.proc = proc;
    }

    /** The machine that this runs on. */
    public static Machine here() {
        return new Machine(Path.of("/proc"));
    }

    /** The processor's name, if the kernel tells it. */
    public Optional<String> processor() {
        return value("cpuinfo", "model name");
    }

    /** Likewise with family and model, which tell processors apart whose names a virtual machine has shortened. */
    public String processorModel() {
        String numbers = Stream.of("cpu family", "model")
                .map(key -> value("cpuinfo", key).map(number -> ", " + key.replace("cpu ", "") + " " + number))
                .flatMap(Optional::stream)
                .collect(Collectors.joining());
        return processor().orElse("unknown processor") + numbers;
    }

    /** The processor's features that kernels care about, sorted. */
    public Set<String> features() {
        Set<String> features = new TreeSet<>();
        value("cpuinfo", "flags")
                .or(() -> value("cpuinfo", "Features"))
                .ifPresent(flags -> features.addAll(List.of(flags.split(" "))));
        features.retainAll(FEATURES);
        return features;
    }

    /** A line of {@code /proc/meminfo} in MiB, such as {@code MemTotal} or {@code MemAvailable}. */
    public Optional<Long> memory(String key) {
        return value("meminfo", key).map(text -> Long.parseLong(text.replaceAll("\\D", "")) >> 10);
    }

    /** The version of NVIDIA's driver, if there is one. */
    public Optional<String> nvidiaDriver() {
        return lines("driver/nvidia/version").stream()
                .findFirst()
                .map(line -> line.replaceFirst(".*?(\\d+\\.\\d+[.\\d]*).*", "$1"));
    }

    private Optional<String> value(String file, String key) {
        return lines(file).stream()
                .filter(line -> line.split(":", 2)[0].trim().equals(key) && line.contains(":"))
                .findFirst()
                .map(line -> line.split(":", 2)[1].trim());
    }

    private List<String> lines(String file) {
        try {
            return Files.readAllLines(proc.resolve(file));
        } catch (IOException e) {
            return List.of();
        }
    }
}
