/* sparse.c: slabs of which little is used, and the pages in them of which nothing is.
 *
 * When a program frees most of its blocks of some sizes and goes on with others, a few survivors in each slab hold all
 * of its pages. So now and then a thread looks at the slabs of its heap. One that has waited in the queue from one look
 * to the next, nearly all of its blocks free, gives its free pages back to the kernel: if its class needs blocks again,
 * they are carved anew.
 *
 * A look goes over the table of slabs, a part at a time: it needs no list of sparse slabs, and frees cost nothing more.
 * Threads that sleep do not look: nobody else may take a list apart that their frees change.
 *
 * docs/design/013. */
#include "heap/own.h"

enum {
    SPARSE_SHARE = 8, /* a slab is sparse when this share of its blocks is used, or less */
    WAITS = 2,        /* looks that find a slab sparse before its pages go */
    LOOKS = 10,       /* in a purge delay */
    LINES = 4096      /* a look; so many granules are 256 MiB */
};

static bool is_sparse(const struct slab *slab)
{
    const struct class_info *const info = &class_table[slab->line.class];
    const uint32_t share = info->capacity / SPARSE_SHARE;

    return slab->line.state == SLAB_PARTIAL && info->granules == 1 && load_relaxed(&slab->line.released) == 0 &&
           slab_used(slab) <= (share > 0 ? share : 1);
}

static void thin(const struct heap *heap, struct slab *slab)
{
    /* A free in a signal handler asks meanwhile: the freed list is taken apart. */
    store_relaxed(&slab->line.owner, LINE_NOBODY);
    atomic_signal_fence(memory_order_seq_cst);
    const uint32_t released = slab_release_pages(slab);
    atomic_signal_fence(memory_order_seq_cst);
    heap_own_line(heap, slab);
    heap_uncount_active((size_t)released * slab->block_bytes);
}

/* Look at the slab at `index`, if it is one of this heap's; release its pages if it has waited for long enough, or if
 * `at_once`. One that has no free page is tried again when `waits` has gone round: walking its blocks is dear. */
static void look_at(const struct heap *heap, granule_index index, bool at_once)
{
    struct slab *const slab = slab_at(index);

    if (line_kind(&slab->line) != GRANULE_SLAB || heap_owner_of(slab) != heap->id)
        return;
    if (!is_sparse(slab))
        slab->line.waits = 0;
    else if (++slab->line.waits == WAITS || at_once)
        thin(heap, slab);
}

void heap_thin_due(struct heap *heap, uint64_t now_ms)
{
    const uint64_t delay_ms = load_relaxed(&page_bounds.purge_delay_ms);
    const uint32_t end = page_granule_end().i;

    if ((uint32_t)now_ms - heap->thinned_ms <= delay_ms / LOOKS)
        return;
    heap->thinned_ms = (uint32_t)now_ms;
    for (uint32_t i = 0; i < LINES && i < end; i++) {
        heap->thinned_to.i = heap->thinned_to.i + 1 < end ? heap->thinned_to.i + 1 : 0;
        look_at(heap, heap->thinned_to, false);
    }
}

void heap_thin_all(struct heap *heap)
{
    const uint32_t end = page_granule_end().i;

    for (granule_index index = {0}; index.i < end; index.i++)
        look_at(heap, index, true);
}
