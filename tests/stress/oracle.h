/* oracle.h: what a heap must keep, written down a second time. For the stress and the exhaustion tests.
 *
 *   start ............... requested ..... usable          every one of these bytes belongs to the program
 *   word i of the content = mix(address of the word, generation)
 *
 * The address in the pattern finds content that was moved to the wrong place, the generation finds two owners of one
 * block and content left from an earlier life. Blocks up to WHOLE_BYTES are written and read in full; larger ones in
 * their first and last page and in one word of every page, so that the tests spend their time in the heap and not in
 * memcpy.
 *
 * A violation ends the process as a failed CHECK does, so it may be found in any thread, child or signal handler.
 * Nothing in this file allocates, except the calls under test. Include it last: it ends with names.h. */
#ifndef ASHLAR_TESTS_ORACLE_H
#define ASHLAR_TESTS_ORACLE_H

#include "../lib/test.h"

#include "../lib/names.h"

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    PAGE = 4096,             /* a stride of the pattern; the kernel's pages may be larger */
    WHOLE_BYTES = 128 * KIB, /* larger contents are checked in parts */
    SPARSE_BYTES = 64 * MIB, /* of still larger ones only both ends are touched */
    ERRNO_MARK = 4242,       /* no errno value: shows whether a call left errno alone */
    LEAST_ALIGNMENT = 16,
};

#define VIOLATION(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

/* ---- Random numbers, one die for each thread -------------------------------------------------------------------------- */

struct dice {
    uint64_t state;
};

static inline struct dice dice_new(void) { return (struct dice){test_random() | 1}; }

static inline uint64_t dice_next(struct dice *dice) { return test_random_from(&dice->state); }

/* returns: 0 .. sides - 1. */
static inline size_t dice_roll(struct dice *dice, size_t sides)
{
    return (size_t)(((unsigned __int128)dice_next(dice) * sides) >> 64);
}

static inline bool dice_once_in(struct dice *dice, size_t sides) { return dice_roll(dice, sides) == 0; }

/* TEST_LONG=1 asks for a long run; an emulator needs some ten times as long for each round, and gets a quarter. */
static inline size_t rounds(size_t normally, size_t in_long_runs)
{
    const char *value = getenv("TEST_LONG");
    if (value && strcmp(value, "1") == 0)
        return in_long_runs;
    return test_emulated() ? (normally + 3) / 4 : normally;
}

/* ---- Content -------------------------------------------------------------------------------------------------------- */

