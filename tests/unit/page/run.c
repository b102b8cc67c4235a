/* run.c: runs of granules on a played kernel: where a run comes from, what becomes of it, and what the table says.
 * After every story ground_walk() proves the floor's invariant: each granule is live, dirty, clean, in a hole, or the
 * first. */
#include "test.h"

#include "../lib/fake_os.h"
#include "../lib/ground.h"

enum { FIRST_GRANULES = 64 };

/* ground_begin(), for stories about what else lies there. */
static void begin_at_a_place(void)
{
    page_start();
    fake_needs_place(page_heap_range.base);
    ground_begin();
}

/* Take runs of these lengths, one behind the other, each followed by a live granule that keeps it from its neighbours.
 */
static void take_row(const uint32_t *lengths, uint32_t *firsts, int count)
{
    for (int i = 0; i < count; i++) {
        firsts[i] = ground_take(lengths[i]);
        const uint32_t fence = ground_take(1);
        CHECK_EQ(fence, firsts[i] + lengths[i]);
    }
}

/* ---- The first ground --------------------------------------------------------------------------------------------- */

TEST(nothing_is_mapped_before_the_first_need)
{
    page_start();
    CHECK_EQ(fake_os.calls, 0);
    CHECK_EQ(page_granule_end().i, 0);
    CHECK(!page_holds(page_offset((void *)page_ground.base)));
}

TEST(before_the_start_there_is_no_ground_and_no_crash)
{
    CHECK_EQ(page_take((granule_count){1}, GRANULE_BYTES).first.i, 0);
    CHECK(!page_open());
}

TEST(the_first_ground_is_four_mib_and_granule_0_is_nobodys)
{
    ground_begin();
    CHECK_EQ(page_granule_end().i, FIRST_GRANULES);
    const struct ground ground = ground_walk();
    CHECK_EQ(ground.free[GROUND_CLEAN], FIRST_GRANULES - 1);
    CHECK_EQ(ground_take(FIRST_GRANULES - 1), 1);
    CHECK_EQ(page_granule_end().i, FIRST_GRANULES);
    (void)ground_walk();
}

TEST(secrets_and_places_follow_the_random_draw)
{
    page_start();
    const struct page_ground before = page_ground;
    const uintptr_t base = page_heap_range.base;
    page_start();
    CHECK_EQ(page_ground.link_secret, before.link_secret);
    CHECK_EQ(page_heap_range.base, base);
    fake_os.random[1] = 3;
    page_start();
    CHECK(page_ground.link_secret != before.link_secret);
    CHECK(page_ground.key_secret != before.key_secret);
    CHECK(page_heap_range.base != base);
    CHECK(page_ground.key_secret & 1);
}

/* ---- Which run is taken ------------------------------------------------------------------------------------------- */

TEST(the_shortest_dirty_run_that_fits_is_taken_and_the_lowest_of_equals)
{
    const uint32_t lengths[] = {8, 4, 5, 4, 12};
    uint32_t firsts[5];

    ground_begin();
    take_row(lengths, firsts, 5);
    for (int i = 4; i >= 0; i--)
        ground_give(firsts[i]);
    CHECK_EQ(ground_walk().runs[GROUND_DIRTY], 5);
    CHECK_EQ(ground_take(4), firsts[1]);
    CHECK_EQ(ground_take(4), firsts[3]);
    CHECK_EQ(ground_take(4), firsts[2]); /* one granule of it stays */
    CHECK_EQ(ground_take(10), firsts[4]);
    CHECK_EQ(ground_take(1), firsts[2] + 4);
    CHECK_EQ(ground_take(8), firsts[0]);
    (void)ground_walk();
}

TEST(dirty_ground_is_reused_before_clean_ground_is_touched)
{
    ground_begin();
    const uint32_t first = ground_take(10);
    (void)ground_take(1);
    ground_give(first);
    CHECK_EQ(ground_take(10), first);
    ground_give(first);
    CHECK_EQ(ground_take(3), first);
    CHECK_EQ(ground_take(7), first + 3);
    CHECK_EQ(ground_take(1), 12);
    (void)ground_walk();
}

