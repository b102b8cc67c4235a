/* names.h: the functions under test, under their own names, as calls that no compiler may see through.
 *
 * Compilers know what malloc and free are: they drop a pair whose block is not used, take "p != NULL" for granted and
 * warn about exactly the misuse that a test commits. So every name below becomes an inline function that hides its
 * arguments and its result behind an empty asm. Include this header last: the names are macros from here on.
 *
 * TEST_NAMESPACED=1 calls ashlar_malloc and friends instead, for builds in which a sanitizer owns the standard names.
 * Then only the functions of ashlar.h exist. */
#ifndef TEST_NAMES_H
#define TEST_NAMES_H

#include "../../include/ashlar.h"

#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TEST_NAMESPACED
#define TEST_NAMESPACED 0
#endif

/* `value`, of which the compiler knows nothing. */
#define TEST_HIDDEN(value)                                                                                             \
    __extension__({                                                                                                    \
        __typeof__(value) hidden_value = (value);                                                                      \
        __asm__ volatile("" : "+r"(hidden_value) : : "memory");                                                        \
        hidden_value;                                                                                                  \
    })

#ifdef __cplusplus
extern "C" {
#endif

#if !TEST_NAMESPACED
/* Missing in glibc 2.36's headers: C23, and names that only libc's own callers and old programs use. */
void free_sized(void *block, size_t bytes);
void free_aligned_sized(void *block, size_t alignment, size_t bytes);
void cfree(void *block);
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void __libc_free(void *block);
void *__libc_memalign(size_t alignment, size_t bytes);
void *__libc_valloc(size_t bytes);
void *__libc_pvalloc(size_t bytes);
int __posix_memalign(void **block, size_t alignment, size_t bytes);
#define TEST_REAL(name) name
#define TEST_REAL_USABLE_SIZE malloc_usable_size
#else
#define TEST_REAL(name) ashlar_##name
#define TEST_REAL_USABLE_SIZE ashlar_usable_size
#endif

static inline void *test_malloc(size_t bytes) { return TEST_HIDDEN(TEST_REAL(malloc)(TEST_HIDDEN(bytes))); }

static inline void *test_calloc(size_t count, size_t bytes)
{
    return TEST_HIDDEN(TEST_REAL(calloc)(TEST_HIDDEN(count), TEST_HIDDEN(bytes)));
}

static inline void *test_realloc(void *block, size_t bytes)
{
    return TEST_HIDDEN(TEST_REAL(realloc)(TEST_HIDDEN(block), TEST_HIDDEN(bytes)));
}

static inline void *test_reallocarray(void *block, size_t count, size_t bytes)
{
    return TEST_HIDDEN(TEST_REAL(reallocarray)(TEST_HIDDEN(block), TEST_HIDDEN(count), TEST_HIDDEN(bytes)));
}

static inline void test_free(void *block) { TEST_REAL(free)(TEST_HIDDEN(block)); }

static inline void test_free_sized(void *block, size_t bytes)
{
    TEST_REAL(free_sized)(TEST_HIDDEN(block), TEST_HIDDEN(bytes));
}

static inline void test_free_aligned_sized(void *block, size_t alignment, size_t bytes)
{
    TEST_REAL(free_aligned_sized)(TEST_HIDDEN(block), TEST_HIDDEN(alignment), TEST_HIDDEN(bytes));
}

static inline void *test_aligned_alloc(size_t alignment, size_t bytes)
{
    return TEST_HIDDEN(TEST_REAL(aligned_alloc)(TEST_HIDDEN(alignment), TEST_HIDDEN(bytes)));
}

static inline void *test_memalign(size_t alignment, size_t bytes)
{
    return TEST_HIDDEN(TEST_REAL(memalign)(TEST_HIDDEN(alignment), TEST_HIDDEN(bytes)));
}

static inline int test_posix_memalign(void **block, size_t alignment, size_t bytes)
{
    return TEST_REAL(posix_memalign)(TEST_HIDDEN(block), TEST_HIDDEN(alignment), TEST_HIDDEN(bytes));
}

static inline void *test_valloc(size_t bytes) { return TEST_HIDDEN(TEST_REAL(valloc)(TEST_HIDDEN(bytes))); }

static inline void *test_pvalloc(size_t bytes) { return TEST_HIDDEN(TEST_REAL(pvalloc)(TEST_HIDDEN(bytes))); }

static inline size_t test_malloc_usable_size(void *block) { return TEST_REAL_USABLE_SIZE(TEST_HIDDEN(block)); }

#ifdef __cplusplus
}
#endif

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#define reallocarray test_reallocarray
#define free test_free
#define free_sized test_free_sized
#define free_aligned_sized test_free_aligned_sized
#define aligned_alloc test_aligned_alloc
#define memalign test_memalign
#define posix_memalign test_posix_memalign
#define valloc test_valloc
#define pvalloc test_pvalloc
#define malloc_usable_size test_malloc_usable_size

#endif
