/* free.c: what an address is, and its way home when the fast path could not see it.
 *
 * Nothing is read through the address before it is proved to be a block: first its place (the heap range, the huge
 * blocks' table), then its granule's line, then the exact test of its offset. Only then the key word in it. */
#include "heap/own.h"

/* ---- Naming what is wrong ----------------------------------------------------------------------------------------------------------- */

/* `address` lies in the slab but is no carved block, or one that was free when its page was released. */
static void report_in_slab(const struct slab *slab, const void *address, const char *in)
{
    const uintptr_t offset = (uintptr_t)address - slab_address(slab);
    const struct block *const block = slab_block(slab, slab_block_number(slab, offset));
    const bool is_carved = offset < load_relaxed(&slab->carved);

    if (is_carved && slab_is_start(slab, offset))
        heap_report(MISUSE_DOUBLE_FREE, address, (uintptr_t)block, slab->block_bytes, in); /* its page was released */
    else if (is_carved)
        heap_report(MISUSE_INTERIOR, address, (uintptr_t)block, slab->block_bytes, in);
    else
        heap_report(MISUSE_UNALLOCATED, address, 0, 0, in);
}

/* `address` lies in the heap range, 16-byte aligned, and no block starts there. returns: false when it is foreign. */
static bool report_stray(const void *address, const char *in)
{
    const granule_index index = page_index_of(page_line(page_offset(address)));
    const granule_index head = page_run_of(index);
    const struct large *const run = page_line_at(head);
    const struct large *const here = page_line_at(index);
    const bool at_start = address == page_address(index);

    if (line_kind(&run->line) == GRANULE_HOLE)
        return false;
    if (line_kind(&run->line) == GRANULE_LARGE && index.i - head.i < run->line.granules)
        heap_report(MISUSE_INTERIOR, address, (uintptr_t)page_address(head), run->bytes, in);
    else if (at_start && here->bytes != 0)
        heap_report(MISUSE_DOUBLE_FREE, address, (uintptr_t)address, here->bytes, in); /* it was a large block */
    else
        heap_report(MISUSE_UNALLOCATED, address, 0, 0, in);
    return true;
}

/* ---- Finding ------------------------------------------------------------------------------------------------------------------------- */

static struct heap *shared_heap_of(uint32_t id)
{
    struct heap *const heap = id != 0 ? heap_at(id) : NULL;

    return heap != NULL && load_relaxed(&heap->is_public) ? heap : NULL;
}

static struct heap_block find_small(struct slab *slab, void *address, const char *in)
{
    struct block *const block = address;

    if (!slab_has_block(slab, (uintptr_t)address)) {
        report_in_slab(slab, address, in);
        return (struct heap_block){0};
    }
    const bool is_suspect = slab_looks_free(block);

    if (is_suspect) {
        struct heap *const heap = heap_enter();
        heap_suspect(heap, slab, block, false, in);
        if (heap != NULL)
            heap_leave(heap);
    }
    return (struct heap_block){BLOCK_SMALL, slab_class(slab), slab->block_bytes, is_suspect,
                               shared_heap_of(heap_owner_of(slab))};
}

/* `address` lies outside the heap range. */
static struct heap_block find_elsewhere(const void *address, const char *in)
{
    const size_t fresh = page_fresh_bytes(address); /* first: a handler may see a huge block where it no longer is */

    if (fresh != 0)
        return (struct heap_block){.kind = BLOCK_FRESH, .bytes = fresh};
    const struct page_huge found = page_huge_find(address);
    if (found.state == HUGE_UNKNOWN)
        return (struct heap_block){0};
    if (found.start != (uintptr_t)address)
        heap_report((uintptr_t)address % BLOCK_ALIGN != 0 ? MISUSE_MISALIGNED : MISUSE_INTERIOR, address, found.start,
                    found.bytes, in);
    else if (found.state == HUGE_FREED)
        heap_report(MISUSE_DOUBLE_FREE, address, found.start, found.bytes, in);
    else
        return (struct heap_block){BLOCK_HUGE, {0}, found.bytes, false, shared_heap_of(found.heap)};
    return (struct heap_block){0};
}

/* Whether `address` lies in a part of the heap range that is not ours. */
static bool lies_in_hole(const void *address)
{
    const granule_index index = page_index_of(page_line(page_offset(address)));

    return line_kind(page_line_at(page_run_of(index))) == GRANULE_HOLE;
}

struct heap_block heap_find(const void *address, const char *in)
{
    const uintptr_t offset = page_offset(address);

    if (!page_holds(offset))
        return find_elsewhere(address, in);
    if (offset % BLOCK_ALIGN != 0) {
        if (!lies_in_hole(address))
            heap_report(MISUSE_MISALIGNED, address, 0, 0, in);
        return (struct heap_block){0};
    }
    struct line *const line = page_line(offset);

