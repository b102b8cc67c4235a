/* heap.h: which thread owns what. The floor's one header: the contract for prof/ and api/.
 *
 *   malloc --> list of the class in the thread's heap --> refill: inbox, current slab, queue, orphans, fresh ground
 *   free ----> own slab: its freed list
 *         \--> another's: parcel --> the slab's remote word --> the owner's inbox
 *
 * A heap belongs to one thread, or it is shared: then its lock stands for the thread. Each slab belongs to one heap or
 * is an orphan. All names of this floor begin with heap_; what its files share among themselves is in own.h. */
#ifndef ASHLAR_HEAP_HEAP_H
#define ASHLAR_HEAP_HEAP_H

#include "heap/hook.h"
#include "slab/slab.h"

/* Slabs in the order in which they were woken. */
struct heap_queue {
    granule_index oldest;
    granule_index newest;
};

enum { HEAP_PARCELS = 16, HEAP_SUSPECTS = 64 };

/* Blocks of one slab of another heap, on their way home. */
struct heap_parcel {
    struct slab *slab; /* NULL: empty */
    struct block *first;
    struct block *last;
    uint32_t count;
};

enum { MAGAZINE_ROUNDS = 15 };

/* Blocks of one medium class that the thread freed last, whoever owns them; see magazine.c. */
struct heap_magazine {
    uint32_t count;
    struct block *blocks[MAGAZINE_ROUNDS]; /* the last freed last */
};

/* Written by the owner only, but where a field says otherwise; counters may be read by anyone. */
struct heap {
    struct block *list[CLASS_COUNT]; /* ready blocks; those of one class all lie in current[class] */
    uint64_t link_secret;            /* copy of page_ground's, beside the lists */
    struct slab *current[CLASS_COUNT];
    struct heap_queue partial[CLASS_COUNT]; /* slabs with free blocks, oldest first; not the current one */
    granule_index full[CLASS_COUNT];        /* slabs that sleep until something is freed in them */
    _Atomic uint64_t handed[CLASS_COUNT];   /* blocks put on list[] and not taken back unused, or out of a magazine */
    _Atomic uint64_t remote_frees;          /* blocks of other heaps that this thread freed */
    struct heap_parcel parcels[HEAP_PARCELS];
    _Atomic size_t parcel_bytes; /* in all parcels; visitors look */
    uint32_t id;                 /* position in the range of heaps, from 1 */
    _Atomic uint32_t visits;     /* slow paths that allocate, see heap_tick() */
    uint32_t visits_seen;        /* by the last round of visits to sleepers; guarded by the visits' lock */
    bool sleeps;                 /* as that round found it; guarded by the visits' lock */
    uint32_t thinned_ms;         /* coarse clock when pages of sparse slabs were last looked for; see sparse.c */
    granule_index thinned_to;    /* the last line that was looked at then */
    uint32_t emptied_ms;         /* coarse clock when the magazines were last emptied */
    uint32_t sent_ms;            /* coarse clock when parcels were last sent by it; see heap_look_around() */
    uintptr_t thread;            /* thread pointer of the one whose heap it is; guarded by the heaps' lock */
    granule_index larges;        /* shared heaps: their large blocks */
    _Atomic bool is_shared;      /* used under `lock` by any thread */
    _Atomic bool is_public;      /* a shared heap that the program asked for */
    bool is_armed;               /* the thread's exit will be seen */
    bool is_visited;             /* its lock is held by the round of visits that is on; guarded by the visits' lock */
    _Atomic bool is_live;        /* in use; guarded by the heaps' lock, read by statistics */
    _Atomic bool is_busy;        /* its thread is inside a slow path: a signal handler, or a visitor, must keep out */
    struct os_lock lock;         /* of a shared heap's users; of another heap's visitor */
    struct heap *next;           /* among the spare ones, or among the shared ones */
    _Atomic bool has_suspects;   /* until the heap ends: one is rare enough */
    _Atomic(struct block *) suspects[HEAP_SUSPECTS];  /* any thread; see suspect.c */
    _Atomic(const char *) suspects_in[HEAP_SUSPECTS]; /* where they were freed */
    /* Any thread: slabs that got blocks back. On lines of its own, away from what the owner writes. */
    _Atomic uint64_t inbox __attribute__((aligned(128)));
    /* Last: a thread without medium blocks never touches their pages. */
    struct heap_magazine magazines[CLASS_COUNT - CLASS_MEDIUM] __attribute__((aligned(128)));
};

