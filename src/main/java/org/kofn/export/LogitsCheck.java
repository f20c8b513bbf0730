package org.kofn.export;

import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.recipe.Precision;
import org.kofn.recipe.Recipe;
import org.kofn.torch.Tensors;
import org.kofn.torch.TorchError;

/**
 * Whether every saved form computes the same: a network that is built anew and filled from the compact file, the module
 * in {@code model.pt}, and what the trainer itself saw on the test set.
 */
record LogitsCheck(Recipe recipe, Provenance provenance, Summary summary, Device device, Findings findings) {
    private static final int RANDOM_IMAGES = 16;

    /** Compares a network built from the compact file with the module. */
    void run(CompactModel compact, ScriptModule module, Network network) {
        ScalarType type = recipe.precision() == Precision.BF16 ? ScalarType.BFloat16 : ScalarType.Float;
        try (ScriptModule rebuilt = TorchScriptCompiler.compile(network, 0, type, device)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>(rebuilt.parameters());
            tensors.putAll(rebuilt.buffers());
            String wrong = fill(tensors, compact.tensors());
            findings.claim("the compact file fills the network", wrong, network.name());
            if (wrong != null) {
                return;
            }
            rebuilt.train(false);
            module.train(false);
            Tensor images = randomImages(network);
            String difference = Bits.difference(rebuilt.forward(images), module.forward(images));
            findings.claim("same logits on random images", difference, RANDOM_IMAGES + " images");
            checkTestSet(rebuilt, module);
        } catch (KofnException e) {
            throw e;
        } catch (RuntimeException e) {
            findings.claim("both forms run", TorchError.firstLine(e), "");
        }
    }

    private static String fill(Map<String, Tensor> tensors, Map<String, Tensor> from) {
        for (Map.Entry<String, Tensor> target : tensors.entrySet()) {
            Tensor source = from.get(target.getKey());
            if (source == null || source.numel() != target.getValue().numel()) {
                return target.getKey() + ": not in the file, or of another shape";
            }
            target.getValue().copy_(source);
        }
        return Bits.difference(from, tensors);
    }

    private Tensor randomImages(Network network) {
        Random random = new Random(1);
        float[] pixels =
                new float[Math.toIntExact(RANDOM_IMAGES * network.input().size())];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (float) random.nextGaussian();
        }
        long[] shape = {
            RANDOM_IMAGES,
            network.input().channels(),
            network.input().height(),
            network.input().width()
        };
        return Tensors.of(pixels, shape).to(device, ScalarType.Float);
    }

    private void checkTestSet(ScriptModule rebuilt, ScriptModule module) {
        Dataset data;
        try {
            Path dir =
                    recipe.data().dir() == null ? null : Path.of(recipe.data().dir());
            data = DataCatalog.load(recipe.data().name(), dir, Part.TEST);
        } catch (KofnException e) {
            findings.skip("same logits on the test set", e.getMessage());
            return;
        }
        try (data;
                TestLogits one = TestLogits.of(rebuilt, data, device);
                TestLogits other = TestLogits.of(module, data, device)) {
            String images = data.size() + " images of " + data.name();
            findings.claim("same logits on the test set", Bits.difference(one.logits(), other.logits()), images);
            checkTrainer(data, other);
        }
    }

    /** The trainer's own logits by their hash; on other hardware, where rounding differs, by accuracy and loss. */
    private void checkTrainer(Dataset data, TestLogits here) {
        String claimed = provenance.data().get("test");
        if (claimed != null && !claimed.equals(data.checksum())) {
            findings.skip(
                    "the trainer's logits", data.name() + " here is not the test set of the run (SHA-256 differs)");
            return;
        }
        Provenance now = Provenance.of(device, provenance.precision(), 0, Map.of(), Instant.EPOCH, Instant.EPOCH);
        String difference = provenance.difference(now);
        String accuracy = String.format(
                Locale.ROOT, "accuracy %.4f, the summary says %.4f", here.accuracy(), summary.testAccuracy());
        if (difference.isEmpty()) {
            boolean same = here.sha256().equals(summary.testLogitsSha256());
            boolean sameAccuracy = here.accuracy() == summary.testAccuracy();
            findings.claim(
                    "the trainer's logits", same && sameAccuracy ? null : "other bits: " + accuracy, "same SHA-256");
        } else {
            double near = Math.max(2.0 / data.size(), recipe.precision() == Precision.BF16 ? 0.005 : 0.001);
            boolean close = Math.abs(here.accuracy() - summary.testAccuracy()) <= near
                    && Math.abs(here.loss() - summary.testLoss()) <= 0.02 * Math.abs(summary.testLoss()) + 0.001;
            String detail = accuracy + " (bits not compared: " + difference + ")";
            findings.claim("the trainer's accuracy", close ? null : detail, detail);
        }
    }
}
