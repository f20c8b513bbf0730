package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.bytedeco.pytorch.Tensor;

/**
 * A network made ready for one size of batch: what to run, where everything lies, and workspaces, one for each
 * inference that runs at the same time. A sum may take the place of its residual.
 */
final class BatchPlan implements AutoCloseable {
    private final List<Step> steps;
    private final List<NativePlan> plans;
    private final Buffer output;
    private final Map<Buffer, Long> offsets = new LinkedHashMap<>();
    private final long bytes;
    private final long scratch;
    private final Backend backend;
    /** By {@link Session#order}: work in a workspace may not have ended when it is idle. */
    private final Map<Long, Queue<Workspace>> idle = new ConcurrentHashMap<>();

    /** A plan of a schedule. */
    BatchPlan(Scheduler schedule, Backend backend) {
        this.backend = backend;
        this.steps = schedule.steps();
        this.plans = schedule.plans();
        this.output = schedule.output();
        this.bytes = place(places());
        this.scratch = steps.stream().mapToLong(Step::workspace).max().orElse(0);
    }

    /** What runs, in order. */
    List<Step> steps() {
        return steps;
    }

    /** Bytes of a workspace: all values and scratch memory. */
    long workspaceBytes() {
        return bytes + scratch;
    }

    /** Bytes of packed weights and lists. */
    long weightBytes() {
        return plans.stream().mapToLong(NativePlan::bytes).sum();
    }

    /** The scores [batch, classes] of contiguous images, in the caller's scope. */
    Tensor run(Tensor images, Session session) {
        Queue<Workspace> mine = idle.computeIfAbsent(session.order(), order -> new ConcurrentLinkedQueue<>());
        Workspace known = mine.poll();
        Workspace workspace = known == null ? new Workspace(offsets, bytes, scratch, backend) : known;
        try {
            workspace.bind(images, session);
            steps.forEach(step -> step.call().run(workspace));
            return workspace.tensor(output).flatten(1, -1).clone();
        } finally {
            workspace.bind(null, null);
            mine.add(workspace);
        }
    }

    /**
     * Gives every buffer its offset. Memory is shared by buffers of one layout only: then the zeros around their
     * planes, which no kernel writes, are in the same places and stay.
     *
     * @return bytes of all
     */
    private long place(Map<Buffer, Buffer> places) {
        Map<PaddedLayout, List<Lifetime>> groups = new LinkedHashMap<>();
        lifetimes(places)
                .forEach((place, lifetime) -> groups.computeIfAbsent(place.padded(), layout -> new ArrayList<>())
                        .add(lifetime));
        long end = 0;
        for (List<Lifetime> group : groups.values()) {
            MemoryPlan plan = MemoryPlan.of(group);
            for (Map.Entry<Buffer, Buffer> entry : places.entrySet()) {
                Long offset = plan.offsets().get(entry.getValue().key());
                if (offset != null) {
                    offsets.put(entry.getKey(), end + offset);
                }
            }
            end += plan.bytes();
        }
        return end;
    }

    /**
     * For every buffer, the one whose place it takes: itself, or a residual that nothing reads any more. The network's
     * input, which no step writes, is the caller's, and stays.
     */
    private Map<Buffer, Buffer> places() {
        Map<Buffer, Integer> last = lastReads();
        Map<Buffer, Buffer> places = new LinkedHashMap<>();
        for (int i = 0; i < steps.size(); i++) {
            Step step = steps.get(i);
            boolean takesOver = places.containsKey(step.inPlace()) && last.get(step.inPlace()) == i;
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
    private Map<Buffer, Lifetime> lifetimes(Map<Buffer, Buffer> places) {
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
        return lifetimes;
    }

    @Override
    public void close() {
        idle.values().forEach(workspaces -> workspaces.forEach(Workspace::close));
        idle.clear();
        plans.forEach(NativePlan::close);
    }
}
