/* evex.h: vectors in registers 16 to 31, on processors that have AVX-512 F, BW and VL.
 *
 * By name, since the compiler takes these registers only where all of the code may: these files are compiled for every
 * processor. So nobody has to clear upper halves afterwards (vzeroupper), and what one statement leaves in them another
 * finds: no other code of these files uses them.
 *
 *   1 .. 64     one vector under a mask: one branch for all lengths. Not across the end of a page: a mask that keeps
 *               off a page that may not be touched takes a hundred times as long. Its price: a load is not served from
 *               what a masked store has just written. docs/design/023
 *   65 .. 512   as many vectors from the start as to the end, all read first: no loop, whose end is not foreseen
 *   more        a loop with an aligned target, 256 bytes a turn, for fills 512; what wide.h says of head and tail is
 * true here
 *
 * source: Intel, "Optimization Reference Manual", masking. */
#ifndef ASHLAR_MEM_EVEX_H
#define ASHLAR_MEM_EVEX_H

#include "mem/vector.h"

#if defined(__x86_64__)

/* Vector r of WIDTH bits: read at an offset from the start, and from the end; write there. %0 to, %1 from, %2 n. */
#define READ(offset, r) "vmovdqu64 " #offset "(%1), %%" #r "\n\t"
#define READ_LAST(offset, r) "vmovdqu64 -" #offset "(%1,%2), %%" #r "\n\t"
#define WRITE(offset, r) "vmovdqu64 %%" #r ", " #offset "(%0)\n\t"
#define WRITE_LAST(offset, r) "vmovdqu64 %%" #r ", -" #offset "(%0,%2)\n\t"
#define WRITE_ALIGNED(offset, r) "vmovdqa64 %%" #r ", " #offset "(%0)\n\t"
#define SPREAD(r) "vpbroadcastb %k1, %%" #r "\n\t"
#define STEPS(to, second, n, steps) __asm__ volatile(steps : : "r"(to), "r"(second), "r"(n) : "memory")

enum { EVEX_TURN = 256 };

/* ---- Copying --------------------------------------------------------------------------------------------------------- */

static inline void evex_copy_to_64(byte *to, const byte *from, size_t n)
{
    uint64_t bits;

    __asm__ volatile("bzhi %3, %4, %0\n\t"
                     "kmovq %0, %%k1\n\t"
                     "vmovdqu8 (%2), %%zmm16%{%%k1%}%{z%}\n\t"
                     "vmovdqu8 %%zmm16, (%1)%{%%k1%}"
                     : "=&r"(bits)
                     : "r"(to), "r"(from), "r"(n), "r"(UINT64_MAX)
                     : "memory");
}

static inline void evex_copy_to_128(byte *to, const byte *from, size_t n)
{
    STEPS(to, from, n, READ(0, zmm16) READ_LAST(64, zmm17) WRITE(0, zmm16) WRITE_LAST(64, zmm17));
}

static inline void evex_copy_to_256(byte *to, const byte *from, size_t n)
{
    STEPS(to, from, n,
          READ(0, zmm16) READ(64, zmm17) READ_LAST(128, zmm18) READ_LAST(64, zmm19) WRITE(0, zmm16) WRITE(64, zmm17)
              WRITE_LAST(128, zmm18) WRITE_LAST(64, zmm19));
}

static inline void evex_copy_to_512(byte *to, const byte *from, size_t n)
{
    STEPS(to, from, n,
          READ(0, zmm16) READ(64, zmm17) READ(128, zmm18) READ(192, zmm19) READ_LAST(256, zmm20) READ_LAST(192, zmm21)
              READ_LAST(128, zmm22) READ_LAST(64, zmm23) WRITE(0, zmm16) WRITE(64, zmm17) WRITE(128, zmm18)
                  WRITE(192, zmm19) WRITE_LAST(256, zmm20) WRITE_LAST(192, zmm21) WRITE_LAST(128, zmm22)
                      WRITE_LAST(64, zmm23));
}

static inline void evex_turn(byte *to, const byte *from)
{
    STEPS(to, from, 0,
          READ(0, zmm21) READ(64, zmm22) READ(128, zmm23) READ(192, zmm24) WRITE_ALIGNED(0, zmm21)
              WRITE_ALIGNED(64, zmm22) WRITE_ALIGNED(128, zmm23) WRITE_ALIGNED(192, zmm24));
}

