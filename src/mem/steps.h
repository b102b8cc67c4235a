/* steps.h: short lengths, for copying and for filling. Up to 128 bytes in vectors of 16: three steps of two branches
 * each; above: wide.h. By evex.h up to 256.
 *
 * In each step the same few places are touched for every length, some of them twice: they overlap where the length is
 * not the longest. So there is one branch for a step, and none for the length within it:
 *
 *     1 .. 3      bytes       at 0, n / 2, n - 1
 *     4 .. 15     4 bytes     at 0, k, n - 4 - k, n - 4         k = n / 2 & 4
 *     16 .. 64    16 bytes    at 0, k, n - 16 - k, n - 16       k = n / 2 & 48
 *     65 .. 128   16 bytes    four from the start, four to the end
 *
 * Invariant: everything of a step is read before its first byte is written, so ranges may overlap in any way.
 * docs/design/023. source of the idea of overlapping ends: glibc's and Arm's memcpy, described in their comments. */
#ifndef ASHLAR_MEM_STEPS_H
#define ASHLAR_MEM_STEPS_H

#include "mem/evex.h"

/* For fewer bytes than SMALL_END and SHORT_END there are shorter ways, on the processors that they are made for. */
enum { SMALL_END = 65 };
#if defined(__x86_64__)
enum { SHORT_END = 257 };
static inline bool short_is_right(void) { return mem_limits.level == MEM_64; }
#else
enum { SHORT_END = 129 };
static inline bool short_is_right(void) { return true; }
#endif

/* Whether fewer than SMALL_END bytes at `at` go by the shorter way. `lines`: SMALL_LINES where short_is_right(), else
 * 0. A vector under a mask is not to reach into the next page, so 63 bytes on there has to be any line of a page but
 * the first. (That leaves out the start of a page, too: NULL, with which no bytes are copied, is such a place.) */
#if defined(__x86_64__)
enum { SMALL_LINES = 4096 - 64 };
static inline bool small_is_right_at(const byte *at, uint32_t lines) { return (((uintptr_t)at + 63) & lines) != 0; }
#else
enum { SMALL_LINES = 1 };
static inline bool small_is_right_at(const byte *at, uint32_t lines) { return (void)at, lines != 0; }
#endif

/* For the rest: more than 128 bytes; SHORT_END or more on those processors; any number in vectors of 16.
 * returns: `result`, or `to`; so the call is the last thing that its caller does. */
void *mem_move_wide(byte *to, const byte *from, size_t n, void *result) __attribute__((visibility("hidden")));
void *mem_move_long(byte *to, const byte *from, size_t n, void *result) __attribute__((visibility("hidden")));
void *mem_set_wide(byte *to, int c, size_t n) __attribute__((visibility("hidden")));
void *mem_set_long(byte *to, int c, size_t n) __attribute__((visibility("hidden")));
void *mem_set_narrow(byte *to, int c, size_t n) __attribute__((visibility("hidden")));

/* ---- Copying --------------------------------------------------------------------------------------------------------- */

static inline void move_1_to_3(byte *to, const byte *from, size_t n)
{
    const byte first = from[0], middle = from[n / 2], last = from[n - 1];

    to[0] = first;
    to[n / 2] = middle;
    to[n - 1] = last;
}

static inline void move_4_to_15(byte *to, const byte *from, size_t n)
{
    const size_t k = n / 2 & 4;
    const word4 a = *(const word4 *)from, b = *(const word4 *)(from + k);
    const word4 c = *(const word4 *)(from + n - 4 - k), d = *(const word4 *)(from + n - 4);

    *(word4 *)to = a;
    *(word4 *)(to + k) = b;
    *(word4 *)(to + n - 4 - k) = c;
    *(word4 *)(to + n - 4) = d;
}

static inline void move_16_to_64(byte *to, const byte *from, size_t n)
{
    const size_t k = n / 2 & 48;
    const vector16 a = load16(from), b = load16(from + k);
    const vector16 c = load16(from + n - 16 - k), d = load16(from + n - 16);

    store16(to, a);
    store16(to + k, b);
    store16(to + n - 16 - k, c);
    store16(to + n - 16, d);
}

static inline void move_65_to_128(byte *to, const byte *from, size_t n)
{
    const byte *const end = from + n - 64;
    const vector16 a = load16(from), b = load16(from + 16), c = load16(from + 32), d = load16(from + 48);
    const vector16 w = load16(end), x = load16(end + 16), y = load16(end + 32), z = load16(end + 48);

    store16(to, a);
    store16(to + 16, b);
    store16(to + 32, c);
    store16(to + 48, d);
    store16(to + n - 64, w);
    store16(to + n - 48, x);
    store16(to + n - 32, y);
    store16(to + n - 16, z);
}

