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

static inline uint64_t rotate_left(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

static inline void sip_rounds(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate_left(v[1], 13) ^ v[0];
        v[3] = rotate_left(v[3], 16) ^ v[2];
        v[0] = rotate_left(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate_left(v[1], 17) ^ v[2];
        v[3] = rotate_left(v[3], 21) ^ v[0];
        v[2] = rotate_left(v[2], 32);
    }
}

/* SipHash-2-4 of the eight bytes of `word` under the 128-bit `key`: who knows some of its values knows nothing of the
 * key or of other values. source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012. */
static inline uint64_t sip_hash(const uint64_t key[2], uint64_t word)
{
    const uint64_t length = (uint64_t)sizeof word << 56;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};

    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
    v[3] ^= length;
    sip_rounds(v, 2);
    v[0] ^= length;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
