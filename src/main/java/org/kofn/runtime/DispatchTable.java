package org.kofn.runtime;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;

/**
 * Break-even densities from measurements on a processor or GPU of this machine ({@code kofn bench --tune}). A layer
 * that was not measured takes those of the nearest one with the same kernel, stride and precision; where none is near,
 * a default rule decides.
 */
public final class DispatchTable implements Dispatch {
    /** What makes the measurements. */
    public static final String TUNE = "`kofn bench --tune`";

    /** How far the nearest may be: a factor of eight, over all sizes together. */
    private static final double NEAR = 3;

    private static final Dispatch DEFAULT = new DefaultDispatch();

    private final Map<LayerCase, LayerMeasurement> measured = new LinkedHashMap<>();
    private final String origin;

    private DispatchTable(List<LayerMeasurement> measurements, String origin) {
        measurements.forEach(measurement -> measured.put(measurement.layer(), measurement));
        this.origin = origin;
    }

    /** A table without measurements: the default rule for all layers. */
    public static DispatchTable none() {
        return none("nothing was measured here yet; " + TUNE + " does");
    }

    private static DispatchTable none(String reason) {
        return new DispatchTable(List.of(), reason);
    }

    /**
     * The table of a device of this machine.
     *
     * @param home kofn's cache folder
     * @param device a CPU or GPU
     * @return one without measurements where there is no file, or one that another machine or version measured; what
     *     {@link #describe} says
     * @throws org.kofn.base.KofnException (file) for a damaged file
     */
    public static DispatchTable open(Path home, Device device) {
        return open(home, DispatchFile.Origin.of(device));
    }

    static DispatchTable open(Path home, DispatchFile.Origin here) {
        Path path = DispatchFile.path(home, here);
        return DispatchFile.read(path)
                .map(file -> file.origin().equals(here)
                        ? new DispatchTable(file.measurements(), path.toString())
                        : none(path + " was measured with " + file.origin() + ", this is " + here + "; " + TUNE
                                + " measures anew"))
                .orElseGet(DispatchTable::none);
    }

    /**
     * Adds measurements, which take the place of older ones of the same layers, and writes the file of a device.
     *
     * @param home kofn's cache folder
     * @param device where they were made
     * @return the table with them
     * @throws org.kofn.base.KofnException (file) when it cannot be written; then the old one stays
     */
    public DispatchTable save(Path home, Device device, List<LayerMeasurement> more) {
        DispatchFile.Origin here = DispatchFile.Origin.of(device);
        Path path = DispatchFile.path(home, here);
        List<LayerMeasurement> all = new ArrayList<>(measured.values());
        all.addAll(more);
        DispatchTable table = new DispatchTable(all, path.toString());
        new DispatchFile(here, List.copyOf(table.measured.values())).write(path);
        return table;
    }

    /** How many layers were measured. */
    public int size() {
        return measured.size();
    }

    /** What decides, in one line: the file, or why it is the default rule. */
    public String describe() {
        return measured.isEmpty() ? "default rule: " + origin : measured.size() + " measured layers: " + origin;
    }

    @Override
    public BreakEven of(LayerCase layer) {
        LayerMeasurement exact = measured.get(layer);
        if (exact != null) {
            return new BreakEven(exact.breakEven(), "measured");
        }
        return measured.values().stream()
                .filter(other -> other.layer().distance(layer) <= NEAR)
                .min(Comparator.comparingDouble(other -> other.layer().distance(layer)))
                .map(near -> new BreakEven(near.breakEven(), "measured for the nearest, " + near.layer()))
                .orElseGet(() -> DEFAULT.of(layer));
    }
}