TEST(neighbours_join_whichever_of_them_comes_home_first)
{
    const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    ground_begin();
    for (int order = 0; order < 6; order++) {
        uint32_t parts[3];
        for (int i = 0; i < 3; i++)
            parts[i] = ground_take((uint32_t)i + 1);
        const uint32_t fence = ground_take(1);
        for (int i = 0; i < 3; i++) {
            ground_give(parts[orders[order][i]]);
            (void)ground_walk();
        }
        CHECK_EQ(ground_walk().runs[GROUND_DIRTY], 1);
        CHECK_EQ(run_at((granule_index){parts[0]})->length.n, 6);
        ground_give(fence);
        CHECK(page_purge_all() > 0);
        CHECK_EQ(ground_walk().runs[GROUND_CLEAN], 1);
    }
}

TEST(dirty_and_clean_neighbours_stay_apart_until_a_purge_makes_them_one)
{
    ground_begin();
    const uint32_t first = ground_take(5);
    ground_give(first);
    struct ground ground = ground_walk();
    CHECK_EQ(ground.runs[GROUND_DIRTY], 1);
    CHECK_EQ(ground.runs[GROUND_CLEAN], 1);
    CHECK_EQ(page_purge_all(), ground_bytes(5));
    ground = ground_walk();
    CHECK_EQ(ground.runs[GROUND_DIRTY], 0);
    CHECK_EQ(ground.runs[GROUND_CLEAN], 1);
    CHECK_EQ(ground.free[GROUND_CLEAN], FIRST_GRANULES - 1);
}

TEST(a_run_that_only_dirty_and_clean_together_can_hold_is_found_before_memory_is_refused)
{
    ground_begin();
    const uint32_t half = ground_take(32);
    ground_give(half);
    fake_os.refused_call = fake_os.calls + 1;
    fake_os.refuses_from_there = true;
    CHECK_EQ(ground_take(FIRST_GRANULES - 1), 1);
    (void)ground_walk();
}

TEST(an_aligned_run_is_cut_out_and_both_its_ends_stay_free)
{
    ground_begin();
    for (size_t alignment = GRANULE_BYTES; alignment <= 4 * MIB; alignment *= 2) {
        const uint32_t first = ground_take_aligned(3, alignment, NULL);
        CHECK(first != 0);
        CHECK_EQ(ground_walk().live, 3);
        ground_give(first);
        (void)ground_walk();
    }
    const size_t purged = page_purge_all();
    CHECK_EQ(purged, fake_os.purged_bytes);
    CHECK_EQ(ground_walk().runs[GROUND_CLEAN], 1);
}

/* ---- What a run contains ------------------------------------------------------------------------------------------ */

