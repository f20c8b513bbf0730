/** Comfort over JavaCPP's LibTorch: devices, seeds, host copies, named tensors in files, error trimming. */
package org.kofn.torch;
