/* stats.c: what the floor counts, and how it adds up.
 *
 * Hot paths count nothing. Blocks handed out are counted as lists are filled; what is live follows from the slabs: used blocks,
 * minus those on threads' lists, in parcels, and on their way home. */
#include "heap/own.h"

struct heap_counts heap_counts;

void heap_count_active(size_t bytes)
{
    const size_t now = add_relaxed(&heap_counts.active, bytes) + bytes;

    if (now > load_relaxed(&heap_counts.active_most))
        store_relaxed(&heap_counts.active_most, now); /* of two threads at once, one may win: off by a carving at most */
}

void heap_uncount_active(size_t bytes)
{
    subtract_relaxed(&heap_counts.active, bytes);
}

void heap_report(enum heap_misuse_kind kind, const void *address, uintptr_t block, size_t bytes, const char *in)
{
    if (heap_taps.misuse != NULL)
        heap_taps.misuse(&(struct heap_misuse){kind, (uintptr_t)address, block, bytes, in});
}

/* ---- Other threads' lists, walked while they may change: every link is checked, every step counted ------------------------------- */

__attribute__((no_sanitize("thread"))) static uint64_t list_length(const struct heap *heap, class_id class)
{
    const struct slab *const slab = *(struct slab *const volatile *)&heap->current[class.i];
    const struct block *block = *(struct block *const volatile *)&heap->list[class.i];
    uint64_t length = 0;

    if (slab == NULL || slab->line.kind != GRANULE_SLAB)
        return 0;
    while (block != NULL && length < class_table[class.i].capacity && slab_has_block(slab, (uintptr_t)block)) {
        block = (const struct block *)(*(const volatile uint64_t *)&block->link ^ page_ground.link_secret);
        length++;
    }
    return length;
}

__attribute__((no_sanitize("thread"))) static void add_parcels(const struct heap *heap, struct heap_stats *stats)
{
    for (int i = 0; i < HEAP_PARCELS; i++) {
        const struct slab *const slab = heap->parcels[i].slab;
        if (slab != NULL)
            stats->classes[slab->line.class].live -= heap->parcels[i].count;
    }
}

static void add_heap(struct heap *heap, void *context)
{
    struct heap_stats *const stats = context;

    stats->heaps += load_relaxed(&heap->is_live);
    stats->remote_frees += load_relaxed(&heap->remote_frees);
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        const uint64_t waiting = load_relaxed(&heap->is_live) ? list_length(heap, class) : 0;
        stats->classes[class.i].handed += load_relaxed(&heap->handed[class.i]) - waiting;
        stats->classes[class.i].live -= waiting;
    }
    add_parcels(heap, stats);
}

/* ---- The table ------------------------------------------------------------------------------------------------------------------------ */

static void add_slab(const struct slab *slab, struct heap_stats *stats)
{
    struct heap_class_stats *const class = &stats->classes[slab->line.class];

    class->live += slab_used_by_any(slab) - heap_remote_count(slab);
    class->carved += *(const volatile uint32_t *)&slab->carved;
}

static void add_large(const struct large *large, struct heap_stats *stats)
{
    const size_t middle_max = (size_t)128 << 10;

    stats->large_live++;
    stats->large_live_bytes += large->bytes;
    if (large->bytes < middle_max) {
        stats->middle_live++;
        stats->middle_live_bytes += large->bytes;
    }
}

__attribute__((no_sanitize("thread"))) static void add_lines(struct heap_stats *stats)
{
    const uint32_t end = page_granule_end().i;

    for (granule_index index = {1}; index.i < end; index.i++) {
        const struct line *const line = page_line_at(index);
        if (line->kind == GRANULE_SLAB)
            add_slab((const struct slab *)line, stats);
        else if (line->kind == GRANULE_LARGE)
            add_large((const struct large *)line, stats);
    }
}

void heap_stats_read(struct heap_stats *stats)
{
    __builtin_memset(stats, 0, sizeof *stats);
    add_lines(stats);
    heap_each(add_heap, stats);
    for (int i = 0; i < CLASS_COUNT; i++) /* read while blocks were moving: never below nothing */
        if ((int64_t)stats->classes[i].live < 0)
            stats->classes[i].live = 0;
    stats->remote_frees += load_relaxed(&heap_counts.remote_frees);
    stats->large_taken = load_relaxed(&heap_counts.large_taken);
    stats->active = load_relaxed(&heap_counts.active);
    stats->active_most = load_relaxed(&heap_counts.active_most);
    stats->dropped = load_relaxed(&heap_counts.dropped);
    stats->unproved = load_relaxed(&heap_counts.unproved);
}
