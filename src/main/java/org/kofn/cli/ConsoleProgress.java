package org.kofn.cli;

import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.kofn.train.EpochMetrics;
import org.kofn.train.ProgressListener;

/**
 * Training as a human watches it: a bar with loss, accuracy, images/s and the time left on a terminal, a line an epoch
 * everywhere else (a file, a CI log).
 */
final class ConsoleProgress implements ProgressListener {
    private static final double NANOS = 1e9;

    private final PrintStream err;
    private final boolean terminal;
    private final LongSupplier nanoTime;
    private ProgressBar bar;
    private Position position;
    private long startNanos;
    private long startStep;

    /** Writes to {@code err}; {@code nanoTime} is {@link System#nanoTime} outside tests. */
    ConsoleProgress(PrintStream err, boolean terminal, LongSupplier nanoTime) {
        this.err = err;
        this.terminal = terminal;
        this.nanoTime = nanoTime;
    }

    @Override
    public void message(String line) {
        err.println(line);
    }

    @Override
    public void started(Position position) {
        this.position = position;
        startNanos = nanoTime.getAsLong();
        startStep = position.step();
        if (terminal) {
            bar = new ProgressBarBuilder()
                    .setInitialMax(position.steps())
                    .startsFrom(position.step(), java.time.Duration.ZERO)
                    .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BAR)
                    .setUpdateIntervalMillis(250)
                    .setConsumer(new ConsoleProgressBarConsumer(err))
                    .hideEta()
                    .build();
        }
    }

    @Override
    public void step(Position position) {
        this.position = position;
        if (bar != null) {
            bar.stepTo(position.step());
            bar.setExtraMessage(String.format(
                    Locale.ROOT,
                    " %s %d/%d  loss %.4f  accuracy %.2f %%  %s",
                    position.phase(),
                    position.epoch(),
                    position.epochs(),
                    position.loss(),
                    100 * position.accuracy(),
                    pace()));
        }
    }

    @Override
    public void epoch(EpochMetrics metrics) {
        if (!terminal) {
            err.println(line(metrics));
        }
    }

    @Override
    public void ended() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    private String line(EpochMetrics metrics) {
        String epochs = position == null ? "" : "/" + position.epochs();
        String validation = metrics.validationAccuracy() == null
                ? ""
                : String.format(Locale.ROOT, "  validation %.2f %%", 100 * metrics.validationAccuracy());
        return String.format(
                Locale.ROOT,
                "epoch %d%s  %s  loss %.4f  accuracy %.2f %%%s  %s",
                metrics.epoch(),
                epochs,
                metrics.phase(),
                metrics.loss(),
                100 * metrics.accuracy(),
                validation,
                pace());
    }

    /** Images a second and the time left, both measured since the start of this process. */
    private String pace() {
        double seconds = (nanoTime.getAsLong() - startNanos) / NANOS;
        long done = position == null ? 0 : position.step() - startStep;
        if (done <= 0 || seconds <= 0) {
            return "";
        }
        long left = Math.round(seconds * (position.steps() - position.step()) / done);
        return String.format(
                Locale.ROOT,
                "%.0f images/s  left %d:%02d:%02d",
                position.images() / seconds,
                left / 3600,
                left / 60 % 60,
                left % 60);
    }
}
