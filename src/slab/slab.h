/* slab.h: one run of granules, cut into equal blocks.
 *
 *   first granule                                             its line in the table
 *   [ block | block | block | ... | never carved | tail ]     { owner, freed, needed, carved, ..., remote }
 *      |        ^                  ^
 *      +--link--+                  carved: blocks below it have been on a list at least once
 *
 * A block is used (the program's, on a thread's list or in its magazine, or on its way home from another thread) or
 * free (on `freed`). Invariant: slab_used() + length of freed + slab_released_blocks() == carved / block_bytes.
 *
 * `needed` is the number of frees by the owner until something happens: the slab is woken or has become empty. What is
 * used beyond that waits in `slack`: so the hot path counts down one number and knows no states.
 *
 * In a free block: the link to the next one, and a key word that only a free block has at this address. Both are stored
 * xor a secret. Links of one slab never leave it.
 *
 * Threads: the owner of the slab, unless a function says otherwise. `remote` is heap/remote.c's. */
#ifndef ASHLAR_SLAB_SLAB_H
#define ASHLAR_SLAB_SLAB_H

#include "page/page.h"
#include "slab/class.h"

struct block {
    uint64_t link; /* address of the next free block, or 0, xor page_ground.link_secret */
    uint64_t key;  /* slab_key() */
};

static_assert(sizeof(struct block) == BLOCK_ALIGN, "the smallest block holds both words");

/* Which list of its owner a slab is in. */
enum slab_state { SLAB_UNLISTED, SLAB_PARTIAL, SLAB_FULL };

struct slab {
    struct line line;    /* owner; kind SLAB; state: enum slab_state; class; released; slack */
    struct block *freed; /* blocks that the owner freed, newest first */
    uint64_t reciprocal; /* class_info.reciprocal */
    uint32_t needed;     /* frees until an event; at least 1, but 0 in an empty slab that is its class's current one */
    _Atomic uint32_t carved; /* bytes; others read it as they free */
    uint32_t block_bytes;
    granule_index next; /* neighbours in the one list of slabs that this one is in */
    granule_index previous;
    granule_index inbox_next; /* next in the owner's inbox */
    _Atomic uint64_t remote;  /* heap/remote.h */
} ONE_LINE;

static_assert(sizeof(struct slab) == 1u << LINE_SHIFT, "one line for each granule");
static_assert(offsetof(struct slab, previous) == 48, "the page floor keeps bytes 48 to 63 of a line");

/* The word that marks a free block at `address`. Any other word proves that it is not free; this one is a suspicion
 * only, since the program may have written it. */
ALWAYS_INLINE uint64_t slab_key(const void *address) { return (uintptr_t)address ^ page_ground.key_secret; }

/* What links are stored xor: `secret`, unless nothing is checked. */
ALWAYS_INLINE uint64_t slab_cipher(uint64_t secret) { return ASHLAR_CHECKS ? secret : 0; }

ALWAYS_INLINE uint64_t slab_link(const struct block *next)
{
    return (uintptr_t)next ^ slab_cipher(page_ground.link_secret);
}

ALWAYS_INLINE struct block *slab_next(const struct block *block)
{
    return (struct block *)(block->link ^ slab_cipher(page_ground.link_secret));
}

/* Mark `block` as free, or as used; and whether it looks free. */
ALWAYS_INLINE void slab_mark_free(struct block *block)
{
    if (ASHLAR_CHECKS)
        block->key = slab_key(block);
}

ALWAYS_INLINE void slab_mark_used(struct block *block)
{
    if (ASHLAR_CHECKS)
        block->key = 0;
}

ALWAYS_INLINE bool slab_looks_free(const struct block *block) { return ASHLAR_CHECKS && block->key == slab_key(block); }

/* Whether a block starts at `offset` in a slab. Exact for offsets and blocks below 2^32: offset * ceil(2^64 / n) wraps
 * to less than ceil(2^64 / n) only for multiples of n. source: Lemire, Kaser, Kurz, "Faster remainder by direct
 * computation", Software: Practice and Experience 49, 2019. */
