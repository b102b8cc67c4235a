/* names.h: what the files share that define functions under libc's names. */
#ifndef ASHLAR_MEM_NAMES_H
#define ASHLAR_MEM_NAMES_H

#include "base/config.h"

/* libc's headers declare them all, but may define some as well: they are not for these files. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define EXPORT __attribute__((visibility("default")))

/* libc's report of an overflow that a fortified program has found. Absent in a program without libc. */
extern void __chk_fail(void) __attribute__((noreturn, weak));

static COLD __attribute__((noreturn)) void fail(void)
{
    if (&__chk_fail != NULL)
        __chk_fail();
    __builtin_trap();
}

/* What a fortified program asks: may `n` be written where there is `room`? source: Linux Standard Base 5.0,
 * __memcpy_chk. */
static inline void fail_if_above(size_t n, size_t room)
{
    if (unlikely(n > room))
        fail();
}

/* Bytes of `n` wide characters; a product that does not fit is more than there is, and faults as it should. */
static inline size_t wide_bytes(size_t n)
{
    size_t bytes;

    return __builtin_mul_overflow(n, sizeof(wchar_t), &bytes) ? SIZE_MAX : bytes;
}

#endif