static bool is_zero(const char *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

TEST(a_run_is_called_zeroed_exactly_as_long_as_nobody_used_it_since_the_kernel_had_it)
{
    bool zeroed = false;

    ground_begin();
    uint32_t first = ground_take_aligned(4, GRANULE_BYTES, &zeroed);
    CHECK(zeroed);
    memset(ground_address(first), 0xee, ground_bytes(4));
    ground_give(first);
    first = ground_take_aligned(4, GRANULE_BYTES, &zeroed);
    CHECK(!zeroed);
    ground_give(first);
    CHECK_EQ(page_purge_all(), ground_bytes(4));
    first = ground_take_aligned(4, GRANULE_BYTES, &zeroed);
    CHECK(zeroed);
    CHECK(is_zero(ground_address(first), ground_bytes(4)));
}

/* A dirty run of `dirty` granules, with clean ones of `before` and `after` granules at its sides; all else of the first
 * ground is live. returns: its first granule. */
static uint32_t dirty_between_clean(uint32_t before, uint32_t dirty, uint32_t after)
{
    ground_begin();
    const uint32_t low = ground_take(before);
    const uint32_t middle = ground_take(dirty);
    const uint32_t high = ground_take(after);
    CHECK_EQ(ground_take(FIRST_GRANULES - 1 - before - dirty - after), high + after); /* the first ground is used up */
    ground_give(low);
    ground_give(high);
    (void)page_purge_all();
    memset(ground_address(middle), 0xee, ground_bytes(dirty));
    ground_give(middle);
    return middle;
}

TEST(a_dirty_run_that_is_too_short_is_taken_with_clean_ground_behind_it)
{
    const uint32_t dirty = dirty_between_clean(2, 8, 10);
    const struct page_run run = ground_take_run(12, GRANULE_BYTES);

    CHECK_EQ(run.first.i, dirty);
    CHECK_EQ(run.used.i, dirty);
    CHECK_EQ(run.used_count.n, 8);
    CHECK(is_zero(ground_address(dirty + 8), ground_bytes(4)));
    const struct ground ground = ground_walk();
    CHECK_EQ(ground.free[GROUND_DIRTY], 0);
    CHECK_EQ(ground.free[GROUND_CLEAN], 2 + 6);
}

TEST(and_with_clean_ground_before_it_when_there_is_not_enough_behind)
{
    const uint32_t dirty = dirty_between_clean(10, 8, 3);
    const struct page_run run = ground_take_run(12, GRANULE_BYTES);

    CHECK_EQ(run.first.i, dirty - 4);
    CHECK_EQ(run.used.i, dirty);
    CHECK_EQ(run.used_count.n, 8);
    CHECK(is_zero(ground_address(dirty - 4), ground_bytes(4)));
    const struct ground ground = ground_walk();
    CHECK_EQ(ground.free[GROUND_DIRTY], 0);
    CHECK_EQ(ground.free[GROUND_CLEAN], 6 + 3);
}

TEST(clean_ground_on_both_sides_that_fits_exactly_leaves_nothing_of_the_one_it_is_taken_from)
{
    const uint32_t dirty = dirty_between_clean(4, 8, 4);

    CHECK_EQ(ground_take_run(12, GRANULE_BYTES).first.i, dirty);
    CHECK_EQ(ground_walk().free[GROUND_CLEAN], 4);
}

TEST(a_dirty_run_without_enough_clean_ground_beside_it_is_left_alone)
{
    const uint32_t dirty = dirty_between_clean(3, 8, 3);
    const struct page_run run = ground_take_run(12, GRANULE_BYTES);

    CHECK(run.first.i >= dirty + 11);
    CHECK_EQ(run.used_count.n, 0);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 8);
}

TEST(of_dirty_runs_with_clean_ground_beside_them_the_longest_is_taken)
{
    uint32_t parts[6];

    ground_begin();
    for (uint32_t i = 0; i < 6; i++)
        parts[i] = ground_take(4 + i);
    CHECK(ground_take(FIRST_GRANULES - 1 - (4 + 5 + 6 + 7 + 8 + 9)) != 0);
    ground_give(parts[1]); /* 5, clean */
    ground_give(parts[4]); /* 8, clean */
    (void)page_purge_all();
    ground_give(parts[0]); /* 4, dirty */
    ground_give(parts[3]); /* 7, dirty */
    const struct page_run run = ground_take_run(9, GRANULE_BYTES);
    CHECK_EQ(run.used.i, parts[3]);
    CHECK_EQ(run.used_count.n, 7);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 4);
}

TEST(where_a_purge_keeps_the_content_all_of_a_run_taken_from_both_kinds_is_used)
{
    fake_os.purge_keeps_content = true;
    (void)dirty_between_clean(2, 8, 10);
    CHECK_EQ(ground_take_run(12, GRANULE_BYTES).used_count.n, 12);
}

TEST(where_a_purge_keeps_the_content_nothing_is_called_zeroed_again)
{
    bool zeroed = true;

    fake_os.purge_keeps_content = true;
    ground_begin();
    const uint32_t first = ground_take(4);
    memset(ground_address(first), 0xee, ground_bytes(4));
    ground_give(first);
    CHECK(page_purge_all() > 0);
    CHECK(ground_take_aligned(4, GRANULE_BYTES, &zeroed) != 0);
    CHECK(!zeroed);
    (void)ground_walk();
}

