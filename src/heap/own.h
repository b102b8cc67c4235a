/* own.h: what the files of the heap floor share among themselves. */
#ifndef ASHLAR_HEAP_OWN_H
#define ASHLAR_HEAP_OWN_H

#include "heap/heap.h"

/* ---- thread.c: heaps, and who is inside one ------------------------------------------------------------------------------------- */

/* Go inside the calling thread's heap, which is made if need be; threads that have none share one, under its lock.
 * returns: NULL when this thread is inside already (a signal handler) or is about to abort. */
struct heap *heap_enter(void);

/* Go inside the shared heap `heap`. returns: false when this thread is inside already. */
bool heap_enter_shared(struct heap *heap);

void heap_leave(struct heap *heap);

bool heap_enter_own_slowly(struct heap *heap);

/* Go inside `heap`, which is the calling thread's own; waits for a visitor to leave. returns: false when this thread is
 * inside already. */
static inline bool heap_enter_own(struct heap *heap)
{
    return likely(!load_relaxed(&heap->is_busy) && heap_try_enter_own(heap)) || heap_enter_own_slowly(heap);
}

struct heap *heap_at(uint32_t id);

/* Call `visit` for every heap that was ever used. Takes no lock. */
void heap_each(void (*visit)(struct heap *heap, void *context), void *context);

/* The heaps' own locks and lists in a fork; see fork.c. As os_lock_fork_child(). */
void heap_threads_fork_prepare(void);
void heap_threads_fork_parent(void);
bool heap_threads_fork_child(void);

/* In a fork child: the heaps of `is_gone` have no slabs any more and may be used again. */
void heap_bury_all(bool (*is_gone)(const struct heap *heap));

/* Give back what `heap` holds back and no fast path touches, so that a signal handler may do it: magazines, medium
 * lists, parcels, mail, idle slabs. thread: inside it. */
void heap_give_back(struct heap *heap);

/* Take what others sent; every few milliseconds send parcels, and purge what is due. thread: inside `heap`. */
void heap_look_around(struct heap *heap);

/* Every slow path that allocates passes here, and looks around now and then. thread: inside `heap`. */
static inline void heap_tick(struct heap *heap)
{
    enum { LOOKS = 16 };

    count_up(&heap->visits, 1);
    if (unlikely(load_relaxed(&heap->visits) % LOOKS == 0))
        heap_look_around(heap);
}

/* ---- alloc.c -------------------------------------------------------------------------------------------------------------------- */

/* Serve a request inside `heap`. */
void *heap_alloc_inside(struct heap *heap, const struct heap_request *request);

/* ---- slabs.c: the slabs of a heap. thread: inside it ----------------------------------------------------------------------------- */

/* Find a slab of `class` with blocks to hand out, but not the current one. NULL: no memory. */
struct slab *heap_slab_next(struct heap *heap, class_id class);

/* The slab has no block left to hand out: it sleeps until one is freed. */
void heap_slab_sleep(struct heap *heap, struct slab *slab);

/* `count` used blocks of `slab` have become free; they are on its freed list already. Wakes it, or ends it when empty.
 */
void heap_slab_freed(struct heap *heap, struct slab *slab, uint32_t count);

/* `slab`, whose owner this heap has just become, joins its slabs, or ends when it is empty. */
void heap_slab_join(struct heap *heap, struct slab *slab);

/* Let go of every slab, each handed to `let_go` when it is in no list of the heap any more. */
void heap_slabs_leave(struct heap *heap, void (*let_go)(struct slab *slab));

/* Give the run of a slab without used blocks back; if nobody has used one for a while, it need not wait to be purged.
 */
void heap_slab_release(struct slab *slab);
void heap_slab_release_idle(struct slab *slab);

/* End the idle slabs of the classes from `first` on: see heap_idle_slab(). */
void heap_slabs_end_idle(struct heap *heap, class_id first);

/* End a slab of `heap` of which nobody has a block, and nobody has used one for a while. thread: also a visitor. */
void heap_slab_end_idle(struct heap *heap, struct slab *slab);

/* The current slab of `class` if nobody has a block of it and none is on the list, from which a fast path may be taking
 * one; else NULL. thread: also a visitor, see visit.c. */
struct slab *heap_idle_slab(const struct heap *heap, class_id class);

/* The blocks on the heap's list of `class` go back to their slab. */
void heap_list_return(struct heap *heap, class_id class);

/* Report misuse; see hook.h. */
void heap_report(enum heap_misuse_kind kind, const void *address, uintptr_t block, size_t bytes, const char *in);

