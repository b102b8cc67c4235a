/* checked.h: lengths of libc's checked and wide names, for all that take them. */
#ifndef ASHLAR_MEM_CHECKED_H
#define ASHLAR_MEM_CHECKED_H

#include "mem/mem.h"

/* libc's report of an overflow that a fortified program has found; it does not return. Absent in a program without
 * libc. */
extern void __chk_fail(void) __attribute__((noreturn, weak));

static COLD __attribute__((noreturn)) void fail(void)
{
    if (&__chk_fail != NULL)
        __chk_fail();
    __builtin_trap();
}

/* End the program when `n` bytes or wide characters are more than there is room for.
 * source: Linux Standard Base 5.0, "Interfaces for libc". */
static inline void check(size_t n, size_t room)
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
