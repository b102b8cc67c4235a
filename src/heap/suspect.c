/* suspect.c: blocks that were freed and carry the key word of a free block.
 *
 * The key word alone proves nothing: the program may have written it. So a suspect is looked for on the lists where a
 * free block would be. Found: a double free, reported. Not found: the first free may still be on its way in another
 * thread's parcel; the block is left alone, recorded with its owner, and looked for again when blocks come home. The
 * oldest record gives way to a new one, unproved: such a block is lost and counted, never reported.
 *
 * Threads: any may record, with one exchange. Only the owner looks: lists are walked by nobody else. */
#include "heap/own.h"

/* Whether `block` is free in `slab`, which belongs to `heap`. */
static bool is_free(const struct heap *heap, const struct slab *slab, const struct block *block)
{
    const uint32_t most = slab_carved_blocks(slab);

    return slab_list_holds(slab, slab->freed, most, block) ||
           (heap->current[slab->line.class] == slab &&
            slab_list_holds(slab, heap->list[slab->line.class], most, block));
}

/* Whether `block` turns out to be free when all that others sent has been taken. A slab that ends by that had no used
 * block. */
static bool came_home(struct heap *heap, struct slab *slab, const struct block *block)
{
    heap_collect(heap);
    return line_kind(&slab->line) != GRANULE_SLAB || heap_owner_of(slab) != heap->id || is_free(heap, slab, block);
}

static void record(struct heap *owner, struct block *block, const char *in)
{
    static _Atomic uint32_t turn;
    const uint32_t slot = add_relaxed(&turn, 1) % HEAP_SUSPECTS;

    store_relaxed(&owner->suspects_in[slot], in);
    if (atomic_exchange_explicit(&owner->suspects[slot], block, memory_order_relaxed) != NULL)
        add_relaxed(&heap_counts.unproved, 1);
    store_relaxed(&owner->has_suspects, true);
}

void heap_suspect(struct heap *mine, struct slab *slab, struct block *block, bool is_freed, const char *in)
{
    const size_t bytes = slab->block_bytes;
    bool proved = false;

    if (mine != NULL && heap_magazine_holds(mine, slab_class(slab), block)) {
        proved = true;
    } else if (mine != NULL && heap_owner_of(slab) == mine->id) {
        proved = is_free(mine, slab, block) || came_home(mine, slab, block);
    } else if (mine != NULL && !load_relaxed(&mine->is_shared) && heap_adopt_this(mine, slab)) {
        proved = is_free(mine, slab, block);
        heap_slab_join(mine, slab);
    }
    const uint32_t owner = heap_owner_of(slab);

    if (proved)
        heap_report(MISUSE_DOUBLE_FREE, block, (uintptr_t)block, bytes, in);
    else if (!is_freed)
        return; /* live: the program wrote the key word itself */
    else if (owner != 0)
        record(heap_at(owner), block, in);
    else
        add_relaxed(&heap_counts.unproved, 1);
}

void heap_suspects_forget(struct heap *heap)
{
    if (!load_relaxed(&heap->has_suspects))
        return;
    store_relaxed(&heap->has_suspects, false);
    for (int i = 0; i < HEAP_SUSPECTS; i++)
        if (atomic_exchange_explicit(&heap->suspects[i], NULL, memory_order_relaxed) != NULL)
            add_relaxed(&heap_counts.unproved, 1);
}

void heap_suspects_settle(struct heap *heap)
{
    if (!load_relaxed(&heap->has_suspects))
        return;
    for (int i = 0; i < HEAP_SUSPECTS; i++) {
        struct block *const block = load_relaxed(&heap->suspects[i]);
        struct slab *const slab = block != NULL ? slab_of_line(page_line(page_offset(block))) : NULL;
        if (slab == NULL || heap_owner_of(slab) != heap->id || !is_free(heap, slab, block))
            continue;
        store_relaxed(&heap->suspects[i], NULL);
        heap_report(MISUSE_DOUBLE_FREE, block, (uintptr_t)block, slab->block_bytes,
                    load_relaxed(&heap->suspects_in[i]));
    }
}
