/* page.h: address space, in granules: one heap range that grows, a table with one line per granule, runs of free
 * granules, and mappings of their own for huge blocks.
 *
 *   heap range   base | granule 0 | 1 | 2 | ...              | end   (grows upward, never reserved)
 *                          |       |   |
 *   table         line 0 --+  1 ---+ 2-+   128 bytes each, in a range of its own: no metadata lies beside user data
 *
 * From an address to its line there are no loads but base, end and table: see page_offset() and page_line(). All three
 * are found by the same random draw at start, and by nobody who has not read them.
 *
 * Granule 0 stays unused, so that index 0 can mean "none" everywhere. */
#ifndef ASHLAR_PAGE_PAGE_H
#define ASHLAR_PAGE_PAGE_H

#include "base/atomics.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "os/os.h"

/* ---- The ground: written at start and when the range grows, read by every call ------------------------------------------ */

struct page_ground {
    uintptr_t base;          /* of the heap range */
    _Atomic uintptr_t end;   /* bytes of the range; 0 before the first growth */
    _Atomic uintptr_t end16; /* the same / 16: one comparison for what has to be aligned, too */
    char *table;             /* lines */
    uint64_t link_secret;    /* links in free blocks are stored xor this */
    uint64_t key_secret;     /* the key word of a free block is its address xor this */
    size_t page_bytes;       /* of the kernel */
    bool short_of_space;     /* RLIMIT_AS was set at start: no address range is kept for later */
    bool secure;             /* AT_SECURE */
    bool is_started;         /* page_start() is done */
} __attribute__((aligned(128)));

extern struct page_ground page_ground __attribute__((visibility("hidden")));

/* ---- Lines ------------------------------------------------------------------------------------------------------------------ */

enum granule_kind {
    GRANULE_NONE,      /* inside a run, or never used: look at the line of the run's first granule */
    GRANULE_HOLE,      /* somebody else's mapping lies in our way; up to the next line that is not NONE */
    GRANULE_FREE,      /* first granule of a free run */
    GRANULE_FREE_TAIL, /* last granule of a free run of two or more */
    GRANULE_PURGING,   /* first granule of a run that is being given back to the kernel */
    GRANULE_SLAB,      /* first granule of a slab */
    GRANULE_SLAB_REST, /* a later granule of a slab */
    GRANULE_LARGE,     /* first granule of a large block */
};

/* What all lines have in common. The floors above define structs of one line that begin with this one. Bytes 48 to 63
 * of a line belong to the floors above: the page floor keeps them. */
struct line {
    _Atomic uintptr_t owner; /* of a slab: who may free into it without asking, see heap_self; else LINE_NOBODY, or 0
                                where nothing was ever written */
    _Atomic uint8_t kind;    /* enum granule_kind; neighbours of a run look at it */
    uint8_t state;           /* the kind's own */
    uint8_t class;           /* of a slab */
    uint8_t waits;           /* of a slab: looks that found it sparse, wraps; see heap/sparse.c */
    union {
        uint16_t granules;         /* of a large block; of a SLAB_REST, the distance back to the first */
        _Atomic uint16_t released; /* of a slab: see slab_release_pages() */
    };
    uint16_t slack; /* of a slab: used blocks beyond `needed` */
};

/* relaxed: who may act on a kind has it from the runs' lock or from the hand-over of a block. */
static inline enum granule_kind line_kind(const struct line *line) { return load_relaxed(&line->kind); }

static inline void line_set_kind(struct line *line, enum granule_kind kind)
{
    store_relaxed(&line->kind, (uint8_t)kind);
}

/* 128 bytes, of which half are used: processors fetch lines of cache by pairs, so what two threads write lies that far
 * apart. docs/design/020. */
enum { LINE_SHIFT = 7 };
#define ONE_LINE __attribute__((aligned(1 << LINE_SHIFT)))

#define LINE_NOBODY ((uintptr_t)1)
#define LINE_ASKS ((uintptr_t)2) /* beside an owner, who has to ask all the same */

/* Offset of `address` in the heap range; beyond every limit when it lies outside. */
static inline uintptr_t page_offset(const void *address) { return (uintptr_t)address - page_ground.base; }

