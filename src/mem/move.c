/* move.c: copying, under our own names. Short lengths: steps.h; long ones: wide.h. */
#include "mem/steps.h"

void *mem_move_wide(byte *to, const byte *from, size_t n, void *result)
{
    fault_if_negative(to, n);
#if defined(__x86_64__)
    if (mem_limits.level == MEM_64)
        mem_move_wide_64(to, from, n);
    else if (mem_limits.level == MEM_32)
        mem_move_wide_32(to, from, n);
    else
#endif
        mem_move_wide_16(to, from, n);
    return result;
}

void *mem_move(void *to, const void *from, size_t n) { return move(to, from, n, to); }

void *mem_move_to_end(void *to, const void *from, size_t n) { return move(to, from, n, (byte *)to + n); }
