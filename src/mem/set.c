/* set.c: filling, under our own name. Short lengths: steps.h; long ones: wide.h. */
#include "mem/steps.h"

void *mem_set_wide(byte *to, int c, size_t n)
{
    fault_if_negative(to, n);
#if defined(__x86_64__)
    if (mem_limits.level == MEM_64)
        mem_set_wide_64(to, c, n);
    else if (mem_limits.level == MEM_32)
        mem_set_wide_32(to, c, n);
    else
#endif
        mem_set_wide_16(to, c, n);
    return to;
}

void *mem_set(void *to, int c, size_t n) { return set(to, c, n); }
