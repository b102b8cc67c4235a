/* repeat.h: the processor's own string instructions, for lengths at which they are worth their start. */
#ifndef ASHLAR_MEM_REPEAT_H
#define ASHLAR_MEM_REPEAT_H

#include "mem/vector.h"

#if defined(__x86_64__)

/* `rep movsb` crawls where the target begins a little above the source, in one page or in any two (1.4 microseconds for
 * 4 KiB instead of 0.03), and where it begins a little below. docs/design/023. */
static inline bool repeat_may_copy(const byte *to, const byte *from, size_t n)
{
    enum { CLOSE = 64, PAGE = 4096 };
    const uintptr_t above = (uintptr_t)to - (uintptr_t)from;

    return mem_range_has(mem_limits.copy_rep, n) && goes_upwards(to, from, n) && above % PAGE >= CLOSE &&
           -above >= CLOSE;
}

/* More than 64 bytes. It wants the target aligned: the head is read before, and written behind. source: Intel,
 * "Optimization Reference Manual", section "Enhanced REP MOVSB and STOSB". */
static inline void repeat_copy(byte *to, const byte *from, size_t n)
{
    const vector16 a = load16(from), b = load16(from + 16), c = load16(from + 32), d = load16(from + 48);
    const size_t skip = 64 - (uintptr_t)to % 64;
    byte *at = to + skip;
    const byte *source = from + skip;
    size_t left = n - skip;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(source), "+c"(left) : : "memory");
    store16(to, a);
    store16(to + 16, b);
    store16(to + 32, c);
    store16(to + 48, d);
}

static inline void repeat_fill(byte *to, int c, size_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
}

#endif
#endif
