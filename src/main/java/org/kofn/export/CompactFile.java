package org.kofn.export;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;
import org.kofn.torch.Safetensors;
import org.kofn.torch.Tensors;
import org.kofn.torch.TorchError;

/**
 * {@code model.safetensors}: of a pruned tensor only the kept weights, [G, k, E] with candidates ascending, and the
 * mask in the smaller of two codes ({@link MaskCode}); everything else plain. The dense tensors come back bit for bit,
 * the dropped weights as +0.0. {@code docs/format.md} is the specification.
 *
 * <p>A weight is gathered and scattered through the same view and permutation of axes as its mask ({@link MaskLayout}),
 * so "candidate j of group g" means the same in training and in the file.
 */
public final class CompactFile {
    /** The version of the layout that this class writes and reads. */
    public static final int VERSION = 1;

    private static final String KOFN = CompactHeader.KEY;
    private static final String RECIPE = "recipe";

    private CompactFile() {}

    /**
     * What {@link CompactModel#network} needs to build the network again: {@code model}, {@code input},
     * {@code classes}.
     */
    public static Map<String, String> about(Network network) {
        Map<String, String> about = new LinkedHashMap<>();
        about.put(CompactModel.MODEL, network.name());
        about.put(CompactModel.INPUT, network.input().toString());
        about.put(CompactModel.CLASSES, Integer.toString(network.classes()));
        return about;
    }

    /**
     * Writes a module's tensors.
     *
     * @param tensors every parameter and buffer, dense, in the module's order, on any device; dropped weights are zero
     * @param pruned the pruned ones among them; parameters that are not listed are stored whole
     * @param recipeYaml the resolved recipe
     * @param extra more strings for the metadata, {@link #about} the network among them
     * @throws KofnException (file) when the file cannot be written
     * @throws IllegalArgumentException when a mask does not keep exactly k of n, or a dropped weight is not zero
     */
    public static void write(
            Path file,
            Map<String, Tensor> tensors,
            List<PrunedTensor> pruned,
            String recipeYaml,
            Map<String, String> extra) {
        try (PointerScope scope = new PointerScope()) {
            Map<String, Tensor> stored = new LinkedHashMap<>(tensors);
            List<CompactEntry> entries = new ArrayList<>();
            for (PrunedTensor layer : pruned) {
                CompactEntry entry = CompactEntry.of(layer);
                entries.add(entry);
                pack(layer, entry, stored);
            }
            Map<String, String> metadata = new LinkedHashMap<>();
            metadata.put(KOFN, new CompactHeader(VERSION, List.copyOf(tensors.keySet()), entries).format());
            metadata.put(RECIPE, recipeYaml);
            extra.forEach((key, value) -> {
                if (metadata.putIfAbsent(key, value) != null) {
                    throw new IllegalArgumentException("extra metadata must not be called " + key);
                }
            });
            Safetensors.write(file, widestFirst(stored), metadata);
        }
    }

