/* ground.h: a walk over the whole heap range, line by line, that believes nothing: the page floor's invariant as code.
 *
 * A test takes and gives runs by the functions here; a live run's first line then says LARGE and how long it is, as the
 * floors above would have it, so that the walk can tell it from what nobody accounts for. */
#ifndef GROUND_H
#define GROUND_H

#include "test.h"

#include "page/ground.h"
#include "page/tree.h"

#define MIB ((size_t)1 << 20)

enum { MIB_GRANULES = 16 };

enum { GROUND_CLEAN, GROUND_DIRTY }; /* enum run_state of page/free_run.h */

/* Granules. */
struct ground {
    uint32_t live;
    uint32_t free[2]; /* by GROUND_CLEAN, GROUND_DIRTY */
    uint32_t holes;
    uint32_t runs[2]; /* how many free runs */
};

/* returns: length of the free run at `index`, every line of it checked. */
static inline uint32_t ground_check_free(granule_index index)
{
    const struct free_run *const run = run_at(index);
    const uint32_t length = run->length.n;
    const uint32_t end = page_granule_end().i;

    CHECK(length > 0);
    CHECK(index.i + length <= end);
    CHECK_EQ(run->head.i, index.i);
    CHECK_EQ(load_relaxed(&run->line.owner), LINE_NOBODY);
    for (uint32_t i = 1; i + 1 < length; i++)
        CHECK_EQ(run_at((granule_index){index.i + i})->line.kind, GRANULE_NONE);
    if (length > 1) {
        const struct free_run *const tail = run_at((granule_index){index.i + length - 1});
        CHECK_EQ(tail->line.kind, GRANULE_FREE_TAIL);
        CHECK_EQ(tail->line.state, run->line.state);
        CHECK_EQ(tail->head.i, index.i);
    }
    if (index.i + length < end) {
        const struct free_run *const next = run_at((granule_index){index.i + length});
        CHECK(next->line.kind != GRANULE_FREE || next->line.state != run->line.state); /* else they would be one */
    }
    return length;
}

static inline uint32_t ground_hole_length(granule_index index)
{
    uint32_t length = 1;

    while (index.i + length < page_granule_end().i &&
           run_at((granule_index){index.i + length})->line.kind == GRANULE_NONE)
        length++;
    return length;
}

/* Walk the table. Every granule belongs to exactly one thing, and what is dirty agrees with the count of it. */
static inline struct ground ground_walk(void)
{
    struct ground ground = {0};
    struct page_stats stats = {0};
    granule_index index = {1};

    if (page_granule_end().i == 0)
        return ground;
    CHECK_EQ(run_at(NO_GRANULE)->line.kind, GRANULE_HOLE);
    while (index.i < page_granule_end().i) {
        const struct line *const line = page_line_at(index);
        uint32_t length = 0;
        if (line->kind == GRANULE_LARGE || line->kind == GRANULE_SLAB) {
            length = line->granules;
            ground.live += length;
        } else if (line->kind == GRANULE_HOLE) {
            length = ground_hole_length(index);
            ground.holes += length;
        } else {
            CHECK_EQ(line->kind, GRANULE_FREE);
            CHECK(line->state <= GROUND_DIRTY);
            length = ground_check_free(index);
            ground.free[line->state] += length;
            ground.runs[line->state]++;
        }
        index.i += length;
    }
    CHECK_EQ(index.i, page_granule_end().i);
    CHECK_EQ(ground.live + ground.free[GROUND_CLEAN] + ground.free[GROUND_DIRTY] + ground.holes + 1,
             page_granule_end().i);
    page_stats_read(&stats);
    CHECK_EQ(stats.dirty, (size_t)ground.free[GROUND_DIRTY] << GRANULE_SHIFT);
    return ground;
}

/* Nobody owns the line at `first`: NOBODY, or 0 if it never was the first of anything. Then the word where the fast
 * path of free looks for carved bytes must be 0 too, for a thread without a heap is 0 as well. */
static inline void ground_check_owner(granule_index first)
{
    const struct free_run *const run = run_at(first);
    const uintptr_t owner = load_relaxed(&run->line.owner);

    CHECK(owner == LINE_NOBODY || (owner == 0 && run->newer.i == 0));
}

/* page_take(), with everything that it promises. returns: none when refused. */
static inline struct page_run ground_take_run(uint32_t granules, size_t alignment)
{
    const struct page_run run = page_take((granule_count){granules}, alignment);
    const granule_index first = run.first;

    if (first.i == 0)
        return run;
    CHECK(run.used.i >= first.i && run.used.i + run.used_count.n <= first.i + granules);
    CHECK_EQ((uintptr_t)page_address(first) % alignment, 0);
    for (uint32_t i = 0; i < granules; i++)
        CHECK_EQ(run_at((granule_index){first.i + i})->line.kind, GRANULE_NONE);
    ground_check_owner(first);
    struct line *const line = page_line_at(first);
    line->kind = GRANULE_LARGE;
    line->granules = (uint16_t)granules;
    return run;
}

/* The same. `zeroed`: whether nobody has used any of it; may be NULL. returns: its first granule, 0 when refused. */
static inline uint32_t ground_take_aligned(uint32_t granules, size_t alignment, bool *zeroed)
{
    const struct page_run run = ground_take_run(granules, alignment);

    if (zeroed != NULL)
        *zeroed = run.used_count.n == 0;
    return run.first.i;
}

static inline uint32_t ground_take(uint32_t granules) { return ground_take_aligned(granules, GRANULE_BYTES, NULL); }

static inline void ground_give(uint32_t first)
{
    const struct line *const line = page_line_at((granule_index){first});

    CHECK_EQ(line->kind, GRANULE_LARGE);
    page_give((granule_index){first}, (granule_count){line->granules});
}

static inline char *ground_address(uint32_t first) { return page_address((granule_index){first}); }

static inline size_t ground_bytes(uint32_t granules) { return (size_t)granules << GRANULE_SHIFT; }

static inline struct page_stats ground_stats(void)
{
    struct page_stats stats = {0};

    page_stats_read(&stats);
    return stats;
}

/* Ground as it is after the first call, with bounds that never act by themselves. */
static inline void ground_begin(void)
{
    store_relaxed(&page_bounds.purge_delay_ms, UINT32_MAX);
    store_relaxed(&page_bounds.dirty_floor, SIZE_MAX);
    page_start();
    CHECK(page_open());
}

#endif
