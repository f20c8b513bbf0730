package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.recipe.Refusals.assertRefused;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.mask.Granularity;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Zoo;

class LayerPlanTest {
    private static final Network LENET = Zoo.build("lenet-5", new Shape(1, 28, 28), 10);
    private static final Network RESNET = Zoo.build("resnet-20", new Shape(3, 32, 32), 10);

    private static List<LayerPlan> plan(Network network, String... rules) {
        String yaml = "model: lenet-5\ndata: mnist\nphases: [{phase: prune, epochs: 1}]\nprune:\n  layers:\n";
        for (String rule : rules) {
            yaml += "    - {" + rule + "}\n";
        }
        return LayerPlan.resolve(RecipeReader.parse(yaml, "r.yaml").prune(), network);
    }

    private static List<String> layers(List<LayerPlan> plans) {
        return plans.stream().map(plan -> plan.weight().layer()).toList();
    }

    @Test
    void everyGranularityHasItsGroupsAndCandidates() {
        List<LayerPlan> plans = plan(
                LENET,
                "match: conv1, granularity: filter, keep: 10/20",
                "match: conv2, granularity: kernel, keep: 4/20, share: 5",
                "match: fc1, keep: 2:4",
                "match: fc2, keep: 5%");
        assertThat(plans)
                .extracting(plan -> plan.layout().toString())
                .containsExactly(
                        "filter [1 groups, 20 candidates, 25 elements]",
                        "kernel [10 groups, 20 candidates, 125 elements]",
                        "n:m [100000 groups, 4 candidates, 1 elements]",
                        "weight [10 groups, 500 candidates, 1 elements]");
        assertThat(plans).extracting(LayerPlan::goalK).containsExactly(10L, 4L, 2L, 25L);
        assertThat(plans).extracting(LayerPlan::density).containsExactly(0.5, 0.2, 0.5, 0.05);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            layer1.0.conv1   | layer1.0.conv1
            layer3.*.conv?   | layer3.0.conv1,layer3.0.conv2,layer3.1.conv1,layer3.1.conv2,layer3.2.conv1,layer3.2.conv2
            /2\\.conv1$/     | layer1.2.conv1,layer2.2.conv1,layer3.2.conv1
            /^conv/          | conv1
            type:linear      | fc
            *                | all 22
            type:conv2d      | all 21
            """)
    void layersAreChosenByNameGlobRegexAndType(String match, String expected) {
        List<String> layers = layers(plan(RESNET, "match: '" + match + "', granularity: filter, keep: 50%"));
        if (expected.startsWith("all ")) {
            assertThat(layers).hasSize(Integer.parseInt(expected.substring(4)));
        } else {
            assertThat(layers).containsExactly(expected.split(","));
        }
    }

    @Test
    void aDotInAGlobIsADot() {
        assertRefused(() -> plan(RESNET, "match: 'layer1?0?conv1', keep: 1%", "match: 'layer1.0.c*1.', keep: 1%"))
                .startsWith("prune.layers[1].match: 'layer1.0.c*1.' matches no layer");
    }

    @Test
    void theLastRuleThatMatchesWins() {
        List<LayerPlan> plans =
                plan(LENET, "match: '*', keep: 10%", "match: conv1, keep: all", "match: fc*, keep: 1/100");
        assertThat(layers(plans)).containsExactly("conv2", "fc1", "fc2");
        assertThat(plans).extracting(LayerPlan::goalK).containsExactly(50L, 8L, 5L);
        assertThat(layers(plan(LENET, "match: fc1, keep: all", "match: 'fc*', keep: 1%")))
                .containsExactly("fc1", "fc2");
    }

    @Test
    void granularityFollowsFromTheBudget() {
        assertThat(plan(LENET, "match: fc1, keep: 2:4").get(0).layout().granularity())
                .isEqualTo(Granularity.N_M);
        assertThat(plan(LENET, "match: fc1, keep: 2/4").get(0).layout().granularity())
                .isEqualTo(Granularity.WEIGHT);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            match: convv2, keep: 5%              | prune.layers[0].match: 'convv2' matches no layer of lenet-5 that has weights; did you mean 'conv2'?
            match: layer4*, keep: 5%             | prune.layers[0].match: 'layer4*' matches no layer of lenet-5 that has weights; it has: conv1, conv2, fc1, fc2
            match: /^linear/, keep: all          | prune.layers[0].match: '/^linear/' matches no layer of lenet-5 that has weights; it has: conv1, conv2, fc1, fc2
            match: relu1, keep: 5%               | prune.layers[0].match: 'relu1' matches no layer of lenet-5 that has weights; known: conv1, conv2, fc1, fc2
            match: fc1, keep: 12/784             | layer fc1: keep: 12/784 does not come out even for its 800 candidates; write k/800 or a percentage
            match: fc1, keep: 3:7                | layer fc1: groups of 7 do not divide its 800 input channels; take a divisor of 800, or keep: all
            match: conv1, keep: 2:4              | layer conv1: groups of 4 do not divide its 1 input channels; take a divisor of 1, or keep: all
            match: fc1, keep: 5%, share: 7       | layer fc1: share: 7 does not divide its 500 outputs; take a divisor of 500
            match: fc1, keep: 5%, granularity: kernel | layer fc1: granularity kernel needs a convolution; use weight for a linear layer
            match: conv1, keep: 5/20, granularity: filter, share: 2 | layer conv1: filters form one group, so there is nothing to share; leave out 'share'
            match: fc1, keep: {from: 4/800, to: 8/800} | layer fc1: keep: starts with 4 of 800 candidates, below its goal of 8; write from: 8x, say
            match: fc1, keep: {from: 0.5%, to: 8/800} | layer fc1: keep: starts with 4 of 800 candidates, below its goal of 8; write from: 8x, say
            match: '*', keep: all                | prune.layers: every layer is kept whole (keep: all); prune one, or leave 'prune' out
            """)
    void whatTheNetworkCannotDo(String rule, String message) {
        assertRefused(() -> plan(LENET, rule)).isEqualTo(message);
    }

