package org.kofn.bench;

import java.nio.file.Path;
import java.util.Map;
import org.kofn.export.CompactFile;
import org.kofn.export.CompactModel;
import org.kofn.export.onnx.OnnxExport;
import org.kofn.nn.Network;

/**
 * One trained network in the files that its runtimes read.
 *
 * @param modelPt TorchScript
 * @param compact kept weights and masks
 * @param onnx ONNX; null where no runtime for it is given
 * @param onnxRuntime the jar of ONNX Runtime; null for none
 */
record ModelFiles(Path modelPt, Path compact, Path onnx, Path onnxRuntime) {
    /** Exports a network for ONNX Runtime, if there is one, into a folder. */
    static ModelFiles of(Path modelPt, Path compact, Path onnxRuntime, Path folder) {
        if (onnxRuntime == null) {
            return new ModelFiles(modelPt, compact, null, null);
        }
        Path onnx = folder.resolve("model.onnx");
        try (CompactModel model = CompactFile.read(compact)) {
            OnnxExport.write(onnx, model.network(), model.tensors(), Map.of());
        }
        return new ModelFiles(modelPt, compact, onnx, onnxRuntime);
    }

    /** What the files hold. */
    Network network() {
        try (CompactModel model = CompactFile.read(compact)) {
            return model.network();
        }
    }
}
