/** The CUDA kernels of the gradients and their host code, compiled for the host by the emulation. */
#include "sparse_conv_backward.cu"
