package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Scale;
import org.assertj.core.data.Percentage;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;

class KeepCourseProperties {

    @Property
    void kNeverRisesAndReachesItsGoalExactly(
            @ForAll @LongRange(min = 1, max = 5000) long n,
            @ForAll @Scale(6) @DoubleRange(min = 0, max = 1) double goalPart,
            @ForAll @Scale(6) @DoubleRange(min = 0, max = 1) double startPart,
            @ForAll @Scale(6) @DoubleRange(min = 0.001, max = 1) double over) {
        long goal = 1 + (long) (goalPart * (n - 1));
        long start = goal + (long) (startPart * (n - goal));
        long[] shape = {3, n};
        LayerPlan plan = new LayerPlan(
                new Network.Weight("fc", "fc.weight", "linear", shape),
                MaskLayout.of("fc", Granularity.WEIGHT, shape, 0, 1),
                start,
                goal,
                over);
        assertThat(plan.k(0)).isEqualTo(start);
        long before = n;
        for (int step = 0; step <= 1000; step++) {
            double progress = step / 1000.0;
            long k = plan.k(progress);
            assertThat(k).isBetween(goal, before);
            if (progress >= over) {
                assertThat(k).isEqualTo(goal);
            }
            before = k;
        }
    }

    @Property
    void annealsStayBetweenTheirEndsAndReachThem(
            @ForAll @Scale(6) @DoubleRange(min = 0.001, max = 10) double from,
            @ForAll @Scale(6) @DoubleRange(min = 0.001, max = 10) double to,
            @ForAll @Scale(6) @DoubleRange(min = 0, max = 1) double progress) {
        for (String shape : Anneal.SHAPES) {
            Anneal anneal = new Anneal(from, to, shape);
            assertThat(anneal.at(0)).isEqualTo(from);
            assertThat(anneal.at(1)).isEqualTo(to);
            assertThat(anneal.at(progress))
                    .isBetween(Math.min(from, to) * (1 - 1e-12), Math.max(from, to) * (1 + 1e-12));
        }
        assertThat(new Anneal(from, to, "geometric").at(0.5)).isCloseTo(Math.sqrt(from * to), within());
        assertThat(new Anneal(from, to, "linear").at(0.5)).isCloseTo((from + to) / 2, within());
    }

    private static Percentage within() {
        return Percentage.withPercentage(1e-9);
    }
}