TEST(where_a_purge_fails_the_run_stays_dirty_and_every_purge_ends)
{
    bool zeroed = true;

    fake_os.purge_fails = true;
    ground_begin();
    const uint32_t first = ground_take(4);
    ground_give(first);
    CHECK_EQ(page_purge_all(), 0);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 4);
    CHECK_EQ(ground_stats().purged, 0);
    store_relaxed(&page_bounds.purge_delay_ms, 0);
    store_relaxed(&page_bounds.dirty_floor, 0);
    page_purge_due(1);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 4);
    CHECK_EQ(ground_take_aligned(4, GRANULE_BYTES, &zeroed), first);
    CHECK(!zeroed);
}

/* ---- Growth ------------------------------------------------------------------------------------------------------- */

TEST(the_range_grows_by_four_mib_and_later_by_an_eighth)
{
    ground_begin();
    size_t mapped = page_heap_range.mapped;
    while (mapped < 512 * MIB) {
        CHECK(ground_take(MIB_GRANULES) != 0);
        if (page_heap_range.mapped == mapped)
            continue;
        const size_t eighth = round_up(mapped / 8, GRANULE_BYTES);
        CHECK_EQ(page_heap_range.mapped - mapped, eighth > 4 * MIB ? eighth : 4 * MIB);
        CHECK(page_table_range.mapped >> LINE_SHIFT << GRANULE_SHIFT >= page_heap_range.mapped);
        mapped = page_heap_range.mapped;
    }
    (void)ground_walk();
}

TEST(a_run_longer_than_a_step_gets_a_step_of_its_own)
{
    ground_begin();
    const uint32_t first = ground_take(5 * FIRST_GRANULES);
    CHECK(first != 0);
    CHECK(page_granule_end().i <= 7 * FIRST_GRANULES);
    memset(ground_address(first), 1, ground_bytes(5 * FIRST_GRANULES));
    (void)ground_walk();
}

TEST(a_kernel_that_has_less_than_a_step_left_still_gives_what_is_needed)
{
    ground_begin();
    (void)ground_take(FIRST_GRANULES - 1);
    fake_os.open_bytes_max = fake_os.open_bytes + 3 * GRANULE_BYTES;
    CHECK_EQ(ground_take(3), FIRST_GRANULES);
    CHECK_EQ(ground_take(1), 0);
    CHECK_EQ(ground_stats().refused, 1);
    fake_os.open_bytes_max = SIZE_MAX;
    CHECK(ground_take(1) != 0);
    (void)ground_walk();
}

TEST(the_heap_and_its_table_are_one_mapping_each_however_often_they_grow)
{
    begin_at_a_place();
    for (int i = 0; i < 300; i++)
        CHECK(ground_take(MIB_GRANULES) != 0);
    CHECK_EQ(fake_os.range_count, 2);
}

/* ---- Holes -------------------------------------------------------------------------------------------------------- */

TEST(somebody_elses_mapping_is_stepped_over_and_never_handed_out)
{
    begin_at_a_place();
    const uintptr_t theirs = page_ground.base + 6 * MIB;
    fake_obstacle(theirs, MIB);
    for (int i = 0; i < 200; i++) {
        const uint32_t first = ground_take(7);
        CHECK(first != 0);
        CHECK(fake_is_open(ground_address(first), ground_bytes(7)));
        CHECK((uintptr_t)ground_address(first) + ground_bytes(7) <= theirs ||
              (uintptr_t)ground_address(first) >= theirs + MIB);
    }
    CHECK(ground_walk().holes >= MIB_GRANULES);
    const granule_index inside = page_index_of(page_line(page_offset((void *)theirs)));
    CHECK_EQ(run_at(page_run_of(inside))->line.kind, GRANULE_HOLE);
}

TEST(runs_on_both_sides_of_a_hole_never_join_across_it)
{
    begin_at_a_place();
    fake_obstacle(page_ground.base + 4 * MIB, 64 << 10);
    const uint32_t before = ground_take(FIRST_GRANULES - 1);
    const uint32_t behind = ground_take(20);
    CHECK(behind > FIRST_GRANULES);
    ground_give(behind);
    ground_give(before);
    CHECK_EQ(ground_walk().runs[GROUND_DIRTY], 2);
    CHECK(page_purge_all() > 0);
    CHECK_EQ(ground_walk().runs[GROUND_CLEAN], 2);
}