ALWAYS_INLINE bool slab_is_start(const struct slab *slab, size_t offset)
{
    return offset * slab->reciprocal < slab->reciprocal;
}

/* Whether `bytes` bytes at `offset`, at least one, end in the block that they begin in. Exact, as above: `offset`, less
 * the start of its block, and one byte less than `bytes`, each times ceil(2^64 / n), reach 2^64 together where they
 * reach n. */
ALWAYS_INLINE bool slab_has_room(const struct slab *slab, size_t offset, size_t bytes)
{
    uint64_t sum;

    return bytes <= slab->block_bytes &&
           !__builtin_add_overflow(offset * slab->reciprocal, (bytes - 1) * slab->reciprocal, &sum);
}

static inline struct slab *slab_at(granule_index first) { return page_line_at(first); }

static inline uintptr_t slab_address(const struct slab *slab) { return (uintptr_t)page_address(page_index_of(slab)); }

static inline size_t slab_bytes(const struct slab *slab)
{
    return (size_t)class_table[slab->line.class].granules << GRANULE_SHIFT;
}

/* Number of the block at `offset`: offset / block_bytes. */
static inline uint32_t slab_block_number(const struct slab *slab, size_t offset)
{
    return (uint32_t)(((unsigned __int128)offset * slab->reciprocal) >> 64);
}

static inline struct block *slab_block(const struct slab *slab, uint32_t number)
{
    return (struct block *)(slab_address(slab) + (size_t)number * slab->block_bytes);
}

static inline uint32_t slab_number_of(const struct slab *slab, const struct block *block)
{
    return slab_block_number(slab, (uintptr_t)block - slab_address(slab));
}

static inline uint32_t slab_used(const struct slab *slab) { return slab->needed + slab->line.slack; }

/* `used` blocks are used. From now on count down to empty. */
static inline void slab_set_used(struct slab *slab, uint32_t used)
{
    slab->needed = used;
    slab->line.slack = 0;
}

static inline void slab_wake(struct slab *slab) { slab_set_used(slab, slab_used(slab)); }

/* Whether the block at `offset` lies, wholly or in part, in pages that were released. */
static inline bool slab_is_released(const struct slab *slab, size_t offset)
{
    const uint32_t pages = load_relaxed(&slab->line.released);

    if (likely(pages == 0))
        return false;
    const uint32_t low = (uint32_t)(offset / page_ground.page_bytes);
    const uint32_t high = (uint32_t)((offset + slab->block_bytes - 1) / page_ground.page_bytes);

    return (pages & ((2u << high) - (1u << low))) != 0;
}

/* Whether a block of `slab` starts at `offset` that is carved and not released. */
static inline bool slab_has_block_at(const struct slab *slab, uintptr_t offset)
{
    return offset < load_hot(uint32_t, &slab->carved) && slab_is_start(slab, offset) && !slab_is_released(slab, offset);
}

/* The same of an address. */
static inline bool slab_has_block(const struct slab *slab, uintptr_t address)
{
    return slab_has_block_at(slab, address - slab_address(slab));
}

static inline uint32_t slab_carved_blocks(const struct slab *slab)
{
    return slab_block_number(slab, load_relaxed(&slab->carved));
}

/* slab_used() for a thread that does not own the slab: true of an orphan, never too small while the owner is outside
 * its slow paths, a good guess otherwise. The owner writes both words without atomics, for the sake of its hot path. */
__attribute__((no_sanitize("thread"))) static inline uint32_t slab_used_by_any(const struct slab *slab)
{
    const uint32_t slack = *(const volatile uint16_t *)&slab->line.slack; /* first: what leaves it goes to needed */

    return slack + *(const volatile uint32_t *)&slab->needed;
}

static inline class_id slab_class(const struct slab *slab) { return (class_id){slab->line.class}; }

/* The part of slab_released_blocks() that is left when there are any. */
uint32_t slab_count_released(const struct slab *slab);

