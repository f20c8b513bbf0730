/** mma_test.cu, compiled for the host by the emulation. */
#include "../common/mma_test.cu"
