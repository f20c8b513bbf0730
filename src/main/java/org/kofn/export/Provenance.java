package org.kofn.export;

import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.BuildInfo;
import org.kofn.base.KofnException;
import org.kofn.torch.Devices;

/**
 * {@code provenance.json}: where a run comes from, so that it can be repeated, and so that {@code verify} knows whether
 * this machine computes the same bits.
 *
 * @param version of kofn
 * @param commit that kofn was built from
 * @param presets version of JavaCPP's presets for LibTorch
 * @param libtorch version of LibTorch
 * @param java version and vendor of the Java runtime
 * @param os name, version and architecture of the operating system
 * @param device {@code cpu}, {@code cuda:0}, …
 * @param hardware the device in words, with what decides its rounding
 * @param precision {@code fp32} or {@code bf16}
 * @param threads CPU threads of LibTorch
 * @param seed of the run
 * @param data SHA-256 of the decoded data, by part
 * @param started when the run began, ISO 8601, UTC
 * @param finished when it ended
 */
public record Provenance(
        String version,
        String commit,
        String presets,
        String libtorch,
        String java,
        String os,
        String device,
        String hardware,
        String precision,
        int threads,
        long seed,
        Map<String, String> data,
        String started,
        String finished) {

    /** Copies the map, sorted by key. */
    public Provenance {
        data = data == null ? Map.of() : Collections.unmodifiableMap(new TreeMap<>(data));
    }

    /**
     * The provenance of a run on this machine, by this build.
     *
     * @param data SHA-256 of the decoded data, by part
     */
    public static Provenance of(
            Device device, String precision, long seed, Map<String, String> data, Instant started, Instant finished) {
        BuildInfo build = BuildInfo.current();
        return new Provenance(
                build.version(),
                build.commit(),
                build.presets(),
                build.libTorch(),
                System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"),
                device.str().getString(),
                Devices.describe(device),
                precision,
                torch.get_num_threads(),
                seed,
                data,
                started.truncatedTo(ChronoUnit.SECONDS).toString(),
                finished.truncatedTo(ChronoUnit.SECONDS).toString());
    }

    /**
     * Whether two runs compute the same bits from the same tensors: same LibTorch, device, hardware (with its
     * instruction set), precision and threads.
     *
     * @return what differs, in words; empty when nothing does
     */
    public String difference(Provenance other) {
        StringBuilder text = new StringBuilder();
        compare(text, "LibTorch", presets, other.presets);
        compare(text, "device", device, other.device);
        compare(text, "hardware", hardware, other.hardware);
        compare(text, "precision", precision, other.precision);
        compare(text, "threads", threads, other.threads);
        return text.toString();
    }

    private static void compare(StringBuilder text, String what, Object one, Object other) {
        if (!one.equals(other)) {
            text.append(text.isEmpty() ? "" : ", ").append(what).append(' ').append(one);
            text.append(" against ").append(other);
        }
    }

    /** Writes {@code provenance.json}. */
    public void write(Path file) {
        JsonFile.write(file, this);
    }

    /**
     * Reads {@code provenance.json}.
     *
     * @throws KofnException (file) when it is missing, no JSON, or lacks a key
     */
    public static Provenance read(Path file) {
        return JsonFile.read(file, Provenance.class);
    }
}