/* Up to 64 bytes. returns: `result`. */
ALWAYS_INLINE void *move_to_64(byte *to, const byte *from, size_t n, void *result)
{
    if (likely(n >= 16)) {
        move_16_to_64(to, from, n);
        return result;
    }
    if (n >= 4) {
        move_4_to_15(to, from, n);
        return result;
    }
    if (n != 0)
        move_1_to_3(to, from, n);
    return result;
}

/* returns: `result`. */
ALWAYS_INLINE void *move_narrow(byte *to, const byte *from, size_t n, void *result)
{
    if (likely(n <= 64))
        return move_to_64(to, from, n, result);
    if (n > 128)
        return mem_move_wide(to, from, n, result);
    move_65_to_128(to, from, n);
    return result;
}

/* Fewer bytes than SMALL_END, where small_is_right_at() both places. returns: `result`. */
ALWAYS_INLINE void *move_small(byte *to, const byte *from, size_t n, void *result)
{
#if defined(__x86_64__)
    evex_copy_to_64(to, from, n);
    return result;
#else
    return move_to_64(to, from, n, result);
#endif
}

/* SMALL_END bytes or more, where short_is_right(). returns: `result`. */
ALWAYS_INLINE void *move_more(byte *to, const byte *from, size_t n, void *result)
{
#if defined(__x86_64__)
    if (likely(n <= 128)) {
        evex_copy_to_128(to, from, n);
        return result;
    }
    if (n < SHORT_END) {
        evex_copy_to_256(to, from, n);
        return result;
    }
#else
    if (n < SHORT_END) {
        move_65_to_128(to, from, n);
        return result;
    }
#endif
    return mem_move_long(to, from, n, result);
}

/* ---- Filling ---------------------------------------------------------------------------------------------------------- */

static inline void set_1_to_3(byte *to, byte c, size_t n)
{
    to[0] = c;
    to[n / 2] = c;
    to[n - 1] = c;
}

static inline void set_4_to_15(byte *to, uint32_t word, size_t n)
{
    const size_t k = n / 2 & 4;

    *(word4 *)to = word;
    *(word4 *)(to + k) = word;
    *(word4 *)(to + n - 4 - k) = word;
    *(word4 *)(to + n - 4) = word;
}

static inline void set_16_to_64(byte *to, vector16 v, size_t n)
{
    const size_t k = n / 2 & 48;

    store16(to, v);
    store16(to + k, v);
    store16(to + n - 16 - k, v);
    store16(to + n - 16, v);
}

static inline void set_65_to_128(byte *to, vector16 v, size_t n)
{
    byte *const end = to + n - 64;

    store16(to, v);
    store16(to + 16, v);
    store16(to + 32, v);
    store16(to + 48, v);
    store16(end, v);
    store16(end + 16, v);
    store16(end + 32, v);
    store16(end + 48, v);
}

/* returns: `to`. */
ALWAYS_INLINE void *set_narrow(byte *to, int c, size_t n)
{
    const uint64_t word = spread(c);

    if (n <= 15) {
        if (n >= 4)
            set_4_to_15(to, (uint32_t)word, n);
        else if (n != 0)
            set_1_to_3(to, (byte)c, n);
        return to;
    }
    if (n > 128)
        return mem_set_wide(to, c, n);
    const vector16 v = {word, word};

    if (n <= 64)
        set_16_to_64(to, v, n);
    else
        set_65_to_128(to, v, n);
    return to;
}

/* Fewer bytes than SMALL_END, where small_is_right_at() the place. returns: `to`. */
ALWAYS_INLINE void *set_small(byte *to, int c, size_t n)
{
#if defined(__x86_64__)
    evex_fill_to_64(to, c, n);
    return to;
#else
    return set_narrow(to, c, n);
#endif
}

/* SMALL_END bytes or more, where short_is_right(). returns: `to`. */
ALWAYS_INLINE void *set_more(byte *to, int c, size_t n)
{
    if (n >= SHORT_END)
        return mem_set_long(to, c, n);
#if defined(__x86_64__)
    evex_fill_to_256(to, c, n);
#else
    const uint64_t word = spread(c);

    set_65_to_128(to, (vector16){word, word}, n);
#endif
    return to;
}

#endif
