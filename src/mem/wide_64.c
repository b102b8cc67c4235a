/* wide_64.c: see wide.h. Compiled for processors that have AVX-512 F, BW and VL; called on no other. */
#define WIDE 64
#include "mem/wide.h"
