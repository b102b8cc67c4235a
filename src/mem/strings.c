/* strings.c: strcpy and its relatives, so that they stop at the end of a heap block, too. Only in libashlar-mem.
 *
 *   not checking   a jump to libc's own, whose addresses are asked for at the start: nothing is faster here than there
 *   checking       find the length, judge both ranges, copy
 *   before the start, or where libc lacks the name: as if checking, with nothing to judge
 *
 * source: C17 7.24.2.3, 7.24.2.4, 7.24.3; POSIX.1-2008 (stpcpy, stpncpy); Linux Standard Base 5.0 (the checked ones).
 */
#include "mem/check.h"
#include "mem/names.h"

#include <dlfcn.h>

extern size_t strnlen(const char *string, size_t most);

typedef char *copies_all(char *, const char *);
typedef char *copies_some(char *, const char *, size_t);
typedef char *copies_all_checked(char *, const char *, size_t);
typedef char *copies_some_checked(char *, const char *, size_t, size_t);

/* libc's functions; all NULL while we do the work. */
static struct {
    copies_all *strcpy, *stpcpy, *strcat;
    copies_some *strncpy, *stpncpy, *strncat;
    copies_all_checked *strcpy_chk, *stpcpy_chk, *strcat_chk;
    copies_some_checked *strncpy_chk, *stpncpy_chk, *strncat_chk;
} next;

void mem_strings_start(void)
{
    if (mem_check_is_on())
        return;
    next.strcpy = (copies_all *)dlsym(RTLD_NEXT, "strcpy");
    next.stpcpy = (copies_all *)dlsym(RTLD_NEXT, "stpcpy");
    next.strcat = (copies_all *)dlsym(RTLD_NEXT, "strcat");
    next.strncpy = (copies_some *)dlsym(RTLD_NEXT, "strncpy");
    next.stpncpy = (copies_some *)dlsym(RTLD_NEXT, "stpncpy");
    next.strncat = (copies_some *)dlsym(RTLD_NEXT, "strncat");
    next.strcpy_chk = (copies_all_checked *)dlsym(RTLD_NEXT, "__strcpy_chk");
    next.stpcpy_chk = (copies_all_checked *)dlsym(RTLD_NEXT, "__stpcpy_chk");
    next.strcat_chk = (copies_all_checked *)dlsym(RTLD_NEXT, "__strcat_chk");
    next.strncpy_chk = (copies_some_checked *)dlsym(RTLD_NEXT, "__strncpy_chk");
    next.stpncpy_chk = (copies_some_checked *)dlsym(RTLD_NEXT, "__stpncpy_chk");
    next.strncat_chk = (copies_some_checked *)dlsym(RTLD_NEXT, "__strncat_chk");
}

/* ---- Checked ----------------------------------------------------------------------------------------------------------- */

/* Length of the string at `from`, no more than `most`. A string that nothing ends in its heap block is judged before
 * more of it is read. */
static size_t length_of(const char *from, size_t most, struct mem_call call)
{
    const size_t readable = mem_check_is_on() ? mem_check_readable(from) : SIZE_MAX;
    const size_t length = strnlen(from, most < readable ? most : readable);

    if (length == readable && length < most) {
        mem_check_read(from, length + 1, call);
        return strnlen(from, most);
    }
    if (mem_check_is_on() && mem_check.small == CHECK_FULL)
        mem_check_read(from, length + (length < most), call);
    return length;
}

static void judge_target(const char *to, size_t n, struct mem_call call)
{
    if (mem_check_is_on())
        mem_check_write(to, n, call);
}

/* returns: the end of the copy, where the NUL is. */
static char *copy_all(char *to, const char *from, size_t room, struct mem_call call)
{
    const size_t length = length_of(from, SIZE_MAX, call);

    fail_if_above(length + 1, room);
    judge_target(to, length + 1, call);
    (void)mem_move(to, from, length + 1);
    return to + length;
}

/* returns: the first NUL that was written, or `to` + `n`. */
static char *copy_some(char *to, const char *from, size_t n, struct mem_call call)
{
    const size_t length = length_of(from, n, call);

    judge_target(to, n, call);
    (void)mem_move(to, from, length);
    (void)mem_set(to + length, 0, n - length);
    return to + length;
}

