/** The CUDA kernels and their host code, compiled for the host by the emulation. */
#include "two_four.cu"