/* Blocks in released pages: neither used nor free. */
static inline uint32_t slab_released_blocks(const struct slab *slab)
{
    return likely(load_relaxed(&slab->line.released) == 0) ? 0 : slab_count_released(slab);
}

/* Blocks that are used or free. */
static inline uint32_t slab_present_blocks(const struct slab *slab)
{
    return slab_carved_blocks(slab) - slab_released_blocks(slab);
}

/* Bytes in blocks that are used or free. */
static inline size_t slab_present_bytes(const struct slab *slab)
{
    return load_relaxed(&slab->carved) - (size_t)slab_released_blocks(slab) * slab->block_bytes;
}

static inline bool slab_is_fully_carved(const struct slab *slab)
{
    return load_relaxed(&slab->carved) + slab->block_bytes > slab_bytes(slab) &&
           load_relaxed(&slab->line.released) == 0;
}

/* The slab that the granule with line `line` belongs to, whose kind is SLAB or SLAB_REST. thread: any that knows the
 * slab to be live, for example by a live block in it. */
static inline struct slab *slab_of_line(struct line *line)
{
    struct line *first = line;

    if (line_kind(line) == GRANULE_SLAB_REST)
        first = page_line_at((granule_index){page_index_of(line).i - line->granules});
    return (struct slab *)first;
}

/* The same for any granule at any moment. `*offset`: in the granule, and then in the slab. returns: false when the
 * granule belongs to no slab. */
ALWAYS_INLINE bool slab_around(const struct line *line, const struct slab **slab, size_t *offset)
{
    *slab = (const struct slab *)line;
    if (likely(load_hot(uint8_t, &line->kind) == GRANULE_SLAB))
        return true;
    if (unlikely(line_kind(line) != GRANULE_SLAB_REST))
        return false;
    /* That is `granules`, read once: it may be no slab any more. */
    size_t back = (size_t)load_relaxed(&line->released) << LINE_SHIFT;

    *slab = (const struct slab *)((const char *)line - back);
    __asm__("" : "+r"(back)); /* shifted on, not anew: where registers are short, one more costs all calls */
    *offset += back << (GRANULE_SHIFT - LINE_SHIFT);
    return likely((const char *)*slab >= page_ground.table);
}

/* Make a slab of `class` in the run at `first`, as long as the class wants it. Nothing is carved, nobody owns it. */
struct slab *slab_start(granule_index first, class_id class);

/* End a slab without used blocks: its lines say NONE again, and the run may be given back. */
granule_count slab_end(struct slab *slab);

/* Carve blocks of up to `bytes` bytes, at least one; the slab is not fully carved. They count as used.
 * returns: the first, linked with the others in order of address. `*count`: how many. */
struct block *slab_carve(struct slab *slab, size_t bytes, uint32_t *count);

/* Give the pages in which all blocks are free back to the kernel. The slab has one granule, and none released yet.
 * `line.released` has a bit for each of them from then on; their blocks leave the freed list, and are neither used nor
 * free. returns: how many blocks that are. */
uint32_t slab_release_pages(struct slab *slab);

/* Carve the blocks of the first released pages in a row anew; there are some. As slab_carve() otherwise. */
struct block *slab_carve_released(struct slab *slab, uint32_t *count);

/* Take all that the owner freed. They count as used again. `*count`: how many. */
static inline struct block *slab_take_freed(struct slab *slab, uint32_t *count)
{
    struct block *const first = slab->freed;
    const uint32_t present = slab_present_blocks(slab);

    *count = present - slab_used(slab);
    slab->freed = NULL;
    slab_set_used(slab, present);
    return first;
}

/* Walk a list of free blocks of `slab` from `first`: at most `most` blocks, each link checked to lead to a carved
 * block.
 * `*last`: the last block reached. returns: the number of blocks, or -1 when a link leads elsewhere: the list is
 * damaged. */
int slab_walk(const struct slab *slab, struct block *first, uint32_t most, struct block **last);

/* Whether `block` is on the list that starts at `first`, `most` blocks long at most. */
bool slab_list_holds(const struct slab *slab, const struct block *first, uint32_t most, const void *block);

#endif
