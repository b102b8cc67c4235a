/* refusing_malloc.h: a malloc of the test's own before libc's: it counts blocks, and refuses when it is told to.
 * Only one file of a program includes it. A sanitizer has a malloc of its own: there nothing is counted or refused. */
#ifndef STACK_REFUSING_MALLOC_H
#define STACK_REFUSING_MALLOC_H

#include "../lib/test.h"

#include <stdatomic.h>
#include <stdlib.h>

static __attribute__((unused)) atomic_long refusing_live;  /* blocks handed out and not given back */
static __attribute__((unused)) atomic_long refusing_calls; /* of malloc, calloc and realloc */
static __attribute__((unused)) atomic_bool refusing;
static __attribute__((unused)) atomic_size_t refusing_last; /* bytes that malloc or realloc was asked for last */

#if !TEST_UNDER_ASAN && !TEST_UNDER_TSAN

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void __libc_free(void *block);

/* Not every malloc sets errno: this one leaves a trace of its own in it. */
static void *count_block(void *block)
{
    errno = 4712;
    refusing_calls++;
    refusing_live += block != NULL;
    return block;
}

void *malloc(size_t bytes)
{
    refusing_last = bytes;
    return count_block(refusing ? NULL : __libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes) { return count_block(refusing ? NULL : __libc_calloc(count, bytes)); }

void *realloc(void *block, size_t bytes)
{
    refusing_last = bytes;
    void *const moved = refusing ? NULL : __libc_realloc(block, bytes);
    if (block != NULL && moved != NULL)
        refusing_live--;
    return count_block(moved);
}

void free(void *block)
{
    refusing_live -= block != NULL;
    errno = 4713;
    __libc_free(block);
}

#endif

static inline void needs_counting(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("malloc is the sanitizer's");
}

#endif
