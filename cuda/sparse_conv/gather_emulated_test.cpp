/** gather_test.cu, compiled for the host by the emulation. */
#include "gather_test.cu"
