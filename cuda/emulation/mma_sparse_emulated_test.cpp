/** The test of `mma.sp`, compiled for the host by the emulation. */
#include "../common/mma_sparse_test.cu"
