package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.nn.Window;

class DispatchTableTest {
    private static final Device CPU = new Device("cpu");

    @TempDir
    Path home;

    private static LayerCase conv(int channels, int size, int kernel, int stride, int share, int batch) {
        Window window = Window.square(kernel, stride, kernel / 2);
        return new LayerCase(new LayerShape(channels, channels, size, size, window, share), batch, 2);
    }

    /** Dense takes 8 ms, and the sparse kernel so long at densities 1/4, 1/2 and 1. */
    private static LayerMeasurement measured(LayerCase layer, double quarter, double half, double all) {
        return new LayerMeasurement(
                layer,
                8,
                6,
                "channels-last",
                List.of(
                        new LayerMeasurement.Point(1, all),
                        new LayerMeasurement.Point(0.25, quarter),
                        new LayerMeasurement.Point(0.5, half)),
                5);
    }

    private DispatchTable saved(LayerMeasurement... measurements) {
        DispatchTable.none().save(home, CPU, List.of(measurements));
        return DispatchTable.open(home, CPU);
    }

    @ParameterizedTest(name = "{0}, {1}, {2} ms")
    @CsvSource({
        "4,  8,   16, 0.5, 0.375", // equal at a measured point
        "2,  7,   11, 0.625, 0.45", // between two
        "2,  4,    5, 1, 1", // always
        "9, 17,   33, 0, 0", // never
        "9,  4,   16, 0, 0", // what is slower at few is not trusted at more
    })
    void breakEvenIsInterpolated(double quarter, double half, double all, double breakEven, double best) {
        LayerMeasurement measurement = measured(conv(64, 14, 3, 1, 1, 1), quarter, half, all);
        assertThat(measurement.breakEven()).isCloseTo(breakEven, within(1e-12));
        assertThat(measurement.bestBreakEven()).isCloseTo(best, within(1e-12));
    }

    @Test
    void exactThenNearestThenTheDefaultRule() {
        LayerCase layer = conv(256, 14, 3, 1, 1, 1);
        DispatchTable table = saved(measured(layer, 2, 7, 11), measured(conv(64, 56, 3, 1, 1, 1), 2, 4, 16));
        assertThat(table.of(layer)).hasToString("break-even density 0.63 (measured)");
        assertThat(table.of(conv(256, 7, 3, 1, 1, 1)))
                .hasToString(
                        "break-even density 0.63 (measured for the nearest, 256>256 3x3 14x14, batch 1, 2 threads)");
        assertThat(table.of(conv(64, 56, 3, 1, 1, 2)).source())
                .isEqualTo("measured for the nearest, 64>64 3x3 56x56, batch 1, 2 threads");
        for (LayerCase other : List.of(
                conv(256, 14, 5, 1, 1, 1),
                conv(256, 14, 3, 2, 1, 1),
                conv(256, 14, 3, 1, 32, 1),
                conv(256, 14, 3, 1, 1, 32))) {
            assertThat(table.of(other).source()).as("%s", other).isEqualTo("default rule");
        }
    }

    private static LayerCase linear(int inputs, int outputs) {
        return new LayerCase(new LayerShape(inputs, outputs, 1, 1, null, 1), 1, 1);
    }

    @Test
    void theDefaultRuleKnowsColoursSingleTapsLinearLayersSmallOnesAndTheRest() {
        DispatchTable table = DispatchTable.none();
        assertThat(table.of(conv(3, 32, 3, 1, 1, 1)).density()).isEqualTo(1);
        double several = table.of(conv(64, 32, 3, 1, 1, 1)).density();
        double one = table.of(conv(64, 32, 1, 1, 1, 1)).density();
        assertThat(several).isBetween(0.25, 0.75);
        assertThat(one).isBetween(0.125, several);
        assertThat(table.of(linear(512, 512)).density()).isBetween(Math.nextUp(one), 0.75);
        assertThat(table.of(linear(64, 10)).density()).isEqualTo(1);
    }

