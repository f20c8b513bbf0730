/** Compression outside the graph: latent weights and masks on one side, the network's own tensors on the other. */
package org.kofn.compress;
