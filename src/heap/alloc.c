/* alloc.c: from a request to a block, when the list was empty. Medium sizes come from the magazine first.
 *
 * Refill, in this order: the current slab's own freed list, taken whole; what other threads sent back; carving further;
 * the slab that was woken first; for medium sizes, a class just above that has free blocks; an orphan; fresh ground.
 * The order is worth more than any instruction: taking the most recently woken slab instead of the oldest costs 13 % on
 * random replacement (docs/design/003), borrowing from the class above saves a tenth of the memory of programs with
 * many medium sizes (docs/design/011). */
#include "heap/own.h"

/* A class's first slab is carved a page's worth at a time, so that a class which needs ten blocks touches one page. */
#define CARVE_FIRST ((size_t)4 << 10)
#define CARVE_MORE ((size_t)16 << 10)

/* How many classes up a request of medium size may borrow: less than half as much again as its own class. */
enum { BORROW_REACH = 4 };

/* ---- Lists from slabs ----------------------------------------------------------------------------------------------------------- */

/* Carve more of the class's current slab: in small steps as long as it is the only one. */
static struct block *carve(struct heap *heap, class_id class, struct slab *slab, uint32_t *count)
{
    const bool only = heap->full[class.i].i == 0 && heap->partial[class.i].oldest.i == 0;
    struct block *first;

    if (likely(load_relaxed(&slab->line.released) == 0)) {
        first = slab_carve(slab, only ? CARVE_FIRST : CARVE_MORE, count);
    } else {
        first = slab_carve_released(slab, count);
        heap_own_line(heap, slab);
    }

    heap_count_active((size_t)*count * slab->block_bytes);
    return first;
}

static struct block *take_carved(struct heap *heap, class_id class)
{
    uint32_t count;
    struct block *const first = carve(heap, class, heap->current[class.i], &count);

    count_up(&heap->handed[class.i], count);
    return first;
}

/* All that was freed in the current slab of `class`; NULL when that is nothing. */
static inline struct block *take_freed(struct heap *heap, class_id class)
{
    struct slab *const slab = heap->current[class.i];
    uint32_t count;

    if (slab == NULL || slab->freed == NULL)
        return NULL;
    struct block *const first = slab_take_freed(slab, &count);

    count_up(&heap->handed[class.i], count);
    return first;
}

/* The current slab has no blocks left: it sleeps, and the next one takes its place. returns: false when there is none.
 */
static bool advance(struct heap *heap, class_id class)
{
    struct slab *const used_up = heap->current[class.i];

    heap->current[class.i] = NULL;
    if (used_up != NULL)
        heap_slab_sleep(heap, used_up);
    heap->current[class.i] = heap_slab_next(heap, class);
    return heap->current[class.i] != NULL;
}

/* ---- Refill ----------------------------------------------------------------------------------------------------------------------- */

/* Blocks on their way to a list, which gets them when the first is out. */
struct ready {
    struct block *first; /* NULL: none */
    class_id class;
};

static bool may_carve(const struct heap *heap, class_id class)
{
    return heap->current[class.i] != NULL && !slab_is_fully_carved(heap->current[class.i]);
}

/* The blocks of `class` that cost no memory: they are carved, and free. */
static struct block *idle_blocks(struct heap *heap, class_id class)
{
    if (heap->list[class.i] != NULL)
        return heap->list[class.i];
    struct block *const kept = heap_take_kept(heap, class);

    if (kept != NULL) {
        heap_check_kept(kept, "malloc");
        kept->link = slab_link(NULL);
        return kept;
    }
    struct block *const freed = take_freed(heap, class);

    if (freed != NULL || heap->partial[class.i].oldest.i == 0 || may_carve(heap, class) || !advance(heap, class))
        return freed;
    return take_freed(heap, class);
}

/* Idle blocks of a class just above `class`, at multiples of `alignment`. */
static struct ready borrow(struct heap *heap, class_id class, size_t alignment)
{
    const unsigned end = class.i + BORROW_REACH + 1u;
    struct ready ready = {NULL, class};

    if (class_bytes(class) <= CLASS_SMALL_MAX)
        return ready;
    while (ready.first == NULL && ++ready.class.i < end && ready.class.i < CLASS_COUNT)
        if (class_bytes(ready.class) % alignment == 0)
            ready.first = idle_blocks(heap, ready.class);
    return ready;
}

/* Blocks of `class`, whose list is empty and whose current slab has no freed ones; or of a class that lends to it. */
static NOINLINE struct ready refill(struct heap *heap, class_id class, size_t alignment)
{
    struct ready ready = {NULL, class};

    heap_collect(heap);
    for (;;) {
        ready.first = take_freed(heap, class);
        if (ready.first == NULL && may_carve(heap, class))
            ready.first = take_carved(heap, class);
        if (ready.first != NULL)
            return ready;
        if (heap->partial[class.i].oldest.i == 0) {
            const struct ready borrowed = borrow(heap, class, alignment);
            if (borrowed.first != NULL)
                return borrowed;
        }
        if (!advance(heap, class))
            return ready;
    }
}

/* ---- Taking ----------------------------------------------------------------------------------------------------------------------- */

static COLD struct block *damaged(const struct slab *slab, const struct block *block, const char *in)
{
    heap_report(MISUSE_DAMAGED_LIST, block, (uintptr_t)block, slab->block_bytes, in);
    return NULL;
}

