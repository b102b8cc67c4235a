/* libc.c: libc's other names for moving and filling; those of move.c and set.c are aliases there.
 *
 * Only in libashlar-mem: see LIBC_NAME. No name carries a version: a versioned definition would not be taken for a
 * reference to libc's. source: POSIX.1-2001 (bcopy, bzero), GNU (mempcpy and wide names), Linux Standard Base 5.0,
 * "Interfaces for libc" (the checked ones). */
#include "mem/mem.h"

#ifdef MEM_TAKES_NAMES
#include "mem/checked.h"

/* libc's headers declare them all, but may define some as well: they are not for this file. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define EXPORT __attribute__((visibility("default")))

/* Before this library's own start nothing is wrong, only narrower: see mem.h. */
__attribute__((constructor)) static void start(void) { mem_start(); }

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

EXPORT void bzero(void *to, size_t n) { (void)mem_set(to, 0, n); }

EXPORT void bcopy(const void *from, void *to, size_t n) { (void)mem_move(to, from, n); }

/* The compiler does not see that nobody reads what is cleared: the pointer may be read here. */
EXPORT void explicit_bzero(void *to, size_t n)
{
    (void)mem_set(to, 0, n);
    __asm__ volatile("" : : "r"(to) : "memory");
}

EXPORT void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    check(n, room);
    return mem_move(to, from, n);
}

EXPORT void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
    check(n, room);
    return mem_move(to, from, n);
}

EXPORT void *__mempcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    check(n, room);
    return mem_move_to_end(to, from, n);
}

EXPORT void *__memset_chk(void *to, int c, size_t n, size_t room)
{
    check(n, room);
    return mem_set(to, c, n);
}

EXPORT void __explicit_bzero_chk(void *to, size_t n, size_t room)
{
    check(n, room);
    explicit_bzero(to, n);
}

/* ---- Wide characters ------------------------------------------------------------------------------------------------ */

EXPORT wchar_t *wmemcpy(wchar_t *to, const wchar_t *from, size_t n) { return mem_move(to, from, wide_bytes(n)); }

EXPORT wchar_t *wmemmove(wchar_t *to, const wchar_t *from, size_t n) { return mem_move(to, from, wide_bytes(n)); }

EXPORT wchar_t *wmempcpy(wchar_t *to, const wchar_t *from, size_t n)
{
    return mem_move_to_end(to, from, wide_bytes(n));
}

/* Few programs fill with wide characters that are not zero: four bytes at a time will do. */
EXPORT wchar_t *wmemset(wchar_t *to, wchar_t c, size_t n)
{
    if (c == 0)
        return mem_set(to, 0, wide_bytes(n));
    for (size_t i = 0; i < n; i++)
        to[i] = c;
    return to;
}

EXPORT wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    check(n, room);
    return wmemcpy(to, from, n);
}

EXPORT wchar_t *__wmemmove_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    check(n, room);
    return wmemmove(to, from, n);
}

EXPORT wchar_t *__wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    check(n, room);
    return wmempcpy(to, from, n);
}

EXPORT wchar_t *__wmemset_chk(wchar_t *to, wchar_t c, size_t n, size_t room)
{
    check(n, room);
    return wmemset(to, c, n);
}

#endif
