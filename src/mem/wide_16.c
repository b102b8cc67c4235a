/* wide_16.c: see wide.h. For every processor. */
#define WIDE 16
#include "mem/wide.h"