/* ---- magazine.c: medium blocks that were freed last. thread: inside the heap, which is not shared, if not said otherwise ------- */

/* The block of `class` that was kept last; NULL: there is none. */
static inline struct block *heap_take_kept(struct heap *heap, class_id class)
{
    if (class.i < CLASS_MEDIUM || heap_magazine_of(heap, class)->count == 0)
        return NULL;
    count_up(&heap->handed[class.i], 1);
    struct block *const block = heap_magazine_of(heap, class)->blocks[--heap_magazine_of(heap, class)->count];

    atomic_signal_fence(memory_order_seq_cst); /* as in heap_keep() */
    return block;
}

/* Whether there is one, and nobody has written into it. */
static inline bool heap_has_sound_kept(struct heap *heap, class_id class)
{
    const struct heap_magazine *const magazine = heap_magazine_of(heap, class);

    return magazine->count != 0 && (!ASHLAR_CHECKS || slab_next(magazine->blocks[magazine->count - 1]) == NULL);
}

/* Report when somebody has written into `block`, which was kept. */
static inline void heap_check_kept(const struct block *block, const char *in)
{
    if (ASHLAR_CHECKS && unlikely(slab_next(block) != NULL))
        heap_report(MISUSE_DAMAGED_LIST, block, (uintptr_t)block, heap_small_bytes(block), in);
}

/* Empty all magazines; and the same if it was not done for a purge delay. */
void heap_magazines_return(struct heap *heap);
void heap_magazines_due(struct heap *heap, uint64_t now_ms);

/* Empty all magazines down to a damaged block, by the ways of another thread's frees; and the medium lists, too, which
 * no fast path touches. thread: a visitor; the first also in a fork child. */
void heap_magazines_send(struct heap *heap);
void heap_medium_send(struct heap *heap);

/* How many blocks of `class` are in its magazine; and how many bytes in all magazines and, at least, medium lists. A
 * guess: nobody keeps the owner out. */
uint32_t heap_magazine_count(const struct heap *heap, class_id class);
size_t heap_medium_bytes(const struct heap *heap);

/* Whether `block` is in the magazine of `class`. */
bool heap_magazine_holds(const struct heap *heap, class_id class, const struct block *block);

/* ---- sparse.c -------------------------------------------------------------------------------------------------------------------- */

/* Release the free pages of slabs that have been sparse for some time. Looks at a part of the table, ten times in a
 * purge delay. thread: inside `heap`. */
void heap_thin_due(struct heap *heap, uint64_t now_ms);

/* Release those of all sparse slabs now. thread: inside `heap`. */
void heap_thin_all(struct heap *heap);

/* ---- remote.c: blocks on their way home ------------------------------------------------------------------------------------------- */

/* Who owns `slab`: the id of a heap, 0 for an orphan. */
uint32_t heap_owner_of(const struct slab *slab);

/* Whether the blocks of `slab` belong to a shared heap. */
bool heap_is_direct(const struct slab *slab);

/* Blocks that others freed in `slab` and its owner has not taken yet. */
uint32_t heap_remote_count(const struct slab *slab);

/* Write into the line of `slab`, which belongs to `heap`, who may free into it without asking. Nobody may where blocks
 * are medium: a magazine comes first; nor where pages are released: a second free would not find the key word of the
 * first. */
void heap_own_line(const struct heap *heap, struct slab *slab);

/* `heap` takes over a fresh slab, which nobody knows yet. */
void heap_own_fresh(struct heap *heap, struct slab *slab);

/* Send `block`, which is marked as free, home to its slab. `heap`: whose parcels may take it, or NULL to send it now.
 */
void heap_send(struct heap *heap, struct slab *slab, struct block *block);

/* Send all parcels. thread: inside `heap`. */
void heap_send_parcels(struct heap *heap);

/* The part of heap_collect() that is left when there is something. */
void heap_collect_mail(struct heap *heap);

/* Take what others sent. thread: inside `heap`. */
static inline void heap_collect(struct heap *heap)
{
    if (load_relaxed(&heap->inbox) != 0 || load_relaxed(&heap->has_suspects))
        heap_collect_mail(heap);
}

/* Bytes in parcels, and in slabs of the inbox of which all used blocks seem to have come home. A guess: nobody keeps
 * the owner out. */
size_t heap_mail_bytes(const struct heap *heap);

/* The part of heap_collect() that can be done beside the owner's fast paths. thread: a visitor, who holds the lock of
 * `heap` all the time.
 * Whether there is anything in the inbox or in parcels; to put the slabs of which all blocks have come home on the list
 * `*settled`; to end them. */
