package org.kofn.train;

import java.nio.file.Path;
import org.kofn.export.Summary;

/**
 * What a run came to.
 *
 * @param out the run folder
 * @param summary as in its summary.json
 */
public record TrainingResult(Path out, Summary summary) {}
