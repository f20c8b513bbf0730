/**
 * The operations that LibTorch lacks, for all pruned layers in one call: Gumbel top-k sampling with its closed-form
 * gradient, and masking. {@link org.kofn.kernels.Reference} is the oracle; faster implementations stand beside it and
 * {@link org.kofn.kernels.Kernels} says which one runs and why.
 */
package org.kofn.kernels;
