/**
 * What a run leaves behind: the compact k-of-n file, summary, provenance, the folder that holds them, and the proof
 * that they say the same.
 */
package org.kofn.export;
