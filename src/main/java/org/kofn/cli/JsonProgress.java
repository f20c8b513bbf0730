package org.kofn.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import org.kofn.train.EpochMetrics;
import org.kofn.train.ProgressListener;

/** Training as a program watches it: a line of JSON an epoch, {@code {"event": "epoch", …}}, as in metrics.jsonl. */
final class JsonProgress implements ProgressListener {
    private final PrintWriter out;

    JsonProgress(PrintWriter out) {
        this.out = out;
    }

    @Override
    public void epoch(EpochMetrics metrics) {
        ObjectNode line = Json.MAPPER.createObjectNode().put("event", "epoch");
        line.setAll((ObjectNode) Json.MAPPER.valueToTree(metrics));
        out.println(line);
    }
}
