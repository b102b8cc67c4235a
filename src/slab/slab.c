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
    slab->line.granules = info->granules;
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
    const granule_count granules = {slab->line.granules};

    for (uint32_t i = 1; i < granules.n; i++)
        line_set_kind(page_line_at((granule_index){page_index_of(slab).i + i}), GRANULE_NONE);
    store_relaxed(&slab->line.owner, LINE_NOBODY);
    line_set_kind(&slab->line, GRANULE_NONE);
    slab->previous = slab->inbox_next = NO_GRANULE;
    store_relaxed(&slab->remote, 0);
    return granules;
}

struct block *slab_carve(struct slab *slab, size_t bytes, uint32_t *count)
{
    const size_t step = slab->block_bytes;
    const uint32_t carved = load_relaxed(&slab->carved);
    const size_t room = slab_bytes(slab) - carved;
    const size_t wanted = bytes < step ? step : bytes;
    uint32_t left = slab_block_number(slab, wanted < room ? wanted : room);
    struct block *const first = (struct block *)(slab_address(slab) + carved);
    struct block *block = first;

    ASSERT(left > 0);
    *count = left;
    store_relaxed(&slab->carved, carved + left * slab->block_bytes);
    slab->needed += left;
    for (; left > 1; left--) {
        struct block *const next = (struct block *)((char *)block + step);
        block->link = slab_link(next);
        slab_mark_free(block);
        block = next;
    }
    block->link = slab_link(NULL);
    slab_mark_free(block);
    return first;
}

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
