package org.kofn.cli;

import org.bytedeco.pytorch.Device;
import org.kofn.kernels.Precision;
import org.kofn.runtime.Backend;
import org.kofn.torch.Devices;
import picocli.CommandLine.Option;

/** Where the sparse runtime computes, and in what. */
final class BackendOptions {
    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description = "auto, cpu, cuda or cuda:N. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(
            names = "--precision",
            paramLabel = "NAME",
            defaultValue = "fp32",
            description =
                    "What the sparse runtime stores: fp32, or bf16, in half the memory, rounding each number once;"
                            + " on a GPU also tf32, fp32 whose factors tensor cores may round. Default: ${DEFAULT-VALUE}.")
    private Precision precision;

    /** The device that is asked for, which has that precision; the caller closes it. */
    Device device() {
        Device parsed = Devices.parse(device);
        Backend.requireKnown(parsed, precision);
        return parsed;
    }

    Precision precision() {
        return precision;
    }
}