static inline uint64_t content_word(uintptr_t address, uint64_t generation)
{
    const uint64_t mixed = (address ^ generation * 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
    return mixed ^ (mixed >> 32);
}

/* The word that is touched after the one at `offset`, in a content of `bytes` bytes. */
static inline size_t content_step(size_t offset, size_t bytes)
{
    const size_t next = offset + sizeof(uint64_t);
    if (bytes <= WHOLE_BYTES || next < PAGE)
        return next;
    const size_t last_page = (bytes - PAGE) & ~(size_t)7;
    if (next > last_page)
        return next;
    const size_t next_page = bytes > SPARSE_BYTES ? last_page : (next + PAGE - 1) & ~(size_t)(PAGE - 1);
    return next_page < last_page ? next_page : last_page;
}

static inline size_t content_span(size_t offset, size_t bytes)
{
    return bytes - offset < sizeof(uint64_t) ? bytes - offset : sizeof(uint64_t);
}

static inline void content_write(unsigned char *start, size_t bytes, uint64_t generation)
{
    for (size_t offset = 0; offset < bytes; offset = content_step(offset, bytes)) {
        const uint64_t word = content_word((uintptr_t)start + offset, generation);
        memcpy(start + offset, &word, content_span(offset, bytes));
    }
}

/* Check the first `kept` bytes at `start` against what content_write(written_at, bytes, generation) wrote. */
static inline void content_check(const unsigned char *start, size_t kept, const unsigned char *written_at, size_t bytes,
                                 uint64_t generation)
{
    for (size_t offset = 0; offset < kept; offset = content_step(offset, bytes)) {
        const uint64_t word = content_word((uintptr_t)written_at + offset, generation);
        const size_t span = content_span(offset, kept);
        if (memcmp(start + offset, &word, span) != 0) {
            uint64_t found = 0;
            memcpy(&found, start + offset, span);
            VIOLATION("content of %p (%zu bytes, written at %p, generation %llx) is damaged at offset %zu: "
                      "%llx instead of %llx",
                      (const void *)start, bytes, (const void *)written_at, (unsigned long long)generation, offset,
                      (unsigned long long)found, (unsigned long long)word);
        }
    }
}

static inline void content_is_zero(const unsigned char *start, size_t bytes)
{
    static const unsigned char zeros[PAGE];
    for (size_t offset = 0; offset < bytes; offset += PAGE) {
        const size_t span = bytes - offset < PAGE ? bytes - offset : PAGE;
        if (memcmp(start + offset, zeros, span) != 0)
            VIOLATION("calloc: %p (%zu bytes usable) is not zero in the page at offset %zu", (const void *)start, bytes,
                      offset);
    }
}

/* ---- Entry points ----------------------------------------------------------------------------------------------- */

enum entry {
    FROM_MALLOC,
    FROM_CALLOC,
    FROM_REALLOC,
    FROM_REALLOCARRAY,
    FROM_MEMALIGN,
    FROM_POSIX_MEMALIGN,
    FROM_ALIGNED_ALLOC,
    FROM_VALLOC,
    FROM_PVALLOC,
    ENTRY_COUNT
};

static inline const char *entry_name(enum entry entry)
{
    static const char *const names[ENTRY_COUNT] = {"malloc",        "calloc",   "realloc",
                                                   "reallocarray",  "memalign", "posix_memalign",
                                                   "aligned_alloc", "valloc",   "pvalloc"};
    return names[entry];
}

static inline bool entry_takes_alignment(enum entry entry)
{
    return entry == FROM_MEMALIGN || entry == FROM_POSIX_MEMALIGN || entry == FROM_ALIGNED_ALLOC;
}

/* A factor of `bytes`, for the entry points that multiply. */
static inline size_t entry_factor(size_t bytes) { return bytes % 24 == 0 ? 24 : bytes % 8 == 0 ? 8 : 1; }

/* Sizes as the entry points see them, near SIZE_MAX too. */
static inline void *entry_call(enum entry entry, size_t alignment, size_t bytes)
{
    const size_t factor = entry_factor(bytes);
    void *block = NULL;
    switch (entry) {
    case FROM_MALLOC:
        return malloc(bytes);
    case FROM_CALLOC:
        return calloc(bytes / factor, factor);
    case FROM_REALLOC:
        return realloc(NULL, bytes);
    case FROM_REALLOCARRAY:
        return reallocarray(NULL, bytes / factor, factor);
    case FROM_MEMALIGN:
        return memalign(alignment, bytes);
    case FROM_POSIX_MEMALIGN: {
        static char mark;
        void *const untouched = &mark;
        block = untouched;
        const int error = posix_memalign(&block, alignment, bytes);
        if (error == 0)
            return block;
        if (block != untouched)
            VIOLATION("posix_memalign(%zu, %zu) failed and wrote its result", alignment, bytes);
        if (error == EINVAL && errno != ERRNO_MARK)
            VIOLATION("posix_memalign(%zu, %zu) returned EINVAL and changed errno to %d", alignment, bytes, errno);
        errno = error;
        return NULL;
    }
    case FROM_ALIGNED_ALLOC:
        return aligned_alloc(alignment, bytes);
    case FROM_VALLOC:
        return valloc(bytes);
    case FROM_PVALLOC:
        return pvalloc(bytes);
    case ENTRY_COUNT:
        break;
    }
    VIOLATION("no such entry point: %d", (int)entry);
}

/* The alignment that `entry` promises when asked for `alignment`. */
static inline size_t entry_promise(enum entry entry, size_t alignment)
{
    if (entry == FROM_VALLOC || entry == FROM_PVALLOC)
        return (size_t)sysconf(_SC_PAGESIZE);
    size_t promise = LEAST_ALIGNMENT;
    while (entry_takes_alignment(entry) && promise < alignment)
        promise *= 2;
    return promise;
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

struct block {
    unsigned char *start; /* NULL: no block here */
    size_t requested;
    size_t usable;
    size_t alignment; /* as given */
    uint64_t generation;
    enum entry origin;
};

static inline void block_check(const struct block *block)
{
    if (malloc_usable_size(block->start) != block->usable)
        VIOLATION("usable size of %p changed from %zu to %zu", (void *)block->start, block->usable,
                  malloc_usable_size(block->start));
    content_check(block->start, block->usable, block->start, block->usable, block->generation);
}

/* Write down a block just received, and fill it to its usable size. */
static inline void block_record(struct block *block, void *start, enum entry origin, size_t alignment, size_t bytes,
                                uint64_t generation)
{
    const size_t usable = malloc_usable_size(start);
    const size_t promise = entry_promise(origin, alignment);
    if ((uintptr_t)start % promise != 0)
        VIOLATION("%s(%zu, alignment %zu): %p is not aligned to %zu", entry_name(origin), bytes, alignment, start,
                  promise);
    if (usable < bytes)
        VIOLATION("%s(%zu): %p has %zu usable bytes", entry_name(origin), bytes, start, usable);
    *block = (struct block){start, bytes, usable, alignment, generation, origin};
    content_write(start, usable, generation);
}

/* Ask `entry` for a block. returns: false when there is no memory (NULL and ENOMEM). */
static inline bool block_take(struct block *block, enum entry entry, size_t alignment, size_t bytes,
                              uint64_t generation)
{
    errno = ERRNO_MARK;
    void *start = entry_call(entry, alignment, bytes);
    const int error = errno;
    if (error != (start ? ERRNO_MARK : ENOMEM))
        VIOLATION("%s(%zu, alignment %zu) returned %p with errno %d", entry_name(entry), bytes, alignment, start,
                  error);
    if (!start)
        return false;
    if (entry == FROM_CALLOC)
        content_is_zero(start, malloc_usable_size(start));
    block_record(block, start, entry, alignment, bytes, generation);
    return true;
}

/* Change the size of a block by realloc or reallocarray; `bytes` is not 0. returns: false when there is no memory, and
 * then the block is as it was. */
static inline bool block_resize(struct block *block, size_t bytes, bool by_array, uint64_t generation)
{
    const size_t factor = by_array ? entry_factor(bytes) : 1;
    const struct block old = *block;
    errno = ERRNO_MARK;
    void *start = by_array ? reallocarray(old.start, bytes / factor, factor) : realloc(old.start, bytes);
    const int error = errno;
    if (error != (start ? ERRNO_MARK : ENOMEM))
        VIOLATION("realloc(%p of %zu, %zu) returned %p with errno %d", (void *)old.start, old.usable, bytes, start,
                  error);
    if (!start) {
        block_check(&old);
        return false;
    }
    if (bytes <= old.usable && bytes >= old.usable / 2 && start != old.start)
        VIOLATION("realloc(%p of %zu usable, %zu) moved the block", (void *)old.start, old.usable, bytes);
    content_check(start, old.usable < bytes ? old.usable : bytes, old.start, old.usable, old.generation);
    block_record(block, start, FROM_REALLOC, LEAST_ALIGNMENT, bytes, generation);
    return true;
}

/* Check a block and free it in one of the ways that its origin allows, chosen by `way`. */
static inline void block_release(struct block *block, size_t way)
{
    block_check(block);
    errno = ERRNO_MARK;
    if (way % 8 == 0) {
        if (realloc(block->start, 0) != NULL)
            VIOLATION("realloc(%p, 0) did not return NULL", (void *)block->start);
    } else if (way % 8 < 4 && block->origin <= FROM_REALLOCARRAY) {
        free_sized(block->start, block->requested);
    } else if (way % 8 < 4 && block->origin == FROM_ALIGNED_ALLOC) {
        free_aligned_sized(block->start, block->alignment, block->requested);
    } else {
        free(block->start);
    }
    if (errno != ERRNO_MARK)
        VIOLATION("freeing %p of %zu bytes changed errno to %d", (void *)block->start, block->usable, errno);
    block->start = NULL;
}

/* ---- A shelf: the blocks of one thread, and random operations on them -------------------------------------------------- */

enum { SHELF_PLACES = 1024 };

struct shelf {
    struct block places[SHELF_PLACES];
    size_t live_bytes;   /* usable */
    size_t live_limit;   /* above it, the next operations free */
    size_t largest;      /* request */
    size_t most_aligned; /* alignment; 0: 2^24 */
    bool memory_may_end; /* NULL with ENOMEM is fine: the test refuses memory */
    size_t refusals;     /* how often that was so */
};

/* Size of a request: every order of magnitude up to `largest`, with a liking for the edges of classes and pages. */
static inline size_t random_request(struct dice *dice, size_t largest)
{
    const size_t edge = dice_roll(dice, 3);
    size_t bytes;
    switch (dice_roll(dice, 20)) {
    case 0:
        bytes = dice_roll(dice, 2);
        break;
    case 1 ... 7:
        bytes = 1 + dice_roll(dice, 256);
        break;
    case 8 ... 10:
        bytes = 1 + dice_roll(dice, 4 * KIB);
        break;
    case 11 ... 15:
        bytes = ((8 + dice_roll(dice, 8)) << dice_roll(dice, 14)) + edge - 1;
        break;
    case 16 ... 18:
        bytes = (1 + dice_roll(dice, 20)) * PAGE + edge - 1;
        break;
    default:
        bytes = (size_t)1 << dice_roll(dice, 27);
        bytes += dice_roll(dice, bytes);
        break;
    }
    return bytes <= largest ? bytes : dice_roll(dice, largest + 1);
}

/* 2^0 .. 2^24, mostly small, in the form that `entry` accepts; at most `most`, or any if that is 0. */
static inline size_t random_alignment(struct dice *dice, enum entry entry, size_t most)
{
    const size_t exponent = dice_once_in(dice, 16) ? dice_roll(dice, 25) : dice_roll(dice, 14);
    const size_t least = entry == FROM_POSIX_MEMALIGN ? sizeof(void *) : 1;
    const size_t alignment = (size_t)1 << exponent;
    return alignment < least ? least : most && alignment > most ? most : alignment;
}

static inline void shelf_refused(struct shelf *shelf, const char *what, size_t alignment, size_t bytes)
{
    if (!shelf->memory_may_end)
        VIOLATION("%s of %zu bytes (alignment %zu) failed with %zu bytes live", what, bytes, alignment,
                  shelf->live_bytes);
    shelf->refusals++;
}

static inline void shelf_take(struct shelf *shelf, struct block *place, struct dice *dice)
{
    const enum entry entry = (enum entry)dice_roll(dice, ENTRY_COUNT);
    const size_t alignment = random_alignment(dice, entry, shelf->most_aligned);
    const size_t bytes = random_request(dice, shelf->largest);
    if (block_take(place, entry, alignment, bytes, dice_next(dice)))
        shelf->live_bytes += place->usable;
    else
        shelf_refused(shelf, entry_name(entry), alignment, bytes);
}

static inline void shelf_resize(struct shelf *shelf, struct block *place, struct dice *dice)
{
    const size_t near = place->usable + dice_roll(dice, 33);
    const size_t wanted = dice_once_in(dice, 3) ? (near > 16 ? near - 16 : 1) : random_request(dice, shelf->largest);
    const size_t bytes = wanted ? wanted : 1;
    const size_t before = place->usable;
    if (block_resize(place, bytes, dice_once_in(dice, 2), dice_next(dice)))
        shelf->live_bytes += place->usable - before;
    else
        shelf_refused(shelf, "realloc", LEAST_ALIGNMENT, bytes);
}

static inline void shelf_release(struct shelf *shelf, struct block *place, struct dice *dice)
{
    shelf->live_bytes -= place->usable;
    block_release(place, dice_next(dice));
}

/* One random operation on one random place. returns: the place. */
static inline size_t shelf_step(struct shelf *shelf, struct dice *dice)
{
    const size_t index = dice_roll(dice, SHELF_PLACES);
    struct block *place = &shelf->places[index];
    const bool full = shelf->live_bytes > shelf->live_limit;
    if (!place->start && !full)
        shelf_take(shelf, place, dice);
    else if (place->start && (full || dice_once_in(dice, 2)))
        shelf_release(shelf, place, dice);
    else if (place->start && dice_once_in(dice, 2))
        shelf_resize(shelf, place, dice);
    else if (place->start)
        block_check(place);
    return index;
}

static inline void shelf_steps(struct shelf *shelf, struct dice *dice, size_t count)
{
    for (size_t i = 0; i < count; i++)
        shelf_step(shelf, dice);
}

static inline void shelf_check(const struct shelf *shelf)
{
    for (size_t i = 0; i < SHELF_PLACES; i++) {
        if (shelf->places[i].start)
            block_check(&shelf->places[i]);
    }
}

static inline void shelf_clear(struct shelf *shelf, struct dice *dice)
{
    for (size_t i = 0; i < SHELF_PLACES; i++) {
        if (shelf->places[i].start)
            shelf_release(shelf, &shelf->places[i], dice);
    }
    CHECK_EQ(shelf->live_bytes, 0);
}

#endif