/* The block behind `block`, which lies in `slab`, on a list; NULL at the end, or (reported) where the list is damaged.
 */
static inline struct block *next_checked(const struct slab *slab, const struct block *block, const char *in)
{
    struct block *const next = slab_next(block);

    return next == NULL || likely(slab_has_block(slab, (uintptr_t)next)) ? next : damaged(slab, block, in);
}

/* A block from the list of `class`, which is filled if need be, or of a class that lends to it. */
static NOINLINE void *take_listed(struct heap *heap, class_id class, size_t alignment, const char *in)
{
    struct ready ready = {heap->list[class.i], class};

    if (ready.first == NULL) {
        heap_tick(heap);
        ready.first = take_freed(heap, class);
        if (ready.first == NULL)
            ready = refill(heap, class, alignment);
        if (unlikely(ready.first == NULL))
            return NULL;
    }
    const struct slab *const slab =
        slab_of_line(page_line(page_offset(ready.first))); /* a kept block's is not current */

    heap->list[ready.class.i] = next_checked(slab, ready.first, in);
    slab_mark_used(ready.first);
    return ready.first;
}

/* A block of `class` or of one that lends to it. */
static inline void *take(struct heap *heap, class_id class, size_t alignment, const char *in)
{
    struct block *const kept = heap_take_kept(heap, class);

    if (kept == NULL)
        return take_listed(heap, class, alignment, in);
    heap_check_kept(kept, in);
    slab_mark_used(kept);
    count_up(&heap->visits, 1);
    heap_look_around(heap); /* the fast way, heap_pop_kept(), leaves every 64th to us */
    return kept;
}

void *heap_take(class_id class, size_t alignment, const char *in)
{
    struct heap *const heap = heap_own();

    if (unlikely(heap == NULL || !heap_enter_own(heap)))
        return NULL;
    void *const block = take(heap, class, alignment, in);

    heap_leave_own(heap);
    return block;
}

static void *serve(struct heap *heap, const struct heap_request *request)
{
    if (request->bytes > CLASS_BYTES_MAX || request->alignment > CLASS_BYTES_MAX)
        return heap_large_alloc(heap, request);

    const class_id class = class_of_aligned(request->bytes, request->alignment);
    void *const block = take(heap, class, request->alignment, request->in);

    if (block != NULL && request->zeroed)
        __builtin_memset(block, 0, heap_small_bytes(block));
    return block;
}

/* The request was refused: what this thread holds back, then what others do, may leave room for it. Others are visited
 * now and then only, for it keeps them waiting: who goes on asking for too much is told so at once. */
static NOINLINE void *serve_after_giving_back(struct heap *heap, const struct heap_request *request)
{
    static _Atomic uint64_t visited_ms;
    const uint64_t now_ms = os_clock_coarse_ms();

    if (load_relaxed(&heap->is_shared) || page_is_inside())
        return NULL;
    heap_give_back(heap);
    void *const block = serve(heap, request);

    if (block != NULL || now_ms - load_relaxed(&visited_ms) < load_relaxed(&page_bounds.purge_delay_ms) / 2)
        return block;
    store_relaxed(&visited_ms, now_ms);
    heap_visit_all();
    heap_collect(heap); /* what they sent us */
    return serve(heap, request);
}

void *heap_alloc_inside(struct heap *heap, const struct heap_request *request)
{
    void *const block = serve(heap, request);

    return likely(block != NULL) ? block : serve_after_giving_back(heap, request);
}

void *heap_alloc(struct heap *shared, const struct heap_request *request)
{
    struct heap *heap = shared;

    if (request->bytes > REQUEST_BYTES_MAX)
        return NULL;
    if (shared == NULL)
        heap = heap_enter();
    else if (!heap_enter_shared(shared))
        heap = NULL;
    if (heap == NULL)
        return page_fresh_take(request->bytes, request->alignment);

    void *const block = heap_alloc_inside(heap, request);

    heap_leave(heap);
    if (block == NULL && page_is_inside()) /* a signal handler has interrupted this very thread there */
        return page_fresh_take(request->bytes, request->alignment);
    return block;
}

size_t heap_good_size(size_t bytes, size_t alignment)
{
    if (bytes <= CLASS_BYTES_MAX && alignment <= CLASS_BYTES_MAX)
        return class_bytes(class_of_aligned(bytes, alignment));
    if (bytes > REQUEST_BYTES_MAX - page_ground.page_bytes)
        return bytes;
    return round_up(bytes > 0 ? bytes : 1, page_ground.page_bytes);
}

bool heap_may_serve(const struct heap_block *block, size_t bytes, size_t alignment)
{
    if (block->kind != BLOCK_SMALL || bytes > CLASS_BYTES_MAX || alignment > CLASS_BYTES_MAX)
        return block->bytes == heap_good_size(bytes, alignment);
    const unsigned wanted = class_of_aligned(bytes, alignment).i;
    const bool may_borrow = class_table[wanted].bytes > CLASS_SMALL_MAX && block->bytes % alignment == 0;

    return block->class.i == wanted ||
           (may_borrow && block->class.i > wanted && block->class.i <= wanted + BORROW_REACH);
}