TEST(many_obstacles_of_all_sizes_are_all_stepped_over)
{
    begin_at_a_place();
    uintptr_t place = page_ground.base + 4 * MIB;
    for (int i = 0; i < 40; i++) {
        const size_t bytes = (size_t)1 << (12 + test_random() % 15);
        fake_obstacle(place, bytes);
        place += bytes + ((test_random() % (16 * MIB)) & ~(size_t)4095);
    }
    while (page_ground.base + page_heap_range.mapped < place) {
        const uint32_t first = ground_take(MIB_GRANULES);
        CHECK(first != 0);
        CHECK(fake_is_open(ground_address(first), MIB));
    }
    CHECK(ground_walk().holes > 0);
}

TEST(an_end_that_cannot_be_passed_refuses_memory_and_harms_nothing)
{
    begin_at_a_place();
    const uint32_t all = ground_take(FIRST_GRANULES - 1);
    fake_obstacle(page_ground.base + 4 * MIB, page_heap_range.limit);
    CHECK_EQ(ground_take(1), 0);
    CHECK_EQ(page_granule_end().i, FIRST_GRANULES);
    (void)ground_walk();
    ground_give(all);
    CHECK_EQ(ground_take(FIRST_GRANULES - 1), all);
    fake_os.obstacle_count = 0;
    CHECK(ground_take(1) != 0);
    (void)ground_walk();
}

/* ---- Extending ---------------------------------------------------------------------------------------------------- */

/* page_extend() as the floor above would call it. */
static bool extend(uint32_t first, uint32_t wanted)
{
    struct line *const line = page_line_at((granule_index){first});

    if (!page_extend((granule_index){first}, (granule_count){line->granules}, (granule_count){wanted}))
        return false;
    line->granules = (uint16_t)wanted;
    return true;
}

TEST(a_run_grows_into_what_is_free_behind_it_clean_or_dirty)
{
    ground_begin();
    const uint32_t first = ground_take(4);
    CHECK(extend(first, 10));
    CHECK_EQ(ground_walk().live, 10);
    const uint32_t second = ground_take(6);
    CHECK_EQ(second, first + 10);
    const uint32_t fence = ground_take(1);
    ground_give(second);
    CHECK(extend(first, 13));
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 3);
    CHECK(!extend(first, 17)); /* the fence is in the way */
    CHECK(extend(first, 16));
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 0);
    ground_give(fence);
    CHECK(extend(first, 17));
    (void)ground_walk();
}

TEST(a_run_does_not_grow_beyond_the_end_of_the_range_nor_into_a_hole)
{
    begin_at_a_place();
    fake_obstacle(page_ground.base + 4 * MIB, 64 << 10);
    const uint32_t last = ground_take(FIRST_GRANULES - 1);
    CHECK(!extend(last, FIRST_GRANULES));
    CHECK(ground_take(1) > FIRST_GRANULES);
    CHECK(!extend(last, FIRST_GRANULES));
    (void)ground_walk();
}

TEST(a_run_does_not_grow_beyond_the_hard_limit)
{
    ground_begin();
    const uint32_t first = ground_take(4);
    store_relaxed(&page_bounds.hard_limit, ground_bytes(8));
    CHECK(!extend(first, 9));
    CHECK(extend(first, 8));
    (void)ground_walk();
}

/* ---- A long random life ------------------------------------------------------------------------------------------- */

