/* guard.c: tool B, alloca after the question whether the stack bears it.
 *
 *   plan_ ---- enough is left ----> alloca in the caller's frame, fit_ aligns it
 *     |
 *     +------- no, or unknown ----> heap_: | next | padding | elements |   on the guard's list
 *
 * With known bounds no request can jump the guard page, so no page has to be probed. The sum of a guard's requests is
 * bounded, too: a loop, which alloca would let pile up, ends on the heap. A quarter leaves room for what a sanitizer
 * adds to each alloca, and for whoever is called next.
 *
 * Invariant: between plan_ and fit_ or heap_, `size` and `align` describe the one request; `size` 0: it failed. */
#include "stack/stack.h"

#include <stdlib.h>

enum { ALIGN_LEAST = 16, ALIGN_MOST = 4096, SHARE_OF_LEFT = 4 };

/* What a compiler may add to a request: gcc 12 rounds a multiple of 16 up to the next one. */
enum { PADDING_MOST = 16 };

/* All that one guard takes from the stack, but for the padding of its last request. */
#define STACK_MOST ((size_t)64 << 10)

/* The head of a block from malloc; elements follow at the next multiple of their alignment. */
struct guard_block {
    struct guard_block *next;
    size_t unused; /* keeps what follows aligned to 16 */
};

/* returns: the request's bytes with padding, 0 with errno when there is no such size. */
static size_t bytes_of(size_t count, size_t size, size_t align)
{
    size_t bytes;

    if (align > ALIGN_MOST) {
        errno = EINVAL;
        return 0;
    }
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGN_MOST - sizeof(struct guard_block)) {
        errno = ENOMEM;
        return 0;
    }
    return round_up(bytes != 0 ? bytes : 1, ALIGN_LEAST) + (align > ALIGN_LEAST ? align : 0);
}

EXPORT NOINLINE int ashlar_guard_plan_(ashlar_guard *g, size_t count, size_t size, size_t align)
{
    g->size = bytes_of(count, size, align);
    g->align = align > ALIGN_LEAST ? align : ALIGN_LEAST;
    if (g->size == 0 || g->stack_used + g->size > STACK_MOST)
        return 0;
    const size_t left = stack_left_below((uintptr_t)__builtin_frame_address(0));

    if (g->stack_used + g->size > left / SHARE_OF_LEFT)
        return 0;
    g->stack_used += g->size + PADDING_MOST;
    return 1;
}

EXPORT void *ashlar_guard_fit_(ashlar_guard *g)
{
    ASSERT((uintptr_t)g->raw % ALIGN_LEAST == 0);
    return (void *)round_up((uintptr_t)g->raw, g->align);
}

EXPORT void *ashlar_guard_heap_(ashlar_guard *g)
{
    const int kept = errno;

    if (g->size == 0)
        return NULL;
    struct guard_block *const block = malloc(sizeof *block + g->size);
    if (block == NULL)
        return no_memory();
    errno = kept;
    block->next = g->heap;
    g->heap = block;
    return (void *)round_up((uintptr_t)(block + 1), g->align);
}

EXPORT void ashlar_guard_drop(ashlar_guard *g)
{
    const int kept = errno;

    while (g->heap != NULL) {
        struct guard_block *const block = g->heap;
        g->heap = block->next;
        free(block);
    }
    errno = kept;
}
