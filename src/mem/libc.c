/* libc.c: libc's names for moving and filling. Only in libashlar-mem.
 *
 * Each is a function of its own, no alias: it asks whether it is to check, and says by which name it was called. None
 * is an indirect function: the loader calls those before it has relocated a preloaded library. No name carries a
 * version: a versioned definition would not be taken for a reference to libc's. source: C17 7.24, POSIX.1-2001 (bcopy,
 * bzero), GNU (mempcpy and wide names), Linux Standard Base 5.0, "Interfaces for libc" (the checked ones). */
#include "mem/check.h"
#include "mem/names.h"
#include "mem/steps.h"

/* ---- Checked --------------------------------------------------------------------------------------------------------- */

/* What libashlar could not show to be right at once is judged here, and done all the same if nobody aborts. */

static void *copy_judged(void *to, const void *from, size_t n, const char *in, const void *caller)
{
    mem_check_copy(to, from, n, false, (struct mem_call){in, caller});
    return mem_move(to, from, n);
}

static void *move_judged(void *to, const void *from, size_t n, const char *in, const void *caller)
{
    mem_check_copy(to, from, n, true, (struct mem_call){in, caller});
    return mem_move(to, from, n);
}

static void *fill_judged(void *to, int c, size_t n, const char *in, const void *caller)
{
    mem_check_write(to, n, (struct mem_call){in, caller});
    return mem_set(to, c, n);
}

static inline void *copy_checked(void *to, const void *from, size_t n, struct mem_call call)
{
    if (mem_check_passes(to, from, n) && likely(!mem_may_overlap(to, from, n)))
        return mem_move(to, from, n);
    return mem_check.memcpy_or(to, from, n, call.in, call.caller, copy_judged);
}

static inline void *move_checked(void *to, const void *from, size_t n, struct mem_call call)
{
    if (mem_check_passes(to, from, n))
        return mem_move(to, from, n);
    return mem_check.memmove_or(to, from, n, call.in, call.caller, move_judged);
}

static inline void *fill_checked(void *to, int c, size_t n, struct mem_call call)
{
    if (mem_check_passes(to, to, n))
        return mem_set(to, c, n);
    return mem_check.memset_or(to, c, n, call.in, call.caller, fill_judged);
}

/* Up to 64 bytes, unchecked, come here where the shorter way is not right (see below): so it is not asked for again. */
static inline void *move(void *to, const void *from, size_t n)
{
    return likely(n < SMALL_END) ? move_to_64(to, from, n, to) : mem_move(to, from, n);
}

static NOINLINE void *copy(void *to, const void *from, size_t n, struct mem_call call)
{
    return mem_check_is_on() ? copy_checked(to, from, n, call) : move(to, from, n);
}

static NOINLINE void *copy_any(void *to, const void *from, size_t n, struct mem_call call)
{
    return mem_check_is_on() ? move_checked(to, from, n, call) : move(to, from, n);
}

static NOINLINE void *fill(void *to, int c, size_t n, struct mem_call call)
{
    if (mem_check_is_on())
        return fill_checked(to, c, n, call);
    return likely(n < SMALL_END) ? mem_set_narrow(to, c, n) : mem_set(to, c, n);
}

static NOINLINE void *copy_to_end(void *to, const void *from, size_t n, struct mem_call call)
{
    return (byte *)copy(to, from, n, call) + n;
}

/* ---- At once --------------------------------------------------------------------------------------------------------------- */

/* Another thread's constructor may set the words of mem_check between two of these questions: so each answer is right
 * by itself, whatever the others were. */

/* Copy, and return `result`; or leave both to `otherwise`, which learns that this is in `in`. */
ALWAYS_INLINE void *copy_at_once(void *to, const void *from, size_t n, void *result, __typeof__(copy) *otherwise,
                                 const char *in)
{
    if (likely(n < SMALL_END) && likely(mem_check_lets_small(to)) && likely(mem_check_lets_small(from)))
        return move_small(to, from, n, result);
    if (likely(n >= SMALL_END) && likely(mem_check_lets_more(n)))
        return move_more(to, from, n, result);
    return otherwise(to, from, n, MEM_CALL(in)); /* here: not before it is asked for */
}

/* The same of a fill. */
ALWAYS_INLINE void *fill_at_once(void *to, int c, size_t n, const char *in)
{
    if (likely(n < SMALL_END) && likely(mem_check_lets_small(to)))
        return set_small(to, c, n);
    if (likely(n >= SMALL_END) && likely(mem_check_lets_more(n)))
        return set_more(to, c, n);
    return fill(to, c, n, MEM_CALL(in));
}

