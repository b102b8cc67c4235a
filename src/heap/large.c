/* large.c: blocks above the largest class.
 *
 *   up to 32 MiB   a run of granules in the heap range, line kind LARGE
 *   above          a mapping of their own (page/huge.c), resized by mremap: a vector that doubles to a GiB copies
 * nothing
 *
 * A large block of a MiB or more that has to move on realloc goes to a mapping once, and is remapped from then on.
 * Nothing in the heap range is ever remapped: that would split the kernel's one mapping of it.
 *
 * A second free of a large block is named: its line forgets that the block lives (compare-and-swap, one winner), but
 * not how large it was. */
#include "heap/own.h"
#include "mem/mem.h"

#define MOVES_TO_MAPPING ((size_t)1 << 20)
#define RUN_ALIGN_MAX ((size_t)4 << 20)
#define RUN_BYTES_MAX (GRANULE_BYTES * UINT16_MAX) /* line.granules counts no further */

static_assert(sizeof(struct large) == 1u << LINE_SHIFT, "one line for each granule");
static_assert(offsetof(struct large, bytes) == 48, "the page floor keeps bytes 48 to 63 of a line");

static size_t usable_bytes(size_t bytes) { return round_up(bytes > 0 ? bytes : 1, page_ground.page_bytes); }

static struct large *large_at(granule_index index) { return page_line_at(index); }

/* ---- The list of a shared heap's large blocks ----------------------------------------------------------------------------------- */

static void list_insert(struct heap *heap, struct large *large)
{
    large->previous = NO_GRANULE;
    large->next = heap->larges;
    if (heap->larges.i != 0)
        large_at(heap->larges)->previous = page_index_of(large);
    heap->larges = page_index_of(large);
}

static void list_remove(struct heap *heap, const struct large *large)
{
    if (large->previous.i != 0)
        large_at(large->previous)->next = large->next;
    else
        heap->larges = large->next;
    if (large->next.i != 0)
        large_at(large->next)->previous = large->previous;
}

/* ---- Runs ---------------------------------------------------------------------------------------------------------------------------- */

static void *run_alloc(struct heap *heap, const struct heap_request *request)
{
    const size_t bytes = usable_bytes(request->bytes);
    const granule_count granules = granules_for(bytes);
    const struct page_run run = page_take(granules, request->alignment);

    if (run.first.i == 0)
        return NULL;
    struct large *const large = large_at(run.first);
    void *const block = page_address(run.first);

    if (request->zeroed)
        mem_set(page_address(run.used), 0, granule_bytes(run.used_count)); /* not by libc's name: checks would find that
                                                                              this is no block, and more than one */
    large->line.granules = (uint16_t)granules.n;
    large->bytes = bytes;
    large->heap = load_relaxed(&heap->is_shared) ? heap->id : 0;
    if (load_relaxed(&heap->is_shared))
        list_insert(heap, large);
    store_relaxed(&large->state, 1);
    /* release: whoever is led here by what an earlier look has left sees all of the line; pairs with the acquire in
     * place.c. */
    store_release(&large->line.kind, GRANULE_LARGE);
    add_relaxed(&heap_counts.large_taken, 1);
    heap_count_active(bytes);
    return block;
}

static void *mapping_alloc(const struct heap *heap, const struct heap_request *request)
{
    const size_t bytes = usable_bytes(request->bytes);
    void *const block = page_huge_take(bytes, request->alignment, load_relaxed(&heap->is_shared) ? heap->id : 0);

    if (block != NULL)
        heap_count_active(bytes);
    return block;
}

void *heap_large_alloc(struct heap *heap, const struct heap_request *request)
{
    void *block = NULL;

    heap_tick(heap);
    if (request->bytes <= LARGE_BYTES_MAX && request->alignment <= RUN_ALIGN_MAX) {
        block = run_alloc(heap, request);
        return block != NULL ? block : mapping_alloc(heap, request); /* the range cannot grow: perhaps elsewhere */
    }
    block = mapping_alloc(heap, request);
    if (block == NULL && request->bytes <= RUN_BYTES_MAX && request->alignment <= RUN_ALIGN_MAX)
        block = run_alloc(heap, request); /* the kernel has no more: perhaps others have freed enough */
    return block;
}

