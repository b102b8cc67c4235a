/* ways.h: in how many ways the memory functions do their work, and what tests of all of them share. */
#ifndef ASHLAR_TESTS_WAYS_H
#define ASHLAR_TESTS_WAYS_H

#include "../lib/test.h"

#include "mem/mem.h"

#include <sys/mman.h>

enum { PAGE = 4096 };

typedef unsigned char byte;

struct way {
    const char *name;
    struct mem_limits limits;
};

#define FROM(least)                                                                                                    \
    {                                                                                                                  \
        least, SIZE_MAX                                                                                                \
    }
static const struct way ways[] = {
    {"16 bytes", {.level = MEM_16, .copy_loop_end = PTRDIFF_MAX, .set_loop_end = PTRDIFF_MAX}},
    {"32 bytes", {.level = MEM_32, .copy_loop_end = PTRDIFF_MAX, .set_loop_end = PTRDIFF_MAX}},
    {"64 bytes", {.level = MEM_64, .copy_loop_end = PTRDIFF_MAX, .set_loop_end = PTRDIFF_MAX}},
    {"64 bytes, bounds not known yet", {.level = MEM_64}},
    {"16 bytes, repeated from 257", {.level = MEM_16, .copy_rep = FROM(257), .set_rep = FROM(257)}},
    {"32 bytes, repeated from 257", {.level = MEM_32, .copy_rep = FROM(257), .set_rep = FROM(257)}},
    {"64 bytes, repeated from 257", {.level = MEM_64, .copy_rep = FROM(257), .set_rep = FROM(257)}},
    {"32 bytes, repeated from 600 to 900",
     {.level = MEM_32, .copy_loop_end = 600, .set_loop_end = 600, .copy_rep = {600, 900}, .set_rep = {600, 900}}},
    {"64 bytes, repeated from 600 to 900",
     {.level = MEM_64, .copy_loop_end = 600, .set_loop_end = 600, .copy_rep = {600, 900}, .set_rep = {600, 900}}},
    {"16 bytes, past the caches from 129", {.level = MEM_16, .copy_nt = FROM(129)}},
    {"32 bytes, past the caches from 900, fills repeated",
     {.level = MEM_32, .copy_nt = FROM(900), .set_rep = FROM(257)}},
    {"64 bytes, past the caches from 513",
     {.level = MEM_64, .copy_loop_end = 513, .set_loop_end = PTRDIFF_MAX, .copy_nt = FROM(513)}},
};
#undef FROM

enum { WAYS = sizeof ways / sizeof ways[0] };

/* Go this way from now on, or leave the test where the processor cannot. */
static inline void go(const struct way *way)
{
    if (way->limits.level > mem_level_max())
        SKIP("the processor has no vectors of that width");
    mem_limits = way->limits;
}

/* `bytes` bytes, a multiple of PAGE, between two pages that may not be touched. */
static inline byte *guarded(size_t bytes)
{
    byte *const all = mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(all != MAP_FAILED);
    CHECK_EQ(mprotect(all + PAGE, bytes, PROT_READ | PROT_WRITE), 0);
    return all + PAGE;
}

static inline byte pattern(size_t i, size_t salt) { return (byte)(i * 131 + (i >> 8) * 17 + salt * 29 + 7); }

static inline void paint(byte *at, size_t n, size_t salt)
{
    for (size_t i = 0; i < n; i++)
        at[i] = pattern(i, salt);
}

enum { LENGTHS = 521 + 16 };

/* Every length up to 520, then some on both sides of each place where another way begins. */
static inline size_t length_number(size_t i)
{
    static const size_t beyond[] = {600,  767,  899,  900,  1000, 1023,  1024,  1025,
                                    2047, 4095, 4096, 4097, 5000, 65536, 70001, 131073};

    _Static_assert(sizeof beyond / sizeof beyond[0] == LENGTHS - 521, "LENGTHS counts them");
    return i <= 520 ? i : beyond[i - 521];
}

#endif
