/* names.c: the names of libc that `ashlar sizes` counts: told to the recorder, then done by src/mem.
 *
 * Plain functions without versions, as in src/mem/libc.c, and for the same reasons. */
#include "recorder.h"

#include "mem/mem.h"
#include "mem/names.h"

#define CALLER __builtin_return_address(0)

/* ---- Copying bytes ----------------------------------------------------------------------------------------------- */

EXPORT void *memcpy(void *to, const void *from, size_t n)
{
    recorder_copy(RECORD_memcpy, to, from, n, CALLER);
    return mem_move(to, from, n);
}

EXPORT void *memmove(void *to, const void *from, size_t n)
{
    recorder_copy(RECORD_memmove, to, from, n, CALLER);
    return mem_move(to, from, n);
}

EXPORT void *mempcpy(void *to, const void *from, size_t n)
{
    recorder_copy(RECORD_mempcpy, to, from, n, CALLER);
    return (char *)mem_move(to, from, n) + n;
}

EXPORT void *__mempcpy(void *to, const void *from, size_t n)
{
    recorder_copy(RECORD___mempcpy, to, from, n, CALLER);
    return (char *)mem_move(to, from, n) + n;
}

EXPORT void bcopy(const void *from, void *to, size_t n)
{
    recorder_copy(RECORD_bcopy, to, from, n, CALLER);
    (void)mem_move(to, from, n);
}

EXPORT void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_copy(RECORD___memcpy_chk, to, from, n, CALLER);
    return mem_move(to, from, n);
}

EXPORT void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_copy(RECORD___memmove_chk, to, from, n, CALLER);
    return mem_move(to, from, n);
}

EXPORT void *__mempcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_copy(RECORD___mempcpy_chk, to, from, n, CALLER);
    return (char *)mem_move(to, from, n) + n;
}

/* ---- Filling bytes ----------------------------------------------------------------------------------------------- */

EXPORT void *memset(void *to, int c, size_t n)
{
    recorder_fill(RECORD_memset, to, n, CALLER);
    return mem_set(to, c, n);
}

EXPORT void bzero(void *to, size_t n)
{
    recorder_fill(RECORD_bzero, to, n, CALLER);
    (void)mem_set(to, 0, n);
}

EXPORT void explicit_bzero(void *to, size_t n)
{
    recorder_fill(RECORD_explicit_bzero, to, n, CALLER);
    (void)mem_set(to, 0, n);
}

EXPORT void *__memset_chk(void *to, int c, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_fill(RECORD___memset_chk, to, n, CALLER);
    return mem_set(to, c, n);
}

EXPORT void __explicit_bzero_chk(void *to, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_fill(RECORD___explicit_bzero_chk, to, n, CALLER);
    (void)mem_set(to, 0, n);
}

/* ---- Wide characters --------------------------------------------------------------------------------------------- */

static void fill_wide(wchar_t *to, wchar_t c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = c;
}

EXPORT wchar_t *wmemcpy(wchar_t *to, const wchar_t *from, size_t n)
{
    recorder_copy(RECORD_wmemcpy, to, from, wide_bytes(n), CALLER);
    return mem_move(to, from, wide_bytes(n));
}

EXPORT wchar_t *wmemmove(wchar_t *to, const wchar_t *from, size_t n)
{
    recorder_copy(RECORD_wmemmove, to, from, wide_bytes(n), CALLER);
    return mem_move(to, from, wide_bytes(n));
}

EXPORT wchar_t *wmempcpy(wchar_t *to, const wchar_t *from, size_t n)
{
    recorder_copy(RECORD_wmempcpy, to, from, wide_bytes(n), CALLER);
    return (wchar_t *)mem_move(to, from, wide_bytes(n)) + n;
}

EXPORT wchar_t *wmemset(wchar_t *to, wchar_t c, size_t n)
{
    recorder_fill(RECORD_wmemset, to, wide_bytes(n), CALLER);
    fill_wide(to, c, n);
    return to;
}

EXPORT wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_copy(RECORD___wmemcpy_chk, to, from, wide_bytes(n), CALLER);
    return mem_move(to, from, wide_bytes(n));
}

EXPORT wchar_t *__wmemmove_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_copy(RECORD___wmemmove_chk, to, from, wide_bytes(n), CALLER);
    return mem_move(to, from, wide_bytes(n));
}

EXPORT wchar_t *__wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_copy(RECORD___wmempcpy_chk, to, from, wide_bytes(n), CALLER);
    return (wchar_t *)mem_move(to, from, wide_bytes(n)) + n;
}

EXPORT wchar_t *__wmemset_chk(wchar_t *to, wchar_t c, size_t n, size_t room)
{
    fail_if_above(n, room);
    recorder_fill(RECORD___wmemset_chk, to, wide_bytes(n), CALLER);
    fill_wide(to, c, n);
    return to;
}
