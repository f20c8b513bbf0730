package org.kofn.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import org.kofn.train.EpochMetrics;
import org.kofn.train.ProgressListener;
import org.kofn.train.TrainingResult;

/** Training as a program watches it: a line of JSON an epoch, {@code {"event": "epoch", …}}, as in metrics.jsonl. */
final class JsonProgress implements ProgressListener {
    private final PrintWriter out;

    JsonProgress(PrintWriter out) {
        this.out = out;
    }

    @Override
    public void epoch(EpochMetrics metrics) {
        out.println(event("epoch", metrics));
    }

    /** The last line: {@code {"event": "result", "run": …}} with everything that summary.json holds. */
    static String result(TrainingResult result) {
        return event("result", result.summary())
                .put("run", result.out().toString())
                .toString();
    }

    private static ObjectNode event(String name, Object content) {
        ObjectNode line = Json.MAPPER.createObjectNode().put("event", name);
        line.setAll((ObjectNode) Json.MAPPER.valueToTree(content));
        return line;
    }
}