bool heap_has_mail(const struct heap *heap);
void heap_sort_mail(struct heap *heap, granule_index *settled);
void heap_collect_settled(granule_index settled);

/* As heap_collect(), and nothing more will be accepted until heap_inbox_open(). The heap's slabs are orphans already.
 */
void heap_inbox_close(struct heap *heap);
void heap_inbox_open(struct heap *heap);

/* Make a slab of this thread an orphan. */
void heap_disown(struct slab *slab);

/* Take an orphan over. returns: false when it is none. thread: holds the orphans' lock. */
bool heap_claim(struct heap *heap, struct slab *slab);

/* Used blocks of `slab` that have come home, if it is an orphan that nobody is bringing to a former owner; else 0.
 * thread: holds the orphans' lock, so that it stays one. */
uint32_t heap_orphan_home(const struct slab *slab);

/* In a fork child, where nobody else is left to deliver: empty an inbox; and give a slab whose token is set to its
 * owner's inbox, or take the token from it if it has no owner or an owner in `owner_is_dead`. */
void heap_inbox_forget(struct heap *heap);
void heap_token_renew(struct slab *slab, bool (*owner_is_dead)(const struct heap *heap));

/* ---- orphan.c -------------------------------------------------------------------------------------------------------------------- */

/* Make `slab`, which is in no list, an orphan that any thread may adopt. */
void heap_orphan(struct slab *slab);

/* Take over an orphan of `class` that has blocks to hand out. NULL: there is none. */
struct slab *heap_adopt(struct heap *heap, class_id class);

/* Take over the orphan `slab` itself. returns: false when it is none (any more). */
bool heap_adopt_this(struct heap *heap, struct slab *slab);

/* Blocks of the orphan `slab` have come home: it may be adopted; and ends when they were the last. It may be anything
 * by now. */
void heap_orphan_returned(struct slab *slab);

/* As os_lock_fork_child(). */
void heap_orphan_fork_prepare(void);
void heap_orphan_fork_parent(void);
bool heap_orphan_fork_child(void);

/* ---- visit.c --------------------------------------------------------------------------------------------------------------------- */

void heap_visits_fork_prepare(void);
void heap_visits_fork_parent(void);

/* returns: whether no visit was under way; one of this thread's goes on when the handler that forked returns. */
bool heap_visits_fork_child(void);

/* ---- suspect.c ------------------------------------------------------------------------------------------------------------------- */

/* `block` of `slab` looks free already, and is being used or (`is_freed`) freed once more. `mine`: the heap that this
 * thread is inside, or NULL. Reports what can be proved; a free that cannot be is not carried out. */
void heap_suspect(struct heap *mine, struct slab *slab, struct block *block, bool is_freed, const char *in);

/* The heap ends: its suspects stay unproved. */
void heap_suspects_forget(struct heap *heap);

/* Look at the suspects again. thread: inside `heap`. */
void heap_suspects_settle(struct heap *heap);

/* ---- large.c -------------------------------------------------------------------------------------------------------------------- */

/* A block in a run of its own. */
struct large {
    struct line line;       /* kind LARGE, granules */
    _Atomic uint32_t state; /* 1 while live: whoever makes it 0 frees the block */
    uint32_t heap;          /* id of the shared heap that it belongs to, or 0 */
    granule_index next;     /* of that heap's large blocks */
    granule_index previous;
    uint64_t unused[2];
    size_t bytes;            /* usable; kept by the page floor after the block's end: it tells a second free */
    _Atomic uint64_t remote; /* 0: see slab.h */
} ONE_LINE;

void *heap_large_alloc(struct heap *heap, const struct heap_request *request);
void heap_large_free(struct large *large, const char *in);
void *heap_large_realloc(void *address, const struct heap_block *block, size_t bytes, const char *in);

/* End every large and huge block of a shared heap. */
void heap_large_end_all(struct heap *heap);

/* ---- stats.c --------------------------------------------------------------------------------------------------------------------- */

struct heap_counts {
    _Atomic size_t active;
    _Atomic size_t active_most;
    _Atomic uint64_t large_taken;
    _Atomic uint64_t dropped;      /* frees inside an interrupted slow path */
    _Atomic uint64_t unproved;     /* see suspect.c */
    _Atomic uint64_t remote_frees; /* by threads without a heap */
};

extern struct heap_counts heap_counts __attribute__((visibility("hidden")));

void heap_count_active(size_t bytes);
void heap_uncount_active(size_t bytes);

#endif
