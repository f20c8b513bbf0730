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
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.recipe.Recipe;
import org.kofn.runtime.ParameterMask;
import org.kofn.runtime.PreparedNetwork;
import org.kofn.runtime.Removal;
import org.kofn.runtime.SparseNetwork;
import org.kofn.runtime.Storage;
import org.kofn.torch.Tensors;

/**
 * {@code model.safetensors} in the sparse runtime: network, kept weights and masks come from that file alone. It
 * computes on the CPU, in fp32 whatever the precision of the file's weights, or holding weights and values in bf16. Any
 * number of threads may ask for {@link #logits} at the same time.
 */
public final class SparseModel implements SavedModel {
    /** Larger batches are no faster an image, but take more memory. */
    private static final int BATCH = 64;

    private final Path file;
    private final Network network;
    private final Recipe recipe;
    private final PreparedNetwork prepared;
    private final SparseNetwork sparse;
    private final Device device = Tensors.keep(new Device("cpu"));

    private SparseModel(Path file, Network network, Recipe recipe, PreparedNetwork prepared, int threads) {
        this.file = file;
        this.network = network;
        this.recipe = recipe;
        this.prepared = prepared;
        this.sparse = new SparseNetwork(prepared, threads);
    }

    /** Opens a compact file in fp32; otherwise as below. */
    public static SparseModel open(Path file, int threads) {
        return open(file, threads, Storage.FP32);
    }

    /**
     * Opens a compact file.
     *
     * @param threads that one inference uses
     * @param storage of weights and of values between layers
     * @throws KofnException (file), in one line, for whatever {@link CompactFile#read} refuses, for a network that this
     *     kofn does not know, and for tensors that are not that network's
     */
    public static SparseModel open(Path file, int threads, Storage storage) {
        SparseModel model;
        try (CompactModel compact = CompactFile.read(file)) {
            model = of(compact, threads, storage);
        }
        Pointer.trimMemory(); // What loading freed lies between what stays, and the allocator would keep it.
        return model;
    }

    /** Likewise in fp32, from a file that was read; it may be closed then. */
    static SparseModel of(CompactModel compact, int threads) {
        return of(compact, threads, Storage.FP32);
    }

    private static SparseModel of(CompactModel compact, int threads, Storage storage) {
        Recipe recipe = SavedModel.recipe(compact.file(), compact.recipe());
        Network network = compact.network();
        compact.requireTensorsOf(network);
        Map<String, ParameterMask> masks = new HashMap<>();
        for (PrunedTensor pruned : compact.pruned()) {
            String name = pruned.parameter();
            Tensor values = compact.isFolded(name) ? compact.stored().get(name) : null;
            masks.put(name, new ParameterMask(pruned.layout(), pruned.mask(), values));
        }
        PreparedNetwork prepared = PreparedNetwork.of(network, compact.stored(), masks, storage);
        return new SparseModel(compact.file(), network, recipe, prepared, threads);
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
        return device;
    }

    @Override
    public int batch() {
        return BATCH;
    }

    /** How weights and values between layers are held. */
    public Storage storage() {
        return prepared.storage();
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
        if (images.scalar_type().intern() != ScalarType.Float || images.is_cuda()) {
            throw new IllegalArgumentException("images must be float32 on the CPU");
        }
        return sparse.forward(images);
    }

    @Override
    public void close() {
        sparse.close();
        prepared.close();
        device.close();
    }
}
