package org.kofn.export;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Whether the numbers of {@code summary.json} are those of the files beside it. */
record SummaryCheck(Summary summary, CompactModel compact, Map<String, Tensor> parameters, long compactBytes) {

    /** Makes the checks. */
    void run(Findings findings) {
        findings.claim("the summary's layers", layers(), summary.layers().size() + " layers");
        long total = parameters.values().stream().mapToLong(Tensor::numel).sum();
        long kept = total;
        for (PrunedTensor layer : compact.pruned()) {
            kept -= layer.layout().groups()
                            * layer.layout().candidates()
                            * layer.layout().elements()
                    - layer.kept();
        }
        String counts = kept + " of " + total;
        String said = summary.parametersKept() + " of " + summary.parametersTotal();
        findings.claim(
                "the summary's parameters",
                counts.equals(said) ? null : "it says " + said + " kept, the files " + counts,
                counts + " kept");
        long dense =
                compact.tensors().values().stream().mapToLong(Tensor::nbytes).sum();
        String bytes = compactBytes + " of " + dense;
        String saidBytes = summary.bytesCompact() + " of " + summary.bytesDense();
        findings.claim(
                "the summary's sizes",
                bytes.equals(saidBytes) ? null : "it says " + saidBytes + " bytes, the files " + bytes,
                bytes + " bytes");
    }

    /** Every pruned layer is in the summary with its numbers, and every pruned row of the summary is in the file. */
    private String layers() {
        Map<String, LayerSummary> rows = new LinkedHashMap<>();
        summary.layers().stream()
                .filter(row -> row.k() != row.n())
                .forEach(row -> rows.put(row.name() + ".weight", row));
        for (PrunedTensor layer : compact.pruned()) {
            LayerSummary row = rows.remove(layer.parameter());
            if (row == null && layer.k() == layer.layout().candidates()) {
                continue;
            }
            String file = text(
                    layer.layout().granularity().label(),
                    layer.layout().groups(),
                    layer.layout().candidates(),
                    layer.k(),
                    layer.layout().share());
            String said =
                    row == null ? "nothing" : text(row.granularity(), row.groups(), row.n(), row.k(), row.share());
            if (!said.equals(file)) {
                return layer.parameter() + ": it says " + said + ", the file " + file;
            }
        }
        return rows.isEmpty() ? null : rows.keySet().iterator().next() + ": pruned in the summary, not in the file";
    }

    private static String text(String granularity, long groups, long n, long k, int share) {
        return granularity + " " + k + " of " + n + " in " + groups + " groups" + (share > 1 ? ", share " + share : "");
    }
}
