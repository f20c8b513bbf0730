package org.kofn.export;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.data.Augmentation;
import org.kofn.data.Batches;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.export.Report.Comparison;
import org.kofn.kernels.NativeLibrary;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.recipe.Recipe;
import org.kofn.torch.TorchError;

/**
 * Whether the sparse runtime computes what the network does: its logits against those of the dense module with the
 * masked weights, in fp32 on the CPU.
 *
 * <p>The two round differently, so a bound is needed. A sum of K products errs by about ε·√K·Σ|w||x|, which every layer
 * adds to what the layers before it passed on, amplified by factors that depend on weights and images; worked out in
 * advance, such a bound is either far too wide to find a fault or wrong. But the same network in double precision shows
 * what these factors make of rounding: e, the module's own largest distance from it on the same images, is one draw of
 * errors of that size. The sparse runtime's are another, larger by a small factor only: it sums in one chain what
 * LibTorch sums in blocks, and batch norms are folded into weights that are rounded once more. So, with L the largest
 * logit,
 *
 * <pre>largest difference ≤ min({@value #FACTOR}·e, {@value #CEILING}·L) + {@value #FLOOR}·L</pre>
 *
 * where the last term is for networks so small that e happens to be nothing, and the ceiling for a module that is
 * itself wrong: rounding alone never made that much of any network of the zoo. A failure says which of the two is off.
 */
record RuntimeCheck(CompactModel compact, Network network, Findings findings) {
    static final double FACTOR = 16;
    static final double CEILING = 1e-4;
    static final double FLOOR = 1e-6;

    private static final int RANDOM_IMAGES = 16;
    /** Of them, so many one by one too: other kernels run for single images. */
    private static final int SINGLE_IMAGES = 4;

    private static final int TEST_IMAGES = 128;

    /** The three that are compared: logits of images in the sparse runtime, in the module, and in double precision. */
    record Three(UnaryOperator<Tensor> sparse, UnaryOperator<Tensor> module, UnaryOperator<Tensor> exact) {}

    /** Makes the checks; what was measured, or null when one of the three does not run. */
    Report.Sparse run() {
        int threads = torch.get_num_threads();
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                Device cpu = new Device("cpu");
                SparseModel sparse = SparseModel.of(compact, threads);
                ScriptModule module = dense(ScalarType.Float, cpu);
                ScriptModule exact = dense(ScalarType.Double, cpu)) {
            Three three = new Three(sparse::logits, module::forward, exact::forward);
            NativeLibrary library = NativeLibrary.sparse();
            String kernels = (library.loads() ? "" : "LibTorch's operations ran: ") + library.state();
            Comparison random = random(three);
            claim("the sparse runtime on random images", random, kernels);
            Comparison test = test(three, sparse);
            Latency latency = Latency.measure(sparse::logits, module::forward, images(1, 2));
            return new Report.Sparse(
                    library.loads(),
                    kernels,
                    random,
                    test,
                    compact.file().toFile().length(),
                    compact.tensors().values().stream()
                            .mapToLong(Tensor::nbytes)
                            .sum(),
                    latency.oneMs(),
                    latency.otherMs(),
                    latency.runs(),
                    threads,
                    sparse.layers(1),
                    sparse.removals());
        } catch (RuntimeException e) {
            findings.claim("the sparse runtime runs", TorchError.firstLine(e), "");
            return null;
        }
    }

    /** The network filled from the compact file, in evaluation mode. */
    private ScriptModule dense(ScalarType type, Device cpu) {
        ScriptModule module = TorchScriptCompiler.compile(network, 0, type, cpu);
        for (Map<String, Tensor> tensors : List.of(module.parameters(), module.buffers())) {
            tensors.forEach((name, tensor) -> tensor.copy_(compact.tensors().get(name)));
        }
        module.train(false);
        return module;
    }

    private Tensor images(int count, long seed) {
        torch.manual_seed(seed);
        return torch.randn(
                count,
                network.input().channels(),
                network.input().height(),
                network.input().width());
    }

    private Comparison random(Three three) {
        Tensor images = images(RANDOM_IMAGES, 1);
        List<Tensor> parts = new ArrayList<>(List.of(images));
        for (int i = 0; i < SINGLE_IMAGES; i++) {
            parts.add(images.narrow(0, i, 1));
        }
        return compare(three, parts);
    }

    private Comparison test(Three three, SparseModel sparse) {
        Recipe recipe = sparse.recipe();
        Path dir = recipe.data().dir() == null ? null : Path.of(recipe.data().dir());
        try (Dataset all = DataCatalog.load(recipe.data().name(), dir, Part.TEST);
                Dataset some = all.subset(
                        LongStream.range(0, Math.min(TEST_IMAGES, all.size())).toArray());
                Batches batches = new Batches(some, Augmentation.NONE, sparse.batch(), 0, false)) {
            List<Tensor> parts = new ArrayList<>();
            for (long index = 0; index < batches.perEpoch(); index++) {
                parts.add(batches.get(0, index).images());
            }
            Comparison test = compare(three, parts);
            claim("the sparse runtime on test images", test, "of " + all.name());
            return test;
        } catch (KofnException e) {
            findings.skip("the sparse runtime on test images", e.getMessage());
            return null;
        }
    }

    /** Compares on batches of several sizes; the bound is that of all images together. */
    static Comparison compare(Three three, List<Tensor> batches) {
        Tensor sparse = all(batches.stream().map(three.sparse).toList());
        Tensor module = all(batches.stream().map(three.module).toList());
        Tensor exact = all(batches.stream().map(three.exact).toList());
        double rounding = Bits.largest(module, exact);
        double largest = exact.abs().max().item_double();
        double bound = Math.min(FACTOR * rounding, CEILING * largest) + FLOOR * largest;
        long same = argmax(sparse).eq(argmax(module)).sum().item_long();
        return new Comparison(
                sparse.size(0), Bits.largest(sparse, module), bound, Bits.largest(sparse, exact), rounding, same);
    }

    private static Tensor all(List<Tensor> parts) {
        return torch.cat(new TensorVector(parts.toArray(Tensor[]::new)));
    }

    private static Tensor argmax(Tensor logits) {
        return logits.argmax(new LongOptional(1), false);
    }

    private void claim(String name, Comparison found, String detail) {
        String numbers = String.format(
                Locale.ROOT,
                "largest error %.2g, bound %.2g, same class for %d of %d images",
                found.largestError(),
                found.bound(),
                found.sameClass(),
                found.images());
        String wrong = String.format(
                Locale.ROOT,
                "%s; off double precision are the sparse runtime by %.2g, TorchScript by %.2g",
                numbers,
                found.sparseRounding(),
                found.denseRounding());
        // Written so that what is no number fails.
        boolean holds = found.largestError() <= found.bound();
        findings.claim(name, holds ? null : wrong, numbers + "; " + detail);
    }
}