static const struct kernel {
    const char *name;
    size_t page_bytes;
    bool refuses_places;
    bool obstacles;
    bool purge_fails;
    bool purge_keeps_content;
    size_t hard_limit;
    size_t open_bytes_max;
} kernels[] = {
    {"pages_of_4_kib", 4 << 10, false, false, false, false, SIZE_MAX, SIZE_MAX},
    {"pages_of_16_kib", 16 << 10, false, false, false, false, SIZE_MAX, SIZE_MAX},
    {"pages_of_64_kib", 64 << 10, false, false, false, false, SIZE_MAX, SIZE_MAX},
    {"one_reservation", 4 << 10, true, false, false, false, SIZE_MAX, SIZE_MAX},
    {"one_reservation_of_pages_of_64_kib", 64 << 10, true, false, false, false, SIZE_MAX, SIZE_MAX},
    {"obstacles", 4 << 10, false, true, false, false, SIZE_MAX, SIZE_MAX},
    {"obstacles_and_pages_of_16_kib", 16 << 10, false, true, false, false, SIZE_MAX, SIZE_MAX},
    {"purges_that_fail", 4 << 10, false, false, true, false, SIZE_MAX, SIZE_MAX},
    {"purges_that_keep_the_content", 4 << 10, false, false, false, true, SIZE_MAX, SIZE_MAX},
    {"a_hard_limit", 4 << 10, false, false, false, false, 48 * MIB, SIZE_MAX},
    {"little_memory", 4 << 10, false, false, false, false, SIZE_MAX, 40 * MIB},
};

enum { RUNS = 64, STEPS = 6000, SHADOW = 1 << 14, LENGTH_MAX = 48 };

static struct {
    uint32_t first; /* 0: none */
    uint64_t tag;
} live[RUNS];
static bool shadow[SHADOW]; /* granules that the test holds */
static size_t live_bytes;

static uint32_t length_of(int i) { return ((struct line *)page_line_at((granule_index){live[i].first}))->granules; }

/* One word at each end of each granule from `from` on. */
static void mark(int i, uint32_t from)
{
    for (uint32_t granule = from; granule < length_of(i); granule++) {
        uint64_t *const words = (uint64_t *)(void *)(ground_address(live[i].first) + ground_bytes(granule));
        words[0] = words[GRANULE_BYTES / 8 - 1] = live[i].tag + granule;
        CHECK(!shadow[live[i].first + granule]);
        shadow[live[i].first + granule] = true;
    }
    live_bytes += ground_bytes(length_of(i) - from);
}

static void unmark(int i)
{
    for (uint32_t granule = 0; granule < length_of(i); granule++) {
        const uint64_t *const words = (uint64_t *)(void *)(ground_address(live[i].first) + ground_bytes(granule));
        CHECK_EQ(words[0], live[i].tag + granule);
        CHECK_EQ(words[GRANULE_BYTES / 8 - 1], live[i].tag + granule);
        shadow[live[i].first + granule] = false;
    }
    live_bytes -= ground_bytes(length_of(i));
}

static void take_one(const struct kernel *kernel, int i)
{
    const uint32_t length = 1 + (uint32_t)(test_random() % LENGTH_MAX);
    const size_t alignment = GRANULE_BYTES << (test_random() % 8 == 0 ? test_random() % 6 : 0);
    const struct page_run run = ground_take_run(length, alignment);

    live[i].first = run.first.i;
    if (live[i].first == 0) {
        CHECK(kernel->hard_limit != SIZE_MAX || kernel->open_bytes_max != SIZE_MAX);
        return;
    }
    CHECK(live[i].first + length < SHADOW);
    CHECK(fake_is_open(ground_address(live[i].first), ground_bytes(length)));
    for (uint32_t granule = 0; granule < length && test_random() % 4 == 0; granule++)
        if (run.first.i + granule - run.used.i >= run.used_count.n)
            CHECK(is_zero(ground_address(run.first.i + granule), GRANULE_BYTES));
    live[i].tag = test_random();
    mark(i, 0);
    CHECK(live_bytes <= kernel->hard_limit);
}

static void extend_one(int i)
{
    const uint32_t before = length_of(i);
    const uint32_t wanted = before + 1 + (uint32_t)(test_random() % 8);

    if (extend(live[i].first, wanted))
        mark(i, before);
}

static void give_one(int i)
{
    unmark(i);
    ground_give(live[i].first);
    live[i].first = 0;
}

