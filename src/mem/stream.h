/* stream.h: copies that are much larger than the second-level cache: stored past the caches, so that a line of the
 * target is not read before it is overwritten, and nothing else is pushed out.
 *
 * Four pages at a time, a line of each in turn: four streams for the memory instead of one. source of that order:
 * glibc's memcpy for large sizes (2.33), described in its comments; of the rest: Intel, "Optimization Reference
 * Manual", section "Non-temporal Stores". */
#ifndef ASHLAR_MEM_STREAM_H
#define ASHLAR_MEM_STREAM_H

#include "mem/vector.h"

#if defined(__x86_64__)
#include <emmintrin.h>

enum { STREAM_LINE = 64, STREAM_PAGE = 4096, STREAM_BLOCK = 4 * STREAM_PAGE };

/* Only ranges that are apart: lines are written before others are read. */
static inline bool stream_may_copy(const byte *to, const byte *from, size_t n)
{
    return unlikely(mem_range_has(mem_limits.copy_nt, n)) && goes_upwards(to, from, n) && goes_upwards(from, to, n);
}

/* `to` is aligned to STREAM_LINE. */
ALWAYS_INLINE void stream_line(byte *to, const byte *from)
{
    const vector16 a = load16(from), b = load16(from + 16), c = load16(from + 32), d = load16(from + 48);

    _mm_stream_si128((__m128i *)to, (__m128i)a);
    _mm_stream_si128((__m128i *)(to + 16), (__m128i)b);
    _mm_stream_si128((__m128i *)(to + 32), (__m128i)c);
    _mm_stream_si128((__m128i *)(to + 48), (__m128i)d);
}

/* STREAM_BLOCK bytes. The next block is asked for meanwhile; behind the last one nobody faults. */
static inline void stream_block(byte *to, const byte *from)
{
    for (size_t i = 0; i < STREAM_PAGE; i += STREAM_LINE)
#pragma GCC unroll 4
        for (size_t page = 0; page < STREAM_BLOCK; page += STREAM_PAGE) {
            __builtin_prefetch(from + STREAM_BLOCK + page + i);
            stream_line(to + page + i, from + page + i);
        }
}

/* STREAM_LINE bytes to any address. */
static inline void stream_end(byte *to, const byte *from)
{
    for (size_t i = 0; i < STREAM_LINE; i += 16)
        store16(to + i, load16(from + i));
}

/* STREAM_LINE bytes or more. */
static inline void stream_copy(byte *to, const byte *from, size_t n)
{
    const size_t skip = STREAM_LINE - (uintptr_t)to % STREAM_LINE;
    byte *at = to + skip;
    const byte *source = from + skip;
    size_t left = n - skip;

    stream_end(to, from);
    for (; left >= STREAM_BLOCK; left -= STREAM_BLOCK, at += STREAM_BLOCK, source += STREAM_BLOCK)
        stream_block(at, source);
    for (; left >= STREAM_LINE; left -= STREAM_LINE, at += STREAM_LINE, source += STREAM_LINE)
        stream_line(at, source);
    /* Such stores are not in order with others, which may tell another thread that the copy is done. */
    _mm_sfence();
    stream_end(to + n - STREAM_LINE, from + n - STREAM_LINE);
}

#endif
#endif
