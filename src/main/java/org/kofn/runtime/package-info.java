/**
 * A trained network made ready for inference, and what runs it: batch norms folded, dropped feature maps removed,
 * epilogues fused, memory planned. No training code.
 */
package org.kofn.runtime;
