/* slab.c: see slab.h. */
#include "slab/slab.h"

static_assert((GRANULE_BYTES & (BLOCK_ALIGN - 1)) == 0, "block 0 must start aligned");

struct slab *slab_start(granule_index first, class_id class)
{
    const struct class_info *const info = &class_table[class.i];
    struct slab *const slab = page_line_at(first);

    for (uint16_t i = 1; i < info->granules; i++) {
        struct line *const rest = page_line_at((granule_index){first.i + i});
        rest->granules = i;
        line_set_kind(rest, GRANULE_SLAB_REST);
    }
    slab->line.class = class.i;
    store_relaxed(&slab->line.released, 0);
    slab->line.waits = 0;
    slab->line.slack = 0;
    slab->line.state = SLAB_UNLISTED;
    slab->freed = NULL;
    slab->reciprocal = info->reciprocal;
    slab->needed = 0;
    store_relaxed(&slab->carved, 0);
    slab->block_bytes = info->bytes;
    slab->next = slab->previous = slab->inbox_next = NO_GRANULE;
    store_relaxed(&slab->remote, 0);
    line_set_kind(&slab->line, GRANULE_SLAB);
    return slab;
}

granule_count slab_end(struct slab *slab)
{
    const granule_count granules = {class_table[slab->line.class].granules};

    for (uint32_t i = 1; i < granules.n; i++)
        line_set_kind(page_line_at((granule_index){page_index_of(slab).i + i}), GRANULE_NONE);
    store_relaxed(&slab->line.owner, LINE_NOBODY);
    line_set_kind(&slab->line, GRANULE_NONE);
    slab->previous = slab->inbox_next = NO_GRANULE;
    store_relaxed(&slab->remote, 0);
    return granules;
}

/* Make free blocks of `count` ones from `first` on, linked in order of address. */
static struct block *link_blocks(const struct slab *slab, struct block *first, uint32_t count)
{
    struct block *block = first;

    for (; count > 1; count--) {
        struct block *const next = (struct block *)((char *)block + slab->block_bytes);
        block->link = slab_link(next);
        slab_mark_free(block);
        block = next;
    }
    block->link = slab_link(NULL);
    slab_mark_free(block);
    return first;
}

struct block *slab_carve(struct slab *slab, size_t bytes, uint32_t *count)
{
    const size_t step = slab->block_bytes;
    const uint32_t carved = load_relaxed(&slab->carved);
    const size_t room = slab_bytes(slab) - carved;
    const size_t wanted = bytes < step ? step : bytes;

    *count = slab_block_number(slab, wanted < room ? wanted : room);
    ASSERT(*count > 0);
    store_relaxed(&slab->carved, carved + *count * slab->block_bytes);
    slab_set_used(slab, slab_used(slab) + *count);
    return link_blocks(slab, (struct block *)(slab_address(slab) + carved), *count);
}

/* ---- Released pages ------------------------------------------------------------------------------------------------------------ */

/* Pages low .. high - 1, and the blocks that lie in them wholly or in part: numbers first .. end - 1. */
struct gap {
    uint32_t low;
    uint32_t high;
    uint32_t first;
    uint32_t end;
};

static struct gap gap_of_pages(const struct slab *slab, uint32_t low, uint32_t high)
{
    return (struct gap){low, high, slab_block_number(slab, low * page_ground.page_bytes),
                        slab_block_number(slab, high * page_ground.page_bytes - 1) + 1};
}

/* The lowest pages in a row of `*pages`, which are taken out of it; it is not 0. */
static struct gap take_lowest(const struct slab *slab, uint32_t *pages)
{
    const uint32_t low = (uint32_t)__builtin_ctz(*pages);
    const uint32_t high = low + (uint32_t)__builtin_ctz(~(*pages >> low));

    *pages &= ~0u << high;
    return gap_of_pages(slab, low, high);
}

