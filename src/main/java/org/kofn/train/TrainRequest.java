package org.kofn.train;

import java.nio.file.Path;
import org.kofn.recipe.Recipe;

/**
 * What to train, and where to.
 *
 * @param recipe the resolved recipe
 * @param out the run folder
 * @param resume continue from the newest checkpoint of the run folder
 * @param force start again in a run folder that exists
 * @param kernels which implementation of the kernels: auto, reference, cpu or cuda
 * @param progress watches the run
 * @param stop may ask it to stop
 */
public record TrainRequest(
        Recipe recipe,
        Path out,
        boolean resume,
        boolean force,
        String kernels,
        ProgressListener progress,
        StopRequest stop) {}
