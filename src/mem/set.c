/* set.c: filling. The places are those of move.c. */
#include "mem/vector.h"

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

static NOINLINE void *set_wide(byte *to, int c, size_t n)
{
    fault_if_negative(to, n);
#if defined(__x86_64__)
    if (mem_limits.level == MEM_64)
        mem_set_wide_64(to, c, n);
    else if (mem_limits.level == MEM_32)
        mem_set_wide_32(to, c, n);
    else
#endif
        mem_set_wide_16(to, c, n);
    return to;
}

void *mem_set(void *to, int c, size_t n)
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
        return set_wide(to, c, n);
    const vector16 v = {word, word};

    if (n <= 64)
        set_16_to_64(to, v, n);
    else
        set_65_to_128(to, v, n);
    return to;
}

LIBC_NAME(memset, mem_set)
