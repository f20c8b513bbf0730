package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.kofn.nn.TorchScriptCompilerTest.images;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

class ScriptModuleTest {
    private static final Device CPU = new Device("cpu");
    private static final Shape INPUT = new Shape(3, 16, 16);

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(
            value = ScalarType.class,
            names = {"Float", "BFloat16"})
    void aSavedModuleComputesTheSameBits(ScalarType type) {
        Path file = folder.resolve("sub").resolve("model.pt");
        try (PointerScope scope = new PointerScope();
                ScriptModule module = TorchScriptCompilerTest.module("resnet-20", INPUT, type)) {
            Tensor x = images(4, INPUT);
            module.forward(x);
            module.train(false);
            byte[] scores = Tensors.bytes(module.forward(x));
            module.save(file, Map.of("recipe.yaml", "model: résnet\n", "kofn.json", "{}"));
            try (ScriptModule loaded = ScriptModule.load(file, CPU)) {
                assertThat(Tensors.bytes(loaded.forward(x)))
                        .as("same mode, same bits")
                        .isEqualTo(scores);
                assertThat(loaded.parameters().keySet())
                        .containsExactlyElementsOf(module.parameters().keySet());
                assertThat(loaded.buffers().keySet())
                        .containsExactlyElementsOf(module.buffers().keySet());
                assertThat(loaded.extra("recipe.yaml")).isEqualTo("model: résnet\n");
                assertThat(loaded.extra("kofn.json")).isEqualTo("{}");
                assertThat(loaded.extra("nothing")).isNull();
                loaded.train(true);
                loaded.forward(x).square().sum().backward();
                loaded.parameters()
                        .forEach((name, tensor) ->
                                assertThat(tensor.grad().defined()).as(name).isTrue());
                loaded.save(file);
            }
            try (ScriptModule again = ScriptModule.load(file, CPU)) {
                again.train(false);
                assertThat(again.extra("kofn.json")).isNull();
                assertThat(again.parameters()).hasSameSizeAs(module.parameters());
            }
        }
        assertThat(file.getParent()).isDirectoryNotContaining(path -> !path.equals(file));
    }

    @Test
    void theArchiveIsNamedAfterTheFile() throws IOException {
        Path file = folder.resolve("digits.pt");
        try (ScriptModule module = TorchScriptCompilerTest.module("digits-cnn", new Shape(1, 8, 8), ScalarType.Float)) {
            module.save(file);
        }
        try (ZipFile zip = new ZipFile(file.toFile())) {
            assertThat(zip.stream().map(ZipEntry::getName)).allMatch(name -> name.startsWith("digits/"));
            assertThat(zip.getEntry("digits/code/__torch__/kofn/digits_cnn.py")).isNotNull();
        }
    }

    @Test
    void filesThatAreNoModuleGetOneLine() throws IOException {
        refused(folder.resolve("none.pt"), "there is no such file; give a TorchScript module such as model.pt");
        refused(folder, "there is no such file; give a TorchScript module such as model.pt");

        Path text = Files.writeString(folder.resolve("text.pt"), "not a module");
        refused(text, "is no TorchScript file, or only a part of one; write it anew with torch.jit.save");

        Path states = folder.resolve("states.pt");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(states))) {
            zip.putNextEntry(new ZipEntry("states/data.pkl"));
        }
        refused(states, "holds no TorchScript module; in Python, write torch.jit.script(model).save(...)");
    }

    @Test
    void damagedFilesGetOneLine() throws IOException {
        Path file = folder.resolve("model.pt");
        try (ScriptModule module = TorchScriptCompilerTest.module("lenet-5", new Shape(1, 28, 28), ScalarType.Float)) {
            module.save(file);
        }
        byte[] whole = Files.readAllBytes(file);
        for (int length : new int[] {0, 100, whole.length / 2, whole.length - 1}) {
            Path part = Files.write(folder.resolve("part.pt"), Arrays.copyOf(whole, length));
            refused(part, "is no TorchScript file, or only a part of one; write it anew with torch.jit.save");
        }
        byte[] flipped = whole.clone();
        flipped[whole.length / 2] ^= 1;
        Path broken = Files.write(folder.resolve("broken.pt"), flipped);
        assertThatThrownBy(() -> ScriptModule.load(broken, CPU))
                .isInstanceOf(KofnException.class)
                .message()
                .matches(Pattern.quote(broken + ": is damaged: model/data/")
                        + "\\d+ does not have its checksum; take another copy");

        Path strange = folder.resolve("strange.pt");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(strange))) {
            zip.putNextEntry(new ZipEntry("strange/constants.pkl"));
        }
        assertThatThrownBy(() -> ScriptModule.load(strange, CPU))
                .isInstanceOf(KofnException.class)
                .message()
                .startsWith(strange + ": is no TorchScript module that LibTorch can load: ")
                .doesNotContain("\n");
    }

    @Test
    void whatCannotBeWrittenLeavesNothingBehind() throws IOException {
        Path target = Files.createDirectories(folder.resolve("model.pt").resolve("full"));
        try (ScriptModule module = TorchScriptCompilerTest.module("digits-cnn", new Shape(1, 8, 8), ScalarType.Float)) {
            assertThatThrownBy(() -> module.save(target.getParent()))
                    .isInstanceOfSatisfying(
                            KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FILE))
                    .message()
                    .startsWith(target.getParent() + ": cannot be written: ")
                    .doesNotContain("\n");
        }
        assertThat(folder).isDirectoryNotContaining(path -> !path.equals(target.getParent()));
    }

    @Test
    void aDiskThatIsTooSmallIsNoticedBeforehand() throws IOException {
        ScriptModule.requireSpace(folder, 1);
        assertThatThrownBy(() -> ScriptModule.requireSpace(folder, Long.MAX_VALUE))
                .isInstanceOf(IOException.class)
                .message()
                .matches("it needs \\d+ kB, and the disk has \\d+ kB left");
    }

    private static void refused(Path file, String reason) {
        assertThatThrownBy(() -> ScriptModule.load(file, CPU))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FILE))
                .hasMessage(file + ": " + reason);
    }
}
