/* thread.c: a thread's heap, from its first slow path to its end.
 *
 *   no_heap --first slow path--> a heap --thread ends--> exited_heap: the shared heap, under its lock
 *                                   \--misuse reported--> reserve_heap: fresh mappings, nothing is freed
 *
 * The thread-local word always names something whose lists may be read: before the first slow path a constant with
 * empty lists, so "not initialised yet" costs the fast path nothing. Calls go on coming after our thread destructor
 * (other keys' destructors, libc's own clean-up); nothing is ever torn down.
 *
 * Heaps lie a fixed distance apart in a range of their own and are never unmapped: an id always leads to readable
 * memory. */
#include "heap/own.h"

/* Constant: the fast path only reads their lists. */
const struct block *const heap_none[HEAPS_WITHOUT_BLOCKS][HEAP_NONE_LISTS];

__thread uintptr_t heap_self __attribute__((visibility("hidden"), tls_model("initial-exec")));

static void become(const struct heap *heap) { heap_self = heap_self_of(heap); }

static void become_heapless(enum heap_without_blocks which) { heap_self = which * sizeof heap_none[0]; }

static bool is_heapless(enum heap_without_blocks which) { return heap_self == which * sizeof heap_none[0]; }

struct heap_taps heap_taps;

static struct os_lock heaps_lock = {.rank = LOCK_HEAPS};

static struct {
    _Atomic uint32_t count; /* ids given out: 1 .. count; read without the lock */
    struct heap *spare;     /* heaps of threads that have ended */
    struct heap *shared;    /* all shared heaps */
    struct heap *common;    /* the shared heap of threads without one */
} heaps;                    /* guarded by heaps_lock */

/* ---- Heaps ------------------------------------------------------------------------------------------------------------------------- */

struct heap *heap_at(uint32_t id) { return (struct heap *)(page_heaps_range.base + (size_t)(id - 1) * HEAP_STRIDE); }

void heap_each(void (*visit)(struct heap *heap, void *context), void *context)
{
    /* acquire: pairs with the release in new_heap(). No lock: the caller may be inside a shared heap, whose lock comes
     * after. */
    const uint32_t count = load_acquire(&heaps.count);

    for (uint32_t id = 1; id <= count; id++)
        visit(heap_at(id), context);
}

/* guarded by heaps_lock */
static struct heap *new_heap(void)
{
    enum { ID_MAX = (1 << 20) - 2 }; /* the remote word has room for 20 bits, and the last id stands for nobody */
    const uint32_t id = load_relaxed(&heaps.count) + 1;
    const size_t bytes = (size_t)id * HEAP_STRIDE;

    if (id > ID_MAX || !page_open() || !page_range_grow(&page_heaps_range, bytes, bytes + bytes / 2))
        return NULL;
    struct heap *const heap = heap_at(id);
    heap->id = id;
    heap->lock.rank = LOCK_HEAP;
    heap->link_secret = page_ground.link_secret;
    store_release(&heaps.count, id); /* publishes the heap; pairs with the acquire in heap_each() */
    return heap;
}

/* A heap nobody uses, its inbox open. guarded by heaps_lock */
static struct heap *pick_heap(bool is_shared)
{
    struct heap *heap = heaps.spare;

    if (heap != NULL)
        heaps.spare = heap->next;
    else
        heap = new_heap();
    if (heap == NULL)
        return NULL;
    store_relaxed(&heap->is_shared, is_shared);
    heap->next = is_shared ? heaps.shared : NULL;
    if (is_shared)
        heaps.shared = heap;
    store_relaxed(&heap->is_live, true);
    heap_inbox_open(heap);
    return heap;
}

/* The heap of a thread that ended without our hearing of it, its first call having come in the last round of thread
 * keys' destructors: no two live threads have the same thread pointer, and libc hands stacks on. Looks at the newest
 * heaps only, and only when no other is spare. guarded by heaps_lock */
static struct heap *left_behind(uintptr_t thread)
{
    enum { NEWEST = 64 };
    const uint32_t count = load_relaxed(&heaps.count);

    for (uint32_t id = count; heaps.spare == NULL && id > 0 && id + NEWEST > count; id--) {
        struct heap *const heap = heap_at(id);
        if (heap->thread == thread && load_relaxed(&heap->is_live) && !load_relaxed(&heap->is_busy))
            return heap;
    }
    return NULL;
}

static struct heap *take_own_heap(void)
{
    const uintptr_t thread = os_thread_pointer();

