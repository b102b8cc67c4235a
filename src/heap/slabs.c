/* slabs.c: the slabs of a heap, and where each of them is.
 *
 *             +--list empty, nothing freed--> full --some freed--+
 *             |                                                  v
 *   fresh -> current <------------oldest first------------- partial --all free--> given back
 *             ^
 *   orphan ---+
 *
 * Invariant: a slab of a heap is current, in the full list of its class, or in the partial queue of its class; never in
 * two. Threads:   inside the heap. */
#include "heap/own.h"

/* A sleeping slab joins the queue again after a 64th of its blocks and one more have been freed: so a refill finds more
 * than one block, and a slab is not woken for each. docs/design/003. */
enum { WAKE_SHARE = 64 };

static uint32_t wake_after(const struct slab *slab) { return 1 + class_table[slab->line.class].capacity / WAKE_SHARE; }

/* ---- The two lists ------------------------------------------------------------------------------------------------------------- */

static void queue_append(struct heap_queue *queue, struct slab *slab)
{
    const granule_index index = page_index_of(slab);

    slab->line.state = SLAB_PARTIAL;
    slab->next = NO_GRANULE;
    slab->previous = queue->newest;
    if (queue->newest.i != 0)
        slab_at(queue->newest)->next = index;
    else
        queue->oldest = index;
    queue->newest = index;
}

static void queue_remove(struct heap_queue *queue, struct slab *slab)
{
    slab->line.state = SLAB_UNLISTED;
    if (slab->previous.i != 0)
        slab_at(slab->previous)->next = slab->next;
    else
        queue->oldest = slab->next;
    if (slab->next.i != 0)
        slab_at(slab->next)->previous = slab->previous;
    else
        queue->newest = slab->previous;
}

static void full_insert(granule_index *head, struct slab *slab)
{
    slab->line.state = SLAB_FULL;
    slab->previous = NO_GRANULE;
    slab->next = *head;
    if (head->i != 0)
        slab_at(*head)->previous = page_index_of(slab);
    *head = page_index_of(slab);
}

static void full_remove(granule_index *head, struct slab *slab)
{
    slab->line.state = SLAB_UNLISTED;
    if (slab->previous.i != 0)
        slab_at(slab->previous)->next = slab->next;
    else
        *head = slab->next;
    if (slab->next.i != 0)
        slab_at(slab->next)->previous = slab->previous;
}

/* ---- Ways through them ------------------------------------------------------------------------------------------------------------ */

/* The owner's lists are no atomics, for the sake of its hot path: a visitor's look at them is a guess until it holds
 * the owner outside. */
__attribute__((no_sanitize("thread"))) struct slab *heap_idle_slab(const struct heap *heap, class_id class)
{
    struct slab *const slab = *(struct slab *const volatile *)&heap->current[class.i];
    const bool is_listed = *(struct block *const volatile *)&heap->list[class.i] != NULL;

    return slab != NULL && !is_listed && slab_used_by_any(slab) == 0 ? slab : NULL;
}

void heap_slabs_end_idle(struct heap *heap, class_id first)
{
    for (class_id class = first; class.i < CLASS_COUNT; class.i++) {
        struct slab *const slab = heap_idle_slab(heap, class);
        if (slab != NULL) {
            heap->current[class.i] = NULL;
            heap_slab_release(slab);
        }
    }
}

static struct slab *fresh_slab(struct heap *heap, class_id class)
{
    const granule_count granules = {class_table[class.i].granules};

    heap_slabs_end_idle(heap, (class_id){CLASS_MEDIUM});
    const granule_index first = page_take(granules, GRANULE_BYTES).first;

    if (first.i == 0)
        return NULL;
    struct slab *const slab = slab_start(first, class);
    heap_own_fresh(heap, slab);
    return slab;
}

struct slab *heap_slab_next(struct heap *heap, class_id class)
{
    struct heap_queue *const queue = &heap->partial[class.i];

    if (queue->oldest.i != 0) {
        struct slab *const slab = slab_at(queue->oldest);
        queue_remove(queue, slab);
        slab->line.waits = 0;
        return slab;
    }
    struct slab *const orphan = load_relaxed(&heap->is_shared) ? NULL : heap_adopt(heap, class);

    return orphan != NULL ? orphan : fresh_slab(heap, class);
}

void heap_slab_sleep(struct heap *heap, struct slab *slab)
{
    const uint32_t used = slab_used(slab);

    ASSERT(used >= wake_after(slab) && slab->freed == NULL);
    slab->needed = wake_after(slab);
    slab->line.slack = (uint16_t)(used - slab->needed);
    full_insert(&heap->full[slab->line.class], slab);
}

