package org.kofn.runtime;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Places for all values in one block of memory, so that values that are needed at the same time do not overlap: the
 * largest first, each at the lowest place that is free for its whole lifetime. Pisarchyk and Lee, "Efficient memory
 * management for deep neural net inference" (2020, arXiv:2001.03288), "greedy by size for offset calculation".
 *
 * @param offsets of every value, in bytes from the block's start
 * @param bytes the block's size
 * @param least what no plan could do without: the most bytes that are needed at the same time
 */
public record MemoryPlan(Map<String, Long> offsets, long bytes, long least) {
    /** Places begin on cache lines, and vectors of 64 bytes are aligned. */
    static final long ALIGNMENT = 64;

    private record Place(Lifetime value, long offset) {
        long end() {
            return offset + aligned(value.bytes());
        }
    }

    /** A plan for these values. */
    public static MemoryPlan of(List<Lifetime> values) {
        List<Lifetime> largestFirst = new ArrayList<>(values);
        largestFirst.sort(Comparator.comparingLong(Lifetime::bytes).reversed());
        List<Place> places = new ArrayList<>();
        Map<String, Long> offsets = new LinkedHashMap<>();
        long end = 0;
        for (Lifetime value : largestFirst) {
            Place place = new Place(value, lowest(value, places));
            places.add(place);
            offsets.put(value.value(), place.offset);
            end = Math.max(end, place.end());
        }
        return new MemoryPlan(Collections.unmodifiableMap(offsets), end, least(values));
    }

    /** Where a value begins. */
    public long offset(String value) {
        return offsets.get(value);
    }

    /** The lowest place that none of the values in memory at the same time has taken. */
    private static long lowest(Lifetime value, List<Place> taken) {
        List<Place> rivals = taken.stream()
                .filter(place -> place.value.overlaps(value))
                .sorted(Comparator.comparingLong(Place::offset))
                .toList();
        long offset = 0;
        for (Place rival : rivals) {
            if (offset + aligned(value.bytes()) <= rival.offset) {
                break;
            }
            offset = Math.max(offset, rival.end());
        }
        return offset;
    }

    private static long least(List<Lifetime> values) {
        long most = 0;
        for (Lifetime now : values) {
            most = Math.max(
                    most,
                    values.stream()
                            .filter(value -> value.first() <= now.first() && now.first() <= value.last())
                            .mapToLong(value -> aligned(value.bytes()))
                            .sum());
        }
        return most;
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
