package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.export.Report.Check;
import org.kofn.export.Report.Outcome;
import org.kofn.nn.ScriptModule;
import org.kofn.torch.Safetensors;
import org.kofn.torch.Tensors;

class VerifierTest {
    @TempDir
    Path dir;

    private RunFolder run;

    @TempDir
    static Path honest;

    @BeforeAll
    static void write() {
        Run.write(honest, "fp32");
    }

    @BeforeEach
    void copy() throws IOException {
        run = new RunFolder(dir);
        try (Stream<Path> files = Files.list(honest)) {
            for (Path file : files.toList()) {
                Files.copy(file, dir.resolve(file.getFileName()));
            }
        }
    }

    @Test
    void anHonestRunPassesEveryCheck() {
        int threads = torch.get_num_threads();
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(report.checks()).allMatch(check -> check.outcome() == Outcome.PASSED);
        assertThat(report.passed()).isTrue();
        assertThat(report.checks())
                .extracting(Check::name)
                .containsExactly(
                        "model.safetensors reads",
                        "model.pt reads",
                        "the network is known",
                        "one recipe in all files",
                        "pruned as the recipe asks",
                        "exactly k of n",
                        "same weights in both files, bit for bit",
                        "the summary's layers",
                        "the summary's parameters",
                        "the summary's sizes",
                        "the compact file fills the network",
                        "same logits on random images",
                        "same logits on the test set",
                        "the trainer's logits",
                        "the sparse runtime on random images",
                        "the sparse runtime on test images");
        assertThat(detail(report, "exactly k of n")).isEqualTo("241 groups in 4 layers");
        assertThat(report.layers()).hasSize(4);
        assertThat(report.layers().get(1).toString())
                .isEqualTo(
                        "LayerRow[name=conv2.weight, granularity=kernel, groups=16, n=16, k=4, share=2, elements=18, "
                                + "zeros=0, bytesDense=18432, bytesCompact=4640]");
        assertThat(report.layers().get(1).density()).isEqualTo(0.25);
        assertThat(torch.get_num_threads()).isEqualTo(threads);
    }

    @Test
    void bfloat16PassesToo() {
        Run.write(dir, "bf16");
        assertThat(Verifier.verify(dir, Run.CPU).checks()).allMatch(check -> check.outcome() == Outcome.PASSED);
    }

    @Test
    void aWeightOutsideTheMaskIsFound() {
        editModule(parameters -> {
            Tensor weight = parameters.get("fc1.weight");
            weight.add_(
                    weight.eq(Tensors.of(new float[1])).to(weight.scalar_type()).mul(Tensors.of(new float[] {1e-30f})));
        });
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(report.passed()).isFalse();
        assertThat(detail(report, "exactly k of n"))
                .isEqualTo("fc1.weight: 31104 weights of model.pt lie outside the mask");
        assertThat(detail(report, "same weights in both files, bit for bit"))
                .startsWith("fc1.weight: 31104 of 32768 values");
    }

    @Test
    void aMinusZeroIsFound() {
        editModule(parameters -> {
            Tensor weight = parameters.get("fc1.weight");
            weight.masked_fill_(weight.eq(Tensors.of(new float[1])), Tensors.of(new float[] {-0f}));
        });
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(failed(report)).containsExactly("same weights in both files, bit for bit");
        assertThat(detail(report, "same weights in both files, bit for bit"))
                .isEqualTo("fc1.weight: 31104 of 32768 values, by at most 0.0");
    }

    @Test
    void anotherValueInTheCompactFileIsFound() {
        editCompact("fc1.weight.values", values -> values.narrow(0, 7, 1).mul_(Tensors.of(new float[] {2})));
        assertThat(failed(Verifier.verify(dir, Run.CPU)))
                .containsExactly(
                        "same weights in both files, bit for bit",
                        "same logits on random images",
                        "same logits on the test set");
    }

    @Test
    void aMaskThatIsNotKOfNIsFound() {
        editCompact("conv2.weight.mask", mask -> mask.bitwise_or_(Tensors.of(new byte[] {-1})));
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(failed(report)).containsExactly("model.safetensors reads");
        assertThat(detail(report, "model.safetensors reads"))
                .endsWith("tensor conv2.weight.mask: group 0: the bitmap keeps 16, not k = 4");
    }

