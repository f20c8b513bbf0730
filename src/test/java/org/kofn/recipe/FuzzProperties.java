package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

/** Damaged recipes are refused with a line, or are still recipes; nothing else may come out. */
class FuzzProperties {
    private static final String WHOLE = RecipeWriter.toYaml(RecipeReader.parse(RecipeReaderTest.SHORT, "r.yaml"));

    @Property(tries = 3000)
    void damagedTextIsRefusedOrRead(@ForAll("cuts") List<Integer> cuts, @ForAll("pieces") String piece) {
        StringBuilder text = new StringBuilder(WHOLE);
        for (int cut : cuts) {
            int at = cut % (text.length() + 1);
            text.replace(at, Math.min(text.length(), at + cut % 7), piece);
        }
        refusedOrRead(() -> RecipeReader.parse(text.toString(), "r.yaml"));
    }

    @Property(tries = 2000)
    void anyOverrideIsRefusedOrApplied(@ForAll("overrides") String override) {
        refusedOrRead(() -> RecipeReader.parse(RecipeReaderTest.SHORT, "r.yaml", List.of(override), 1));
    }

    private static void refusedOrRead(Runnable read) {
        try {
            read.run();
        } catch (KofnException refusal) {
            assertThat(refusal.exitCode()).isEqualTo(ExitCode.USAGE);
            assertThat(refusal.getMessage()).hasLineCount(1).matches("(r\\.yaml|--set ).*");
        }
    }

    @Provide
    Arbitrary<List<Integer>> cuts() {
        return Arbitraries.integers().between(0, 2000).list().ofMinSize(1).ofMaxSize(4);
    }

    @Provide
    Arbitrary<String> pieces() {
        return Arbitraries.oneOf(
                Arbitraries.of(
                        "",
                        ":",
                        "- ",
                        "{",
                        "}",
                        "[",
                        "]",
                        "\n",
                        "\t",
                        "*a",
                        "&a",
                        "? ",
                        "!!set ",
                        "!",
                        "|",
                        ">",
                        "<<: ",
                        "'",
                        "\"",
                        "%",
                        "@",
                        "`",
                        "---\n",
                        "...",
                        "null",
                        ": 1",
                        "#",
                        ",",
                        "1e999",
                        "\"a\\nb\"",
                        "0x1F",
                        "\u0000",
                        "\ud800"),
                Arbitraries.strings().ascii().ofMaxLength(4));
    }

    @Provide
    Arbitrary<String> overrides() {
        return Arbitraries.of(
                        "model",
                        "data",
                        "prune",
                        ".",
                        "[0]",
                        "[1]",
                        "layers",
                        "phases",
                        "keep",
                        "to",
                        "optimizer",
                        "rate",
                        "=",
                        "=",
                        "12",
                        "~",
                        "{}",
                        "[]",
                        "5%",
                        "batch",
                        "noise",
                        "match",
                        " ",
                        "[",
                        ":",
                        "'",
                        "\n",
                        "\"a\\nb\"")
                .list()
                .ofMinSize(1)
                .ofMaxSize(8)
                .map(parts -> String.join("", parts));
    }
}