    if (!os_lock_take(&heaps_lock))
        return NULL;
    struct heap *heap = left_behind(thread);
    if (heap == NULL)
        heap = pick_heap(false);
    if (heap != NULL) {
        heap->thread = thread;
        heap->is_armed = false;
    }
    os_lock_drop(&heaps_lock);
    return heap;
}

/* guarded by heaps_lock */
static void unlist_shared(const struct heap *heap)
{
    struct heap **link = &heaps.shared;

    while (*link != heap)
        link = &(*link)->next;
    *link = heap->next;
}

static void give_heap(struct heap *heap)
{
    if (!os_lock_take(&heaps_lock))
        return; /* interrupted inside: the heap is lost, it is empty */
    heap_suspects_forget(heap);
    if (load_relaxed(&heap->is_shared))
        unlist_shared(heap);
    store_relaxed(&heap->is_shared, false);
    heap->is_armed = false;
    heap->thread = 0;
    store_relaxed(&heap->is_public, false);
    store_relaxed(&heap->is_live, false);
    heap->next = heaps.spare;
    heaps.spare = heap;
    os_lock_drop(&heaps_lock);
}

/* ---- Inside and outside ---------------------------------------------------------------------------------------------------------------- */

bool heap_is_reserve(void) { return is_heapless(RESERVE_HEAP); }

bool heap_enter_own_slowly(struct heap *heap)
{
    while (!load_relaxed(&heap->is_busy)) {
        if (os_lock_is_held(&heap->lock)) { /* we interrupt our own wait */
            store_relaxed(&heap->is_busy, true);
            return true;
        }
        if (!os_lock_take(&heap->lock)) /* wait for the visitor */
            return false;
        os_lock_drop(&heap->lock);
        if (heap_try_enter_own(heap))
            return true;
    }
    return false;
}

bool heap_enter_shared(struct heap *heap) { return os_lock_take(&heap->lock); }

/* The shared heap of threads that have none of their own. */
static struct heap *enter_common(void)
{
    if (!os_lock_take(&heaps_lock))
        return NULL;
    if (heaps.common == NULL)
        heaps.common = pick_heap(true);
    struct heap *const common = heaps.common;
    os_lock_drop(&heaps_lock);
    return common != NULL && heap_enter_shared(common) ? common : NULL;
}

/* The thread's first slow path. */
static struct heap *begin(void)
{
    struct heap *const heap = take_own_heap();

    if (heap == NULL)
        return enter_common();
    become(heap);
    if (heap_taps.thread_began != NULL)
        heap_taps.thread_began(); /* may allocate: the heap is ready */
    return heap_enter_own(heap) ? heap : NULL;
}

struct heap *heap_enter(void)
{
    struct heap *const heap = heap_own();

    if (likely(heap != NULL))
        return heap_enter_own(heap) ? heap : NULL;
    if (is_heapless(NO_HEAP))
        return begin();
    return is_heapless(EXITED_HEAP) ? enter_common() : NULL;
}

void heap_leave(struct heap *heap)
{
    if (load_relaxed(&heap->is_shared))
        os_lock_drop(&heap->lock);
    else
        heap_leave_own(heap);
}

/* ---- Time -------------------------------------------------------------------------------------------------------------------------------- */

void heap_look_around(struct heap *heap)
{
    enum { PURGE_MS = 50 };
    static _Atomic uint64_t last_purge;
    const uint64_t now = os_clock_coarse_ms();
    uint64_t last = load_relaxed(&last_purge);

    heap_collect(heap);
    if ((uint32_t)now != heap->sent_ms) {
        heap->sent_ms = (uint32_t)now;
        heap_send_parcels(heap);
    }
    heap_magazines_due(heap, now);
    heap_thin_due(heap, now);
    if (now - last < PURGE_MS ||
        !atomic_compare_exchange_strong_explicit(&last_purge, &last, now, memory_order_relaxed, memory_order_relaxed))
        return;
    page_purge_due(now);
    if (!load_relaxed(&heap->is_shared))
        heap_visit_due(now);
    if (heap_taps.time_passed != NULL)
        heap_taps.time_passed();
}

/* ---- The end ------------------------------------------------------------------------------------------------------------------------------ */

static void let_go(struct slab *slab)
{
    if (slab_used(slab) == 0)
        heap_slab_release(slab);
    else
        heap_orphan(slab);
}

/* Empty `heap`: everything in it goes home or becomes an orphan. thread: inside it. */
static void dissolve(struct heap *heap)
{
    heap_magazines_return(heap);
    heap_send_parcels(heap);
    heap_collect(heap);
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++)
        heap_list_return(heap, class);
    heap_slabs_leave(heap, let_go);
    heap_inbox_close(heap);
}

