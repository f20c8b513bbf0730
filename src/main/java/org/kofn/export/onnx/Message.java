package org.kofn.export.onnx;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/**
 * A protocol-buffer message, put together field by field under the numbers of {@code onnx.proto}. A message within
 * another is a rope of its bytes, so that weights are not copied again on every level.
 */
final class Message {
    private ByteString bytes = ByteString.EMPTY;

    /** Writes fields into a stream. */
    @FunctionalInterface
    private interface Field {
        void writeTo(CodedOutputStream out) throws IOException;
    }

    /** A number or an enumeration's. */
    Message put(int field, long value) {
        return append(out -> out.writeInt64(field, value));
    }

    /** A single-precision number. */
    Message put(int field, float value) {
        return append(out -> out.writeFloat(field, value));
    }

    /** A text, in UTF-8. */
    Message put(int field, String value) {
        return append(out -> out.writeString(field, value));
    }

    /** A message within this one. */
    Message put(int field, Message value) {
        return put(field, value.bytes);
    }

    /** Bytes, which are not copied. */
    Message put(int field, ByteString value) {
        append(out -> {
            out.writeTag(field, 2); // What follows says its length first.
            out.writeUInt32NoTag(value.size());
        });
        bytes = bytes.concat(value);
        return this;
    }

    /** Writes the message. */
    void writeTo(OutputStream out) throws IOException {
        bytes.writeTo(out);
    }

    private Message append(Field field) {
        try {
            ByteString.Output piece = ByteString.newOutput();
            CodedOutputStream out = CodedOutputStream.newInstance(piece);
            field.writeTo(out);
            out.flush();
            bytes = bytes.concat(piece.toByteString());
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