    if (line_kind(line) == GRANULE_SLAB || line_kind(line) == GRANULE_SLAB_REST)
        return find_small(slab_of_line(line), (void *)(uintptr_t)address, in);
    if (line_kind(line) == GRANULE_LARGE && address == page_address(page_index_of(line))) {
        const struct large *const large = (struct large *)line;
        return (struct heap_block){BLOCK_LARGE, {0}, large->bytes, false, shared_heap_of(large->heap)};
    }
    (void)report_stray(address, in);
    return (struct heap_block){0};
}

/* ---- Freeing --------------------------------------------------------------------------------------------------------------------------- */

/* Free `block`, a live one of `slab`. `heap`: which this thread is inside, or NULL where it may enter none: the block
 * then goes home as another thread's does, with which nothing that it interrupts is in the way. */
ALWAYS_INLINE void free_block(struct heap *heap, struct slab *slab, struct block *block, bool is_mine)
{
    struct heap *const own = heap != NULL && !load_relaxed(&heap->is_shared) ? heap : NULL;

    slab_mark_free(block);
    if (own != NULL && heap_may_keep(own, slab_class(slab)) && (is_mine || !heap_is_direct(slab))) {
        heap_keep(own, slab_class(slab), block);
    } else if (own != NULL && is_mine) {
        block->link = slab_link(slab->freed);
        slab->freed = block;
        heap_slab_freed(own, slab, 1);
    } else {
        heap_send(own, slab, block);
    }
    if (is_mine)
        return;
    if (own != NULL)
        count_up(&own->remote_frees, 1);
    else
        add_relaxed(&heap_counts.remote_frees, 1);
}

static void free_small(struct slab *slab, struct block *block, const char *in)
{
    if (!slab_has_block(slab, (uintptr_t)block)) {
        report_in_slab(slab, block, in);
        return;
    }
    struct heap *const heap = heap_enter();

    if (line_kind(&slab->line) != GRANULE_SLAB) /* a visitor ended it while we waited: no block of it was live */
        heap_report(MISUSE_UNALLOCATED, block, 0, 0, in);
    else if (slab_looks_free(block))
        heap_suspect(heap, slab, block, true, in);
    else
        free_block(heap, slab, block, heap_own() != NULL && heap_slab_is_mine(slab));
    if (heap != NULL)
        heap_leave(heap);
}

bool heap_free_shortly(void *address)
{
    struct heap *const heap = heap_own();
    const uintptr_t offset = page_offset(address);

    if (heap == NULL || !page_holds_block(offset))
        return false;
    struct line *const line = page_line(offset);

    if (line_kind(line) != GRANULE_SLAB && line_kind(line) != GRANULE_SLAB_REST)
        return false;
    struct slab *const slab = slab_of_line(line);
    struct block *const block = address;

    if (!slab_has_block(slab, (uintptr_t)address) || slab_looks_free(block) || !heap_enter_own(heap))
        return false;
    const bool is_live = line_kind(&slab->line) == GRANULE_SLAB; /* else a visitor ended it while we waited */

    if (likely(is_live))
        free_block(heap, slab, block, heap_slab_is_mine(slab));
    heap_leave_own(heap);
    return is_live;
}

/* Free what lies outside the heap range. returns: false when it is foreign. */
static bool free_elsewhere(void *address, const char *in)
{
    const struct heap_block block = find_elsewhere(address, in);

    if (block.kind != BLOCK_FRESH && page_is_inside()) { /* a signal handler: the table cannot be changed now */
        add_relaxed(&heap_counts.dropped, 1);
        return true;
    }
    if (block.kind == BLOCK_HUGE) {
        const struct page_huge ended = page_huge_give(address);
        if (ended.state == HUGE_LIVE)
            heap_uncount_active(ended.bytes);
        else /* somebody was faster */
            heap_report(MISUSE_DOUBLE_FREE, address, (uintptr_t)address, block.bytes, in);
        return true;
    }
    if (block.kind == BLOCK_FRESH)
        return true;                                      /* it stays: fresh blocks are few, and have no owner */
    return page_huge_find(address).state != HUGE_UNKNOWN; /* ours, and reported */
}

bool heap_free(void *address, const char *in)
{
    const uintptr_t offset = page_offset(address);

    if (heap_is_reserve())
        return true;
    if (!page_holds(offset))
        return free_elsewhere(address, in);
    if (offset % BLOCK_ALIGN != 0) {
        if (lies_in_hole(address))
            return false;
        heap_report(MISUSE_MISALIGNED, address, 0, 0, in);
        return true;
    }
    struct line *const line = page_line(offset);

    if (line_kind(line) == GRANULE_SLAB || line_kind(line) == GRANULE_SLAB_REST)
        free_small(slab_of_line(line), address, in);
    else if (line_kind(line) == GRANULE_LARGE && address == page_address(page_index_of(line)))
        heap_large_free((struct large *)line, in);
    else
        return report_stray(address, in);
    return true;
}
