/* magazine.c: medium blocks that were freed last are handed out first.
 *
 *   free --> magazine of the freeing thread, of the block's class --> malloc
 *                  | full; a purge delay old; its thread ends, or sleeps
 *                  v
 *            the block's slab, or a parcel to its owner
 *
 * A slab holds few medium blocks, so a list of its free ones is soon out, and the next slab's have lain idle for long:
 * their pages are in no cache of the processor's. What was freed last is. A magazine does not ask whose a block is: one
 * from another thread's slab is handed out as if it had never been freed.
 *
 * Blocks in magazines carry the key word of a free block, and count as used in their slabs. So a visitor can send them
 * home as another thread's frees are; see visit.c.
 *
 * Threads: the owner, inside its heap; a visitor; who forks, in the child.
 *
 * docs/design/018. source of the name and the idea: Bonwick, Adams, "Magazines and Vmem", USENIX 2001. */
#include "heap/own.h"

/* What a magazine holds at most. */
#define MAGAZINE_BYTES ((size_t)128 << 10)

#define FIT(bytes) (MAGAZINE_BYTES / (bytes))
#define ROOM(bytes) (uint8_t)(FIT(bytes) < MAGAZINE_ROUNDS ? FIT(bytes) : MAGAZINE_ROUNDS),

const uint8_t heap_magazine_room[CLASS_COUNT] = {CLASS_TABLE(ROOM)};

#undef ROOM
#undef FIT

static_assert(MAGAZINE_BYTES / CLASS_BYTES_MAX >= 2, "a magazine of one block would only delay");

static struct block *pop(struct heap_magazine *magazine)
{
    if (magazine->count == 0)
        return NULL;
    struct block *const block = magazine->blocks[--magazine->count];

    atomic_signal_fence(memory_order_seq_cst); /* as in heap_keep() */
    return block;
}

static struct slab *slab_of(const struct block *block) { return slab_of_line(page_line(page_offset(block))); }

/* Into the slab again if that is the heap's own, else into a parcel. */
static void put_back(struct heap *heap, struct slab *slab, struct block *block)
{
    heap_check_kept(block, "free");
    if (heap_owner_of(slab) != heap->id) {
        heap_send(heap, slab, block);
        return;
    }
    block->link = slab_link(slab->freed);
    slab->freed = block;
    heap_slab_freed(heap, slab, 1);
}

void heap_magazines_return(struct heap *heap)
{
    for (class_id class = {CLASS_MEDIUM}; class.i < CLASS_COUNT; class.i++) {
        struct block *block;
        while ((block = pop(heap_magazine_of(heap, class))) != NULL)
            put_back(heap, slab_of(block), block);
    }
}

void heap_magazines_due(struct heap *heap, uint64_t now_ms)
{
    if ((uint32_t)now_ms - heap->emptied_ms <= load_relaxed(&page_bounds.purge_delay_ms))
        return;
    heap->emptied_ms = (uint32_t)now_ms;
    heap_magazines_return(heap);
}

void heap_magazines_send(struct heap *heap)
{
    for (class_id class = {CLASS_MEDIUM}; class.i < CLASS_COUNT; class.i++)
        while (heap_has_sound_kept(heap, class)) {
            struct block *const block = pop(heap_magazine_of(heap, class));
            heap_send(NULL, slab_of(block), block);
        }
}

/* What is damaged stays where it is, here and there: whoever takes from it will say so. */
static void send_list(struct heap *heap, class_id class)
{
    struct block *block = heap->list[class.i];
    struct slab *const slab = heap->current[class.i];
    struct block *last;

    if (block == NULL || slab_walk(slab, block, slab_used(slab), &last) <= 0)
        return;
    heap->list[class.i] = NULL;
    while (block != NULL) {
        struct block *const next = slab_next(block);
        count_up(&heap->handed[class.i], -(uint64_t)1);
        heap_send(NULL, slab, block);
        block = next;
    }
}

void heap_medium_send(struct heap *heap)
{
    for (class_id class = {CLASS_MEDIUM}; class.i < CLASS_COUNT; class.i++)
        send_list(heap, class);
    heap_magazines_send(heap);
}

__attribute__((no_sanitize("thread"))) uint32_t heap_magazine_count(const struct heap *heap, class_id class)
{
    return class.i < CLASS_MEDIUM ? 0 : *(const volatile uint32_t *)&heap->magazines[class.i - CLASS_MEDIUM].count;
}

__attribute__((no_sanitize("thread"))) size_t heap_medium_bytes(const struct heap *heap)
{
    size_t bytes = 0;

    for (class_id class = {CLASS_MEDIUM}; class.i < CLASS_COUNT; class.i++) {
        const bool is_listed = *(struct block *const volatile *)&heap->list[class.i] != NULL;
        bytes += (heap_magazine_count(heap, class) + is_listed) * class_bytes(class);
    }
    return bytes;
}

bool heap_magazine_holds(const struct heap *heap, class_id class, const struct block *block)
{
    for (uint32_t i = heap_magazine_count(heap, class); i-- > 0;)
        if (heap->magazines[class.i - CLASS_MEDIUM].blocks[i] == block)
            return true;
    return false;
}
