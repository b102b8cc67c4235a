/* set.c: filling, under our own name. Short lengths: steps.h; long ones: evex.h, wide.h, repeat.h. */
#include "mem/repeat.h"
#include "mem/steps.h"

/* As move_by_loop(). */
static inline void set_by_loop(byte *to, int c, size_t n)
{
#if defined(__x86_64__)
    if (mem_limits.level == MEM_64 && n > 512) {
        evex_fill_more(to, c, n);
        return;
    }
    if (mem_limits.level != MEM_16) {
        mem_set_wide_32(to, c, n);
        return;
    }
#endif
    mem_set_wide_16(to, c, n);
}

/* set_loop_end bytes or more. As move_many(). */
static NOINLINE void *set_many(byte *to, int c, size_t n)
{
    fault_if_negative(to, n);
#if defined(__x86_64__)
    if (mem_range_has(mem_limits.set_rep, n))
        repeat_fill(to, c, n);
    else
#endif
        set_by_loop(to, c, n);
    return to;
}

void *mem_set_long(byte *to, int c, size_t n)
{
#if defined(__x86_64__)
    if (n <= 512) {
        evex_fill_to_512(to, c, n);
        return to;
    }
    if (unlikely(n >= mem_limits.set_loop_end))
        return set_many(to, c, n);
    evex_fill_more(to, c, n);
    return to;
#else
    return mem_set_wide(to, c, n);
#endif
}

void *mem_set_wide(byte *to, int c, size_t n)
{
    if (unlikely(n >= mem_limits.set_loop_end))
        return set_many(to, c, n);
    set_by_loop(to, c, n);
    return to;
}

void *mem_set_narrow(byte *to, int c, size_t n) { return set_narrow(to, c, n); }

void *mem_set(void *to, int c, size_t n)
{
    if (!short_is_right())
        return mem_set_narrow(to, c, n);
    if (unlikely(n >= SMALL_END))
        return set_more(to, c, n);
    return likely(small_is_right_at(to, SMALL_LINES)) ? set_small(to, c, n) : mem_set_narrow(to, c, n);
}