enum { HEAP_STRIDE = 16384 };
static_assert(sizeof(struct heap) <= HEAP_STRIDE, "heaps lie a fixed distance apart");

/* ---- The fast paths ------------------------------------------------------------------------------------------------------------ */

/* Heaps whose lists are empty: what a thread has before its first slow path, after its end, and after a report. */
enum heap_without_blocks { NO_HEAP, EXITED_HEAP, RESERVE_HEAP, HEAPS_WITHOUT_BLOCKS };
enum { HEAP_NONE_LISTS = (CLASS_COUNT + 15) / 16 * 16 }; /* each row is aligned as a struct heap is */
extern const struct block *const heap_none[HEAPS_WITHOUT_BLOCKS][HEAP_NONE_LISTS]
    __attribute__((visibility("hidden"), aligned(128)));

/* The calling thread's heap, as its distance from heap_none. So zero is right from the very first moment, when an
 * indirect function's resolver may allocate and the loader has not yet given thread-local variables their values. */
extern __thread uintptr_t heap_self __attribute__((visibility("hidden"), tls_model("initial-exec")));

static inline uintptr_t heap_self_of(const struct heap *heap) { return (uintptr_t)heap - (uintptr_t)heap_none; }

/* The calling thread's heap; before its first slow path, after its exit and after a report one whose lists are empty.
 */
ALWAYS_INLINE struct heap *heap_mine(void) { return (struct heap *)((uintptr_t)heap_none + heap_self); }

/* Pop a block of the small `class`, without touching anything but the list. returns: NULL when the slow path must look:
 * the list is empty, or the link leads out of the block's granule (the list's end, damage). */
ALWAYS_INLINE void *heap_pop(struct heap *heap, class_id class)
{
    struct block *const block = heap->list[class.i];

    if (unlikely(block == NULL))
        return NULL;
    struct block *const next = (struct block *)(block->link ^ slab_cipher(heap->link_secret));
    if (ASHLAR_CHECKS && unlikely((((uintptr_t)next ^ (uintptr_t)block) & ~(GRANULE_BYTES - BLOCK_ALIGN)) != 0))
        return NULL;
    heap->list[class.i] = next;
    __builtin_prefetch(next, 1);
    slab_mark_used(block);
    return block;
}

/* Pop the last block of the list of `class`, which heap_pop() leaves alone: its link leads nowhere. returns: NULL when
 * the first block is not the last one. */
ALWAYS_INLINE void *heap_pop_last(struct heap *heap, class_id class)
{
    struct block *const block = heap->list[class.i];

    if (block == NULL || block->link != slab_cipher(heap->link_secret))
        return NULL;
    heap->list[class.i] = NULL;
    slab_mark_used(block);
    return block;
}

enum heap_push_result { HEAP_PUSHED, HEAP_PUSHED_EVENT, HEAP_NOT_PUSHED };

/* Free `address` into its slab if it is a small block of a slab of this thread and does not look free already.
 * HEAP_PUSHED_EVENT: done, and heap_event(*slab) is due. HEAP_NOT_PUSHED: nothing was done, heap_free() must look. */
