/* bits.h: rounding, powers of two, hashing. Pure functions of their arguments. */
#ifndef ASHLAR_BASE_BITS_H
#define ASHLAR_BASE_BITS_H

#include "base/config.h"

static inline bool is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

/* `bytes` rounded up to a multiple of `step`, a power of two. The caller knows that it does not overflow. */
static inline size_t round_up(size_t bytes, size_t step) { return (bytes + step - 1) & ~(step - 1); }

static inline size_t round_down(size_t bytes, size_t step) { return bytes & ~(step - 1); }

/* Smallest power of two that is at least `n`. 1 <= n <= 2^63. */
static inline size_t power_of_two_from(size_t n) { return n <= 1 ? 1 : (size_t)1 << (64 - __builtin_clzl(n - 1)); }

/* floor(log2(n)), n > 0. */
static inline unsigned log2_floor(size_t n) { return 63u - (unsigned)__builtin_clzl(n); }

/* A bijective mix in which every input bit reaches every output bit.
 * source: David Stafford's "Mix13", as used by splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static inline uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

#endif
