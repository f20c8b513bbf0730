package org.kofn.kernels;

import java.util.List;
import org.bytedeco.pytorch.Device;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;

/**
 * Sampling and masking for all layers of a network in one call. Every implementation computes the same function; the
 * seam is a call for the whole network so that a native one can be a single launch.
 *
 * <p>All methods run without autograd, read and write only the tensors they are given, and are deterministic.
 */
public interface Kernels extends AutoCloseable {

    /** The implementation, as {@code kofn doctor} and provenance call it. */
    String name();

    /**
     * Samples masks: per group y = φ + s·g with Gumbel noise g, the k largest y are kept, ties going to the lowest
     * index. Writes {@code mask} and {@code effective} = M ⊙ W of every layer; dropped weights become exactly +0.
     *
     * @throws KofnException (diverged) naming the layer whose logits are not numbers
     */
    void sample(List<LogitLayer> layers, Draw draw);

    /**
     * Gradients of the last {@link #sample}, given with the same {@code draw}: reads {@code effective.grad()}, writes
     * ∂L/∂W to {@code latent.grad()} and ∂L/∂φ to {@link LogitLayer#gradient}.
     */
    void sampleBackward(List<LogitLayer> layers, Draw draw);

    /**
     * As {@link #sample} without noise: the k largest scores of every group. For freezing, and for score-based methods.
     */
    void select(List<LogitLayer> layers);

    /** {@code effective} = M ⊙ W with the masks as they are. */
    void apply(List<MaskedWeight> weights);

    /** ∂L/∂W of {@link #apply}: M ⊙ ∂L/∂Weff, or with {@code dense} the gradient of dropped weights too. */
    void applyBackward(List<MaskedWeight> weights, boolean dense);

    /** Gives back what the implementation keeps between calls. */
    @Override
    void close();

    /**
     * Which implementation runs, and why.
     *
     * @param kernels the implementation
     * @param reason one line for people
     */
    record Choice(Kernels kernels, String reason) {}

    /**
     * The implementation that {@code text} names.
     *
     * @param text {@code auto}, {@code reference}, {@code cpu} or {@code cuda}
     * @throws KofnException (usage) for any other name, (device) for one that cannot run here or on this device
     */
    static Choice choose(String text, Device device) {
        List<String> known = List.of("auto", "reference", "cpu", "cuda");
        if (!known.contains(text)) {
            throw KofnException.usage("--kernels: '%s' is no implementation%s", text, Suggest.hint(text, known));
        }
        String fitting = device.is_cuda() ? "cuda" : "cpu";
        boolean automatic = text.equals("auto");
        if (text.equals("reference")) {
            return new Choice(new Reference(), "LibTorch operations, asked for by --kernels");
        }
        if (!automatic && !text.equals(fitting)) {
            throw KofnException.device(
                    "--kernels %s: tensors are on %s; take --kernels %s, or another --device",
                    text, device.is_cuda() ? "a GPU" : "the CPU", fitting);
        }
        NativeLibrary library = device.is_cuda() ? NativeLibrary.cuda() : NativeLibrary.cpu();
        if (library.loads()) {
            Kernels kernels = device.is_cuda() ? new Cuda(device) : new Cpu();
            return new Choice(kernels, library.state());
        }
        if (automatic) {
            return new Choice(new Reference(), "LibTorch operations, since " + library.state());
        }
        throw KofnException.device("--kernels %s: %s", text, library.state());
    }
}
