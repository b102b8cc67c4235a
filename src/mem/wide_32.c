/* wide_32.c: see wide.h. Compiled for processors that have AVX2; called on no other. */
#define WIDE 32
#include "mem/wide.h"