ALWAYS_INLINE enum heap_push_result heap_push(void *address, struct slab **slab_out)
{
    const uintptr_t offset = page_offset(address);

    if (unlikely(!page_holds_block(offset)))
        return HEAP_NOT_PUSHED;
    struct slab *const slab = page_line(offset);
    struct block *const block = address;
    const size_t inside = offset & (GRANULE_BYTES - 1);

    /* relaxed: only this thread stores itself there. A thread that is 0 meets 0 where nothing was ever carved. */
    if (unlikely(load_hot(uintptr_t, &slab->line.owner) != heap_self) ||
        (ASHLAR_CHECKS && (unlikely(inside >= load_hot(uint32_t, &slab->carved)) ||
                           unlikely(!slab_is_start(slab, inside)) || unlikely(slab_looks_free(block)))))
        return HEAP_NOT_PUSHED;
    slab_mark_free(block);
    block->link = slab_link(slab->freed);
    slab->freed = block;
    atomic_signal_fence(memory_order_seq_cst); /* the count comes last: see visit.c */
    if (likely(--slab->needed != 0))
        return HEAP_PUSHED;
    *slab_out = slab;
    return HEAP_PUSHED_EVENT;
}

/* Whether `slab` is the calling thread's. */
static inline bool heap_slab_is_mine(const struct slab *slab)
{
    return (load_relaxed(&slab->line.owner) & ~LINE_ASKS) == heap_self;
}

/* The slab of the block at `address`, if a look tells that it is live: in the first granule of a slab, not looking
 * free. NULL: heap_find() must look. */
ALWAYS_INLINE struct slab *heap_live_slab(const void *address)
{
    const uintptr_t offset = page_offset(address);

    if (unlikely(!page_holds_block(offset)))
        return NULL;
    struct slab *const slab = page_line(offset);

    if (unlikely(line_kind(&slab->line) != GRANULE_SLAB) ||
        unlikely(!slab_has_block_at(slab, offset & (GRANULE_BYTES - 1))) || unlikely(slab_looks_free(address)))
        return NULL;
    return slab;
}

/* What heap_push() found to be due: the slab has blocks again, or nothing but free blocks. */
void heap_event(struct slab *slab);

/* ---- Blocks that are laid aside: magazines (magazine.c), parcels (remote.c) ------------------------------------------------------ */

/* The calling thread's own heap, or NULL when it has none (yet, or any more). */
static inline struct heap *heap_own(void) { return heap_self < sizeof heap_none ? NULL : heap_mine(); }

/* Go inside `heap`, which is the calling thread's own and outside of which it is. returns: false when a visitor is
 * there. */
static inline bool heap_try_enter_own(struct heap *heap)
{
    store_relaxed(&heap->is_busy, true);
    /* For a handler on this thread. For a visitor: it waits for all stores between its taking the lock and its looking
     * at is_busy, so one of the two sees the other. */
    atomic_signal_fence(memory_order_seq_cst);
    if (likely(os_lock_is_free(&heap->lock)))
        return true;
    store_release(&heap->is_busy, false);
    return false;
}

/* Go inside the calling thread's own heap, if it has one and nothing is in the way: this thread, interrupted inside, or
 * a visitor. */
ALWAYS_INLINE bool heap_enter_at_once(struct heap *heap)
{
    return likely(heap_self >= sizeof heap_none) && likely(!load_relaxed(&heap->is_busy)) &&
           likely(heap_try_enter_own(heap));
}

/* Out again: what was done is seen by the next visitor. */
static inline void heap_leave_own(struct heap *heap)
{
    atomic_signal_fence(memory_order_seq_cst);
    store_release(&heap->is_busy, false);
}

/* Blocks that a magazine of each class may hold; of small classes there are none. */
extern const uint8_t heap_magazine_room[CLASS_COUNT] __attribute__((visibility("hidden")));

static inline struct heap_magazine *heap_magazine_of(struct heap *heap, class_id medium)
{
    return &heap->magazines[medium.i - CLASS_MEDIUM];
}

/* Whether the magazine of `class` can take one more block. None of a class that is not medium can. */
static inline bool heap_may_keep(struct heap *heap, class_id class)
{
    return class.i >= CLASS_MEDIUM && heap_magazine_of(heap, class)->count < heap_magazine_room[class.i];
}

