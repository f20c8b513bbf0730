/** The training loop: phases, the step, optimisers and schedules, checkpoints that resume bit for bit, metrics. */
package org.kofn.train;
