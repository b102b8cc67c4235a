/* set.c: filling, under our own name. Short lengths: steps.h; long ones: evex.h, wide.h, repeat.h. */
#include "mem/repeat.h"
#include "mem/steps.h"

#if defined(__x86_64__)
/* set_loop_end bytes or more, which are no loop's but if this declines. */
static inline bool set_without_loop(byte *to, int c, size_t n)
{
    fault_if_negative(to, n);
    if (!mem_range_has(mem_limits.set_rep, n))
        return false;
    repeat_fill(to, c, n);
    return true;
}
#endif

void *mem_set_long(byte *to, int c, size_t n)
{
#if defined(__x86_64__)
    if (n <= 512) {
        evex_fill_to_512(to, c, n);
        return to;
    }
    if (unlikely(n >= mem_limits.set_loop_end) && set_without_loop(to, c, n))
        return to;
    evex_fill_more(to, c, n);
    return to;
#else
    return mem_set_wide(to, c, n);
#endif
}

void *mem_set_wide(byte *to, int c, size_t n)
{
#if defined(__x86_64__)
    if (unlikely(n >= mem_limits.set_loop_end) && set_without_loop(to, c, n))
        return to;
    if (mem_limits.level != MEM_16)
        mem_set_wide_32(to, c, n);
    else
#else
    fault_if_negative(to, n);
#endif
        mem_set_wide_16(to, c, n);
    return to;
}

void *mem_set_narrow(byte *to, int c, size_t n) { return set_narrow(to, c, n); }

void *mem_set(void *to, int c, size_t n)
{
    if (!short_is_right())
        return mem_set_narrow(to, c, n);
    if (likely(n < SMALL_END))
        return set_small(to, c, n);
    return n < SHORT_END ? set_short(to, c, n) : mem_set_long(to, c, n);
}