uint32_t slab_count_released(const struct slab *slab)
{
    uint32_t count = 0;

    for (uint32_t pages = load_relaxed(&slab->line.released); pages != 0;) {
        const struct gap gap = take_lowest(slab, &pages);
        count += gap.end - gap.first;
    }
    return count;
}

struct block *slab_carve_released(struct slab *slab, uint32_t *count)
{
    uint32_t pages = load_relaxed(&slab->line.released);
    const struct gap gap = take_lowest(slab, &pages);

    *count = gap.end - gap.first;
    store_relaxed(&slab->line.released, (uint16_t)pages);
    slab_set_used(slab, slab_used(slab) + *count);
    return link_blocks(slab, slab_block(slab, gap.first), *count);
}

/* A bit for each block of a slab. */
struct block_set {
    uint64_t words[GRANULE_BYTES / BLOCK_ALIGN / 64];
};

static bool set_has(const struct block_set *set, uint32_t number)
{
    return (set->words[number / 64] >> number % 64) & 1;
}

static bool set_has_all(const struct block_set *set, uint32_t first, uint32_t end)
{
    while (first < end && set_has(set, first))
        first++;
    return first == end;
}

/* Pages of which all blocks are in `free`. */
static uint32_t free_pages(const struct slab *slab, const struct block_set *free)
{
    const size_t carved = load_relaxed(&slab->carved);
    uint32_t pages = 0;

    for (uint32_t page = 0; (page + 1) * page_ground.page_bytes <= carved; page++) {
        const struct gap gap = gap_of_pages(slab, page, page + 1);
        if (set_has_all(free, gap.first, gap.end))
            pages |= 1u << page;
    }
    return pages;
}

/* Link the blocks of `free` that do not lie in released pages, in order of address. */
static struct block *link_kept(const struct slab *slab, const struct block_set *free)
{
    struct block *first = NULL;

    for (uint32_t number = slab_carved_blocks(slab); number-- > 0;) {
        struct block *const block = slab_block(slab, number);
        if (!set_has(free, number) || slab_is_released(slab, (uintptr_t)block - slab_address(slab)))
            continue;
        block->link = slab_link(first);
        first = block;
    }
    return first;
}

uint32_t slab_release_pages(struct slab *slab)
{
    struct block_set free = {0};
    struct block *last = NULL;

    ASSERT(load_relaxed(&slab->line.released) == 0 && slab_bytes(slab) == GRANULE_BYTES);
    if (slab_walk(slab, slab->freed, slab_carved_blocks(slab), &last) <= 0)
        return 0; /* nothing, or damaged: whoever takes the list will say so */
    for (const struct block *block = slab->freed; block != NULL; block = slab_next(block)) {
        const uint32_t number = slab_number_of(slab, block);
        free.words[number / 64] |= (uint64_t)1 << number % 64;
    }
    uint32_t pages = free_pages(slab, &free);

    if (pages == 0)
        return 0;
    store_relaxed(&slab->line.released, (uint16_t)pages);
    slab->freed = link_kept(slab, &free);
    while (pages != 0) {
        const struct gap gap = take_lowest(slab, &pages);
        page_purge_part((void *)(slab_address(slab) + gap.low * page_ground.page_bytes),
                        (gap.high - gap.low) * page_ground.page_bytes);
    }
    return slab_released_blocks(slab);
}

/* ---- Lists --------------------------------------------------------------------------------------------------------------------- */

int slab_walk(const struct slab *slab, struct block *first, uint32_t most, struct block **last)
{
    uint32_t count = 0;

    for (struct block *block = first; block != NULL; block = slab_next(block)) {
        if (count == most || !slab_has_block(slab, (uintptr_t)block))
            return -1;
        *last = block;
        count++;
    }
    return (int)count;
}

bool slab_list_holds(const struct slab *slab, const struct block *first, uint32_t most, const void *block)
{
    while (first != NULL && most-- > 0 && slab_has_block(slab, (uintptr_t)first)) {
        if (first == block)
            return true;
        first = slab_next(first);
    }
    return false;
}