    @Test
    void newMeasurementsTakeThePlaceOfOldOnesAndTheOthersStay() {
        LayerCase first = conv(64, 14, 3, 1, 1, 1);
        LayerCase linear = new LayerCase(new LayerShape(512, 1000, 1, 1, null, 8), 32, 1);
        saved(measured(first, 2, 7, 11), measured(linear, 2, 4, 5));
        DispatchTable again = DispatchTable.open(home, CPU);
        String described =
                again.save(home, CPU, List.of(measured(first, 4, 8, 16))).describe();
        Path file = DispatchFile.path(home, DispatchFile.Origin.here());
        assertThat(file).isRegularFile();
        assertThat(described).isEqualTo("2 measured layers: " + file);
        DispatchTable table = DispatchTable.open(home, CPU);
        assertThat(table.size()).isEqualTo(2);
        assertThat(table.of(first)).isEqualTo(new BreakEven(0.5, "measured"));
        assertThat(table.of(linear)).isEqualTo(new BreakEven(1, "measured"));
        assertThat(table.describe()).isEqualTo(described);
    }

    @Test
    void whatNobodyMeasuredOrAnotherMachineDidIsSaid() {
        assertThat(DispatchTable.open(home, CPU).describe())
                .isEqualTo("default rule: nothing was measured here yet; `kofn bench --tune` does");
        DispatchFile.Origin here = new DispatchFile.Origin("A CPU, model 1", "avx2", "2.10.0", "0.1.0");
        DispatchFile.Origin older = new DispatchFile.Origin("A CPU, model 1", "avx2", "2.9.1", "0.1.0");
        Path path = DispatchFile.path(home, older);
        assertThat(path).isEqualTo(home.resolve("dispatch/v1-a-cpu-model-1-avx2.json"));
        new DispatchFile(older, List.of(measured(conv(64, 14, 3, 1, 1, 1), 2, 7, 11))).write(path);
        assertThat(DispatchTable.open(home, older).size()).isEqualTo(1);
        DispatchTable table = DispatchTable.open(home, here);
        assertThat(table.size()).isZero();
        assertThat(table.describe())
                .isEqualTo(
                        "default rule: " + path + " was measured with LibTorch 2.9.1 and kofn 0.1.0 on A CPU, model 1"
                                + " (avx2), this is LibTorch 2.10.0 and kofn 0.1.0 on A CPU, model 1 (avx2); `kofn bench --tune`"
                                + " measures anew");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "{}",
                "[]",
                "{\"origin\": null, \"measurements\": []}",
                "half",
                "\"batch\" : 1/\"batch\" : 0",
                "\"share\" : 1/\"share\" : 3",
                "\"density\" : 0.25/\"density\" : 2.5",
                "\"ms\" : 7.0/\"ms\" : -7.0",
                "\"dense_ms\" : 8.0/\"dense\" : 8.0",
                "\"fp32\"/\"fp31\"",
            })
    void aDamagedFileIsOneLineThatNamesItAndTheWayOut(String damage) throws Exception {
        saved(measured(conv(64, 14, 3, 1, 1, 1), 2, 7, 11));
        Path file = DispatchFile.path(home, DispatchFile.Origin.here());
        String whole = Files.readString(file);
        String[] change = damage.split("/");
        String damaged = damage.equals("half")
                ? whole.substring(0, whole.length() / 2)
                : change.length == 2 ? whole.replace(change[0], change[1]) : damage;
        assertThat(damaged).isNotEqualTo(whole);
        Files.writeString(file, damaged);
        assertThatThrownBy(() -> DispatchTable.open(home, CPU))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FILE))
                .hasMessageStartingWith(file + ": damaged: ")
                .hasMessageEndingWith("; `kofn bench --tune` makes it anew")
                .hasMessageNotContaining("\n");
    }
}
