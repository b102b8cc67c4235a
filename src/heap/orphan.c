/* orphan.c: slabs whose thread has ended, until another thread needs one of their class, or their last block comes
 * home.
 *
 *   no block to hand out: in no list --a block comes home--> in the list of its class --first in the list--> adopted
 *
 * Threads: any; one lock for all classes, held for a few instructions.
 * Not taken: handing a whole heap to the next new thread. A successor often starts before its predecessor ends, so the
 * heap goes to the wrong one; and a thread that allocates other sizes keeps what it cannot use. */
#include "heap/own.h"

static struct os_lock orphan_lock = {.rank = LOCK_ORPHANS};
static _Atomic uint32_t orphans[CLASS_COUNT]; /* first granules, by class, linked both ways; guarded by orphan_lock, but
                                                 see heap_adopt() */

static granule_index first_orphan(class_id class) { return (granule_index){load_relaxed(&orphans[class.i])}; }

static void set_first_orphan(class_id class, granule_index first) { store_relaxed(&orphans[class.i], first.i); }

static void list(struct slab *slab)
{
    const granule_index head = first_orphan(slab_class(slab));

    if (slab->line.state != SLAB_UNLISTED)
        return;
    slab->line.state = SLAB_PARTIAL;
    slab->previous = NO_GRANULE;
    slab->next = head;
    if (head.i != 0)
        slab_at(head)->previous = page_index_of(slab);
    set_first_orphan(slab_class(slab), page_index_of(slab));
}

static void unlist(struct slab *slab)
{
    if (slab->line.state == SLAB_UNLISTED)
        return;
    slab->line.state = SLAB_UNLISTED;
    if (slab->previous.i != 0)
        slab_at(slab->previous)->next = slab->next;
    else
        set_first_orphan(slab_class(slab), slab->next);
    if (slab->next.i != 0)
        slab_at(slab->next)->previous = slab->previous;
}

void heap_orphan(struct slab *slab)
{
    slab_wake(slab);
    if (os_lock_take(&orphan_lock)) {
        if (slab->freed != NULL || !slab_is_fully_carved(slab))
            list(slab);
        heap_disown(slab); /* last: whoever claims it finds it where it belongs */
        os_lock_drop(&orphan_lock);
    }
}

struct slab *heap_adopt(struct heap *heap, class_id class)
{
    /* relaxed, without the lock: one that comes just now is found next time. */
    if (first_orphan(class).i == 0 || !os_lock_take(&orphan_lock))
        return NULL;
    const granule_index first = first_orphan(class);
    struct slab *const slab = first.i != 0 ? slab_at(first) : NULL;
    const bool is_mine = slab != NULL && heap_claim(heap, slab);

    if (is_mine)
        unlist(slab);
    os_lock_drop(&orphan_lock);
    return is_mine ? slab : NULL;
}

bool heap_adopt_this(struct heap *heap, struct slab *slab)
{
    if (!os_lock_take(&orphan_lock))
        return false;
    const bool is_mine = line_kind(&slab->line) == GRANULE_SLAB && heap_claim(heap, slab);
    if (is_mine)
        unlist(slab);
    os_lock_drop(&orphan_lock);
    return is_mine;
}

void heap_orphan_returned(struct slab *slab)
{
    if (!os_lock_take(&orphan_lock))
        return; /* a signal handler interrupted us here: the blocks wait for the next that come home */
    const uint32_t home = heap_orphan_home(slab);
    if (home != 0 && home == slab_used(slab)) {
        unlist(slab);
        heap_slab_release(slab); /* under the lock: whoever comes next must not find it home again */
    } else if (home != 0) {
        list(slab);
    }
    os_lock_drop(&orphan_lock);
}

void heap_orphan_fork_prepare(void) { os_lock_fork_prepare(&orphan_lock, NULL); }

void heap_orphan_fork_parent(void) { os_lock_fork_parent(&orphan_lock); }

bool heap_orphan_fork_child(void) { return os_lock_fork_child(&orphan_lock); }
