package org.kofn.nn;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.ExtraFilesMap;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NamedTensor;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.named_buffer_iterator;
import org.bytedeco.pytorch.named_buffer_list;
import org.bytedeco.pytorch.named_parameter_iterator;
import org.bytedeco.pytorch.named_parameter_list;
import org.kofn.base.AtomicFile;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;
import org.kofn.torch.TorchError;

/**
 * A TorchScript module: the thing that trains, and the file that other tools load. The tensors it hands out are its
 * own: what is copied into them is what the next {@link #forward} uses.
 */
public final class ScriptModule implements AutoCloseable {
    static {
        // Otherwise the graph executor watches the first calls and then replaces the graph by one that is specialised,
        // and on CUDA fused, for their shapes: call 3 could round differently from call 1, and a resumed run from an
        // undisturbed one. Without it every call runs the operators as written, at the same speed on the CPU, where
        // convolutions dominate.
        torch.getProfilingMode().put(false);
    }

    private final JitModule module;
    private final Map<String, Tensor> parameters = new LinkedHashMap<>();
    private final Map<String, Tensor> buffers = new LinkedHashMap<>();
    private final Map<String, String> extras;

    /** Takes over a module that outlives the caller's scope. */
    ScriptModule(JitModule module, Map<String, String> extras) {
        this.module = module;
        this.extras = Map.copyOf(extras);
        try (PointerScope scope = new PointerScope()) {
            named_parameter_list named = module.named_parameters(true);
            named_parameter_iterator end = named.end();
            for (named_parameter_iterator it = named.begin(); it.notEquals(end); it.increment()) {
                put(parameters, it.access());
            }
            named_buffer_list others = module.named_buffers(true);
            named_buffer_iterator last = others.end();
            for (named_buffer_iterator it = others.begin(); it.notEquals(last); it.increment()) {
                put(buffers, it.access());
            }
        }
    }

    private static void put(Map<String, Tensor> map, NamedTensor entry) {
        map.put(entry.name().getString(), Tensors.keep(new Tensor(entry.value())));
    }

    /** The trained tensors by PyTorch's names, in the order of its {@code state_dict}: leaves, the module's own. */
    public Map<String, Tensor> parameters() {
        return Collections.unmodifiableMap(parameters);
    }

    /** The tensors that are saved but not trained: batch-norm statistics. */
    public Map<String, Tensor> buffers() {
        return Collections.unmodifiableMap(buffers);
    }

    /**
     * The class scores of a batch. Call it inside a {@code PointerScope}: the result belongs to the caller's scope.
     *
     * @param images float32 [batch, channels, height, width], on the module's device
     * @return float32 [batch, classes]
     */
    public Tensor forward(Tensor images) {
        return module.forward(new IValueVector(new IValue(images))).toTensor();
    }

    /** Whether batch norms use the batch's statistics and dropouts drop; a fresh module does. */
    public void train(boolean training) {
        module.train(training);
    }

    /** Writes the module as a TorchScript file, whole or not at all. */
    public void save(Path file) {
        save(file, Map.of());
    }

    /**
     * Writes the module as a TorchScript file with texts inside, which Python reads by {@code _extra_files}.
     *
     * @throws KofnException (file) when it cannot be written
     */
    public void save(Path file, Map<String, String> texts) {
        AtomicFile.writePath(file, path -> {
            // LibTorch names the archive's top folder after the file: save under the final name, then move.
            Path folder = Files.createDirectories(path.resolveSibling(path.getFileName() + ".dir"));
            Path named = folder.resolve(file.getFileName());
            try (PointerScope scope = new PointerScope()) {
                requireSpace(
                        folder,
                        size()
                                + texts.values().stream()
                                        .mapToLong(t -> 4L * t.length())
                                        .sum());
                ExtraFilesMap extra = new ExtraFilesMap();
                for (Map.Entry<String, String> text : new TreeMap<>(texts).entrySet()) {
                    extra.put(utf8(text.getKey()), utf8(text.getValue()));
                }
                module.save(named.toString(), extra);
                Files.move(named, path, StandardCopyOption.REPLACE_EXISTING);
            } catch (RuntimeException e) {
                throw new IOException(TorchError.firstLine(e), e);
            } finally {
                Files.deleteIfExists(named);
                Files.deleteIfExists(folder);
            }
        });
    }

    /**
     * A module from a TorchScript file, of kofn or of Python's {@code torch.jit.save}, on {@code device}. It keeps the
     * mode it was saved in.
     *
     * @throws KofnException (file) when it is missing, no TorchScript, cut short or damaged
     */
    public static ScriptModule load(Path file, Device device) {
        Map<String, String> extras = ScriptArchive.texts(file);
        try (PointerScope scope = new PointerScope()) {
            JitModule module = torch.load(file.toString(), new DeviceOptional(device), true);
            return new ScriptModule(Tensors.keep(module), extras);
        } catch (RuntimeException e) {
            throw KofnException.file(
                    e, "%s: is no TorchScript module that LibTorch can load: %s", file, TorchError.firstLine(e));
        }
    }

    /** A text that was saved inside the file, or null. */
    public String extra(String name) {
        return extras.get(name);
    }

    @Override
    public void close() {
        parameters.values().forEach(Tensor::close);
        buffers.values().forEach(Tensor::close);
        module.close();
    }

    /** Upper bound of the file's size in bytes: tensors, what the archive adds to each, and the code. */
    private long size() {
        long bytes = 1 << 20;
        for (Map<String, Tensor> tensors : List.of(parameters, buffers)) {
            for (Tensor tensor : tensors.values()) {
                bytes += tensor.nbytes() + 2048;
            }
        }
        return bytes;
    }

    /** LibTorch ends the process when the disk fills while it writes a module, so it must not come to that. */
    static void requireSpace(Path folder, long bytes) throws IOException {
        long free = Files.getFileStore(folder).getUsableSpace();
        if (free < bytes) {
            throw new IOException(
                    String.format("it needs %d kB, and the disk has %d kB left", bytes / 1000, free / 1000));
        }
    }

    private static BytePointer utf8(String text) {
        return new BytePointer(text, StandardCharsets.UTF_8);
    }
}
