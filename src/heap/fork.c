/* fork.c: the child of a process with threads.
 *
 * fork copies one thread, and every other thread's heap in whatever state it was. Prepare takes the floor's locks, so
 * that what they guard is whole in the child. The other threads' heaps have no locks: the child looks through the table
 * of slabs, finds those of the dead, counts what may not add up, and makes orphans of them. At most one block is lost
 * for each operation that was under way.
 *
 * A child without other threads' heaps does nothing of this. */
#include "heap/own.h"

void heap_fork_prepare(void)
{
    heap_visits_fork_prepare();
    heap_threads_fork_prepare();
    heap_orphan_fork_prepare();
    page_fork_prepare();
}

void heap_fork_parent(void)
{
    page_fork_parent();
    heap_orphan_fork_parent();
    heap_threads_fork_parent();
    heap_visits_fork_parent();
}

static bool is_dead(const struct heap *heap)
{
    return load_relaxed(&heap->is_live) && !load_relaxed(&heap->is_shared) && heap != heap_own() &&
           heap->thread != os_thread_pointer(); /* this thread's, which a handler interrupted at its birth or end */
}

/* Call `visit` for every slab. */
static void each_slab(void (*visit)(struct slab *slab))
{
    const uint32_t end = page_granule_end().i;

    for (granule_index index = {1}; index.i < end; index.i++) {
        struct slab *const slab = page_line_at(index);
        if (line_kind(&slab->line) == GRANULE_SLAB)
            visit(slab);
    }
}

/* Slabs of this thread's heap, if the fork came from a handler that interrupted it, keep their tokens: some rest in the
 * inbox, some in the hands of the interrupted code. What the dead had in hand is lost. */
static void renew_token(struct slab *slab)
{
    const struct heap *const own = heap_own();

    if (own == NULL || !load_relaxed(&own->is_busy) || heap_owner_of(slab) != own->id)
        heap_token_renew(slab, is_dead);
}

/* A slab whose owner was inside a slow path: count what is free; the rest is used. */
static void recount(struct slab *slab)
{
    const uint32_t present = slab_present_blocks(slab);
    struct block *last;
    int free_blocks = slab_walk(slab, slab->freed, present, &last);

    if (free_blocks < 0) {
        slab->freed = NULL;
        free_blocks = 0;
    }
    slab_set_used(slab, present - (uint32_t)free_blocks);
}

static void orphan_if_dead(struct slab *slab)
{
    const uint32_t owner = heap_owner_of(slab);

    if (owner == 0)
        heap_orphan_returned(slab); /* whoever was to say so may be dead */
    if (owner == 0 || !is_dead(heap_at(owner)))
        return;
    if (load_relaxed(&heap_at(owner)->is_busy))
        recount(slab);
    slab->line.state = SLAB_UNLISTED;
    if (slab_used(slab) == 0)
        heap_slab_release(slab);
    else {
        heap_orphan(slab);
        heap_orphan_returned(slab); /* blocks may have been on their way home */
    }
}

static void count_dead(struct heap *heap, void *context) { *(uint32_t *)context += is_dead(heap); }

/* The list of a heap that was inside a slow path goes back to its slab without touching anything else: its blocks will
 * be recounted. */
static void return_uncounted(struct heap *heap, class_id class)
{
    struct slab *const slab = heap->current[class.i];
    struct block *last;

    if (heap->list[class.i] == NULL || slab_walk(slab, heap->list[class.i], slab_carved_blocks(slab), &last) <= 0)
        return;
    last->link = slab_link(slab->freed);
    slab->freed = heap->list[class.i];
}

/* A parcel that was being packed is left out: its blocks stay used. */
static void drop_torn_parcels(struct heap *heap)
{
    for (int i = 0; i < HEAP_PARCELS; i++) {
        struct heap_parcel *const parcel = &heap->parcels[i];
        struct block *last;
        if (parcel->slab == NULL)
            continue;
        const int count = slab_walk(parcel->slab, parcel->first, slab_carved_blocks(parcel->slab), &last);
        if (count <= 0 || (uint32_t)count != parcel->count || last != parcel->last)
            parcel->slab = NULL;
    }
}

/* Blocks that a dead heap had in hand go back to their slabs. */
static void empty_hands(struct heap *heap, void *context)
{
    (void)context;
    if (!is_dead(heap))
        return;
    if (load_relaxed(&heap->is_busy))
        drop_torn_parcels(heap);
    heap_magazines_send(heap);
    heap_send_parcels(heap);
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        if (heap->current[class.i] == NULL)
            continue;
        if (load_relaxed(&heap->is_busy))
            return_uncounted(heap, class);
        else
            heap_list_return(heap, class);
    }
}

static void forget_inbox(struct heap *heap, void *context)
{
    (void)context;
    if (load_relaxed(&heap->is_live) && !load_relaxed(&heap->is_busy))
        heap_inbox_forget(heap);
}

void heap_fork_child(void)
{
    uint32_t dead = 0;
    bool is_whole = page_fork_child();

    is_whole &= heap_orphan_fork_child();
    is_whole &= heap_threads_fork_child();
    is_whole &= heap_visits_fork_child();
    heap_each(count_dead, &dead);
    if (dead == 0 || !is_whole)
        return; /* not whole: a handler forked where it interrupted us; the dead keep what they had */
    heap_each(empty_hands, NULL);
    heap_each(forget_inbox, NULL);
    each_slab(renew_token);
    each_slab(orphan_if_dead);
    heap_bury_all(is_dead);
}
