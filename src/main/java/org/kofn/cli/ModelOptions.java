package org.kofn.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;
import org.kofn.data.DataCatalog;
import org.kofn.export.ModelRuntime;
import org.kofn.export.SavedModel;
import org.kofn.export.ScriptedModel;
import org.kofn.export.SparseModel;
import org.kofn.kernels.Precision;
import org.kofn.runtime.Backend;
import org.kofn.runtime.DispatchTable;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How the commands that run a saved model are told which form of it to run, and where. */
final class ModelOptions {
    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            description = "sparse: model.safetensors in the sparse kernels. torchscript: model.pt in LibTorch. Default:"
                    + " a file's own, otherwise as the command says.")
    private ModelRuntime runtime;

    @Mixin
    private BackendOptions backend;

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
        // Closed with the process: the model refers to it.
        Device device = Tensors.keep(backend.device());
        if (chosen == ModelRuntime.SPARSE) {
            DispatchTable table = DispatchTable.open(DataCatalog.home(), device);
            return SparseModel.open(file, Backend.of(device, backend.precision(), count), table);
        }
        if (backend.precision() != Precision.FP32) {
            throw KofnException.usage(
                    "--precision %s: is about the sparse runtime; add --runtime sparse", backend.precision());
        }
        return ScriptedModel.open(file, device);
    }
}