/* Whether `offset` lies in the heap range and is a multiple of 16: rotated, a misaligned one is huge. */
ALWAYS_INLINE bool page_holds_block(uintptr_t offset)
{
    /* relaxed: whoever was handed an address in new ground was handed the new end before it. */
    return ((offset >> 4) | (offset << 60)) < load_hot(uintptr_t, &page_ground.end16);
}

/* Whether `offset` lies in the heap range, aligned or not. */
static inline bool page_holds(uintptr_t offset) { return offset < load_hot(uintptr_t, &page_ground.end); }

/* The line of the granule at `offset`, which lies in the heap range. */
ALWAYS_INLINE void *page_line(uintptr_t offset) { return page_ground.table + (offset >> GRANULE_SHIFT << LINE_SHIFT); }

static inline void *page_line_at(granule_index index) { return page_ground.table + ((size_t)index.i << LINE_SHIFT); }

static inline granule_index page_index_of(const void *line)
{
    return (granule_index){(uint32_t)((size_t)((const char *)line - page_ground.table) >> LINE_SHIFT)};
}

static inline void *page_address(granule_index index)
{
    return (void *)(page_ground.base + ((size_t)index.i << GRANULE_SHIFT));
}

/* The heap range has `bytes` bytes from now on.
 * release: publishes base and table, and that the table's lines for the new ground are mapped; pairs with the acquire
 * in page_granule_end(), and with the hand-over of a block. */
static inline void page_set_end(size_t bytes)
{
    store_release(&page_ground.end, bytes);
    store_release(&page_ground.end16, bytes >> 4);
}

/* One beyond the last granule of the heap range: 0 while there is none. */
static inline granule_index page_granule_end(void)
{
    /* acquire: whoever walks the table may have been handed nothing yet; pairs with the release in page_set_end(). */
    return (granule_index){(uint32_t)(load_acquire(&page_ground.end) >> GRANULE_SHIFT)};
}

/* First granule of the run that `index` lies in: the nearest line before it that is not NONE. For error paths: it
 * walks. */
granule_index page_run_of(granule_index index);

/* ---- Start, limits ------------------------------------------------------------------------------------------------------------ */

/* Draw the secrets and the places of the ranges. Makes no system call but for random bytes that are missing.
 * thread: the first one, once. */
void page_start(void);

/* Map the first of the table and of the heap range, if that is still to be done. Everything that maps calls it first.
 * returns: false when the kernel refuses; may be called again. thread: any. */
bool page_open(void);

/* Bounds, in bytes; set from the options, changed at any time. */
struct page_bounds {
    _Atomic uint64_t purge_delay_ms; /* free runs idle for longer go back to the kernel */
    _Atomic size_t dirty_floor;      /* free ground kept at least: see dirty_bound() in run.c */
    _Atomic size_t soft_limit;       /* above it, free ground is given back at once */
    _Atomic size_t hard_limit;       /* above it, memory is refused */
};

extern struct page_bounds page_bounds __attribute__((visibility("hidden")));

/* Memory for the library's own records: see range.c. Grow a range at `range` to hold `bytes` bytes. */
struct page_range {
    uintptr_t base;
    _Atomic size_t mapped; /* readable, writable, zero when new; statistics read it without the caller's lock */
    size_t limit;          /* it may not grow beyond */
    bool reserved;         /* the address space is ours already and only has to be opened up */
};

extern struct page_range page_heaps_range
    __attribute__((visibility("hidden"))); /* for heap/: one struct after another */

/* returns: false when the kernel refuses. thread: one at a time; the caller's lock. */
bool page_range_grow(struct page_range *range, size_t bytes, size_t step);

/* ---- Runs of granules ------------------------------------------------------------------------------------------------------ */

/* A run as it is taken: what somebody has used of it before; all other bytes read as zero. */
struct page_run {
    granule_index first; /* NO_GRANULE: there is no run */
    granule_index used;
    granule_count used_count;
};

/* Take a run of `count` granules whose address is a multiple of `alignment` (a power of two). Its lines' kinds are
 * NONE, and nobody owns them. returns: none when the kernel or the hard limit refuses. thread: any. */
struct page_run page_take(granule_count count, size_t alignment);

/* Give back a run. Its lines' kinds must be NONE but the first, and nobody may own them. */
void page_give(granule_index first, granule_count count);

