/* remote.c: blocks freed by another thread than the one that owns their slab.
 *
 *   free --> parcel (one slab's blocks, linked, in the freeing thread) --> the slab's remote word --> the owner's inbox
 *
 * A parcel is sent with one compare-and-swap. Whoever thereby makes an owned slab's word non-empty takes its token,
 * which is the duty to bring the slab to its owner's inbox; there the token rests until the owner takes the blocks.
 *
 * Invariants
 *   - token set: exactly one thread or one inbox has the slab in hand; inbox_next belongs to that one.
 *   - blocks in the word count as used. So a slab with a token is never empty and never ends under its bearer.
 *   - only the bearer's inbox gives the blocks to the owner; an orphan's blocks wait for whoever claims it.
 *   - the word of an orphan has owner 0. Only who holds the orphans' lock may give it an owner or end it.
 *   - an inbox may hold a slab that has changed hands since: its reader brings it to the present owner.
 * Consumers take all (exchange); nobody pops one: no ABA. Nobody waits for anybody.
 * Model: tests/model/remote.pml.
 * source: batching per slab follows the idea of snmalloc's "BatchIt" (Li et al., ISMM 2024). */
#include "heap/remote.h"

#define INBOX_CLOSED UINT64_MAX

uint32_t heap_owner_of(const struct slab *slab) { return remote_unpack(load_relaxed(&slab->remote)).owner; }

bool heap_is_direct(const struct slab *slab) { return remote_unpack(load_relaxed(&slab->remote)).direct; }

uint32_t heap_remote_count(const struct slab *slab) { return remote_unpack(load_relaxed(&slab->remote)).count; }

void heap_own_line(const struct heap *heap, struct slab *slab)
{
    const bool asks = slab->line.class >= CLASS_MEDIUM || load_relaxed(&slab->line.released) != 0;
    const uintptr_t self = heap_self_of(heap) | (asks ? LINE_ASKS : 0);

    store_relaxed(&slab->line.owner, load_relaxed(&heap->is_shared) ? LINE_NOBODY : self);
}

