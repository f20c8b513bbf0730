package org.kofn.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;
import org.kofn.export.ModelRuntime;
import org.kofn.export.SavedModel;
import org.kofn.export.ScriptedModel;
import org.kofn.export.SparseModel;
import org.kofn.runtime.Storage;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;
import picocli.CommandLine.Option;

/** How the commands that run a saved model are told which form of it to run, and where. */
final class ModelOptions {
    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            description = "sparse: model.safetensors in the sparse kernels, on the CPU. torchscript: model.pt in"
                    + " LibTorch. Default: a file's own, otherwise as the command says.")
    private ModelRuntime runtime;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description = "auto, cpu, cuda or cuda:N, for torchscript. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(
            names = "--precision",
            paramLabel = "NAME",
            defaultValue = "fp32",
            description =
                    "fp32, or bf16, in which the sparse runtime holds weights and the values between layers in half"
                            + " the memory, rounding each once. Default: ${DEFAULT-VALUE}.")
    private Storage storage;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Threads on the CPU; 0 takes all cores. Default: ${DEFAULT-VALUE}.")
    private int threads;

    /** The runtime that was asked for: by the option, or by the file that {@code run} is, or else the usual one. */
    ModelRuntime runtime(Path run, ModelRuntime usual) {
        if (runtime != null) {
            return runtime;
        }
        return Files.isRegularFile(run) ? ModelRuntime.of(run) : usual;
    }

    /** Opens the model of a run; the caller closes it. */
    SavedModel open(Path run, ModelRuntime usual) {
        if (threads < 0) {
            throw KofnException.usage("--threads: must not be negative, as %d is", threads);
        }
        ModelRuntime chosen = runtime(run, usual);
        Path file = chosen.file(run);
        int count = threads > 0 ? threads : torch.get_num_threads();
        Devices.setThreads(count);
        if (chosen == ModelRuntime.TORCHSCRIPT) {
            if (storage != Storage.FP32) {
                throw KofnException.usage(
                        "--precision %s: is about the sparse runtime; add --runtime sparse", storage.word());
            }
            // Closed with the process: the model refers to it.
            Device where = Tensors.keep(Devices.parse(device));
            return ScriptedModel.open(file, where);
        }
        if (!device.equals("auto") && !device.equals("cpu")) {
            throw KofnException.usage(
                    "--device %s: the sparse runtime computes on the CPU; --runtime torchscript runs there", device);
        }
        return SparseModel.open(file, count, storage);
    }
}
