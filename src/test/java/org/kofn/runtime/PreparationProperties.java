package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.nn.Shape;

/** Random networks with random masks, through all passes. */
class PreparationProperties {
    @Property(tries = 400)
    void sameScoresAsTheModule(@ForAll long seed, @ForAll @IntRange(min = 1, max = 16) int layers) {
        try (Trained trained = RandomNetworks.trained(new Random(seed), layers);
                PreparedNetwork prepared = trained.prepare()) {
            assertThat(trained.error(prepared, 3)).isLessThan(1e-5);
            fits(prepared.graph());
        }
    }

    /** Weights have the sizes of what they read, and only kernels in the lists are other than zero. */
    private static void fits(InferenceGraph graph) {
        Map<String, Shape> shapes = graph.shapes();
        for (Op op : graph.ops()) {
            if (op instanceof Op.Weighted weighted) {
                int inputs = shapes.get(weighted.input()).channels();
                assertThat(weighted.weights().inputs() * weighted.groups()).isEqualTo(inputs);
                assertThat(weighted.bias().numel()).isEqualTo(weighted.outputs());
                if (weighted.kept() != null) {
                    listed(weighted);
                }
                String residual = weighted.epilogue().residual();
                if (residual != null) {
                    assertThat(shapes.get(residual)).isEqualTo(shapes.get(op.name()));
                }
            }
        }
    }

    private static void listed(Op.Weighted op) {
        KeptKernels kept = op.kept();
        int inputs = op.weights().inputs();
        assertThat(List.of(kept.outputs(), kept.inputs())).containsExactly(op.outputs(), inputs);
        BitSet reads = op.weights().reads();
        for (int[] list : kept.indices()) {
            assertThat(list).isSorted().doesNotHaveDuplicates();
        }
        for (int o = 0; o < op.outputs(); o++) {
            for (int input : kept.indices()[o / kept.share()]) {
                reads.clear(o * inputs + input);
            }
        }
        assertThat(reads.isEmpty())
                .as("no kernels of %s outside its lists", op.name())
                .isTrue();
    }

    @Property(tries = 100)
    void memoryPlansNeverOverlapLiveValues(@ForAll long seed, @ForAll @IntRange(min = 1, max = 40) int count) {
        Random random = new Random(seed);
        List<Lifetime> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            values.add(new Lifetime("v" + i, i, i + random.nextInt(6), 1 + random.nextInt(1000)));
        }
        check(values);
    }

    @Property(tries = 30)
    void memoryPlansOfNetworks(@ForAll long seed) {
        try (PointerScope scope = new PointerScope();
                Trained trained = RandomNetworks.trained(new Random(seed), 12);
                PreparedNetwork prepared = trained.prepare()) {
            Map<String, Shape> shapes = prepared.graph().shapes();
            check(Lifetime.of(prepared.graph(), value -> 4 * shapes.get(value).size()));
        }
    }

    private static void check(List<Lifetime> values) {
        MemoryPlan plan = MemoryPlan.of(values);
        assertThat(plan.bytes()).isGreaterThanOrEqualTo(plan.least());
        for (Lifetime one : values) {
            long start = plan.offset(one.value());
            assertThat(start % MemoryPlan.ALIGNMENT).isZero();
            assertThat(start + one.bytes()).isBetween(1L, plan.bytes());
            for (Lifetime other : values) {
                boolean atOnce = one.first() <= other.last() && other.first() <= one.last();
                if (atOnce && !one.value().equals(other.value())) {
                    long begin = plan.offset(other.value());
                    assertThat(start + one.bytes() <= begin || begin + other.bytes() <= start)
                            .as("%s and %s", one, other)
                            .isTrue();
                }
            }
        }
    }
}