/* Keep `block`, which is marked as free and in no list; it counts as used in its slab. heap_may_keep() has said so. */
static inline void heap_keep(struct heap *heap, class_id class, struct block *block)
{
    struct heap_magazine *const magazine = heap_magazine_of(heap, class);

    block->link = slab_link(NULL); /* so that damage is seen */
    magazine->blocks[magazine->count] = block;
    atomic_signal_fence(memory_order_seq_cst); /* a child that another thread forks finds a block once, or not at all */
    magazine->count++;
}

/* Pop the block of the medium `class` that was kept last. returns: NULL when the slow path must look: there is none, or
 * somebody has written into it; the thread has no heap, or is inside it; and every 64th time, for time may have passed.
 */
ALWAYS_INLINE void *heap_pop_kept(class_id class)
{
    enum { LOOKS = 64 };
    struct heap *const heap = heap_mine();
    struct block *kept = NULL;

    if (unlikely(!heap_enter_at_once(heap)))
        return NULL;
    struct heap_magazine *const magazine = heap_magazine_of(heap, class);
    const uint32_t count = magazine->count;
    const uint64_t handed = load_relaxed(&heap->handed[class.i]);

    if (likely(count != 0) && likely(handed % LOOKS != 0)) {
        struct block *const last = magazine->blocks[count - 1];
        if (!ASHLAR_CHECKS || likely(last->link == slab_cipher(heap->link_secret))) {
            kept = last;
            magazine->count = count - 1;
            atomic_signal_fence(memory_order_seq_cst); /* as in heap_keep() */
            store_relaxed(&heap->handed[class.i], handed + 1);
            slab_mark_used(kept);
        }
    }
    heap_leave_own(heap);
    return kept;
}

/* All parcels of a thread together hold back no more than this. */
#define HEAP_PARCEL_BYTES ((size_t)64 << 10)

static inline struct heap_parcel *heap_parcel_of(struct heap *heap, const struct slab *slab)
{
    return &heap->parcels[page_index_of(slab).i % HEAP_PARCELS];
}

/* Lay `block` into the parcel of `slab`, which has begun. */
static inline void heap_pack(struct heap *heap, struct heap_parcel *parcel, struct slab *slab, struct block *block)
{
    block->link = slab_link(parcel->first);
    parcel->first = block;
    parcel->count++;
    count_up(&heap->parcel_bytes, slab->block_bytes);
}

/* Free `block` of `slab`, whose line names `owner`, without a look at the slab's lists: a medium one goes into its
 * magazine, another thread's into a parcel that has begun. returns: false when there is no room. thread: inside `heap`,
 * its own. */
ALWAYS_INLINE bool heap_lay_aside(struct heap *heap, struct slab *slab, struct block *block, uintptr_t owner)
{
    const class_id class = slab_class(slab);
    struct heap_parcel *const parcel = heap_parcel_of(heap, slab);
    const bool keeps = heap_may_keep(heap, class) && likely(owner != LINE_NOBODY);

    if (!keeps && (parcel->slab != slab || load_relaxed(&heap->parcel_bytes) + slab->block_bytes > HEAP_PARCEL_BYTES))
        return false;
    slab_mark_free(block);
    if (keeps)
        heap_keep(heap, class, block);
    else
        heap_pack(heap, parcel, slab, block);
    if ((owner & ~LINE_ASKS) != heap_self)
        count_up(&heap->remote_frees, 1);
    return true;
}

/* Free the block at `address` if it is a medium one or another thread's, does not look free already, and can be laid
 * aside. returns: false when nothing was done, and heap_free() must look. */
