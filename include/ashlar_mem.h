/* ashlar_mem.h: copying and filling memory, and asking what lies at an address.
 *
 * The functions are in libashlar.so.1 and libashlar.a. The standard names (memcpy, memmove, memset, ...) are in
 * libashlar-mem.so.1, which needs no header: link with it, or start a program with it in LD_PRELOAD.
 *
 * Unless a declaration says otherwise
 *   - a size is in bytes; pointers need no alignment;
 *   - every function may be called from any thread and from signal handlers, and leaves errno alone. */
#ifndef ASHLAR_MEM_H
#define ASHLAR_MEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ASHLAR_API
#if defined(__GNUC__)
#define ASHLAR_API __attribute__((visibility("default")))
#else
#define ASHLAR_API
#endif
#endif

/* ---- Copying, filling ------------------------------------------------------------------------------------------------ */

/* As memcpy: copy `n` bytes to ranges that do not overlap. returns: `to`. source: C17 7.24.2.1. */
ASHLAR_API void *ashlar_memcpy(void *to, const void *from, size_t n);

/* As memmove: the ranges may overlap. returns: `to`. source: C17 7.24.2.2. */
ASHLAR_API void *ashlar_memmove(void *to, const void *from, size_t n);

/* As memset: write the low eight bits of `c` into `n` bytes. returns: `to`. source: C17 7.24.6.1. */
ASHLAR_API void *ashlar_memset(void *to, int c, size_t n);

#if defined(__GNUC__) && !defined(ASHLAR_MEM_NO_MACROS)
/* A short length that the compiler knows becomes its own instructions. &ashlar_memcpy is still the function. */
#define ASHLAR_MEM_IS_SHORT(n) (__builtin_constant_p(n) && (n) <= 256)
#define ashlar_memcpy(to, from, n)                                                                                     \
    (ASHLAR_MEM_IS_SHORT(n) ? __builtin_memcpy((to), (from), (n)) : ashlar_memcpy((to), (from), (n)))
#define ashlar_memmove(to, from, n)                                                                                    \
    (ASHLAR_MEM_IS_SHORT(n) ? __builtin_memmove((to), (from), (n)) : ashlar_memmove((to), (from), (n)))
#define ashlar_memset(to, c, n)                                                                                        \
    (ASHLAR_MEM_IS_SHORT(n) ? __builtin_memset((to), (c), (n)) : ashlar_memset((to), (c), (n)))
#endif

/* ---- The same, checked ------------------------------------------------------------------------------------------------- */

/* Copy `n` bytes if all of them have room: in `room`, what the caller knows of the target, and in the heap blocks of
 * this library that the two ranges begin in, as far as they do. Memory that is not in such a block (stack, globals,
 * other allocators) is never refused. `n` of 0 is always done.
 * returns: 0; or, with nothing written, ERANGE (`n` is above `room`, or a range would leave its block), EINVAL (NULL,
 * or memcpy's ranges overlap and are not the same). source: the idea of C17 K.3.7.1, without its handlers. */
ASHLAR_API int ashlar_memcpy_checked(void *to, size_t room, const void *from, size_t n);
ASHLAR_API int ashlar_memmove_checked(void *to, size_t room, const void *from, size_t n);
ASHLAR_API int ashlar_memset_checked(void *to, size_t room, int c, size_t n);

/* Copy, or fill, if no range leaves the heap block of this library that it begins in, as far as that can be told, and
 * memcpy's two do not overlap, are not the same, and the target does not end where the source begins. If not, nothing
 * is written: `otherwise` is called with the same and shall judge. For whoever gives libc's names to functions that
 * check, and wants to hear nothing of most calls: they pass by jumps. `in` and `caller` are handed through. returns:
 * `to`, or what `otherwise` returned. */
typedef void *(*ashlar_copy_otherwise)(void *to, const void *from, size_t n, const char *in, const void *caller);
typedef void *(*ashlar_fill_otherwise)(void *to, int c, size_t n, const char *in, const void *caller);
ASHLAR_API void *ashlar_memcpy_or(void *to, const void *from, size_t n, const char *in, const void *caller,
                                  ashlar_copy_otherwise otherwise);
ASHLAR_API void *ashlar_memmove_or(void *to, const void *from, size_t n, const char *in, const void *caller,
                                   ashlar_copy_otherwise otherwise);
ASHLAR_API void *ashlar_memset_or(void *to, int c, size_t n, const char *in, const void *caller,
                                  ashlar_fill_otherwise otherwise);

/* ---- What lies at an address ------------------------------------------------------------------------------------------- */

/* Bytes from `address` to the end of the heap block of this library that it lies in (usable bytes: what was asked for,
 * rounded up). 0: it lies in our heap, and in no block. SIZE_MAX: it cannot be proved to be ours. A block that the
 * program has freed may count until it is used again: ashlar_place_of() looks closer. */
ASHLAR_API size_t ashlar_bytes_left(const void *address);

enum ashlar_place_kind {
    ASHLAR_PLACE_UNKNOWN, /* not ours, or it cannot be told at this moment */
    ASHLAR_PLACE_BLOCK,   /* in a live block */
    ASHLAR_PLACE_FREED,   /* in a freed block: certain, unless the program itself wrote our mark into its start */
    ASHLAR_PLACE_UNUSED   /* in our heap, in no block */
};

struct ashlar_place {
    enum ashlar_place_kind kind;
    void *block;  /* start of the block, live or freed; else NULL */
    size_t bytes; /* its usable bytes; else 0 */
};

/* Say what lies at `address`, which may be any number. True of a live block as long as it lives; of other addresses, of
 * a moment during the call. `place` is not NULL. */
ASHLAR_API void ashlar_place_of(const void *address, struct ashlar_place *place);

#ifdef __cplusplus
}
#endif

#endif
