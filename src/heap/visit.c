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
 * that they touch, neither lists nor current slabs nor a slab of which the program holds a block. (The count of used
 * blocks is the last thing that a fast path writes in a slab.) What it can do is send the parcels, and end slabs all of
 * whose blocks other threads have freed. All heaps are visited together, for one wait. Shared heaps are not: whoever
 * uses one next looks into its inbox.
 *
 * docs/design/010. */
#include "heap/own.h"

static struct os_lock visit_lock = {.rank = LOCK_VISITS};

/* What one round of visits does; guarded by visit_lock. */
struct round {
    uint32_t heaps;        /* locked */
    granule_index settled; /* slabs taken out of inboxes to end, linked by inbox_next */
};

static void lock_if_worth_a_visit(struct heap *heap, void *context)
{
    struct round *const round = context;

    if (load_relaxed(&heap->is_live) && !load_relaxed(&heap->is_shared) && heap != heap_own() && heap_has_mail(heap) &&
        os_lock_try(&heap->lock)) {
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

static void send_parcels(struct heap *heap, void *context)
{
    (void)context;
    if (is_ours(heap))
        heap_send_parcels(heap);
}

static void sort_mail(struct heap *heap, void *context)
{
    struct round *const round = context;

    if (is_ours(heap))
        heap_sort_mail(heap, &round->settled);
}

static void unlock(struct heap *heap, void *context)
{
    (void)context;
    if (!heap->is_visited)
        return;
    heap->is_visited = false;
    os_lock_drop(&heap->lock);
}

static void visit_all(void)
{
    struct round round = {0};

    heap_each(lock_if_worth_a_visit, &round);
    if (round.heaps == 0)
        return;
    if (os_wait_for_stores()) {
        heap_each(send_parcels, NULL);
        heap_each(sort_mail, &round);
    }
    if (round.settled.i != 0) {
        (void)os_wait_for_stores(); /* for what owners' fast paths wrote last in these slabs */
        heap_collect_settled(round.settled);
    }
    heap_each(unlock, NULL);
}

void heap_visit_all(void)
{
    if (!os_lock_try(&visit_lock))
        return; /* somebody is visiting already */
    visit_all();
    os_lock_drop(&visit_lock);
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
