/** direct_test.cu, compiled for the host by the emulation. */
#include "direct_test.cu"