/* The same with a run that has been idle for the purge delay already. */
void page_give_idle(granule_index first, granule_count count);

/* Lengthen a run in place from `count` to `wanted` granules. returns: false when what follows is not free. */
bool page_extend(granule_index first, granule_count count, granule_count wanted);

/* ---- Purging ------------------------------------------------------------------------------------------------------------------ */

/* Give back to the kernel what has been free for too long, a quarter of what is dirty a visit (1 to 16 MiB), and all
 * that is too much. */
void page_purge_due(uint64_t now_ms);

/* Give back pages inside a live run; a failure only means that they stay. */
void page_purge_part(void *start, size_t bytes);

/* Give back every free run now. returns: bytes given back. */
size_t page_purge_all(void);

/* ---- Huge blocks: mappings of their own -------------------------------------------------------------------------------------- */

/* Map a block of `bytes` bytes, zero, aligned to `alignment`. `heap`: an id to be remembered, see page_huge_any_of().
 * returns: NULL when refused. */
void *page_huge_take(size_t bytes, size_t alignment, uint32_t heap);

enum page_huge_state { HUGE_UNKNOWN, HUGE_LIVE, HUGE_FREED };

struct page_huge {
    uintptr_t start; /* of the block and of its mapping */
    size_t bytes;    /* usable, whole pages; of a freed one: as it was */
    uint32_t heap;
    uint32_t state;
};

/* The huge block that `address` lies in, live or freed and still ours; state HUGE_UNKNOWN when there is none. */
struct page_huge page_huge_find(const void *address);

/* The same without the lock, in any moment: also HUGE_UNKNOWN when somebody is just changing the table. */
struct page_huge page_huge_peek(const void *address);

/* Where huge blocks have ever been: the lowest start and the highest end. */
struct page_huge_span {
    _Atomic uintptr_t start;
    _Atomic uintptr_t end;
};

extern struct page_huge_span page_huge_span __attribute__((visibility("hidden")));

/* Whether `address` may lie in a huge block: false of most that do not, without a look at the table; but true of all
 * that the kernel has mapped between two of them. */
static inline bool page_huge_may_hold(const void *address)
{
    /* relaxed: whoever was handed a block was handed the span before it. */
    return (uintptr_t)address < load_hot(uintptr_t, &page_huge_span.end) &&
           (uintptr_t)address >= load_hot(uintptr_t, &page_huge_span.start);
}

/* End the live block at `block`. Its address range stays ours for a while, without access.
 * returns: what page_huge_find() would have said before: anything but HUGE_LIVE means that nothing was done. */
struct page_huge page_huge_give(void *block);

/* Resize the live block at `block` to hold `bytes`, moving it if need be. returns: NULL when refused, nothing has
 * changed. */
void *page_huge_resize(void *block, size_t bytes);

/* A live block of `heap`, or a record with state HUGE_UNKNOWN: to end them one by one. */
struct page_huge page_huge_any_of(uint32_t heap);

/* Whether a signal handler has interrupted the calling thread inside this floor: then nothing can be taken or given
 * here. */
bool page_is_inside(void);

/* ---- A block when nothing else can be had: our own lock is held by this very thread -------------------------------------------- */

/* A block outside all ranges, zero, aligned to `alignment`. Takes no lock. returns: NULL when the kernel refuses. */
void *page_fresh_take(size_t bytes, size_t alignment);

/* Usable size of the fresh block at `block`; 0 when it is none. */
size_t page_fresh_bytes(const void *block);

/* ---- Fork, statistics ------------------------------------------------------------------------------------------------------- */

/* As os_lock_fork_prepare() and the others, for the floor's locks. */
void page_fork_prepare(void);
void page_fork_parent(void);
bool page_fork_child(void);

struct page_stats {
    size_t mapped;   /* heap range and huge blocks */
    size_t metadata; /* table, heaps, records */
    size_t dirty;    /* free, not given back */
    uint64_t purged; /* bytes given back since the start */
    uint64_t purge_calls;
    uint64_t refused;    /* times that the kernel or the hard limit said no */
    uint64_t huge_taken; /* blocks since the start */
    uint64_t huge_live;
    size_t huge_live_bytes;
};

void page_stats_read(struct page_stats *stats);

#endif
