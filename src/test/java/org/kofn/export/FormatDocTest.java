package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/** The worked example of docs/format.md is a file that this code writes, byte for byte. */
class FormatDocTest {
    @TempDir
    Path dir;

    @Test
    void theExampleIsWhatIsWritten() throws IOException {
        Path file = dir.resolve("example.safetensors");
        try (PointerScope scope = new PointerScope()) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("fc1.weight", Tensors.of(new float[] {0, 0, 0, 0, 1.5f, 0, 0, -2, 0, 0}, 2, 5));
            tensors.put("fc2.weight", Tensors.of(new float[] {0, 3, 0, 4, 5, -6, 0, 0}, 2, 4));
            tensors.put("fc2.bias", Tensors.of(new float[] {0.5f, 0.25f}, 2));
            MaskLayout one = MaskLayout.of("fc1", Granularity.WEIGHT, new long[] {2, 5}, 0, 1);
            MaskLayout two = MaskLayout.of("fc2", Granularity.N_M, new long[] {2, 4}, 4, 1);
            List<PrunedTensor> pruned = List.of(
                    new PrunedTensor("fc1.weight", one, 1, mask(2, 5, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0)),
                    new PrunedTensor("fc2.weight", two, 2, mask(2, 4, 0, 1, 0, 1, 1, 1, 0, 0)));
            CompactFile.write(file, tensors, pruned, "model: example\n", Map.of("model", "example"));
        }
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        byte[] header = new byte[(int) bytes.getLong()];
        bytes.get(header);
        byte[] data = new byte[bytes.remaining()];
        bytes.get(data);

        String doc = Files.readString(Path.of("docs", "format.md"));
        String hex = Arrays.stream(block(doc, "text", "<!-- data -->").split("\n"))
                .map(line -> line.replaceFirst("\\s*#.*", ""))
                .collect(Collectors.joining(" "));
        assertThat(HexFormat.ofDelimiter(" ").formatHex(data))
                .isEqualTo(hex.trim().replaceAll("\\s+", " "));
        ObjectMapper json = new ObjectMapper();
        ObjectNode root = (ObjectNode) json.readTree(header);
        ObjectNode metadata = (ObjectNode) root.get("__metadata__");
        String kofn = metadata.get("kofn").textValue();
        metadata.put("kofn", "…");
        assertThat(root.toString())
                .isEqualTo(json.readTree(block(doc, "json", "<!-- header -->")).toString());
        assertThat(kofn)
                .isEqualTo(json.readTree(block(doc, "json", "<!-- kofn -->")).toString());
        assertThat(doc).contains("header of " + header.length + " bytes");
    }

    private static Tensor mask(int groups, int n, int... bits) {
        byte[] bytes = new byte[bits.length];
        for (int i = 0; i < bits.length; i++) {
            bytes[i] = (byte) bits[i];
        }
        return Tensors.ofBytes(bytes, ScalarType.Bool, groups, n);
    }

    /** The fenced block of that language after a marker. */
    private static String block(String doc, String language, String marker) {
        return Pattern.compile(Pattern.quote(marker) + "\\s*```" + language + "\\n(.*?)```", Pattern.DOTALL)
                .matcher(doc)
                .results()
                .map((MatchResult match) -> match.group(1))
                .findFirst()
                .orElseThrow();
    }
}
