package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.kofn.mask.Keep;

class SampleBenchTest {
    @Test
    void ratesFollowFromTimesAndSizes() {
        SampleBench bench =
                new SampleBench(new Device("cpu"), "auto", SampleBench.Baseline.GENERATOR, new Effort(3, 1));
        SampleCase shape = SampleCase.ofShape("16x32x9", Keep.parse("--keep", "25%"));
        SampleResult result = bench.run(shape);
        assertThat(result.name()).isEqualTo("16x32x9");
        assertThat(result.n()).isEqualTo(3);
        assertThat(result.kernels()).isEqualTo(bench.choice().kernels().name());
        assertThat(result.candidates()).isEqualTo(512);
        assertThat(result.weights()).isEqualTo(4608);
        assertThat(result.ratio()).isEqualTo(result.baselineMs() / result.oursMs());
        assertThat(result.forwardRatio()).isEqualTo(result.baselineForwardMs() / result.oursForwardMs());
        assertThat(result.candidatesPerS()).isCloseTo(512 / result.oursMs() * 1e3, within(1.0));
        assertThat(result.forwardBytesPerS() * result.oursForwardMs() / 1e3)
                .isCloseTo(shape.forwardBytes(), within(1.0));
        assertThat(result.backwardBytesPerS() * result.oursBackwardMs() / 1e3)
                .isCloseTo(shape.backwardBytes(), within(1.0));
        assertThat(result.bandwidthShare()).isEqualTo(result.bytesPerS() / bench.copyBandwidth());
        // No machine of today copies slower or faster than this.
        assertThat(bench.copyBandwidth()).isBetween(5e8, 2e13);
    }

    @Test
    void onlyOursIsTheKernels() {
        SampleBench bench = new SampleBench(
                new Device("cpu"), SlowKernels::choice, SampleBench.Baseline.REFERENCE, new Effort(3, 1));
        SampleResult result = bench.run(SampleCase.ofShape("4x8x9", Keep.parse("--keep", "25%")));
        assertThat(result.oursForwardMs()).isGreaterThan(SlowKernels.FORWARD);
        assertThat(result.oursBackwardMs()).isGreaterThan(SlowKernels.BACKWARD);
        assertThat(result.baselineForwardMs()).isLessThan(SlowKernels.FORWARD);
        assertThat(result.baselineBackwardMs()).isLessThan(SlowKernels.BACKWARD);
        assertThat(result.kernels()).isEqualTo("slow");
    }
}
