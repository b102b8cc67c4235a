/* visit.c: the heaps of other threads, which may be asleep for hours, when the program wants memory back.
 *
 *   owner                                     visitor
 *   -----------------------------------       ------------------------------------------------
 *   is_busy = true                            take the heap's lock
 *   (no barrier: compiler only)               wait until all stores are seen
 *   lock taken? out again, and wait           is_busy? out again: the owner is awake
 *   ... slow path ...                         ... parcels, inbox ...
 *   is_busy = false                           drop the lock
 *
 * So the owner pays a load for what hardly ever happens. Its fast paths do not ask at all: a visitor touches nothing
 * that they touch: no list of small blocks, and no slab of which the program or such a list holds a block. (The count
 * of used blocks is the last thing that a fast path writes in a slab. A list that is empty stays so until the next slow
 * path.) What it can do is send the parcels and what magazines and medium lists hold, and end slabs all of whose blocks
 * have come home: other threads' doing and its own, or current and empty. All heaps are visited together, for one wait.
 * Shared heaps are not: whoever uses one next looks into its inbox.
 *
 * docs/design/010. */
#include "heap/own.h"

static struct os_lock visit_lock = {.rank = LOCK_VISITS};

/* What one round of visits does; guarded by visit_lock. */
struct round {
    bool sleepers_only;
    size_t idle_bytes;     /* in idle slabs, magazines and mail of the sleepers */
    uint32_t heaps;        /* locked */
    granule_index settled; /* slabs taken out of inboxes to end, linked by inbox_next */
    granule_index idle;    /* slabs that were current to end, linked by next */
};

/* A guess: without the heap's lock a slab that was idle may be anything by now. */
__attribute__((no_sanitize("thread"))) static size_t idle_bytes(const struct heap *heap)
{
    size_t bytes = heap_medium_bytes(heap);

    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        const struct slab *const slab = heap_idle_slab(heap, class);
        bytes += slab != NULL ? load_relaxed(&slab->carved) : 0;
    }
    return bytes;
}

static bool may_be_visited(const struct heap *heap)
{
    return load_relaxed(&heap->is_live) && !load_relaxed(&heap->is_shared) && heap != heap_own();
}

/* A heap that has allocated nothing the slow way since the last time is asleep. */
static void find_sleepers(struct heap *heap, void *context)
{
    struct round *const round = context;
    const uint32_t visits = load_relaxed(&heap->visits);

    heap->sleeps = may_be_visited(heap) && visits == heap->visits_seen;
    heap->visits_seen = visits;
    round->idle_bytes += heap->sleeps ? idle_bytes(heap) + heap_mail_bytes(heap) : 0;
}

static void lock_if_worth_a_visit(struct heap *heap, void *context)
{
    struct round *const round = context;

    if (round->sleepers_only ? !heap->sleeps : !may_be_visited(heap))
        return;
    if ((heap_has_mail(heap) || idle_bytes(heap) != 0) && os_lock_try(&heap->lock)) {
        heap->is_visited = true;
        round->heaps++;
    }
}

/* Whether `heap` is locked by this round, and its owner is not inside; then it stays outside. */
static bool is_ours(const struct heap *heap)
{
    /* acquire: pairs with the release in heap_leave(). */
    return heap->is_visited && !load_acquire(&heap->is_busy);
}

static void send_what_is_kept(struct heap *heap, void *context)
{
    (void)context;
    if (!is_ours(heap))
        return;
    heap_medium_send(heap);
    heap_send_parcels(heap);
}

static void sort_mail(struct heap *heap, void *context)
{
    struct round *const round = context;

    if (is_ours(heap))
        heap_sort_mail(heap, &round->settled);
}

static void detach_idle_slabs(struct heap *heap, void *context)
{
    struct round *const round = context;

    for (class_id class = {0}; class.i < CLASS_COUNT && is_ours(heap); class.i++) {
        struct slab *const slab = heap_idle_slab(heap, class);
        if (slab != NULL) {
            heap->current[class.i] = NULL;
            slab->next = round->idle;
            round->idle = page_index_of(slab);
        }
    }
}

static void end_detached(granule_index idle)
{
    while (idle.i != 0) {
        struct slab *const slab = slab_at(idle);
        idle = slab->next;
        heap_slab_release_idle(slab);
    }
}

static void unlock(struct heap *heap, void *context)
{
    (void)context;
    if (!heap->is_visited)
        return;
    heap->is_visited = false;
    os_lock_drop(&heap->lock);
}

static void make_round(struct round round)
{
    heap_each(lock_if_worth_a_visit, &round);
    if (round.heaps == 0)
        return;
    if (os_wait_for_stores()) {
        heap_each(send_what_is_kept, NULL);
        heap_each(sort_mail, &round);
        heap_each(detach_idle_slabs, &round);
    }
    if (round.settled.i != 0 || round.idle.i != 0) {
        (void)os_wait_for_stores(); /* for what owners' fast paths wrote last in these slabs */
        heap_collect_settled(round.settled);
        end_detached(round.idle);
    }
    heap_each(unlock, NULL);
}

void heap_visit_all(void)
{
    if (!os_lock_try(&visit_lock))
        return; /* somebody is visiting already */
    make_round((struct round){.sleepers_only = false});
    os_lock_drop(&visit_lock);
}

void heap_visit_sleepers(size_t least)
{
    struct round round = {.sleepers_only = true};

    if (!os_lock_try(&visit_lock))
        return;
    heap_each(find_sleepers, &round);
    if (round.idle_bytes >= least)
        make_round(round);
    os_lock_drop(&visit_lock);
}

void heap_visit_due(uint64_t now_ms)
{
    static _Atomic uint64_t last_ms;

    if (now_ms - load_relaxed(&last_ms) < load_relaxed(&page_bounds.purge_delay_ms) / 2)
        return;
    store_relaxed(&last_ms, now_ms);
    heap_visit_sleepers(load_relaxed(&page_bounds.dirty_floor)); /* for less it is not worth the wait */
}

void heap_visits_fork_prepare(void) { os_lock_fork_prepare(&visit_lock, NULL); }

void heap_visits_fork_parent(void) { os_lock_fork_parent(&visit_lock); }

/* The visitor of `heap` was another thread. */
static void forget_visit(struct heap *heap, void *context)
{
    (void)context;
    heap->is_visited = false;
}

bool heap_visits_fork_child(void)
{
    const bool is_whole = os_lock_fork_child(&visit_lock);

    if (os_lock_is_free(&visit_lock))
        heap_each(forget_visit, NULL);
    return is_whole;
}