/* Up to `most` characters of `from` behind the string at `to`. returns: `to`. */
static char *append(char *to, const char *from, size_t most, size_t room, struct mem_call call)
{
    const size_t before = length_of(to, SIZE_MAX, call), length = length_of(from, most, call);

    fail_if_above(before + length + 1, room);
    judge_target(to + before, length + 1, call);
    (void)mem_move(to + before, from, length);
    to[before + length] = '\0';
    return to;
}

/* ---- The names ---------------------------------------------------------------------------------------------------------- */

EXPORT char *strcpy(char *to, const char *from)
{
    if (likely(next.strcpy != NULL))
        return next.strcpy(to, from);
    (void)copy_all(to, from, SIZE_MAX, MEM_CALL("strcpy"));
    return to;
}

EXPORT char *stpcpy(char *to, const char *from)
{
    if (likely(next.stpcpy != NULL))
        return next.stpcpy(to, from);
    return copy_all(to, from, SIZE_MAX, MEM_CALL("stpcpy"));
}

extern __typeof__(stpcpy) __stpcpy __attribute__((alias("stpcpy"), visibility("default")));

EXPORT char *strcat(char *to, const char *from)
{
    if (likely(next.strcat != NULL))
        return next.strcat(to, from);
    return append(to, from, SIZE_MAX, SIZE_MAX, MEM_CALL("strcat"));
}

EXPORT char *strncpy(char *to, const char *from, size_t n)
{
    if (likely(next.strncpy != NULL))
        return next.strncpy(to, from, n);
    (void)copy_some(to, from, n, MEM_CALL("strncpy"));
    return to;
}

EXPORT char *stpncpy(char *to, const char *from, size_t n)
{
    if (likely(next.stpncpy != NULL))
        return next.stpncpy(to, from, n);
    return copy_some(to, from, n, MEM_CALL("stpncpy"));
}

extern __typeof__(stpncpy) __stpncpy __attribute__((alias("stpncpy"), visibility("default")));

EXPORT char *strncat(char *to, const char *from, size_t n)
{
    if (likely(next.strncat != NULL))
        return next.strncat(to, from, n);
    return append(to, from, n, SIZE_MAX, MEM_CALL("strncat"));
}

EXPORT char *__strcpy_chk(char *to, const char *from, size_t room)
{
    if (likely(next.strcpy_chk != NULL))
        return next.strcpy_chk(to, from, room);
    (void)copy_all(to, from, room, MEM_CALL("__strcpy_chk"));
    return to;
}

EXPORT char *__stpcpy_chk(char *to, const char *from, size_t room)
{
    if (likely(next.stpcpy_chk != NULL))
        return next.stpcpy_chk(to, from, room);
    return copy_all(to, from, room, MEM_CALL("__stpcpy_chk"));
}

EXPORT char *__strcat_chk(char *to, const char *from, size_t room)
{
    if (likely(next.strcat_chk != NULL))
        return next.strcat_chk(to, from, room);
    return append(to, from, SIZE_MAX, room, MEM_CALL("__strcat_chk"));
}

EXPORT char *__strncpy_chk(char *to, const char *from, size_t n, size_t room)
{
    if (likely(next.strncpy_chk != NULL))
        return next.strncpy_chk(to, from, n, room);
    fail_if_above(n, room);
    (void)copy_some(to, from, n, MEM_CALL("__strncpy_chk"));
    return to;
}

EXPORT char *__stpncpy_chk(char *to, const char *from, size_t n, size_t room)
{
    if (likely(next.stpncpy_chk != NULL))
        return next.stpncpy_chk(to, from, n, room);
    fail_if_above(n, room);
    return copy_some(to, from, n, MEM_CALL("__stpncpy_chk"));
}

EXPORT char *__strncat_chk(char *to, const char *from, size_t n, size_t room)
{
    if (likely(next.strncat_chk != NULL))
        return next.strncat_chk(to, from, n, room);
    return append(to, from, n, room, MEM_CALL("__strncat_chk"));
}