ALWAYS_INLINE bool heap_push_aside(void *address)
{
    struct heap *const heap = heap_mine();
    const uintptr_t offset = page_offset(address);

    if (unlikely(!page_holds_block(offset)) ||
        unlikely(!heap_enter_at_once(heap))) /* from here on no visitor ends a slab */
        return false;
    struct slab *slab = page_line(offset);
    size_t inside = offset & (GRANULE_BYTES - 1);

    if (line_kind(&slab->line) == GRANULE_SLAB_REST) {
        inside += (size_t)slab->line.granules << GRANULE_SHIFT;
        slab -= slab->line.granules;
    }
    const bool is_done = likely(line_kind(&slab->line) == GRANULE_SLAB) &&
                         likely(inside < load_relaxed(&slab->carved)) && likely(slab_is_start(slab, inside)) &&
                         likely(load_relaxed(&slab->line.released) == 0) && likely(!slab_looks_free(address)) &&
                         likely(heap_lay_aside(heap, slab, address, load_relaxed(&slab->line.owner)));

    heap_leave_own(heap);
    return is_done;
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------------------------- */

struct heap_request {
    size_t bytes;
    size_t alignment; /* a power of two */
    bool zeroed;      /* all usable bytes */
    const char *in;   /* name of the entry point, for reports */
};

/* Serve a request from the calling thread's heap, or from `heap` if it is not NULL (a shared one).
 * returns: NULL when the size is too large, or the kernel or the hard limit refuses. */
void *heap_alloc(struct heap *heap, const struct heap_request *request);

enum heap_block_kind { BLOCK_FOREIGN, BLOCK_SMALL, BLOCK_LARGE, BLOCK_HUGE, BLOCK_FRESH };

struct heap_block {
    enum heap_block_kind kind;
    class_id class;    /* of a small block */
    size_t bytes;      /* usable */
    bool is_suspect;   /* it looks free, which could not be proved: it must move, and its old place be freed as such */
    struct heap *heap; /* the shared heap that it came from, or NULL */
};

/* What `address` is, which must be a live block or foreign; anything else is misuse in `in` (then: BLOCK_FOREIGN). */
struct heap_block heap_find(const void *address, const char *in);

/* Free `address`, not NULL. returns: false when it is foreign: nothing was done. Everything else is freed or reported.
 */
bool heap_free(void *address, const char *in);

/* Free `address` if it is a live block of a slab, and nothing is in the way: the short way of what heap_free() does,
 * for medium blocks and those of other threads. returns: false when nothing was done, and heap_free() must look. */
bool heap_free_shortly(void *address);

/* Whether a request for `bytes` would stay in `block` on realloc; the same rule tells whether a sized free fits. */
bool heap_fits(const struct heap_block *block, size_t bytes);

/* A block of `class`, or, for a medium class, of one that lends to it, at a multiple of `alignment`; from the calling
 * thread's own heap. returns: NULL when there is no such heap, the thread is inside it already, or there is no memory:
 * heap_alloc() then knows more. */
void *heap_take(class_id class, size_t alignment, const char *in);

/* Usable bytes of the live small block `block`. */
static inline size_t heap_small_bytes(const void *block)
{
    return slab_of_line(page_line(page_offset(block)))->block_bytes;
}

/* Whether a request for `bytes` at a multiple of `alignment` may have got `block`. */
bool heap_may_serve(const struct heap_block *block, size_t bytes, size_t alignment);

/* Resize a live block, which was found to be `block`, to `bytes` > 0, in place or by moving it.
 * returns: NULL when refused: nothing has changed. */
void *heap_realloc(void *address, const struct heap_block *block, size_t bytes, const char *in);

/* Usable bytes that a request for `bytes` at a multiple of `alignment` gets at least; `bytes` itself when it cannot be
 * served. */
size_t heap_good_size(size_t bytes, size_t alignment);

/* ---- What lies at an address: place.c -------------------------------------------------------------------------------------------- */

enum heap_place_kind {
    PLACE_UNKNOWN, /* not ours, or it cannot be told */
    PLACE_SMALL,   /* in a block of a slab; whether it lives, see heap_place_looks_freed() */
    PLACE_LARGE,   /* in a live large or huge block */
    PLACE_FREED,   /* in a block that is free for certain */
    PLACE_UNUSED,  /* ours, and in no block */
};

struct heap_place {
    enum heap_place_kind kind;
    uintptr_t block; /* start and usable bytes of the block, where there is one */
    size_t bytes;
};

/* What lies at `address`, any address. Takes no lock, allocates nothing, reads nothing through the address.
 * thread: any. signal: safe. True of an address in a block as long as the block lives. */
struct heap_place heap_place_of(const void *address);

/* Whether the block at `place` is free: certain but for who has written our key word into the start of his block. */
static inline bool heap_place_looks_freed(const struct heap_place *place)
{
    return place->kind == PLACE_FREED ||
           (place->kind == PLACE_SMALL && slab_looks_free((const struct block *)place->block));
}

/* Bytes from `address` to the end of its block; 0 where there is no live block of ours, SIZE_MAX where it cannot be
 * told. A block that only looks freed counts as live. */
size_t heap_bytes_left(const void *address);

/* Whether a look at a slab's line shows that `bytes` bytes, at least one, lie in the block at `address`, or that they
 * are nothing of ours, as it does for most. If not, more looks are needed. */
ALWAYS_INLINE bool heap_has_room_at_once(const void *address, size_t bytes)
{
    const uintptr_t offset = page_offset(address);

    if (!page_holds(offset))
        return likely(!page_huge_may_hold(address));
    const struct slab *slab;
    size_t inside = offset & (GRANULE_BYTES - 1);

    return likely(slab_around(page_line(offset), &slab, &inside)) &&
           likely(load_hot(uint16_t, &slab->line.released) == 0) &&
           likely((uint32_t)inside < load_hot(uint32_t, &slab->carved)) && likely(slab_has_room(slab, inside, bytes));
}

/* ---- Threads, shared heaps, fork ---------------------------------------------------------------------------------------------- */

/* The calling thread ends: its heap's blocks go home, its slabs become orphans. Later calls of this thread use a shared
 * heap. */
void heap_thread_exit(void);

/* Whether the calling thread has a heap whose end nobody has promised to tell us; marks it as promised. */
bool heap_thread_arm(void);

/* From now on the calling thread allocates from a reserve and frees nothing: it has reported misuse and is about to
 * abort. */
void heap_thread_reserve(void);

/* Whether the calling thread has reported misuse. */
bool heap_is_reserve(void);

/* returns: NULL when there is no memory. */
struct heap *heap_shared_new(void);

/* End a shared heap and all blocks in it. thread: nobody else uses the heap or its blocks. */
void heap_shared_destroy(struct heap *heap);

/* Give back what the calling thread holds back: its parcels, what others sent it, its empty slabs. */
void heap_settle(void);

/* The same for all other heaps, as far as it can be done behind their threads' backs: see visit.c. */
void heap_visit_all(void);

/* The same for those that have allocated nothing the slow way since the last such round, if what they hold in idle
 * slabs and unread mail comes to `least` bytes or more. */
void heap_visit_sleepers(size_t least);

/* The same, at most twice in a purge delay, if they hold as much as may be dirty. */
void heap_visit_due(uint64_t now_ms);

void heap_fork_prepare(void);
void heap_fork_parent(void);
void heap_fork_child(void);

/* ---- Statistics ------------------------------------------------------------------------------------------------------------------ */

struct heap_class_stats {
    uint64_t handed; /* blocks handed out since the start */
    uint64_t live;
    size_t carved; /* bytes carved in slabs in use */
};

struct heap_stats {
    uint64_t handed; /* sums over the classes */
    uint64_t live;
    size_t live_bytes;
    uint64_t remote_frees;
    uint64_t large_taken;
    uint64_t large_live;
    size_t large_live_bytes;
    uint64_t middle_live; /* of the large ones: below 128 KiB */
    size_t middle_live_bytes;
    size_t active;      /* bytes carved or live in large and huge blocks */
    size_t active_most; /* the most that ever was */
    uint64_t dropped;
    uint64_t unproved;
    uint64_t heaps;
};

/* Add everything up, and by class too if `classes` is not NULL (CLASS_COUNT of them). Reads other threads' slabs and
 * lists without stopping them: exact when they rest. */
void heap_stats_read(struct heap_stats *stats, struct heap_class_stats *classes);

#endif