void heap_slab_release(struct slab *slab)
{
    const granule_index first = page_index_of(slab);

    heap_uncount_active(slab_present_bytes(slab));
    page_give(first, slab_end(slab));
}

void heap_slab_release_idle(struct slab *slab)
{
    const granule_index first = page_index_of(slab);

    heap_uncount_active(slab_present_bytes(slab));
    page_give_idle(first, slab_end(slab));
}

/* Take `slab`, which is not current, out of its list. */
static void leave_list(struct heap *heap, struct slab *slab)
{
    if (slab->line.state == SLAB_FULL)
        full_remove(&heap->full[slab->line.class], slab);
    else if (slab->line.state == SLAB_PARTIAL)
        queue_remove(&heap->partial[slab->line.class], slab);
}

void heap_slab_end_idle(struct heap *heap, struct slab *slab)
{
    if (heap->current[slab->line.class] == slab)
        heap->current[slab->line.class] = NULL;
    else
        leave_list(heap, slab);
    heap_slab_release_idle(slab);
}

/* Put a slab that is in no list where it belongs, or end it. */
static void settle_slab(struct heap *heap, struct slab *slab)
{
    slab_wake(slab);
    if (slab->needed == 0)
        heap_slab_release(slab);
    else if (slab->freed != NULL || !slab_is_fully_carved(slab))
        queue_append(&heap->partial[slab->line.class], slab);
    else
        heap_slab_sleep(heap, slab);
}

/* `needed` has come to 0. */
static void react(struct heap *heap, struct slab *slab)
{
    if (slab == heap->current[slab->line.class])
        return; /* empty, and about to be used again */
    leave_list(heap, slab);
    settle_slab(heap, slab);
}

void heap_slab_freed(struct heap *heap, struct slab *slab, uint32_t count)
{
    if ((int32_t)(slab->needed - count) > 0) { /* it may have wrapped, see is_due() */
        slab->needed -= count;
        return;
    }
    slab->line.slack = (uint16_t)(slab->line.slack - (count - slab->needed));
    slab->needed = 0;
    react(heap, slab);
}

/* Whether `needed` has come to 0. It has wrapped if a handler freed more blocks of this slab since. */
static bool is_due(const struct slab *slab) { return (int32_t)slab->needed <= 0; }

void heap_event(struct slab *slab)
{
    struct heap *const heap = heap_mine(); /* its own: the slab is this thread's */

    if (!heap_enter_own(
            heap)) { /* in a signal handler: leave the lists alone; the next free in this slab looks again */
        const bool may_be_ending = !os_lock_is_free(&heap->lock) && heap_remote_count(slab) == slab_used(slab);
        if (slab->line.slack != 0 && !may_be_ending) { /* by a visitor */
            slab->needed = 1;
            slab->line.slack--;
        }
        return;
    }
    if (heap_slab_is_mine(slab) && is_due(slab)) { /* else a visitor ended it while we waited */
        slab->line.slack = (uint16_t)(slab->line.slack + slab->needed);
        slab->needed = 0;
        react(heap, slab);
    }
    heap_leave_own(heap);
}

void heap_slab_join(struct heap *heap, struct slab *slab) { settle_slab(heap, slab); }

void heap_list_return(struct heap *heap, class_id class)
{
    struct block *const first = heap->list[class.i];
    struct slab *const slab = heap->current[class.i];
    struct block *last = NULL;

    heap->list[class.i] = NULL;
    if (first == NULL)
        return;
    const int count = slab_walk(slab, first, slab_used(slab), &last);
    if (count <= 0)
        return; /* damaged: the blocks stay used; nobody gets them */
    last->link = slab_link(slab->freed);
    slab->freed = first;
    count_up(&heap->handed[class.i], -(uint64_t)count);
    heap_slab_freed(heap, slab, (uint32_t)count);
}

static void let_go_of_list(granule_index *head, void (*let_go)(struct slab *slab))
{
    while (head->i != 0) {
        struct slab *const slab = slab_at(*head);
        *head = slab->next;
        slab->line.state = SLAB_UNLISTED;
        let_go(slab);
    }
}

void heap_slabs_leave(struct heap *heap, void (*let_go)(struct slab *slab))
{
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        struct slab *const current = heap->current[class.i];
        heap->current[class.i] = NULL;
        heap->list[class.i] = NULL;
        if (current != NULL)
            let_go(current);
        let_go_of_list(&heap->full[class.i], let_go);
        let_go_of_list(&heap->partial[class.i].oldest, let_go);
        heap->partial[class.i].newest = NO_GRANULE;
    }
}
