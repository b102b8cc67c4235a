/* vector.h: vectors of 16 bytes at any address, and what move.c and set.c share with their wide halves. */
#ifndef ASHLAR_MEM_VECTOR_H
#define ASHLAR_MEM_VECTOR_H

#include "mem/mem.h"

typedef unsigned char byte;

/* Any object may be copied, so these may alias any; and at any address. */
typedef uint32_t word4 __attribute__((may_alias, aligned(1)));
typedef uint64_t vector16 __attribute__((vector_size(16), may_alias, aligned(1)));

static inline vector16 load16(const byte *at) { return *(const vector16 *)at; }
static inline void store16(byte *at, vector16 v) { *(vector16 *)at = v; }

/* Every byte of the word is the low byte of `c`. */
static inline uint64_t spread(int c) { return (byte)c * 0x0101010101010101u; }

/* Whether copying upwards from `from` to `to` reads each byte before it writes there. */
static inline bool goes_upwards(const byte *to, const byte *from, size_t n)
{
    return (uintptr_t)to - (uintptr_t)from >= n;
}

/* A length above PTRDIFF_MAX is a negative number that was taken for a length. Ends that are counted from both sides
 * would wrap, and little be written in the wrong place: touch an address that cannot be there instead. (Bit 55 is the
 * highest that no processor ignores.) */
static inline void fault_if_negative(byte *to, size_t n)
{
    if (unlikely(n > PTRDIFF_MAX))
        *(volatile byte *)((uintptr_t)to ^ (uintptr_t)1 << 55) = 0;
}

/* More than 128 bytes, in vectors of that many. */
void mem_move_wide_16(byte *to, const byte *from, size_t n) __attribute__((visibility("hidden")));
void mem_move_wide_32(byte *to, const byte *from, size_t n) __attribute__((visibility("hidden")));
void mem_set_wide_16(byte *to, int c, size_t n) __attribute__((visibility("hidden")));
void mem_set_wide_32(byte *to, int c, size_t n) __attribute__((visibility("hidden")));

#endif
