/* alloc.c: from a request to a block, when the list was empty.
 *
 * Refill, in this order: what other threads sent back; the current slab's own freed list, taken whole; carving further;
 * the slab that was woken first; an orphan; fresh ground. The order is worth more than any instruction: taking the most
 * recently woken slab instead of the oldest costs 13 % on random replacement. docs/design/003. */
#include "heap/own.h"

/* A class's first slab is carved a page's worth at a time, so that a class which needs ten blocks touches one page. */
#define CARVE_FIRST ((size_t)4 << 10)
#define CARVE_MORE ((size_t)16 << 10)

/* Carve more of the class's current slab: in small steps as long as it is the only one. */
static struct block *carve(struct heap *heap, class_id class, struct slab *slab, uint32_t *count)
{
    const bool only = heap->full[class.i].i == 0 && heap->partial[class.i].oldest.i == 0;
    struct block *const first = slab_carve(slab, only ? CARVE_FIRST : CARVE_MORE, count);

    heap_count_active((size_t)*count * slab->block_bytes);
    return first;
}

/* Blocks of `slab` that can be handed out at once, as a list; NULL when there are none. */
static struct block *blocks_of(struct heap *heap, class_id class, struct slab *slab, uint32_t *count)
{
    if (slab->freed != NULL) {
        *count = slab_carved_blocks(slab) - slab_used(slab);
        return slab_take_freed(slab);
    }
    return slab_is_fully_carved(slab) ? NULL : carve(heap, class, slab, count);
}

/* Fill the empty list of `class`. returns: false when there is no memory. */
static bool refill(struct heap *heap, class_id class)
{
    heap_collect(heap);
    heap_tick(heap);
    for (;;) {
        struct slab *const slab = heap->current[class.i];
        uint32_t count = 0;

        if (slab != NULL) {
            heap->list[class.i] = blocks_of(heap, class, slab, &count);
            if (heap->list[class.i] != NULL) {
                count_up(&heap->handed[class.i], count);
                return true;
            }
            heap->current[class.i] = NULL;
            heap_slab_sleep(heap, slab);
        }
        heap->current[class.i] = heap_slab_next(heap, class);
        if (heap->current[class.i] == NULL)
            return false;
    }
}

/* The block behind `block` on a list, wherever in the slab it lies; NULL at the end, or (reported) where the list is
 * damaged. */
static struct block *next_checked(const struct block *block, const char *in)
{
    const struct slab *const slab = slab_of_line(page_line(page_offset(block)));
    struct block *const next = slab_next(block);

    if (next == NULL || slab_has_block(slab, (uintptr_t)next))
        return next;
    heap_report(MISUSE_DAMAGED_LIST, block, (uintptr_t)block, slab->block_bytes, in);
    return NULL;
}

static void *take(struct heap *heap, class_id class, const char *in)
{
    struct block *block = heap->list[class.i];

    if (block == NULL && !refill(heap, class))
        return NULL;
    block = heap->list[class.i];
    heap->list[class.i] = next_checked(block, in);
    block->key = 0;
    return block;
}

void *heap_take(class_id class, const char *in)
{
    struct heap *const heap = heap_own();

    if (unlikely(heap == NULL || !heap_enter_own(heap)))
        return NULL;
    void *const block = take(heap, class, in);

    heap_leave_own(heap);
    return block;
}

void *heap_alloc_inside(struct heap *heap, const struct heap_request *request)
{
    if (request->bytes > CLASS_BYTES_MAX || request->alignment > CLASS_BYTES_MAX)
        return heap_large_alloc(heap, request);

    const class_id class = class_of_aligned(request->bytes, request->alignment);
    void *const block = take(heap, class, request->in);

    if (block != NULL && request->zeroed)
        __builtin_memset(block, 0, class_bytes(class));
    return block;
}

void *heap_alloc(struct heap *shared, const struct heap_request *request)
{
    struct heap *heap = shared;

    if (request->bytes > REQUEST_BYTES_MAX)
        return NULL;
    if (shared == NULL)
        heap = heap_enter();
    else if (!heap_enter_shared(shared))
        heap = NULL;
    if (heap == NULL)
        return page_fresh_take(request->bytes, request->alignment);

    void *const block = heap_alloc_inside(heap, request);

    heap_leave(heap);
    if (block == NULL && page_is_inside()) /* a signal handler has interrupted this very thread there */
        return page_fresh_take(request->bytes, request->alignment);
    return block;
}

size_t heap_good_size(size_t bytes, size_t alignment)
{
    if (bytes <= CLASS_BYTES_MAX && alignment <= CLASS_BYTES_MAX)
        return class_bytes(class_of_aligned(bytes, alignment));
    if (bytes > REQUEST_BYTES_MAX - page_ground.page_bytes)
        return bytes;
    return round_up(bytes > 0 ? bytes : 1, page_ground.page_bytes);
}
