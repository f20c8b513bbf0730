package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.kernels.NativeLibrary;
import org.kofn.torch.Safetensors;
import org.kofn.torch.Tensors;

class SparseModelTest {
    @TempDir
    static Path honest;

    @TempDir
    Path dir;

    private static RunFolder run;

    @BeforeAll
    static void write() {
        run = Run.write(honest, "fp32");
    }

    /** The file alone, away from its run. */
    private Path copy() throws IOException {
        return Files.copy(run.modelSafetensors(), dir.resolve("alone.safetensors"));
    }

    @Test
    void theFileAloneComputesWhatTheModuleDoes() throws IOException {
        try (PointerScope scope = new PointerScope();
                SparseModel sparse = SparseModel.open(copy(), 2);
                ScriptedModel scripted = ScriptedModel.open(run.modelPt(), Run.CPU);
                Dataset test = DataCatalog.load("digits", null, Part.TEST);
                TestLogits one = TestLogits.of(sparse, test);
                TestLogits other = TestLogits.of(scripted, test)) {
            double scale = other.logits().abs().max().item_double();
            assertThat(scale).isGreaterThan(0.1);
            assertThat(Bits.largest(one.logits(), other.logits())).isLessThan(1e-5 * scale);
            assertThat(one.accuracy()).isEqualTo(other.accuracy());
            assertThat(sparse.recipe()).isEqualTo(scripted.recipe());
            assertThat(sparse.network().name()).isEqualTo("digits-cnn");
        }
    }

    @Test
    void loadingUnfoldsNothing() throws IOException {
        try (CompactModel compact = CompactFile.read(copy());
                SparseModel sparse = SparseModel.of(compact, 1)) {
            assertThat(sparse.layers(1)).isNotEmpty();
            assertThat(compact.isUnfolded()).isFalse();
            assertThat(compact.tensors().get("conv2.weight").dim()).isEqualTo(4);
            assertThat(compact.isUnfolded()).isTrue();
        }
    }

    @Test
    void saysWhatRunsAndWhatIsGone() throws IOException {
        try (SparseModel sparse = SparseModel.open(copy(), 1)) {
            assertThat(sparse.removals()).hasSize(1);
            assertThat(sparse.removals().get(0).toString())
                    .startsWith("conv1: ")
                    .contains("of 16 feature maps removed");
            assertThat(sparse.layers(16).get(1))
                    .startsWith("conv2: ")
                    .contains(NativeLibrary.sparse().loads() ? "sparse, density" : "LibTorch");
        }
    }

    @Test
    void bfloat16WeightsAreComputedWithInFp32(@TempDir Path other) {
        RunFolder half = Run.write(other, "bf16");
        try (PointerScope scope = new PointerScope();
                SparseModel sparse = SparseModel.open(half.modelSafetensors(), 1);
                ScriptedModel scripted = ScriptedModel.open(half.modelPt(), Run.CPU)) {
            Tensor images = torch.randn(3, 1, 8, 8);
            Tensor expected = scripted.logits(images);
            Tensor actual = sparse.logits(images);
            assertThat(actual.scalar_type().intern()).isEqualTo(ScalarType.Float);
            double scale = expected.abs().max().item_double();
            assertThat(Bits.largest(actual, expected)).isBetween(1e-6 * scale, 0.05 * scale);
        }
    }

    @Test
    void imagesOfAnotherSizeAreRefused() throws IOException {
        Path file = copy();
        try (PointerScope scope = new PointerScope();
                SparseModel sparse = SparseModel.open(file, 1)) {
            assertThatThrownBy(() -> sparse.logits(torch.randn(2, 3, 8, 8)))
                    .isInstanceOf(KofnException.class)
                    .hasMessage(file + ": takes images of 1x8x8, these are 3x8x8");
            assertThatThrownBy(() -> sparse.logits(torch.randn(1, 8, 8)))
                    .hasMessage(file + ": takes images of 1x8x8, these are of 3 axes");
            assertThatThrownBy(() -> sparse.logits(torch.randn(1, 1, 8, 8).to(ScalarType.Double)))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "model | lenet-5 | its metadata name no network: model lenet-5, images of 1x8x8: layer ",
                "model | digits-cn | its metadata name no network: model 'digits-cn' is not known; did you mean",
                "input | 1x10x10 | tensor fc1.weight: Float[64, 512], where digits-cnn has floating-point numbers of"
                        + " shape [64, 800]",
                "input | 2x8x8 | tensor conv1.weight: Float[16, 1, 3, 3], where",
                "input | 1x99999x99999 | its metadata name no network: images of 1x99999x99999 are beyond",
                "classes | 11 | tensor fc2.weight: Float[10, 64], where digits-cnn has",
                "classes | 0 | its metadata do not name model, input",
                "recipe | model | its recipe",
            })
    void metadataOfAnotherNetworkAreRefused(String key, String value, String message) throws IOException {
        refused(edit(m -> m.put(key, value), t -> {}), message);
    }

    @Test
    void metadataWithLineBreaksStayOneLine() throws IOException {
        refused(edit(m -> m.put("model", "a\nb"), t -> {}), "its metadata do not name model");
        refused(edit(m -> m.put("recipe", "mod\nel: \u001b[31m"), t -> {}), "its recipe");
    }

    @Test
    void tensorsOfAnotherTypeOrNameAreRefused() throws IOException {
        refused(
                edit(m -> {}, t -> t.put("fc2.bias", Tensors.of(new long[10], 10))),
                "tensor fc2.bias: Long[10], where digits-cnn has floating-point numbers of shape [10]");
        Path renamed = edit(
                m -> m.put("kofn", m.get("kofn").replace("\"fc2.bias\"", "\"fc3.bias\"")),
                t -> t.put("fc3.bias", t.remove("fc2.bias")));
        refused(renamed, "tensor fc2.bias: missing, where digits-cnn has");
        Path more = edit(
                m -> m.put("kofn", m.get("kofn").replace("\"fc2.bias\"", "\"fc2.bias\",\"more\"")),
                t -> t.put("more", Tensors.of(new float[1], 1)));
        refused(more, "tensor more: digits-cnn of this input and classes has none of that name");
    }

    private void refused(Path file, String message) {
        assertThatThrownBy(() -> SparseModel.open(file, 1)).isInstanceOfSatisfying(KofnException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).startsWith(file + ": ").contains(message).hasLineCount(1);
            assertThat(e.getMessage().chars().noneMatch(Character::isISOControl))
                    .isTrue();
        });
    }

    private Path edit(Consumer<Map<String, String>> metadata, Consumer<Map<String, Tensor>> tensors) {
        Path file = dir.resolve("edited.safetensors");
        try (PointerScope scope = new PointerScope();
                Safetensors stored = Safetensors.read(run.modelSafetensors())) {
            Map<String, String> strings = new HashMap<>(stored.metadata());
            Map<String, Tensor> map = new LinkedHashMap<>(stored.tensors());
            metadata.accept(strings);
            tensors.accept(map);
            Safetensors.write(file, map, strings);
        }
        return file;
    }
}