    @Test
    void anotherRecipeIsFound() throws IOException {
        String yaml = Files.readString(run.recipe());
        assertThat(yaml).contains("4/16");
        Files.writeString(run.recipe(), yaml.replace("4/16", "5/16"));
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(failed(report)).containsExactly("one recipe in all files", "pruned as the recipe asks");
        assertThat(detail(report, "pruned as the recipe asks"))
                .isEqualTo("conv2: the recipe keeps 5 of kernel [16 groups, 16 candidates, 18 elements], "
                        + "the file 4 of kernel [16 groups, 16 candidates, 18 elements]");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'\"parameters_kept\" : ' | '\"parameters_kept\" : 1' | the summary's parameters",
                "'\"bytes_compact\" : ' | '\"bytes_compact\" : 1' | the summary's sizes",
                "\"k\" : 4 | \"k\" : 5 | the summary's layers",
                "\"name\" : \"conv2\" | \"name\" : \"conv3\" | the summary's layers",
                "\"test_accuracy\" : 0 | \"test_accuracy\" : 1 | the trainer's logits",
                "\"test_logits_sha256\" : \" | \"test_logits_sha256\" : \"0 | the trainer's logits",
            })
    void aSummaryThatClaimsOtherNumbersIsFound(String from, String to, String check) throws IOException {
        String json = Files.readString(run.summary());
        assertThat(json).contains(from);
        Files.writeString(run.summary(), json.replace(from, to));
        assertThat(failed(Verifier.verify(dir, Run.CPU))).containsExactly(check);
    }

    @Test
    void onOtherHardwareAccuracyIsComparedInstead() throws IOException {
        String json = Files.readString(run.provenance());
        Files.writeString(run.provenance(), json.replace("\"hardware\" : \"", "\"hardware\" : \"another "));
        Files.writeString(run.summary(), Files.readString(run.summary()).replace("sha256\" : \"", "sha256\" : \"0"));
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(report.passed()).isTrue();
        assertThat(detail(report, "the trainer's accuracy")).contains("(bits not compared: hardware another cpu");
        String summary = Files.readString(run.summary());
        Files.writeString(run.summary(), summary.replace("\"test_accuracy\" : 0", "\"test_accuracy\" : 1"));
        assertThat(failed(Verifier.verify(dir, Run.CPU))).containsExactly("the trainer's accuracy");
    }

    @Test
    void anotherTestSetIsSaid() throws IOException {
        String json = Files.readString(run.provenance());
        Files.writeString(run.provenance(), json.replace("\"test\" : \"", "\"test\" : \"0"));
        Report report = Verifier.verify(dir, Run.CPU);
        assertThat(report.passed()).isTrue();
        assertThat(detail(report, "the trainer's logits"))
                .isEqualTo("digits here is not the test set of the run (SHA-256 differs)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.pt", "model.safetensors", "provenance.json", "recipe.yaml"})
    void aMissingFileIsAnErrorThatNamesIt(String name) throws IOException {
        Files.delete(dir.resolve(name));
        assertThatThrownBy(() -> Verifier.verify(dir, Run.CPU)).isInstanceOfSatisfying(KofnException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).contains(name).startsWith(dir.toString()).hasLineCount(1);
        });
    }

    private interface Edit<T> {
        void apply(T target);
    }

    private void editModule(Edit<Map<String, Tensor>> edit) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = ScriptModule.load(run.modelPt(), Run.CPU)) {
            edit.apply(module.parameters());
            module.save(run.modelPt(), Map.of(Verifier.RECIPE_IN_MODULE, module.extra(Verifier.RECIPE_IN_MODULE)));
        }
    }

    private void editCompact(String tensor, Edit<Tensor> edit) {
        try (PointerScope scope = new PointerScope();
                Safetensors file = Safetensors.read(run.modelSafetensors())) {
            Map<String, Tensor> tensors = new LinkedHashMap<>(file.tensors());
            edit.apply(tensors.get(tensor));
            Safetensors.write(run.modelSafetensors(), tensors, new HashMap<>(file.metadata()));
        }
    }

    private static List<String> failed(Report report) {
        assertThat(report.passed()).isEqualTo(report.checks().stream().allMatch(Check::passed));
        return report.checks().stream()
                .filter(check -> !check.passed())
                .map(Check::name)
                .toList();
    }

    private static String detail(Report report, String name) {
        return report.checks().stream()
                .filter(check -> check.name().equals(name))
                .findFirst()
                .orElseThrow()
                .detail();
    }
}