    /**
     * Reads a compact file.
     *
     * @throws KofnException (file), in one line, for whatever {@link Safetensors#read} refuses and for a layout that
     *     does not fit its tensors, an index that is out of range, twice or not ascending, or a group without exactly k
     */
    public static CompactModel read(Path file) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, PrunedTensor> pruned = new LinkedHashMap<>();
        try (Safetensors stored = Safetensors.read(file)) {
            Map<String, String> extra = new LinkedHashMap<>(stored.metadata());
            CompactHeader header = CompactHeader.parse(file, extra.remove(KOFN));
            String recipe = extra.remove(RECIPE);
            if (recipe == null) {
                throw KofnException.file("%s: not a compact kofn model: no recipe in its metadata", file);
            }
            Map<String, CompactEntry> entries =
                    header.entries(file, stored.tensors().keySet());
            for (String name : header.tensors()) {
                CompactEntry entry = entries.get(name);
                if (entry != null) {
                    pruned.put(name, unpack(file, entry, stored.tensors()));
                }
                tensors.put(name, alias(stored.tensors().get(entry == null ? name : entry.values())));
            }
            return new CompactModel(file, tensors, pruned, recipe, extra);
        } catch (RuntimeException e) {
            new CompactModel(file, tensors, pruned, "", Map.of()).close();
            if (e instanceof KofnException known) {
                throw known;
            }
            throw KofnException.file(e, "%s: cannot be read: %s", file, TorchError.firstLine(e));
        }
    }

    private static void pack(PrunedTensor layer, CompactEntry entry, Map<String, Tensor> stored) {
        Tensor dense = stored.get(layer.parameter());
        MaskLayout layout = layer.layout();
        if (dense == null || !Arrays.equals(Tensors.shape(dense), layout.shape())) {
            throw new IllegalArgumentException(layer.parameter() + ": no tensor of the layout's shape");
        }
        long wrong = layer.wrongGroup();
        if (wrong >= 0) {
            throw new IllegalArgumentException(
                    layer.parameter() + ": group " + wrong + " does not keep exactly " + layer.k());
        }
        MaskCode code = entry.code();
        if (code == MaskCode.NONE) {
            return;
        }
        Tensor split = dense.detach().cpu().contiguous().view(layout.view()).permute(order(layout));
        Tensor candidates = split.reshape(entry.groups(), entry.n(), entry.elements());
        Tensor mask = layer.mask().unsqueeze(2);
        if (candidates.masked_select(mask.logical_not()).count_nonzero().item_long() != 0) {
            throw new IllegalArgumentException(layer.parameter() + ": a dropped weight is not zero");
        }
        Tensor values = candidates.masked_select(mask).view(entry.groups(), entry.k(), entry.elements());
        byte[] packed = code.pack(Tensors.bytes(layer.mask()), (int) entry.n(), (int) entry.k());
        stored.remove(layer.parameter());
        if (stored.putIfAbsent(entry.values(), values) != null
                || stored.putIfAbsent(entry.mask(), Tensors.of(packed, packed.length)) != null) {
            throw new IllegalArgumentException(layer.parameter() + ": its parts' names are taken by other tensors");
        }
    }

    private static PrunedTensor unpack(Path file, CompactEntry entry, Map<String, Tensor> stored) {
        MaskLayout layout = entry.layout(file);
        MaskCode code = entry.code();
        Tensor values = stored.get(entry.values());
        long[] expected =
                code == MaskCode.NONE ? layout.shape() : new long[] {entry.groups(), entry.k(), entry.elements()};
        requireShape(file, entry.values(), values, expected);
        try (PointerScope scope = new PointerScope()) {
            byte[] packed = new byte[0];
            if (code != MaskCode.NONE) {
                Tensor bits = stored.get(entry.mask());
                long bytes = (code.bits(entry.groups(), entry.n(), entry.k()) + 7) / 8;
                requireShape(file, entry.mask(), bits, bytes);
                if (bits.scalar_type().intern() != ScalarType.Byte) {
                    throw KofnException.file("%s: tensor %s: a mask must be U8", file, entry.mask());
                }
                packed = Tensors.bytes(bits);
            }
            byte[] flags = code.unpack(packed, (int) entry.groups(), (int) entry.n(), (int) entry.k());
            Tensor mask = Tensors.ofBytes(flags, ScalarType.Bool, entry.groups(), entry.n());
            return new PrunedTensor(entry.parameter(), layout, entry.k(), Tensors.keep(mask));
        } catch (MaskCode.Damaged e) {
            throw KofnException.file(e, "%s: tensor %s: %s", file, entry.mask(), e.getMessage());
        }
    }

    private static void requireShape(Path file, String name, Tensor tensor, long... shape) {
        if (tensor == null || !Arrays.equals(Tensors.shape(tensor), shape)) {
            throw KofnException.file(
                    "%s: tensor %s: its shape %s is not the layout's %s",
                    file, name, tensor == null ? "" : Arrays.toString(Tensors.shape(tensor)), Arrays.toString(shape));
        }
    }

    /** A second handle on a tensor, so that closing the file's own leaves it alive. */
    private static Tensor alias(Tensor tensor) {
        try (PointerScope scope = new PointerScope()) {
            return Tensors.keep(tensor.alias());
        }
    }

    private static long[] order(MaskLayout layout) {
        return Arrays.stream(layout.axes()).asLongStream().toArray();
    }

    /** Eight-byte elements first, then four, two, one: so every tensor's data are aligned. Otherwise in map order. */
    private static Map<String, Tensor> widestFirst(Map<String, Tensor> tensors) {
        Map<Long, Map<String, Tensor>> byWidth = new TreeMap<>();
        tensors.forEach((name, tensor) -> byWidth.computeIfAbsent(-tensor.element_size(), w -> new LinkedHashMap<>())
                .put(name, tensor));
        Map<String, Tensor> sorted = new LinkedHashMap<>();
        byWidth.values().forEach(sorted::putAll);
        return sorted;
    }
}