static void random_life(const void *argument)
{
    const struct kernel *const kernel = argument;

    fake_os.page_bytes = kernel->page_bytes;
    fake_os.refuses_places = kernel->refuses_places;
    fake_os.purge_fails = kernel->purge_fails;
    fake_os.purge_keeps_content = kernel->purge_keeps_content;
    fake_os.open_bytes_max = kernel->open_bytes_max;
    if (kernel->obstacles)
        begin_at_a_place();
    else
        ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 100);
    store_relaxed(&page_bounds.dirty_floor, 4 * MIB);
    store_relaxed(&page_bounds.hard_limit, kernel->hard_limit);
    for (uintptr_t i = 0; kernel->obstacles && i < 8; i++)
        fake_obstacle(page_ground.base + (8 + 12 * i) * MIB, (size_t)64 << 10);
    for (uint64_t step = 0; step < STEPS; step++) {
        const int i = (int)(test_random() % RUNS);
        if (live[i].first == 0)
            take_one(kernel, i);
        else if (test_random() % 4 == 0)
            extend_one(i);
        else
            give_one(i);
        if (step % 16 == 0)
            page_purge_due(step);
        if (step % 64 == 0)
            CHECK_EQ(ground_bytes(ground_walk().live), live_bytes);
    }
    for (int i = 0; i < RUNS; i++)
        if (live[i].first != 0)
            give_one(i);
    CHECK_EQ(ground_walk().live, 0);
    if (!kernel->purge_fails) {
        (void)page_purge_all();
        CHECK_EQ(ground_walk().free[GROUND_DIRTY], 0);
    }
}

TESTS(random_lives)
{
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
        test_add(random_life, &kernels[i], "a_long_random_life_with_%s", kernels[i].name);
}

/* ---- Refusals ----------------------------------------------------------------------------------------------------- */

/* Some life, whatever is refused on the way. */
static void short_life(void)
{
    uint32_t runs[12];

    for (uint32_t i = 0; i < 12; i++)
        runs[i] = ground_take_aligned(8 + 8 * i, GRANULE_BYTES << i % 5, NULL);
    for (uint32_t i = 0; i < 12; i += 2)
        if (runs[i] != 0)
            ground_give(runs[i]);
    (void)page_purge_all();
    for (uint32_t i = 0; i < 12; i += 2)
        runs[i] = ground_take(60);
    (void)ground_walk();
}

/* Refuse call number `call` (and all after it). returns: whether there was one. */
static bool refuse_and_recover(uint64_t call, bool from_there, bool refuses_places)
{
    EXITS(0)
    {
        fake_os.refused_call = call;
        fake_os.refuses_from_there = from_there;
        fake_os.refuses_places = refuses_places;
        store_relaxed(&page_bounds.dirty_floor, SIZE_MAX);
        page_start();
        short_life();
        *(bool *)test_shared() = fake_os.refusals != 0;
        fake_os.refused_call = 0;
        CHECK(ground_take(100) != 0); /* it was a refusal, not the end */
        (void)ground_walk();
    }
    return *(bool *)test_shared();
}

static void every_refusal_is_survived(bool from_there, bool refuses_places)
{
    uint64_t call = 1;

    while (refuse_and_recover(call, from_there, refuses_places))
        call++;
    CHECK(call > 5); /* there was something to refuse */
}

TEST(any_one_call_may_be_refused) { every_refusal_is_survived(false, false); }
TEST(all_calls_from_any_one_on_may_be_refused) { every_refusal_is_survived(true, false); }
TEST(any_one_call_may_be_refused_in_a_reservation) { every_refusal_is_survived(false, true); }
TEST(all_calls_from_any_one_on_may_be_refused_in_a_reservation) { every_refusal_is_survived(true, true); }

/* ---- Fork --------------------------------------------------------------------------------------------------------- */

TEST(fork_holds_the_floor_still_and_both_sides_go_on)
{
    ground_begin();
    CHECK(!page_is_inside());
    page_fork_prepare();
    CHECK(page_is_inside());
    CHECK_EQ(ground_take(1), 0);
    page_fork_parent();
    CHECK(!page_is_inside());
    CHECK(ground_take(1) != 0);
    page_fork_prepare();
    page_fork_child();
    CHECK(!page_is_inside());
    CHECK(ground_take(1) != 0);
}