/* ---- Bytes ----------------------------------------------------------------------------------------------------------------- */

/* Old programs have memcpy where ranges overlap, and compilers copy objects onto themselves: so it is memmove. */
EXPORT void *memcpy(void *to, const void *from, size_t n) { return copy_at_once(to, from, n, to, copy, "memcpy"); }

EXPORT void *memmove(void *to, const void *from, size_t n)
{
    return copy_at_once(to, from, n, to, copy_any, "memmove");
}

EXPORT void *mempcpy(void *to, const void *from, size_t n)
{
    return copy_at_once(to, from, n, (byte *)to + n, copy_to_end, "mempcpy");
}

EXPORT void *memset(void *to, int c, size_t n) { return fill_at_once(to, c, n, "memset"); }

extern __typeof__(mempcpy) __mempcpy __attribute__((alias("mempcpy"), visibility("default")));

EXPORT void bzero(void *to, size_t n) { (void)fill_at_once(to, 0, n, "bzero"); }

extern __typeof__(bzero) __bzero __attribute__((alias("bzero"), visibility("default")));

EXPORT void bcopy(const void *from, void *to, size_t n) { (void)copy_at_once(to, from, n, to, copy_any, "bcopy"); }

/* The compiler does not see that nobody reads what is cleared: the pointer may be read here. */
ALWAYS_INLINE void clear(void *to, size_t n, const char *in)
{
    (void)fill_at_once(to, 0, n, in);
    __asm__ volatile("" : : "r"(to) : "memory");
}

EXPORT void explicit_bzero(void *to, size_t n) { clear(to, n, "explicit_bzero"); }

EXPORT void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    return copy_at_once(to, from, n, to, copy, "__memcpy_chk");
}

EXPORT void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    return copy_at_once(to, from, n, to, copy_any, "__memmove_chk");
}

EXPORT void *__mempcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    return copy_at_once(to, from, n, (byte *)to + n, copy_to_end, "__mempcpy_chk");
}

EXPORT void *__memset_chk(void *to, int c, size_t n, size_t room)
{
    fail_if_above(n, room);
    return fill_at_once(to, c, n, "__memset_chk");
}

EXPORT void __explicit_bzero_chk(void *to, size_t n, size_t room)
{
    fail_if_above(n, room);
    clear(to, n, "__explicit_bzero_chk");
}

/* ---- Wide characters ------------------------------------------------------------------------------------------------------ */

/* Few programs fill with wide characters that are not zero: four bytes at a time will do. */
ALWAYS_INLINE wchar_t *fill_wide(wchar_t *to, wchar_t c, size_t n, const char *in)
{
    if (c == 0)
        return fill_at_once(to, 0, wide_bytes(n), in);
    if (mem_check_is_on())
        mem_check_write(to, wide_bytes(n), MEM_CALL(in));
    fault_if_negative((byte *)to, wide_bytes(n));
    for (size_t i = 0; i < n; i++)
        to[i] = c;
    return to;
}

EXPORT wchar_t *wmemcpy(wchar_t *to, const wchar_t *from, size_t n)
{
    return copy_at_once(to, from, wide_bytes(n), to, copy, "wmemcpy");
}

EXPORT wchar_t *wmemmove(wchar_t *to, const wchar_t *from, size_t n)
{
    return copy_at_once(to, from, wide_bytes(n), to, copy_any, "wmemmove");
}

EXPORT wchar_t *wmempcpy(wchar_t *to, const wchar_t *from, size_t n)
{
    return copy_at_once(to, from, wide_bytes(n), to + n, copy_to_end, "wmempcpy");
}

EXPORT wchar_t *wmemset(wchar_t *to, wchar_t c, size_t n) { return fill_wide(to, c, n, "wmemset"); }

EXPORT wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    return copy_at_once(to, from, wide_bytes(n), to, copy, "__wmemcpy_chk");
}

EXPORT wchar_t *__wmemmove_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    return copy_at_once(to, from, wide_bytes(n), to, copy_any, "__wmemmove_chk");
}

EXPORT wchar_t *__wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    fail_if_above(n, room);
    return copy_at_once(to, from, wide_bytes(n), to + n, copy_to_end, "__wmempcpy_chk");
}

EXPORT wchar_t *__wmemset_chk(wchar_t *to, wchar_t c, size_t n, size_t room)
{
    fail_if_above(n, room);
    return fill_wide(to, c, n, "__wmemset_chk");
}
