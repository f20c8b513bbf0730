package org.kofn.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.kofn.base.BuildInfo;
import org.kofn.base.KofnException;
import org.kofn.bench.Effort;
import org.kofn.kernels.Kernels;
import org.kofn.nn.Zoo;
import org.kofn.torch.CudaDevice;
import org.kofn.torch.Devices;
import picocli.CommandLine.Option;

/** What the commands of {@code kofn bench} have in common: their options, and how they print. */
final class BenchOptions {
    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            defaultValue = "auto",
            description = "What is measured: auto, reference, cpu or cuda. Default: ${DEFAULT-VALUE}.")
    private String kernels;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description = "auto, cpu, cuda or cuda:N. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Threads on the CPU; 0 takes all cores. Default: ${DEFAULT-VALUE}.")
    private int threads;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "0",
            description = "Repetitions of each side; 0 goes by --seconds. Default: ${DEFAULT-VALUE}.")
    private int repeats;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            description = "Measure a case for so long, after warming up; at least 5 repetitions.")
    private Double seconds;

    @Option(names = "--json", description = "Print JSON, a line a case.")
    private boolean json;

    String kernels() {
        return kernels;
    }

    boolean json() {
        return json;
    }

    /** The device that is asked for, with its threads set. */
    Device device() {
        if (threads < 0) {
            throw KofnException.usage("--threads: must not be negative, as %d is", threads);
        }
        if (threads > 0) {
            Devices.setThreads(threads);
        }
        return Devices.parse(device);
    }

    /** How long to measure; {@code seconds} a case unless the user says otherwise. */
    Effort effort(double usual) {
        return new Effort(repeats, seconds == null ? usual : seconds);
    }

    /** The networks of a list, {@code all} standing for the whole zoo; without doubles, in their order. */
    static Set<String> networks(List<String> names) {
        Set<String> networks = new LinkedHashSet<>();
        for (String name : names) {
            networks.addAll(name.equals("all") ? Zoo.names() : List.of(name));
        }
        return networks;
    }

    /** Says what is compared where that is not native kernels. */
    static void announce(PrintWriter err, Kernels.Choice choice) {
        if (choice.kernels().name().equals("reference")) {
            err.println("kofn: ours is no native kernel but the reference: " + choice.reason());
        }
    }

    /** A result as a line of JSON, with the machine and kofn's commit. */
    static String line(Object result, Device device) {
        ObjectNode node = Json.MAPPER.valueToTree(result);
        node.put("machine", machine(device));
        node.put("commit", BuildInfo.current().commit());
        return node.toString();
    }

    private static String machine(Device device) {
        return device.is_cuda()
                ? CudaDevice.describe(device.index())
                : new Machine(Path.of("/proc")).processor().orElse(null);
    }

    /** Three digits that mean something. */
    static String number(double value) {
        int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 4;
        return String.format(Locale.ROOT, "%,." + digits + "f", value);
    }
}
