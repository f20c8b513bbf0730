package org.kofn.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.kofn.base.BuildInfo;
import org.kofn.base.Machine;
import org.kofn.kernels.Kernels;
import org.kofn.nn.Zoo;
import org.kofn.torch.CudaDevice;
import org.kofn.torch.Devices;
import picocli.CommandLine.Option;

/** What the commands of {@code kofn bench} have in common that measure the kernels of training, on any device. */
final class BenchOptions extends MeasureOptions {
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

    String kernels() {
        return kernels;
    }

    /** The device that is asked for, with its threads set. */
    Device device() {
        setThreads();
        return Devices.parse(device);
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
                : Machine.here().processor().orElse(null);
    }
}
