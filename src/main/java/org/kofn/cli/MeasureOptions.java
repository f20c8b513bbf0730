package org.kofn.cli;

import java.util.Locale;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;
import org.kofn.bench.Effort;
import org.kofn.torch.Devices;
import picocli.CommandLine.Option;

/** Options of everything that measures: threads, how long, and how results are printed. */
class MeasureOptions {
    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Threads on the CPU; 0 takes all cores. Default: ${DEFAULT-VALUE}.")
    private int threads;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "0",
            description = "Repetitions of each side; 0 goes by --seconds. Default: ${DEFAULT-VALUE}.")
    private int repeats;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            description = "Measure a case for so long, after warming up; at least 5 repetitions.")
    private Double seconds;

    @Option(names = "--json", description = "Print JSON, a line a case.")
    private boolean json;

    boolean json() {
        return json;
    }

    /** Sets the threads that are asked for; returns how many compute. */
    int setThreads() {
        return setThreads(threads);
    }

    /** Lets so many threads compute, or all cores where that is 0; returns how many do. */
    static int setThreads(int threads) {
        if (threads < 0) {
            throw KofnException.usage("--threads: must not be negative, as %d is", threads);
        }
        // Left alone, LibTorch takes as many as it believes there are, which need not be all.
        Devices.setThreads(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
        return torch.get_num_threads();
    }

    /** How long to measure; {@code seconds} a case unless the user says otherwise. */
    Effort effort(double usual) {
        return new Effort(repeats, seconds == null ? usual : seconds);
    }

    /** Three digits that mean something. */
    static String number(double value) {
        int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 4;
        return String.format(Locale.ROOT, "%,." + digits + "f", value);
    }
}
