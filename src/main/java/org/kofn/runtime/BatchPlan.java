package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.bytedeco.pytorch.Tensor;
import org.kofn.kernels.jni.KofnSparseConv;

/**
 * A network made ready for one size of batch: what to run, where everything lies, and workspaces, one for each
 * inference that runs at the same time. A sum may take the place of its residual. Zeros around planes that other
 * values' memory overlaps are written anew each time.
 */
final class BatchPlan implements AutoCloseable {
    private final List<Step> steps;
    private final List<NativeConvolution> convolutions;
    private final Buffer output;
    private final int threads;
    private final Map<Buffer, Long> offsets = new LinkedHashMap<>();
    private final MemoryPlan memory;
    private final long scratch;
    /** For every step, whether what it writes has to be cleared first. */
    private final boolean[] clears;

    private final Queue<Workspace> idle = new ConcurrentLinkedQueue<>();

    /** A plan of a schedule. */
    BatchPlan(Scheduler schedule, int threads) {
        this.steps = schedule.steps();
        this.convolutions = schedule.convolutions();
        this.output = schedule.output();
        this.threads = threads;
        Map<Buffer, Buffer> places = places();
        this.memory = MemoryPlan.of(lifetimes(places));
        places.forEach((buffer, place) -> offsets.put(buffer, memory.offset(place.key())));
        this.scratch = steps.stream().mapToLong(Step::workspace).max().orElse(0);
        this.clears = new boolean[steps.size()];
        for (int i = 0; i < clears.length; i++) {
            clears[i] = overwritten(steps.get(i).writes());
        }
    }

    /** What runs, in order. */
    List<Step> steps() {
        return steps;
    }

    /** Bytes of a workspace: all values and scratch memory. */
    long workspaceBytes() {
        return memory.bytes() + scratch;
    }

    /** Bytes of packed weights and lists. */
    long weightBytes() {
        return convolutions.stream().mapToLong(NativeConvolution::bytes).sum();
    }

    /** The scores [batch, classes] of contiguous images, in the caller's scope. */
    Tensor run(Tensor images) {
        Workspace known = idle.poll();
        Workspace workspace = known == null ? new Workspace(offsets, memory.bytes(), scratch) : known;
        try {
            workspace.bind(images);
            for (int i = 0; i < clears.length; i++) {
                if (clears[i]) {
                    clear(workspace, steps.get(i).writes());
                }
                steps.get(i).call().run(workspace);
            }
            return workspace.tensor(output).flatten(1, -1).clone();
        } finally {
            workspace.bind(null);
            idle.add(workspace);
        }
    }

    private void clear(Workspace workspace, Buffer buffer) {
        int status = KofnSparseConv.clear(workspace.layout(buffer), workspace.pointer(buffer), threads);
        NativeConvolution.check(buffer.key(), status);
    }

    /** For every buffer, the one whose place it takes: itself, or a residual that nothing reads any more. */
    private Map<Buffer, Buffer> places() {
        Map<Buffer, Integer> last = lastReads();
        Map<Buffer, Buffer> places = new LinkedHashMap<>();
        for (int i = 0; i < steps.size(); i++) {
            Step step = steps.get(i);
            boolean takesOver = step.inPlace() != null && last.get(step.inPlace()) == i;
            places.put(step.writes(), takesOver ? places.get(step.inPlace()) : step.writes());
        }
        return places;
    }

    private Map<Buffer, Integer> lastReads() {
        Map<Buffer, Integer> last = new HashMap<>();
        for (int i = 0; i < steps.size(); i++) {
            for (Buffer buffer : steps.get(i).reads()) {
                last.put(buffer, i);
            }
        }
        last.put(output, steps.size());
        return last;
    }

    /** Of every place, from the first writing of its first buffer to the last reading of its last. */
    private List<Lifetime> lifetimes(Map<Buffer, Buffer> places) {
        Map<Buffer, Integer> last = lastReads();
        Map<Buffer, Lifetime> lifetimes = new LinkedHashMap<>();
        for (int i = 0; i < steps.size(); i++) {
            Buffer buffer = steps.get(i).writes();
            int end = Math.max(i, last.getOrDefault(buffer, i));
            lifetimes.merge(
                    places.get(buffer),
                    new Lifetime(places.get(buffer).key(), i, end, buffer.bytes()),
                    (before, after) -> new Lifetime(before.value(), before.first(), after.last(), before.bytes()));
        }
        return new ArrayList<>(lifetimes.values());
    }

    /** Whether something of another layout uses some of the memory of a padded buffer. */
    private boolean overwritten(Buffer buffer) {
        if (buffer.padded() == null) {
            return false;
        }
        long start = offsets.get(buffer);
        return offsets.entrySet().stream().anyMatch(other -> {
            boolean apart =
                    other.getValue() + other.getKey().bytes() <= start || start + buffer.bytes() <= other.getValue();
            boolean same = other.getValue() == start
                    && buffer.padded().equals(other.getKey().padded());
            return !apart && !same;
        });
    }

    @Override
    public void close() {
        idle.forEach(Workspace::close);
        idle.clear();
        convolutions.forEach(NativeConvolution::close);
    }
}