void heap_own_fresh(struct heap *heap, struct slab *slab)
{
    store_relaxed(&slab->remote,
                  remote_pack((struct remote){.owner = heap->id, .direct = load_relaxed(&heap->is_shared)}));
    heap_own_line(heap, slab);
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------------------------- */

/* Bring `slab`, whose token the caller bears, to `heap`. returns: false when that inbox is closed. */
static bool inbox_push(struct heap *heap, struct slab *slab)
{
    uint64_t head = load_relaxed(&heap->inbox);

    do {
        if (head == INBOX_CLOSED)
            return false;
        slab->inbox_next = (granule_index){(uint32_t)head};
        /* release: publishes inbox_next; pairs with the acquire in inbox_take(). */
    } while (!atomic_compare_exchange_weak_explicit(&heap->inbox, &head, page_index_of(slab).i, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

static uint64_t inbox_take(struct heap *heap, uint64_t leave)
{
    /* acquire: pairs with the release in inbox_push(). */
    return atomic_exchange_explicit(&heap->inbox, leave, memory_order_acquire);
}

/* Bring `slab`, whose token the caller bears, to its owner; an orphan's token ends. */
static void deliver(struct slab *slab)
{
    uint64_t word = load_relaxed(&slab->remote);

    for (;;) {
        struct remote remote = remote_unpack(word);
        if (remote.owner != 0) {
            if (inbox_push(heap_at(remote.owner), slab))
                return;
            word = load_relaxed(&slab->remote); /* that owner has let go of all its slabs before it closed: ask again */
            continue;
        }
        remote.token = false;
        const uint64_t without = remote_pack(remote);
        if (atomic_compare_exchange_weak_explicit(&slab->remote, &word, without, memory_order_release,
                                                  memory_order_relaxed)) {
            heap_orphan_returned(slab);
            return;
        }
    }
}

/* ---- Sending ------------------------------------------------------------------------------------------------------------------------ */

static void publish(const struct heap_parcel *parcel)
{
    struct slab *const slab = parcel->slab;
    const uint32_t first = slab_number_of(slab, parcel->first);
    const uint32_t last = slab_number_of(slab, parcel->last);
    uint64_t word = load_relaxed(&slab->remote);
    struct remote before;
    uint64_t after;

    do {
        before = remote_unpack(word);
        parcel->last->link = slab_link(before.count != 0 ? slab_block(slab, before.first) : NULL);
        after = remote_pack((struct remote){
            .first = first,
            .last = before.count != 0 ? before.last : last,
            .count = before.count + parcel->count,
            .token = before.token || before.owner != 0,
            .owner = before.owner,
            .direct = before.direct,
        });
        /* release: publishes the blocks' links; pairs with the acquires in collect() and heap_claim().
         * acquire: who takes the token may write inbox_next only after its last bearer has read it. */
    } while (!atomic_compare_exchange_weak_explicit(&slab->remote, &word, after, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (before.owner == 0 && (before.count == 0 || remote_unpack(after).count == slab_used_by_any(slab)))
        heap_orphan_returned(slab);
    else if (before.owner != 0 && !before.token)
        deliver(slab);
}

static void send_parcel(struct heap *heap, struct heap_parcel *parcel)
{
    const struct heap_parcel sent = *parcel;

    if (sent.slab == NULL)
        return;
    parcel->slab = NULL;
    count_up(&heap->parcel_bytes, -((size_t)sent.count * sent.slab->block_bytes));
    publish(&sent);
}

void heap_send_parcels(struct heap *heap)
{
    if (load_relaxed(&heap->parcel_bytes) == 0)
        return;
    for (int i = 0; i < HEAP_PARCELS; i++)
        send_parcel(heap, &heap->parcels[i]);
}

void heap_send(struct heap *heap, struct slab *slab, struct block *block)
{
    if (heap == NULL || heap_is_direct(slab)) {
        publish(&(struct heap_parcel){slab, block, block, 1});
        return;
    }
    struct heap_parcel *const parcel = heap_parcel_of(heap, slab);

    if (parcel->slab != slab) {
        send_parcel(heap, parcel);
        *parcel = (struct heap_parcel){slab, NULL, block, 0};
    }
    heap_pack(heap, parcel, slab, block);
    if (load_relaxed(&heap->parcel_bytes) > HEAP_PARCEL_BYTES)
        heap_send_parcels(heap);
}

/* ---- Taking -------------------------------------------------------------------------------------------------------------------------- */

/* Put the blocks that the word named on the slab's freed list; they are used until now. returns: how many. */
static uint32_t splice_home(struct slab *slab, struct remote remote)
{
    struct block *const last = slab_block(slab, remote.last);

    if (remote.count > slab_used(slab)) {
        heap_report(MISUSE_DAMAGED_LIST, last, (uintptr_t)last, slab->block_bytes, "free");
        return 0;
    }
    last->link = slab_link(slab->freed);
    slab->freed = slab_block(slab, remote.first);
    return remote.count;
}

/* Take the blocks of one slab from the inbox, and give up its token. */
static void collect(struct heap *heap, struct slab *slab)
{
    const uint64_t empty = remote_pack((struct remote){.owner = heap->id, .direct = load_relaxed(&heap->is_shared)});
    uint64_t word = load_relaxed(&slab->remote);

    do {
        if (remote_unpack(word).owner != heap->id) {
            deliver(slab);
            return;
        }
        /* acquire: pairs with the release in publish(). release: inbox_next has been read; see there. */
    } while (!atomic_compare_exchange_weak_explicit(&slab->remote, &word, empty, memory_order_acq_rel,
                                                    memory_order_relaxed));
    const struct remote remote = remote_unpack(word);
    if (remote.count != 0)
        heap_slab_freed(heap, slab, splice_home(slab, remote));
}

void heap_collect_mail(struct heap *heap)
{
    for (uint64_t index = inbox_take(heap, 0); index != 0;) {
        struct slab *const slab = slab_at((granule_index){(uint32_t)index});
        index = slab->inbox_next.i; /* before the token goes */
        collect(heap, slab);
    }
    heap_suspects_settle(heap);
}

bool heap_has_mail(const struct heap *heap)
{
    const uint64_t index = load_relaxed(&heap->inbox);

    return (index != 0 && index != INBOX_CLOSED) || load_relaxed(&heap->parcel_bytes) != 0;
}

/* Whether all used blocks of `slab` have come home, so that the program has none, and the owner `heap`, outside its
 * slow paths, nothing to do with it; and so it stays. A guess while nobody keeps the owner outside. */
__attribute__((no_sanitize("thread"))) static bool is_left_alone(const struct heap *heap, const struct slab *slab)
{
    /* acquire: pairs with the release in publish(). The count of used blocks goes down meanwhile, and is never below
     * this one: equal once is equal for good. */
    const struct remote remote = remote_unpack(load_acquire(&slab->remote));

    return remote.owner == heap->id && remote.count != 0 && remote.count == slab_used_by_any(slab) &&
           (heap->current[slab->line.class] != slab || heap->list[slab->line.class] == NULL);
}

__attribute__((no_sanitize("thread"))) size_t heap_mail_bytes(const struct heap *heap)
{
    enum { LOOKS = 1024 };
    uint64_t index = load_relaxed(&heap->inbox); /* INBOX_CLOSED lies beyond every end */
    const uint32_t end = page_granule_end().i;
    size_t bytes = load_relaxed(&heap->parcel_bytes);

    for (int i = 0; i < LOOKS && index != 0 && index < end; i++) {
        const struct slab *const slab = slab_at((granule_index){(uint32_t)index});
        if (line_kind(&slab->line) != GRANULE_SLAB)
            break; /* the owner is reading its mail */
        bytes += is_left_alone(heap, slab) ? load_relaxed(&slab->carved) : 0;
        index = *(const volatile uint32_t *)&slab->inbox_next.i;
    }
    return bytes;
}

void heap_sort_mail(struct heap *heap, granule_index *settled)
{
    uint64_t index = load_relaxed(&heap->inbox);

    do {
        if (index == INBOX_CLOSED)
            return;
        /* acquire: as in inbox_take(). */
    } while (
        !atomic_compare_exchange_weak_explicit(&heap->inbox, &index, 0, memory_order_acquire, memory_order_relaxed));
    while (index != 0) {
        struct slab *const slab = slab_at((granule_index){(uint32_t)index});
        index = slab->inbox_next.i;
        if (is_left_alone(heap, slab)) {
            slab->inbox_next = *settled;
            *settled = page_index_of(slab);
        } else {
            deliver(slab); /* back into the inbox, or to whoever owns it now */
        }
    }
}

void heap_collect_settled(granule_index settled)
{
    while (settled.i != 0) {
        struct slab *const slab = slab_at(settled);
        settled = slab->inbox_next;
        heap_slab_end_idle(heap_at(heap_owner_of(slab)), slab); /* its token ends with it */
    }
}

void heap_inbox_close(struct heap *heap)
{
    for (uint64_t index = inbox_take(heap, INBOX_CLOSED); index != 0;) {
        struct slab *const slab = slab_at((granule_index){(uint32_t)index});
        index = slab->inbox_next.i;
        deliver(slab);
    }
}

void heap_inbox_open(struct heap *heap) { store_release(&heap->inbox, 0); }

/* ---- Changing hands --------------------------------------------------------------------------------------------------------------------- */

void heap_disown(struct slab *slab)
{
    uint64_t word = load_relaxed(&slab->remote);
    struct remote remote;

    store_relaxed(&slab->line.owner, LINE_NOBODY);
    do {
        remote = remote_unpack(word);
        remote.owner = 0;
        remote.direct = false;
        /* release: publishes the slab's own fields; pairs with the acquires in heap_claim() and heap_orphan_home(). */
    } while (!atomic_compare_exchange_weak_explicit(&slab->remote, &word, remote_pack(remote), memory_order_release,
                                                    memory_order_relaxed));
}

bool heap_claim(struct heap *heap, struct slab *slab)
{
    uint64_t word = load_relaxed(&slab->remote);
    struct remote before;
    struct remote after;

    do {
        before = remote_unpack(word);
        if (before.owner != 0)
            return false;
        after = before;
        if (!before.token) /* with a token the blocks come by the inbox */
            after = (struct remote){0};
        after.owner = heap->id;
        /* acquire: pairs with the releases in publish() and heap_disown(). */
    } while (!atomic_compare_exchange_weak_explicit(&slab->remote, &word, remote_pack(after), memory_order_acquire,
                                                    memory_order_relaxed));
    heap_own_line(heap, slab);
    if (!before.token && before.count != 0)
        slab_set_used(slab, slab_used(slab) - splice_home(slab, before));
    return true;
}

uint32_t heap_orphan_home(const struct slab *slab)
{
    /* acquire: pairs with the releases in publish() and heap_disown(). */
    const struct remote remote = remote_unpack(load_acquire(&slab->remote));

    return line_kind(&slab->line) == GRANULE_SLAB && remote.owner == 0 && !remote.token ? remote.count : 0;
}

void heap_inbox_forget(struct heap *heap) { (void)inbox_take(heap, 0); }

void heap_token_renew(struct slab *slab, bool (*owner_is_dead)(const struct heap *heap))
{
    struct remote remote = remote_unpack(load_relaxed(&slab->remote));

    if (!remote.token)
        return;
    if (remote.owner != 0 && !owner_is_dead(heap_at(remote.owner))) {
        deliver(slab);
        return;
    }
    remote.token = false;
    store_relaxed(&slab->remote, remote_pack(remote));
}
