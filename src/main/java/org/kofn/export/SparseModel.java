package org.kofn.export;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.kernels.Precision;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.recipe.Recipe;
import org.kofn.runtime.Backend;
import org.kofn.runtime.Dispatch;
import org.kofn.runtime.DispatchTable;
import org.kofn.runtime.ParameterMask;
import org.kofn.runtime.PreparedNetwork;
import org.kofn.runtime.Removal;
import org.kofn.runtime.SparseNetwork;
import org.kofn.torch.Tensors;

/**
 * {@code model.safetensors} in the sparse runtime: network, kept weights and masks come from that file alone. It
 * computes in the precision of its {@link Backend}, whatever that of the stored weights. Any number of threads may ask
 * for {@link #logits} at the same time.
 */
public final class SparseModel implements SavedModel {
    /** Larger batches are no faster an image on a CPU, but take more memory. */
    private static final int BATCH = 64;

    private final Path file;
    private final Network network;
    private final Recipe recipe;
    private final PreparedNetwork prepared;
    private final Backend backend;
    private final SparseNetwork sparse;

    private SparseModel(
            Path file, Network network, Recipe recipe, PreparedNetwork prepared, Backend backend, Dispatch dispatch) {
        this.file = file;
        this.network = network;
        this.recipe = recipe;
        this.prepared = prepared;
        this.backend = backend;
        this.sparse = new SparseNetwork(prepared, backend, dispatch);
    }

    /**
     * Opens a compact file.
     *
     * @param backend where it runs; closed with the model
     * @param dispatch decides which layers the sparse kernels compute
     * @throws KofnException (file), in one line, for whatever {@link CompactFile#read} refuses, for a network that this
     *     kofn does not know, and for tensors that are not that network's
     */
    public static SparseModel open(Path file, Backend backend, Dispatch dispatch) {
        SparseModel model;
        try (CompactModel compact = CompactFile.read(file)) {
            model = of(compact, backend, dispatch);
        }
        Pointer.trimMemory(); // What loading freed lies between what stays, and the allocator would keep it.
        return model;
    }

    /** Likewise, on so many threads of the CPU, by the default rule. */
    public static SparseModel open(Path file, int threads) {
        return open(file, Backend.ofCpu(Precision.FP32, threads), DispatchTable.none());
    }

    /** Likewise, from a file that was read; it may be closed then. */
    static SparseModel of(CompactModel compact, int threads) {
        return of(compact, Backend.ofCpu(Precision.FP32, threads), DispatchTable.none());
    }

    private static SparseModel of(CompactModel compact, Backend backend, Dispatch dispatch) {
        Recipe recipe = SavedModel.recipe(compact.file(), compact.recipe());
        Network network = compact.network();
        compact.requireTensorsOf(network);
        Map<String, ParameterMask> masks = new HashMap<>();
        for (PrunedTensor pruned : compact.pruned()) {
            String name = pruned.parameter();
            Tensor values = compact.isFolded(name) ? compact.stored().get(name) : null;
            masks.put(name, new ParameterMask(pruned.layout(), pruned.mask(), values));
        }
        PreparedNetwork prepared = PreparedNetwork.of(network, compact.stored(), masks, backend.precision());
        return new SparseModel(compact.file(), network, recipe, prepared, backend, dispatch);
    }

    @Override
    public Path file() {
        return file;
    }

    @Override
    public ModelRuntime runtime() {
        return ModelRuntime.SPARSE;
    }

    @Override
    public Recipe recipe() {
        return recipe;
    }

    @Override
    public Device device() {
        return backend.device();
    }

    @Override
    public int batch() {
        return Math.max(BATCH, backend.piece());
    }

    /** What weights and values between layers are stored in. */
    public Precision precision() {
        return backend.precision();
    }

    /** What the file holds the weights of. */
    public Network network() {
        return network;
    }

    /** The layers where feature maps were removed, or were dropped but had to stay. */
    public List<Removal> removals() {
        return prepared.removals();
    }

    /** What computes each layer for batches of a size, a line each. */
    public List<String> layers(int batch) {
        return sparse.layers(batch);
    }

    /** @throws KofnException (file) when the images are not of the network's size */
    @Override
    public Tensor logits(Tensor images) {
        Shape input = network.input();
        if (images.dim() != 4
                || images.size(1) != input.channels()
                || images.size(2) != input.height()
                || images.size(3) != input.width()) {
            String sizes = Tensors.shape(images).length == 4
                    ? images.size(1) + "x" + images.size(2) + "x" + images.size(3)
                    : "of " + images.dim() + " axes";
            throw KofnException.file("%s: takes images of %s, these are %s", file, input, sizes);
        }
        if (images.scalar_type().intern() != ScalarType.Float || images.is_cuda() != device().is_cuda()) {
            throw new IllegalArgumentException(
                    "images must be float32 on " + device().str().getString());
        }
        return sparse.forward(images);
    }

    @Override
    public void close() {
        sparse.close();
        prepared.close();
    }
}
