/* move.c: copying, under our own names. Short lengths: steps.h; long ones: evex.h, wide.h, repeat.h, stream.h. */
#include "mem/repeat.h"
#include "mem/steps.h"
#include "mem/stream.h"

/* More than 128 bytes, by the widest loop that is made for so many. (The level may be learned after a caller has asked
 * for it: so 129 to 512 bytes come here at every level.) */
static inline void move_by_loop(byte *to, const byte *from, size_t n)
{
#if defined(__x86_64__)
    if (mem_limits.level == MEM_64 && n > 512) {
        if (goes_upwards(to, from, n))
            evex_copy_upwards(to, from, n);
        else
            evex_copy_downwards(to, from, n);
        return;
    }
    if (mem_limits.level != MEM_16) {
        mem_move_wide_32(to, from, n);
        return;
    }
#endif
    mem_move_wide_16(to, from, n);
}

/* copy_loop_end bytes or more. A function of its own, to which others jump: what it needs is not saved for all. */
static NOINLINE void *move_many(byte *to, const byte *from, size_t n, void *result)
{
    fault_if_negative(to, n);
#if defined(__x86_64__)
    if (stream_may_copy(to, from, n))
        stream_copy(to, from, n);
    else if (repeat_may_copy(to, from, n))
        repeat_copy(to, from, n);
    else
#endif
        move_by_loop(to, from, n);
    return result;
}

void *mem_move_long(byte *to, const byte *from, size_t n, void *result)
{
#if defined(__x86_64__)
    if (n <= 512) {
        evex_copy_to_512(to, from, n);
        return result;
    }
    if (unlikely(n >= mem_limits.copy_loop_end))
        return move_many(to, from, n, result);
    if (goes_upwards(to, from, n))
        evex_copy_upwards(to, from, n);
    else
        evex_copy_downwards(to, from, n);
    return result;
#else
    return mem_move_wide(to, from, n, result);
#endif
}

void *mem_move_wide(byte *to, const byte *from, size_t n, void *result)
{
    if (unlikely(n >= mem_limits.copy_loop_end))
        return move_many(to, from, n, result);
    move_by_loop(to, from, n);
    return result;
}

void *mem_move(void *to, const void *from, size_t n)
{
    if (!short_is_right())
        return move_narrow(to, from, n, to);
    if (unlikely(n >= SMALL_END))
        return move_more(to, from, n, to);
    if (likely(small_is_right_at(to, SMALL_LINES) && small_is_right_at(from, SMALL_LINES)))
        return move_small(to, from, n, to);
    return move_to_64(to, from, n, to);
}