void heap_thread_exit(void)
{
    struct heap *const heap = heap_own();

    /* from a signal handler inside a slow path, or where we hold a lock: leave all as it is */
    if (heap == NULL || os_lock_any_is_held() || !heap_enter_own(heap)) {
        if (!heap_is_reserve())
            become_heapless(EXITED_HEAP);
        return;
    }
    become_heapless(EXITED_HEAP);
    dissolve(heap);
    heap_leave(heap);
    give_heap(heap);
}

bool heap_thread_arm(void)
{
    struct heap *const heap = heap_own();

    if (heap == NULL || heap->is_armed)
        return false;
    heap->is_armed = true;
    return true;
}

void heap_thread_reserve(void) { become_heapless(RESERVE_HEAP); }

void heap_settle(void)
{
    struct heap *const heap = heap_enter();

    if (heap == NULL)
        return;
    heap_magazines_return(heap);
    heap_send_parcels(heap);
    heap_collect(heap);
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        struct slab *const current = heap->current[class.i];
        heap_list_return(heap, class);
        if (current != NULL && slab_used(current) == 0) {
            heap->current[class.i] = NULL;
            heap_slab_release(current);
        }
    }
    heap_thin_all(heap);
    heap_leave(heap);
}

void heap_give_back(struct heap *heap)
{
    heap_magazines_return(heap);
    heap_send_parcels(heap);
    heap_collect(heap);
    for (class_id class = {CLASS_MEDIUM}; class.i < CLASS_COUNT; class.i++)
        heap_list_return(heap, class);
    heap_slabs_end_idle(heap, (class_id){0});
}

/* ---- Shared heaps --------------------------------------------------------------------------------------------------------------------------- */

struct heap *heap_shared_new(void)
{
    if (!os_lock_take(&heaps_lock))
        return NULL;
    struct heap *const heap = pick_heap(true);
    if (heap != NULL)
        store_relaxed(&heap->is_public, true);
    os_lock_drop(&heaps_lock);
    return heap;
}

void heap_shared_destroy(struct heap *heap)
{
    if (!heap_enter_shared(heap))
        return; /* destroyed from a handler that interrupted its use: against the contract, and harmless */
    heap_collect(heap);
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++)
        heap_list_return(heap, class);
    heap_slabs_leave(heap, heap_slab_release);
    heap_large_end_all(heap);
    heap_inbox_close(heap);
    heap_leave(heap);
    give_heap(heap);
}

/* ---- Fork ----------------------------------------------------------------------------------------------------------------------------------- */

static void hold_if_shared(struct heap *heap, void *context)
{
    (void)context;
    if (load_relaxed(&heap->is_shared))
        os_lock_fork_prepare(&heap->lock, &heaps_lock);
}

static void release_after_fork(struct heap *heap, void *context)
{
    (void)context;
    os_lock_fork_parent(&heap->lock);
}

static void release_in_child(struct heap *heap, void *is_whole)
{
    const bool is_shared_whole = os_lock_fork_child(&heap->lock);

    *(bool *)is_whole &= is_shared_whole || !load_relaxed(&heap->is_shared);
}

void heap_threads_fork_prepare(void)
{
    os_lock_fork_prepare(&heaps_lock, NULL);
    heap_each(hold_if_shared, NULL);
}

void heap_threads_fork_parent(void)
{
    heap_each(release_after_fork, NULL);
    os_lock_fork_parent(&heaps_lock);
}

bool heap_threads_fork_child(void)
{
    bool is_whole = os_lock_fork_child(&heaps_lock);

    heap_each(release_in_child, &is_whole);
    return is_whole;
}

static void bury(struct heap *heap)
{
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        heap->list[class.i] = NULL;
        heap->current[class.i] = NULL;
        heap->partial[class.i] = (struct heap_queue){NO_GRANULE, NO_GRANULE};
        heap->full[class.i] = NO_GRANULE;
        if (class.i >= CLASS_MEDIUM)
            heap_magazine_of(heap, class)->count = 0;
    }
    for (int i = 0; i < HEAP_PARCELS; i++)
        heap->parcels[i].slab = NULL;
    store_relaxed(&heap->parcel_bytes, 0);
    store_relaxed(&heap->is_busy, false);
    give_heap(heap);
}

void heap_bury_all(bool (*is_gone)(const struct heap *heap))
{
    const uint32_t count = load_relaxed(&heaps.count);

    for (uint32_t id = 1; id <= count; id++)
        if (is_gone(heap_at(id)))
            bury(heap_at(id));
}
