/* stats.c: what the floor counts, and how it adds up.
 *
 * Hot paths count nothing. Blocks handed out are counted as lists are filled; what is live follows from the slabs: used
 * blocks, minus those on threads' lists, in magazines, in parcels, and on their way home. */
#include "heap/own.h"

struct heap_counts heap_counts;

void heap_count_active(size_t bytes)
{
    const size_t now = add_relaxed(&heap_counts.active, bytes) + bytes;

    if (now > load_relaxed(&heap_counts.active_most))
        store_relaxed(&heap_counts.active_most,
                      now); /* of two threads at once, one may win: off by a carving at most */
}

void heap_uncount_active(size_t bytes) { subtract_relaxed(&heap_counts.active, bytes); }

void heap_report(enum heap_misuse_kind kind, const void *address, uintptr_t block, size_t bytes, const char *in)
{
    if (heap_taps.misuse != NULL)
        heap_taps.misuse(&(struct heap_misuse){kind, (uintptr_t)address, block, bytes, in});
}

/* ---- What other threads may be writing -------------------------------------------------------------------------------------------- */

/* A word of memory that is not ours, of whatever type. */
typedef uint64_t __attribute__((may_alias)) any_word;

/* The word at `object` as it is just now: old or new, never half of each. Its owner writes it without atomics, for the
 * sake of its hot path. */
__attribute__((no_sanitize("thread"))) static uint64_t glance(const void *object)
{
    return *(const volatile any_word *)object;
}

/* A copy of a line, whose words need not be of one moment. */
static struct slab glance_line(const void *line)
{
    uint64_t words[sizeof(struct slab) / sizeof(uint64_t)];
    struct slab copy;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = glance((const uint64_t *)line + i);
    __builtin_memcpy(&copy, words, sizeof copy);
    return copy;
}

/* ---- Other threads' lists, walked while they may change: every link is checked, every step counted ------------------------------- */

static uint64_t list_length(const struct heap *heap, class_id class)
{
    const struct slab *const slab = (const struct slab *)glance(&heap->current[class.i]);
    uintptr_t block = glance(&heap->list[class.i]);
    uint64_t length = 0;

    if (slab == NULL || line_kind(&slab->line) != GRANULE_SLAB)
        return 0;
    const struct slab seen = glance_line(slab);
    const uintptr_t start = slab_address(slab);

    while (length < class_table[class.i].capacity && block - start < load_relaxed(&seen.carved) &&
           slab_is_start(&seen, block - start)) {
        block = glance(&((const struct block *)block)->link) ^ slab_cipher(page_ground.link_secret);
        length++;
    }
    return length;
}

/* What is being added up. */
struct sums {
    struct heap_stats *stats;
    struct heap_class_stats *classes; /* may be NULL */
};

/* Add to a class: counts may be negative. */
static void add_class(const struct sums *sums, uint8_t class, uint64_t handed, uint64_t live, size_t carved)
{
    sums->stats->handed += handed;
    sums->stats->live += live;
    sums->stats->live_bytes += live * class_table[class].bytes;
    if (sums->classes == NULL)
        return;
    sums->classes[class].handed += handed;
    sums->classes[class].live += live;
    sums->classes[class].carved += carved;
}

static void add_parcels(const struct heap *heap, const struct sums *sums)
{
    for (int i = 0; i < HEAP_PARCELS; i++) {
        const struct slab *const slab = (const struct slab *)glance(&heap->parcels[i].slab);
        const uint32_t count = (uint32_t)glance(&heap->parcels[i].count); /* the low half of the word */
        if (slab != NULL)
            add_class(sums, glance_line(slab).line.class, 0, -(uint64_t)count, 0);
    }
}

static void add_heap(struct heap *heap, void *context)
{
    const struct sums *const sums = context;
    const bool is_live = load_relaxed(&heap->is_live);

    sums->stats->heaps += is_live;
    sums->stats->remote_frees += load_relaxed(&heap->remote_frees);
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        const uint64_t listed = is_live ? list_length(heap, class) : 0;
        const uint64_t kept = heap_magazine_count(heap, class);
        add_class(sums, class.i, load_relaxed(&heap->handed[class.i]) - listed, -(listed + kept), 0);
    }
    add_parcels(heap, sums);
}

/* ---- The table ------------------------------------------------------------------------------------------------------------------------ */

static void add_slab(const struct slab *slab, const struct sums *sums)
{
    const size_t carved = load_relaxed(&slab->carved);
    const size_t released = (size_t)slab_released_blocks(slab) * slab->block_bytes;

    /* Words of a slab that ended while it was copied may not belong together. */
    add_class(sums, slab->line.class, 0, (uint64_t)slab_used(slab) - heap_remote_count(slab),
              carved > released ? carved - released : 0);
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

static void add_lines(const struct sums *sums)
{
    const uint32_t end = page_granule_end().i;

    for (granule_index index = {1}; index.i < end; index.i++) {
        const struct line *const line = page_line_at(index);
        const enum granule_kind kind = line_kind(line);
        if (kind != GRANULE_SLAB && kind != GRANULE_LARGE)
            continue;
        const struct slab seen = glance_line(line);
        if (line_kind(line) != kind)
            continue; /* it ended meanwhile, and the copy may hold anything */
        if (kind == GRANULE_SLAB)
            add_slab(&seen, sums);
        else
            add_large((const struct large *)(const void *)&seen, sums->stats);
    }
}

/* Blocks were moving while they were counted: never less than nothing. */
static uint64_t not_negative(uint64_t count) { return (int64_t)count < 0 ? 0 : count; }

void heap_stats_read(struct heap_stats *stats, struct heap_class_stats *classes)
{
    struct sums sums = {stats, classes};

    *stats = (struct heap_stats){0};
    if (classes != NULL)
        __builtin_memset(classes, 0, CLASS_COUNT * sizeof *classes);
    add_lines(&sums);
    heap_each(add_heap, &sums);
    for (int i = 0; i < CLASS_COUNT && classes != NULL; i++)
        classes[i].live = not_negative(classes[i].live);
    stats->live = not_negative(stats->live);
    stats->live_bytes = not_negative(stats->live_bytes);
    stats->remote_frees += load_relaxed(&heap_counts.remote_frees);
    stats->large_taken = load_relaxed(&heap_counts.large_taken);
    stats->active = load_relaxed(&heap_counts.active);
    stats->active_most = load_relaxed(&heap_counts.active_most);
    stats->dropped = load_relaxed(&heap_counts.dropped);
    stats->unproved = load_relaxed(&heap_counts.unproved);
}
