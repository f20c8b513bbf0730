/** The CUDA kernels and their host code, compiled for the host by the emulation. */
#include "sparse_linear.cu"
