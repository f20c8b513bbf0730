package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    @Test
    void helpIsTheGoldenText() throws Exception {
        Cli help = Cli.run("--help");
        assertThat(help.code()).isZero();
        assertThat(help.err()).isEmpty();
        assertThat(help.out()).isEqualTo(golden("kofn.txt"));
        assertThat(Cli.run("train", "--help").out()).isEqualTo(golden("train.txt"));
        assertThat(Cli.run("predict", "--help").out()).isEqualTo(golden("predict.txt"));
    }

    private static String golden(String name) throws Exception {
        return Files.readString(Path.of("src/test/resources/org/kofn/cli/help", name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "train",
                "eval",
                "predict",
                "inspect",
                "verify",
                "export",
                "data",
                "data list",
                "data fetch",
                "data import",
                "bench",
                "bench conv",
                "bench linear",
                "bench sample",
                "bench step",
                "bench model",
                "doctor"
            })
    void everyCommandHasAHelpWithExamplesAndExitCodes(String command) {
        String[] args = (command + " --help").split(" ");
        Cli help = Cli.run(args);
        assertThat(help.code()).isZero();
        assertThat(help.out())
                .startsWith("Usage: kofn " + command)
                .contains("Examples:", "  kofn " + command, "Exit codes:", "143");
        assertThat(help.out().lines()).allMatch(line -> line.length() <= 100);
    }

    @Test
    void versionNamesEverything() {
        Cli version = Cli.run("--version");
        assertThat(version.code()).isZero();
        assertThat(version.out().lines().toList()).hasSize(4).satisfies(lines -> {
            assertThat(lines.get(0)).startsWith("kofn ").contains("(commit ");
            assertThat(lines.get(1)).startsWith("LibTorch ").contains("(presets ");
            assertThat(lines.get(2)).startsWith("Java " + System.getProperty("java.version"));
            assertThat(lines.get(3)).matches("device (cpu|cuda).*");
        });
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "trian x.yaml           | kofn: Unmatched arguments from index 0: 'trian', 'x.yaml'; did you mean"
                        + " 'train'? (see kofn --help)",
                "train x.yaml --sed 7   | kofn: Unknown options: '--sed', '7'; did you mean '--seed'?"
                        + " (see kofn train --help)",
                "train                  | kofn: Missing required parameter: 'RECIPE' (see kofn train --help)",
                "train x --seed seven   | kofn: Invalid value for option '--seed': 'seven' is not a long"
                        + " (see kofn train --help)",
                "train x --resume --force | kofn: --resume, --force are mutually exclusive (specify only one)"
                        + " (see kofn train --help)",
                "predict runs/x         | kofn: Missing required parameter: 'IMAGE' (see kofn predict --help)",
                "predict x y --top 0    | kofn: --top: must be at least 1",
                "eval x --runtime spars | kofn: Invalid value for option '--runtime': expected one of [TORCHSCRIPT,"
                        + " SPARSE] (case-insensitive) but was 'spars' (see kofn eval --help)",
                "data                   | kofn: a command is missing: fetch, import, list (see kofn data --help)",
                "bench                  | kofn: a command is missing: conv, linear, sample, step, model (see kofn"
                        + " bench --help)",
                "bench smaple           | kofn: 'smaple' is no command; did you mean 'sample'? (see kofn"
                        + " bench --help)",
                "bench --batches 1      | kofn: a command or --tune is missing: conv, linear, sample, step, model (see"
                        + " kofn bench --help)",
                "data fetch mist        | kofn: data set 'mist' is not known; did you mean 'mnist'?",
                "doctor --colour        | kofn: Unknown option: '--colour' (see kofn doctor --help)",
            })
    void aWrongLineIsOneLineAndExitCode2(String args, String line) {
        Cli wrong = Cli.run(args.trim().split("\\s+"));
        assertThat(wrong.err()).isEqualTo(line + System.lineSeparator());
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.out()).isEmpty();
    }

    @Test
    void noCommandNamesThemAll() {
        Cli none = Cli.run();
        assertThat(none.code()).isEqualTo(2);
        assertThat(none.err())
                .isEqualTo("kofn: a command is missing: train, eval, predict, inspect, verify, export, data, bench,"
                        + " doctor, generate-completion (see kofn --help)" + System.lineSeparator());
    }

    @Test
    void missingFilesAreExitCode3(@TempDir Path dir) {
        Path recipe = dir.resolve("no.yaml");
        Cli train =
                Cli.run("train", recipe.toString(), "--out", dir.resolve("run").toString());
        assertThat(train.code()).isEqualTo(3);
        assertThat(train.err())
                .isEqualTo("kofn: " + recipe + ": no such recipe; the ones that come with kofn lie in configs/"
                        + System.lineSeparator());
        assertThat(dir.resolve("run")).doesNotExist();
        for (String command : new String[] {"eval", "inspect", "verify"}) {
            Cli missing = Cli.run(command, dir.resolve("gone").toString());
            assertThat(missing.code()).isEqualTo(3);
            assertThat(missing.err())
                    .startsWith("kofn: " + dir.resolve("gone") + ": no such run folder")
                    .hasLineCount(1);
        }
        Cli predict = Cli.run("predict", dir.resolve("gone").toString(), "x.png");
        assertThat(predict.code()).isEqualTo(3);
        assertThat(predict.err()).startsWith("kofn: " + dir.resolve("gone") + ": no such run folder");
    }

    @Test
    void stacktraceIsShownOnlyWhenAskedFor(@TempDir Path dir) {
        String gone = dir.resolve("gone").toString();
        assertThat(Cli.run("inspect", gone).err()).hasLineCount(1);
        assertThat(Cli.run("inspect", gone, "--stacktrace").err()).contains("at org.kofn.export.RunFolder.open");
    }

    @Test
    void completionIsABashScriptThatKnowsTheCommands() {
        Cli completion = Cli.run("generate-completion");
        assertThat(completion.code()).isZero();
        assertThat(completion.out()).startsWith("#!/usr/bin/env bash").contains("--epochs-scale", "inspect");
    }

    @Test
    void nothingIsColouredOffATerminal() {
        assertThat(Cli.run("--help").out() + Cli.run("doctr").err())
                .doesNotContainPattern(Pattern.compile("\u001B\\["));
    }
}
