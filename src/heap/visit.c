/* visit.c: the heaps of other threads, which may be asleep for hours, when the program wants memory back.
 *
 *   owner                                     visitor
 *   -----------------------------------       ------------------------------------------------
 *   is_busy = true                            take the heap's lock
 *   (no barrier: compiler only)               barrier in every thread of the process
 *   lock taken? out again, and wait           is_busy? out again: the owner is awake
 *   ... slow path ...                         ... parcels, inbox ...
 *   is_busy = false                           drop the lock
 *
 * So the owner pays a load for what hardly ever happens. Its fast paths do not ask at all: a visitor touches nothing
 * that they touch, neither lists nor current slabs nor a slab of which the program holds a block. What it can do is
 * send the parcels, and end slabs all of whose blocks other threads have freed.
 *
 * Order of locks: visits, a heap's, orphans, the page floor's.
 * source: asymmetric Dekker by membarrier(2); Dice, Huang, Yang, "Asymmetric Dekker Synchronization", 2001.
 * docs/design/010. */
#include "heap/own.h"

static struct os_lock visit_lock;
static bool visit_fork_holds; /* guarded by visit_lock */

static void look_after(struct heap *heap, void *context)
{
    (void)context;
    if (!load_relaxed(&heap->is_live) || heap == heap_own() || !os_lock_take(&heap->lock))
        return;
    /* acquire: pairs with the release in heap_leave(). */
    if (os_barrier_everywhere() && !load_acquire(&heap->is_busy)) {
        heap_send_parcels(heap);
        heap_collect_as_visitor(heap);
    }
    os_lock_drop(&heap->lock);
}

void heap_visit_all(void)
{
    if (!os_lock_take(&visit_lock))
        return; /* a signal handler interrupted a visit of this very thread */
    heap_each(look_after, NULL);
    os_lock_drop(&visit_lock);
}

void heap_visits_fork_prepare(void) { visit_fork_holds = os_lock_take(&visit_lock); }

void heap_visits_fork_parent(void)
{
    if (visit_fork_holds)
        os_lock_drop(&visit_lock);
}

void heap_visits_fork_child(void)
{
    if (visit_fork_holds)
        os_lock_reset(&visit_lock);
}