/* More than 512 bytes. */
static inline void evex_copy_upwards(byte *to, const byte *from, size_t n)
{
    const size_t skip = 64 - (uintptr_t)to % 64;
    const byte *source = from + skip;

    STEPS(to, from, n,
          READ(0, zmm16) READ_LAST(256, zmm17) READ_LAST(192, zmm18) READ_LAST(128, zmm19) READ_LAST(64, zmm20));
    for (byte *at = to + skip; at < to + n - EVEX_TURN; at += EVEX_TURN, source += EVEX_TURN)
        evex_turn(at, source);
    STEPS(to, from, n,
          WRITE_LAST(256, zmm17) WRITE_LAST(192, zmm18) WRITE_LAST(128, zmm19) WRITE_LAST(64, zmm20) WRITE(0, zmm16));
}

static inline void evex_copy_downwards(byte *to, const byte *from, size_t n)
{
    const size_t skip = ((uintptr_t)to + n) % 64;
    const byte *source = from + n - skip;

    STEPS(to, from, n, READ(0, zmm16) READ(64, zmm17) READ(128, zmm18) READ(192, zmm19) READ_LAST(64, zmm20));
    for (byte *at = to + n - skip; at > to + EVEX_TURN;) {
        at -= EVEX_TURN;
        source -= EVEX_TURN;
        evex_turn(at, source);
    }
    STEPS(to, from, n, WRITE(0, zmm16) WRITE(64, zmm17) WRITE(128, zmm18) WRITE(192, zmm19) WRITE_LAST(64, zmm20));
}

/* ---- Filling ---------------------------------------------------------------------------------------------------------- */

static inline void evex_fill_to_64(byte *to, int c, size_t n)
{
    uint64_t bits;

    __asm__ volatile("bzhi %3, %4, %0\n\t"
                     "kmovq %0, %%k1\n\t"
                     "vpbroadcastb %k2, %%zmm16\n\t"
                     "vmovdqu8 %%zmm16, (%1)%{%%k1%}"
                     : "=&r"(bits)
                     : "r"(to), "r"(c), "r"(n), "r"(UINT64_MAX)
                     : "memory");
}

/* 65 bytes or more. What is true of all is written before the question: whichever answer was foreseen, the other has
 * little left to do. */
static inline void evex_fill_to_256(byte *to, int c, size_t n)
{
    STEPS(to, c, n, SPREAD(zmm16) WRITE(0, zmm16) WRITE_LAST(64, zmm16));
    if (unlikely(n > 128))
        STEPS(to, c, n, WRITE(64, zmm16) WRITE_LAST(128, zmm16));
}

/* 257 to 512 bytes: the two ends, and between them four lines of cache behind the one and four before the other, where
 * there is room for so many. What reaches into two lines takes as long as two and a half. */
static inline void evex_fill_to_512(byte *to, int c, size_t n)
{
    const size_t first = 64 - (uintptr_t)to % 64, lines_end = n - (uintptr_t)(to + n) % 64;
    byte *const low = to + (first < n - 256 ? first : n - 256);
    byte *const high = to + (lines_end > 256 ? lines_end - 256 : 0);

    STEPS(to, c, n, SPREAD(zmm16) WRITE(0, zmm16) WRITE_LAST(64, zmm16));
    STEPS(low, c, 0, WRITE(0, zmm16) WRITE(64, zmm16) WRITE(128, zmm16) WRITE(192, zmm16));
    STEPS(high, c, 0, WRITE(0, zmm16) WRITE(64, zmm16) WRITE(128, zmm16) WRITE(192, zmm16));
}

/* More than 512 bytes: the two ends, the last eight lines, and before them eight lines a turn. Few turns, so that their
 * end is foreseen more often; and all else before them, so that little is left to do when it was not. */
static inline void evex_fill_more(byte *to, int c, size_t n)
{
    enum { TURN = 512 };
    const size_t lines_end = n - (uintptr_t)(to + n) % 64;
    byte *const last = to + (lines_end > TURN ? lines_end - TURN : 0);

    STEPS(to, c, n, SPREAD(zmm16) WRITE(0, zmm16) WRITE_LAST(64, zmm16));
    STEPS(last, c, 0,
          WRITE(0, zmm16) WRITE(64, zmm16) WRITE(128, zmm16) WRITE(192, zmm16) WRITE(256, zmm16) WRITE(320, zmm16)
              WRITE(384, zmm16) WRITE(448, zmm16));
    for (byte *at = to + 64 - (uintptr_t)to % 64; at < last; at += TURN)
        STEPS(at, c, 0,
              WRITE_ALIGNED(0, zmm16) WRITE_ALIGNED(64, zmm16) WRITE_ALIGNED(128, zmm16) WRITE_ALIGNED(192, zmm16)
                  WRITE_ALIGNED(256, zmm16) WRITE_ALIGNED(320, zmm16) WRITE_ALIGNED(384, zmm16)
                      WRITE_ALIGNED(448, zmm16));
}

#undef READ
#undef READ_LAST
#undef WRITE
#undef WRITE_LAST
#undef WRITE_ALIGNED
#undef SPREAD
#undef STEPS

#endif
#endif
