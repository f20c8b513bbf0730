package org.kofn.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.export.CompactFile;
import org.kofn.export.RunFolder;
import org.kofn.recipe.Recipe;
import org.kofn.torch.Safetensors;
import org.kofn.torch.Tensors;

/** {@code from:} of a dense phase: weights of a run folder or of a safetensors file with PyTorch's parameter names. */
final class PretrainedWeights {
    private PretrainedWeights() {}

    /** Loads the first phase's weights, if it names a file, into masters and buffers. */
    static void load(Recipe recipe, Workbench bench) {
        String from = recipe.phases().get(0).from();
        if (from == null) {
            return;
        }
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            Map<String, Tensor> source = read(Path.of(from));
            Map<String, Tensor> target = new LinkedHashMap<>(bench.compression().masters());
            target.putAll(bench.module().buffers());
            check(from, source, target);
            target.forEach((name, tensor) -> {
                Tensor value = source.get(name);
                if (value != null) {
                    tensor.copy_(value);
                }
            });
        }
    }

    private static Map<String, Tensor> read(Path from) {
        if (Files.isDirectory(from)) {
            RunFolder folder = RunFolder.open(from);
            return CompactFile.read(folder.require(folder.modelSafetensors())).tensors();
        }
        if (!Files.exists(from)) {
            throw KofnException.file("from: %s: no such file or run folder", from);
        }
        Safetensors file = Safetensors.read(from);
        return file.metadata().containsKey("kofn") ? CompactFile.read(from).tensors() : file.tensors();
    }

    /**
     * Every parameter must be there in its shape; a step counter of batch norms may be missing, nothing else may be
     * left over.
     */
    private static void check(String from, Map<String, Tensor> source, Map<String, Tensor> target) {
        List<String> wrong = new ArrayList<>();
        target.forEach((name, tensor) -> {
            Tensor value = source.get(name);
            if (value == null && !name.endsWith("num_batches_tracked")) {
                wrong.add(name + " is missing");
            } else if (value != null && !java.util.Arrays.equals(Tensors.shape(value), Tensors.shape(tensor))) {
                wrong.add(name + " has shape " + java.util.Arrays.toString(Tensors.shape(value)) + ", not "
                        + java.util.Arrays.toString(Tensors.shape(tensor)));
            }
        });
        source.keySet().stream()
                .filter(name -> !target.containsKey(name))
                .forEach(name -> wrong.add(name + " is unknown"));
        if (!wrong.isEmpty()) {
            throw KofnException.file(
                    "from: %s does not fit the model: %s%s",
                    from,
                    String.join(", ", wrong.subList(0, Math.min(3, wrong.size()))),
                    wrong.size() > 3 ? " and " + (wrong.size() - 3) + " more" : "");
        }
    }
}
