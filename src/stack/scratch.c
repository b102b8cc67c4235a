/* scratch.c: tool A, a buffer in the frame that moves to the heap when it is outgrown.
 *
 * Invariant: `buf` is the room in the frame, or a block from malloc of `cap` bytes. */
#include "stack/stack.h"

#include <stdlib.h>
#include <string.h>

/* A malloc may align a block below 16 bytes to 8, or to its size alone: no object that needs more fits it.
 * source: C23 7.24.3; jemalloc, tcmalloc and mimalloc do. */
static size_t block_bytes(size_t n) { return n < 16 ? 16 : n; }

static bool is_in_frame(const ashlar_scratch *s) { return s->buf == s->inl; }

static void *take_block(ashlar_scratch *s, void *block, size_t n)
{
    s->buf = block;
    s->cap = n;
    return block;
}

EXPORT void ashlar_scratch_drop(ashlar_scratch *s)
{
    const int kept = errno;

    if (!is_in_frame(s))
        free(s->buf);
    s->buf = s->inl;
    s->cap = s->inl_cap;
    errno = kept;
}

/* The old block goes before the new one comes: nobody needs both, and the peak is lower. */
EXPORT void *ashlar_scratch_get(ashlar_scratch *s, size_t n)
{
    const int kept = errno;

    if (n <= s->cap)
        return s->buf;
    ashlar_scratch_drop(s);
    void *const block = n <= PTRDIFF_MAX ? malloc(block_bytes(n)) : NULL;
    if (block == NULL)
        return no_memory();
    errno = kept;
    return take_block(s, block, n);
}

EXPORT void *ashlar_scratch_array(ashlar_scratch *s, size_t count, size_t size)
{
    size_t bytes;

    return ashlar_scratch_get(s, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

EXPORT void *ashlar_scratch_grow(ashlar_scratch *s, size_t n)
{
    const int kept = errno;

    if (n <= s->cap)
        return s->buf;
    void *const block = n <= PTRDIFF_MAX ? realloc(is_in_frame(s) ? NULL : s->buf, block_bytes(n)) : NULL;
    if (block == NULL)
        return no_memory();
    if (is_in_frame(s))
        memcpy(block, s->inl, s->inl_cap);
    errno = kept;
    return take_block(s, block, n);
}