static void end_run(struct large *large)
{
    const granule_count granules = {large->line.granules};

    heap_uncount_active(large->bytes);
    page_give(page_index_of(large), granules);
}

void heap_large_free(struct large *large, const char *in)
{
    void *const block = page_address(page_index_of(large));
    struct heap *const shared = large->heap != 0 ? heap_at(large->heap) : NULL;
    uint32_t live = 1;

    /* acquire-release: the last user's writes come before the run's next life. */
    if (!atomic_compare_exchange_strong_explicit(&large->state, &live, 0, memory_order_acq_rel, memory_order_relaxed)) {
        heap_report(MISUSE_DOUBLE_FREE, block, (uintptr_t)block, large->bytes, in);
        return;
    }
    if (shared != NULL) {
        if (!heap_enter_shared(shared)) {
            add_relaxed(&heap_counts.dropped, 1);
            return;
        }
        list_remove(shared, large);
        heap_leave(shared);
    }
    end_run(large);
}

void heap_large_end_all(struct heap *heap)
{
    while (heap->larges.i != 0) {
        struct large *const large = large_at(heap->larges);
        list_remove(heap, large);
        store_relaxed(&large->state, 0);
        end_run(large);
    }
    for (;;) {
        const struct page_huge found = page_huge_any_of(heap->id);
        if (found.state != HUGE_LIVE)
            break;
        (void)page_huge_give((void *)found.start);
        heap_uncount_active(found.bytes);
    }
}

/* ---- Resizing ------------------------------------------------------------------------------------------------------------------------- */

/* Change the size of a large block where it lies. returns: false when there is no room behind it. */
static bool run_resize(struct large *large, size_t bytes)
{
    const granule_count present = {large->line.granules};
    const granule_count wanted = granules_for(bytes);
    const size_t before = large->bytes;

    if (wanted.n > present.n && !page_extend(page_index_of(large), present, wanted))
        return false;
    large->line.granules = (uint16_t)wanted.n;
    large->bytes = bytes;
    if (wanted.n < present.n)
        page_give(granule_after(page_index_of(large), wanted), (granule_count){present.n - wanted.n});
    heap_uncount_active(before);
    heap_count_active(bytes);
    return true;
}

static void *mapping_resize(void *address, size_t before, size_t bytes)
{
    void *const moved = page_huge_resize(address, bytes);

    if (moved != NULL) {
        heap_uncount_active(before);
        heap_count_active(bytes);
    }
    return moved;
}

/* The block that a moving large block goes to. */
static void *new_home(struct heap *shared, const struct heap_request *request)
{
    struct heap *const heap = shared == NULL ? heap_enter() : heap_enter_shared(shared) ? shared : NULL;

    if (heap == NULL)
        return page_fresh_take(request->bytes, request->alignment);
    void *home = NULL;
    if (request->bytes >= MOVES_TO_MAPPING)
        home = mapping_alloc(heap, request);
    if (home == NULL)
        home = heap_alloc_inside(heap, request);
    heap_leave(heap);
    return home;
}

void *heap_large_realloc(void *address, const struct heap_block *block, size_t bytes, const char *in)
{
    const size_t usable = usable_bytes(bytes);

    if (block->kind == BLOCK_LARGE && bytes > CLASS_BYTES_MAX && usable <= LARGE_BYTES_MAX &&
        run_resize(page_line(page_offset(address)), usable))
        return address;
    if (block->kind == BLOCK_HUGE && bytes >= MOVES_TO_MAPPING) {
        void *const moved = mapping_resize(address, block->bytes, usable);
        if (moved != NULL)
            return moved; /* else it is copied */
    }

    const struct heap_request request = {bytes, BLOCK_ALIGN, false, in};
    void *const home = new_home(block->heap, &request);

    if (home == NULL)
        return NULL;
    __builtin_memcpy(home, address, bytes < block->bytes ? bytes : block->bytes);
    (void)heap_free(address, in);
    return home;
}
