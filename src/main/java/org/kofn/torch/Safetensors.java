package org.kofn.torch;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.AtomicFile;
import org.kofn.base.KofnException;
import org.kofn.torch.SafetensorsHeader.DType;
import org.kofn.torch.SafetensorsHeader.Entry;

/**
 * Named tensors in a safetensors file (<a href="https://github.com/huggingface/safetensors">format</a>): an 8-byte
 * little-endian length, that many bytes of JSON, then the raw little-endian data of every tensor, back to back. Other
 * frameworks read and write it too, and nothing in it can run.
 *
 * <p>Data go tensor by tensor, in pieces, between the file and native memory, so that neither Java's heap nor the 2 GiB
 * of an array or a mapping limits a tensor, and bits are never interpreted: NaN payloads, −0.0, bf16 and f16 survive.
 *
 * <p>The tensors of a file that was read belong to this object and not to any {@code PointerScope} of the caller:
 * {@link #close} frees them, and whoever does not close it leaves them to the garbage collector.
 */
public final class Safetensors implements AutoCloseable {
    private static final long PIECE = 1 << 26;

    private final Map<String, Tensor> tensors;
    private final Map<String, String> metadata;

    private Safetensors(Map<String, Tensor> tensors, Map<String, String> metadata) {
        this.tensors = Collections.unmodifiableMap(tensors);
        this.metadata = Collections.unmodifiableMap(metadata);
    }

    /** CPU tensors by name, in the order of the header. */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** The strings of {@code __metadata__}; empty when the file has none. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** Frees the tensors; views of them stay valid. */
    @Override
    public void close() {
        tensors.values().forEach(Tensor::close);
    }

    /**
     * Writes a file, whole or not at all, header and data in map order. Tensors may be on any device, and need not be
     * contiguous. Data of the file start at a multiple of 8 bytes; the data of one tensor start where the last one's
     * end, so list tensors by falling element size when aligned data matter.
     *
     * @param metadata goes into {@code __metadata__}; may be empty
     * @throws KofnException (file) when the file cannot be written
     * @throws IllegalArgumentException when a tensor has a type that safetensors does not know
     */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<Entry> entries = new ArrayList<>();
        long at = 0;
        for (Map.Entry<String, Tensor> named : tensors.entrySet()) {
            Tensor tensor = named.getValue();
            DType type = DType.of(named.getKey(), tensor.scalar_type().intern());
            long end = at + tensor.numel() * type.bytes;
            entries.add(new Entry(named.getKey(), type, Tensors.shape(tensor), at, end));
            at = end;
        }
        byte[] header = new SafetensorsHeader(entries, metadata).format();
        AtomicFile.writePath(file, path -> {
            try (FileChannel channel =
                    FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                ByteBuffer start = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
                writeFully(channel, start.putLong(header.length).put(header).flip());
                for (Tensor tensor : tensors.values()) {
                    try (PointerScope scope = new PointerScope()) {
                        Tensor host = tensor.detach().cpu().contiguous();
                        for (long from = 0; from < host.nbytes(); from += PIECE) {
                            writeFully(channel, memory(host, from));
                        }
                    }
                }
            }
        });
    }

    /**
     * Reads a whole file; see the class comment for who owns the tensors.
     *
     * @throws KofnException (file) when it is missing, truncated, has a header beyond 100 MB, an unknown type, a shape
     *     that does not fill its bytes, ranges that overlap or leave gaps, or a name twice
     */
    public static Safetensors read(Path file) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            if (Files.isDirectory(file) || size < 8) {
                throw KofnException.file("%s: not a safetensors file: %d bytes hold no header", file, size);
            }
            readFully(file, channel, length, 0);
            long headerBytes = length.getLong(0);
            if (headerBytes < 2 || headerBytes > SafetensorsHeader.MAX_HEADER_BYTES) {
                throw KofnException.file(
                        "%s: not a safetensors file: a header of %s bytes", file, Long.toUnsignedString(headerBytes));
            }
            long data = 8 + headerBytes;
            if (data > size) {
                throw KofnException.file(
                        "%s: truncated: the header ends at byte %d, the file at byte %d", file, data, size);
            }
            ByteBuffer json = ByteBuffer.allocate((int) headerBytes);
            readFully(file, channel, json, 8);
            SafetensorsHeader header = SafetensorsHeader.parse(file, json.array(), size - data);
            for (Entry entry : header.entries()) {
                tensors.put(entry.name(), read(file, channel, entry, data));
            }
            return new Safetensors(tensors, header.metadata());
        } catch (IOException | RuntimeException e) {
            tensors.values().forEach(Tensor::close);
            if (e instanceof KofnException known) {
                throw known;
            }
            String reason = e instanceof NoSuchFileException ? "no such file" : TorchError.firstLine(e);
            throw KofnException.file(e, "%s: cannot be read: %s", file, reason);
        }
    }

    private static Tensor read(Path file, FileChannel channel, Entry entry, long data) throws IOException {
        try (PointerScope scope = new PointerScope()) {
            Tensor tensor = torch.empty(entry.shape(), new TensorOptions(entry.type().torch), null);
            for (long from = 0; from < tensor.nbytes(); from += PIECE) {
                ByteBuffer piece = memory(tensor, from);
                readFully(file, channel, piece, data + entry.begin() + from);
                if (entry.type() == DType.BOOL) {
                    requireBooleans(file, entry, piece.flip());
                }
            }
            return Tensors.keep(tensor);
        }
    }

    /** Up to {@link #PIECE} bytes of a contiguous CPU tensor's own memory. */
    private static ByteBuffer memory(Tensor tensor, long from) {
        // The address moves, not the position: a buffer's position and limit are cut off at 2 GiB.
        BytePointer start = new BytePointer(tensor.data_ptr()).getPointer(from);
        return start.capacity(Math.min(PIECE, tensor.nbytes() - from)).asByteBuffer();
    }

    private static void requireBooleans(Path file, Entry entry, ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            if ((bytes.get() & ~1) != 0) {
                throw KofnException.file("%s: tensor %s: a BOOL is neither 0 nor 1", file, entry.name());
            }
        }
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private static void readFully(Path file, FileChannel channel, ByteBuffer into, long at) throws IOException {
        for (long position = at; into.hasRemaining(); ) {
            int count = channel.read(into, position);
            if (count < 0) {
                throw KofnException.file("%s: truncated while it was read, at byte %d", file, position);
            }
            position += count;
        }
    }
}
