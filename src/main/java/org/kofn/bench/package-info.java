/**
 * Measuring: kofn's own implementations beside what they replace, in turn, in one process. Results are medians with
 * their spread and the number of repetitions; {@code kofn bench} shows them.
 */
package org.kofn.bench;
