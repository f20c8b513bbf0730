package org.kofn.recipe;

import static org.kofn.recipe.Refusals.assertRefused;

import org.assertj.core.api.AbstractStringAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every way to get a recipe wrong that can be told without the network, by the line that the user reads. */
class BadRecipeTest {
    private static final String GOOD =
            """
            model: lenet-5
            data: mnist
            optimizer: adam
            schedule: cosine
            prune:
              method: dpp
              layers:
                - match: fc1
                  keep: 8/800
            phases:
              - phase: prune
                epochs: 12
            """;

    private static AbstractStringAssert<?> assertBad(String from, String to) {
        return assertText(GOOD.replace(from, to));
    }

    private static AbstractStringAssert<?> assertText(String yaml) {
        return assertRefused(() -> RecipeReader.parse(yaml, "r.yaml"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            epochs: 12      | epoch: 12            | r.yaml:12: unknown key 'epoch' in phases[0]; did you mean 'epochs'?
            model: lenet-5  | modle: lenet-5       | r.yaml:1: unknown key 'modle'; did you mean 'model'?
            keep: 8/800     | keep: {too: 8/800}   | r.yaml:9: unknown key 'too' in prune.layers[0].keep; did you mean 'to'?
            optimizer: adam | optimizer: {weight_decay: 1e-4} | r.yaml:3: unknown key 'weight_decay' in optimizer; did you mean 'weight-decay'?
            schedule: cosine | checkpoint: {whatever: 1} | r.yaml:4: unknown key 'whatever' in checkpoint; known: every-steps, keep
            """)
    void unknownKeys(String from, String to, String message) {
        assertBad(from, to).isEqualTo(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            epochs: 12      | epochs: twelve       | r.yaml:12: phases[0].epochs: expected a number, found 'twelve'
            epochs: 12      | epochs: 50%          | r.yaml:12: phases[0].epochs: expected a number, found '50%'
            epochs: 12      | epochs: [12]         | r.yaml:12: phases[0].epochs: expected a number, found a list
            epochs: 12      | epochs: .inf         | r.yaml:12: phases[0].epochs: expected a number, found '.inf'
            optimizer: adam | batch: 12.5          | r.yaml:3: batch: expected a whole number, found '12.5'
            optimizer: adam | batch: 3000000000    | r.yaml:3: batch: expected a whole number, found '3000000000'
            optimizer: adam | optimizer: {nesterov: yes} | r.yaml:3: optimizer.nesterov: expected true or false, found 'yes'
            optimizer: adam | precision: fp16      | r.yaml:3: precision: expected fp32 or bf16, found 'fp16'
            optimizer: adam | device: {name: cpu}  | r.yaml:3: device: expected text, found a section of keys
            schedule: cosine | schedule: [cosine]  | r.yaml:4: schedule: expected a section of keys, found a list
            schedule: cosine | schedule: {milestones: 0.5} | r.yaml:4: schedule.milestones: expected a list, that is lines that begin with '-', found '0.5'
            schedule: cosine | schedule: {milestones: [half]} | r.yaml:4: schedule.milestones[0]: expected a fraction such as 0.6 or 60%, found 'half'
            schedule: cosine | checkpoint: 5       | r.yaml:4: checkpoint: expected a section of keys, found '5'
            - match: fc1    | - match: ~           | r.yaml:8: prune.layers[0].match: has no value; write one or leave the key out
            model: lenet-5  | model:               | r.yaml:1: model: has no value; write one or leave the key out
            """)
    void wrongTypes(String from, String to, String message) {
        assertBad(from, to).isEqualTo(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            model: lenet-5  |                      | r.yaml: key 'model' is missing
            - match: fc1    | - share: 2           | r.yaml:8: key 'prune.layers[0].match' is missing
            keep: 8/800     | keep: {from: 8x}     | r.yaml:9: key 'prune.layers[0].keep.to' is missing
            """)
    void missingKeys(String from, String to, String message) {
        assertBad(from, to == null ? "" : to).isEqualTo(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            optimizer: adam | batch: 0             | r.yaml:3: batch: must be at least 1, not 0
            optimizer: adam | threads: -1          | r.yaml:3: threads: must be at least 0, not -1
            optimizer: adam | device: gpu          | r.yaml:3: device: 'gpu' is none; write auto, cpu, cuda or cuda:1
            optimizer: adam | label-smoothing: 1   | r.yaml:3: label-smoothing: must be at least 0 and below 1, not 1
            optimizer: adam | optimizer: {rate: 0} | r.yaml:3: optimizer.rate: must be above 0, not 0
            optimizer: adam | optimizer: {momentum: 1} | r.yaml:3: optimizer.momentum: must be at least 0 and below 1, not 1
            optimizer: adam | optimizer: {weight-decay: -1e-4} | r.yaml:3: optimizer.weight-decay: must be at least 0, not -1.0e-4
            schedule: cosine | schedule: {floor: 2} | r.yaml:4: schedule.floor: must lie between 0 and 1, not at 2
            schedule: cosine | schedule: {milestones: [0.5, 0.5]} | r.yaml:4: schedule.milestones[1]: 0.5 must lie between 0.5 and 1; milestones are rising fractions of the span
            data: mnist     | data: {name: mnist, validation: 100%} | r.yaml:2: data.validation: '100%' is not a number of images such as 5000, or below 100%
            data: mnist     | data: folder         | r.yaml:2: data.dir: a folder of pictures needs one: the directory with train/<class>/*.png in it
            data: mnist     | data: {name: mnist, shift: -1} | r.yaml:2: data.shift: must be at least 0, not -1
            method: dpp     | temperature: 0       | r.yaml:6: prune.temperature: must be above 0, not 0
            method: dpp     | noise: {to: 0}       | r.yaml:6: prune.noise.to: a geometric course cannot touch 0; write shape: linear, or a small value
            method: dpp     | entropy: few         | r.yaml:6: prune.entropy: expected a number, found 'few'
            method: dpp     | entropy: -1          | r.yaml:6: prune.entropy: must be at least 0, not -1
            method: dpp     | init-std: 0          | r.yaml:6: prune.init-std: must be above 0, not 0
            method: dpp     | every: 0             | r.yaml:6: prune.every: must be at least 1, not 0
            schedule: cosine | checkpoint: {keep: 0} | r.yaml:4: checkpoint.keep: must be at least 1, not 0
            epochs: 12      | convolutions: auto   | r.yaml:12: phases[0].convolutions: only the masks of a finetune phase stand still; leave it out here
            epochs: 12      | convolutions: fast   | r.yaml:12: phases[0].convolutions: expected dense or sparse or auto, found 'fast'
            epochs: 12      | epochs: 0            | r.yaml:12: phases[0].epochs: must be above 0 (only a dense phase with 'from' may leave it out)
            """)
    void valuesOutOfRange(String from, String to, String message) {
        assertBad(from, to).isEqualTo(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            model: lenet-5  | model: lenet5        | r.yaml:1: model: unknown model 'lenet5'; did you mean 'lenet-5'? known: lenet-300-100, lenet-5
            data: mnist     | data: minst          | r.yaml:2: data: unknown data set 'minst'; did you mean 'mnist'? known:
            optimizer: adam | optimizer: adma      | r.yaml:3: optimizer: unknown optimizer 'adma'; did you mean 'adam'? known: sgd, adam, adamw
            schedule: cosine | schedule: exponential | r.yaml:4: schedule: unknown schedule 'exponential'; known: constant, step, cosine, one-cycle
            method: dpp     | method: magnitudes   | r.yaml:6: prune.method: unknown pruning method 'magnitudes'; did you mean 'magnitude'? known: dpp, magnitude, random
            method: dpp     | init: normall        | r.yaml:6: prune.init: unknown initialisation 'normall'; did you mean 'normal'? known: normal, magnitude
            method: dpp     | noise: {shape: cubic} | r.yaml:6: prune.noise.shape: unknown shape 'cubic'; known: linear, geometric
            phase: prune    | phase: prunes        | r.yaml:11: phases[0].phase: unknown phase 'prunes'; did you mean 'prune'? known: dense, prune, finetune
            - match: fc1    | - match: type:conv   | r.yaml:8: prune.layers[0].match: unknown layer type 'conv'; did you mean 'conv2d'? known: conv2d, linear
            """)
    void unknownNames(String from, String to, String message) {
        assertBad(from, to).startsWith(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            keep: 8/800     | keep: 0/800          | r.yaml:9: prune.layers[0].keep: 0/800 keeps nothing; k must be at least 1
            keep: 8/800     | keep: 801/800        | r.yaml:9: prune.layers[0].keep: 801/800 keeps more than there are (k > n)
            keep: 8/800     | keep: few            | r.yaml:9: prune.layers[0].keep: 'few' is not a budget; write 8/64, 5%, 2:4 or all
            keep: 8/800     | keep: {to: 0/4}      | r.yaml:9: prune.layers[0].keep.to: 0/4 keeps nothing; k must be at least 1
            keep: 8/800     | keep: {to: 8/800, over: 0} | r.yaml:9: prune.layers[0].keep.over: must be above 0 and at most 1 (100%), not 0
            keep: 8/800     | keep: {to: 8/800, from: 0.5x} | r.yaml:9: prune.layers[0].keep.from: 0.5x is less than the goal; k starts at 1x or more
            keep: 8/800     | keep: {to: 8/800, from: much} | r.yaml:9: prune.layers[0].keep.from: 'much' is not a budget; write 8/64, 5%, 2:4 or all
            keep: 8/800     | keep: {to: 2:4, from: 3:8} | r.yaml:9: prune.layers[0].keep.from: 3:8 has other groups than 2:4; write 8x or a percentage
            keep: 8/800     | keep: {to: 8/800, from: 2:4} | r.yaml:9: prune.layers[0].keep.from: 2:4 has other groups than 8/800; write 8x or a percentage
            keep: 8/800     | keep: {to: all, from: 8x} | r.yaml:9: prune.layers[0].keep.from: 8x has no way to go when to is all; leave it out
            - match: fc1    | - match: /fc(/       | r.yaml:8: prune.layers[0].match: /fc(/ is not a regular expression: Unclosed group at position 4
            - match: fc1    | - match: ''          | r.yaml:8: prune.layers[0].match: is empty; write a layer's name, a glob, /a regex/ or type:conv2d
            - match: fc1    | - {match: fc1, granularity: n:m, keep: 8/800}\\n    - match: fc2 | r.yaml:8: prune.layers[0].keep: 8/800 is not of the form 2:4, which granularity n:m needs
            - match: fc1    | - {match: fc1, granularity: weight, keep: 2:4}\\n    - match: fc2 | r.yaml:8: prune.layers[0].keep: 2:4 means n:m, but granularity is weight; leave granularity out, or write keep: 2/4
            - match: fc1    | - {match: fc1, granularity: kernels, keep: 1/4}\\n    - match: fc2 | r.yaml:8: prune.layers[0].granularity: unknown granularity 'kernels'; did you mean 'kernel'? known: weight, kernel, filter, n:m
            - match: fc1    | - {match: fc1, share: 0, keep: 1/4}\\n    - match: fc2 | r.yaml:8: prune.layers[0].share: must be at least 1, not 0
            """)
    void rules(String from, String to, String message) {
        assertBad(from, to.replace("\\n", "\n")).isEqualTo(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            - phase: prune  | - {phase: finetune, epochs: 1}\\n  - phase: prune | r.yaml:11: phases[0]: finetune needs masks; put a prune phase in front of it, or call it dense
            - phase: prune  | - {phase: prune, epochs: 1}\\n  - phase: dense | r.yaml:12: phases[1]: dense cannot follow prune; the order is dense, prune, finetune
            - phase: prune  | - phase: dense       | r.yaml:5: prune: no phase learns these masks; add {phase: prune, epochs: 20} to phases
            - phase: prune  | - {phase: dense, epochs: 1}\\n  - {phase: dense, from: runs/a}\\n  - phase: prune | r.yaml:12: phases[1].from: only the first phase can load a model
            - phase: prune  | - from: runs/a\\n    phase: prune | r.yaml:11: phases[0].from: only a dense phase can load a model; put '{phase: dense, from: runs/a}' in front
            """)
    void phases(String from, String to, String message) {
        assertBad(from, to.replace("\\n", "\n")).isEqualTo(message);
    }

    @Test
    void phasesThatDoNothing() {
        assertText("model: lenet-5\ndata: mnist\nphases: []\n")
                .isEqualTo("r.yaml:3: phases: is empty; write at least one, as in {phase: prune, epochs: 20}");
        assertText("model: lenet-5\ndata: mnist\nphases:\n  - {phase: dense, from: runs/a}\n")
                .isEqualTo("r.yaml:3: phases: no phase trains; give one of them epochs");
    }

    @Test
    void phasesWithoutAPruneSection() {
        assertText("model: lenet-5\ndata: mnist\nphases:\n  - {phase: prune, epochs: 1}\n")
                .isEqualTo("r.yaml:4: phases[0]: a prune phase needs a 'prune' section that says which layers");
    }

    @Test
    void noRules() {
        assertBad("layers:\n    - match: fc1\n      keep: 8/800", "layers: []")
                .isEqualTo("r.yaml:7: prune.layers: is empty; choose what to prune, as in {match: fc1, keep: 10%}");
    }

    @Test
    void duplicateKeys() {
        assertBad("schedule: cosine", "optimizer: sgd")
                .isEqualTo("r.yaml:4: key 'optimizer' is written twice, first at r.yaml:3; keep one");
    }

    @Test
    void notYaml() {
        assertBad("epochs: 12", "epochs: [12").startsWith("r.yaml:13: not valid YAML: expected ',' or ']'");
        assertBad("  method: dpp", "\tmethod: dpp").startsWith("r.yaml:6: not valid YAML: found character");
        assertBad("- match: fc1", "- match: *fc1")
                .isEqualTo("r.yaml:8: *fc1 would be a YAML alias, which recipes do not use;"
                        + " put text that begins with * in quotes: '*fc1'");
        assertText(GOOD + "---\nmodel: lenet-5\n")
                .isEqualTo("r.yaml:14: a second document ('---') begins here; a recipe is one document");
    }

    @Test
    void notARecipe() {
        assertText("").startsWith("r.yaml: the recipe is empty; a recipe is a list of keys such as 'model: lenet-5'");
        assertText("# nothing\n").startsWith("r.yaml: the recipe is empty");
        assertText("- a\n- b\n").startsWith("r.yaml: found a list; a recipe is");
        assertText("hello\n").startsWith("r.yaml: found 'hello'; a recipe is");
    }
}
