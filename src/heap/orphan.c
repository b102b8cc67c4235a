/* orphan.c: slabs whose thread has ended, until another thread needs one of their class, or their last block comes
 * home.
 *
 * Threads: any; one lock for all classes, held for a few instructions. Order: this lock, then the page floor's.
 * Not taken: handing a whole heap to the next new thread. A successor often starts before its predecessor ends, so the
 * heap goes to the wrong one; and a thread that allocates other sizes keeps what it cannot use. */
#include "heap/own.h"

static struct os_lock orphan_lock;
static granule_index orphans[CLASS_COUNT]; /* by class, linked both ways; guarded by orphan_lock */
static bool orphan_fork_holds;             /* guarded by orphan_lock */

static void unlist(struct slab *slab)
{
    if (slab->previous.i != 0)
        slab_at(slab->previous)->next = slab->next;
    else
        orphans[slab->line.class] = slab->next;
    if (slab->next.i != 0)
        slab_at(slab->next)->previous = slab->previous;
}

void heap_orphan(struct slab *slab)
{
    granule_index *const head = &orphans[slab->line.class];

    slab_wake(slab);
    if (os_lock_take(&orphan_lock)) {
        slab->previous = NO_GRANULE;
        slab->next = *head;
        if (head->i != 0)
            slab_at(*head)->previous = page_index_of(slab);
        *head = page_index_of(slab);
        heap_disown(slab); /* listed first: whoever claims it finds it there */
        os_lock_drop(&orphan_lock);
    }
}

struct slab *heap_adopt(struct heap *heap, class_id class)
{
    struct slab *adopted = NULL;

    if (orphans[class.i].i == 0 || !os_lock_take(&orphan_lock))
        return NULL;
    for (granule_index index = orphans[class.i]; index.i != 0; index = slab_at(index)->next) {
        if (heap_claim(heap, slab_at(index))) {
            adopted = slab_at(index);
            unlist(adopted);
            break;
        }
    }
    os_lock_drop(&orphan_lock);
    return adopted;
}

bool heap_adopt_this(struct heap *heap, struct slab *slab)
{
    if (!os_lock_take(&orphan_lock))
        return false;
    const bool is_mine = heap_claim(heap, slab);
    if (is_mine)
        unlist(slab);
    os_lock_drop(&orphan_lock);
    return is_mine;
}

void heap_orphan_end_if_empty(struct slab *slab)
{
    if (!os_lock_take(&orphan_lock))
        return; /* a signal handler interrupted us here: the next adoption finds the blocks */
    const bool ends = heap_is_home(slab);
    if (ends) {
        unlist(slab);
        heap_slab_release(slab); /* under the lock: whoever comes next must not find it home again */
    }
    os_lock_drop(&orphan_lock);
}

void heap_orphan_fork_prepare(void) { orphan_fork_holds = os_lock_take(&orphan_lock); }

void heap_orphan_fork_parent(void)
{
    if (orphan_fork_holds)
        os_lock_drop(&orphan_lock);
}

void heap_orphan_fork_child(void)
{
    if (orphan_fork_holds)
        os_lock_reset(&orphan_lock);
}