    @Test
    void kFallsCubicallyFromItsStartToItsGoal() {
        LayerPlan plan = plan(LENET, "match: fc1, keep: {from: 8x, to: 10/800, over: 50%}")
                .get(0);
        assertThat(plan.startK()).isEqualTo(80);
        assertThat(plan.k(0)).isEqualTo(80);
        assertThat(plan.k(0.1)).isEqualTo(Math.round(10 + 70 * 0.8 * 0.8 * 0.8));
        assertThat(plan.k(0.25)).isEqualTo(Math.round(10 + 70 / 8.0));
        assertThat(plan.k(0.5)).isEqualTo(10);
        assertThat(plan.k(1)).isEqualTo(10);
    }

    @Test
    void theStartIsATimesAPercentageOrACount() {
        assertThat(plan(LENET, "match: fc1, keep: {from: 2.5x, to: 8/800}")
                        .get(0)
                        .startK())
                .isEqualTo(20);
        assertThat(plan(LENET, "match: fc1, keep: {from: 50%, to: 8/800}")
                        .get(0)
                        .startK())
                .isEqualTo(400);
        assertThat(plan(LENET, "match: fc1, keep: {from: 64/800, to: 8/800}")
                        .get(0)
                        .startK())
                .isEqualTo(64);
        assertThat(plan(LENET, "match: fc1, keep: {from: all, to: 8/800}")
                        .get(0)
                        .startK())
                .isEqualTo(800);
        assertThat(plan(LENET, "match: fc1, keep: {from: 1000x, to: 8/800}")
                        .get(0)
                        .startK())
                .isEqualTo(800);
        assertThat(plan(LENET, "match: fc1, keep: {from: 8x, to: 2:4}").get(0).startK())
                .isEqualTo(4);
        assertThat(plan(LENET, "match: fc1, keep: {from: 4:4, to: 2:4}").get(0).startK())
                .isEqualTo(4);
    }
}
