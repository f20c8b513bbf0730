/**
 * What a run leaves behind: the compact k-of-n file, summary, provenance, the folder that holds them, the saved models
 * made ready to run, and the proof that they say the same.
 */
package org.kofn.export;
