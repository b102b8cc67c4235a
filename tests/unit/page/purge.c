/* When free runs go back to the kernel: by age, by the bound on what is dirty, by the limits. */
#include "test.h"

#include "../lib/fake_os.h"
#include "../lib/ground.h"

TEST(a_run_goes_back_when_it_has_been_idle_for_the_delay_and_not_before)
{
    ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 500);
    const uint32_t early = ground_take(2), fence = ground_take(1), late = ground_take(3);
    page_purge_due(1000);
    ground_give(early);
    page_purge_due(1200);
    ground_give(late);
    page_purge_due(1499);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 5);
    page_purge_due(1500);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 3);
    page_purge_due(1699);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 3);
    page_purge_due(1700);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 0);
    CHECK_EQ(ground_stats().purged, ground_bytes(5));
    CHECK_EQ(fake_os.purged_bytes, ground_bytes(5));
    CHECK(fence != 0);
}

TEST(the_clock_may_wrap_around_while_a_run_waits)
{
    ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 500);
    page_purge_due(UINT32_MAX - 99);
    ground_give(ground_take(2));
    page_purge_due((uint64_t)UINT32_MAX + 300);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 2);
    page_purge_due((uint64_t)UINT32_MAX + 401);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 0);
}

TEST(age_alone_gives_back_about_a_mib_a_visit)
{
    ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 500);
    ground_give(ground_take(63));
    page_purge_due(1000);
    CHECK_EQ(ground_stats().purged, MIB);
    (void)ground_walk();
}

TEST(an_old_run_longer_than_a_visit_is_gone_after_as_many_visits_as_it_has_mib)
{
    ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 500);
    ground_give(ground_take(4 * MIB_GRANULES));
    for (uint64_t visit = 0; visit < 4; visit++) {
        page_purge_due(1000 + 50 * visit);
        CHECK_EQ(ground_stats().purged, (visit + 1) * MIB);
    }
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 0);
}

TEST(a_run_of_which_a_part_was_taken_is_no_younger_for_it)
{
    ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 500);
    page_purge_due(1000);
    ground_give(ground_take(10));
    page_purge_due(1400);
    CHECK(ground_take(4) != 0);
    page_purge_due(1500);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 0);
}

TEST(what_is_free_beyond_the_floor_goes_back_at_once)
{
    ground_begin();
    store_relaxed(&page_bounds.dirty_floor, MIB);
    ground_give(ground_take(40 * MIB_GRANULES)); /* 32 MiB of it may come back, and 1 MiB more is purged than must be */
    CHECK_EQ(ground_stats().dirty, 32 * MIB);
    CHECK_EQ(ground_stats().purged, 8 * MIB);
    (void)ground_walk();
}

TEST(an_eighth_of_what_is_live_may_stay_free)
{
    ground_begin();
    store_relaxed(&page_bounds.dirty_floor, 0);
    (void)ground_take(80 * MIB_GRANULES);
    const uint32_t idle = ground_take(60 * MIB_GRANULES);
    ground_give(idle);
    CHECK_EQ(ground_stats().dirty, (10 + (80 + 60) / 4 - 1) * MIB);
    (void)ground_walk();
}

TEST(above_the_soft_limit_nothing_free_stays)
{
    ground_begin();
    const uint32_t first = ground_take(2 * MIB_GRANULES), second = ground_take(4 * MIB_GRANULES);
    store_relaxed(&page_bounds.soft_limit, 5 * MIB);
    ground_give(first);
    CHECK_EQ(ground_stats().dirty, 0);
    ground_give(second);
    CHECK_EQ(ground_stats().dirty, 4 * MIB); /* now it is below */
    (void)ground_walk();
}

TEST(the_hard_limit_refuses_what_does_not_fit_and_serves_what_does)
{
    ground_begin();
    store_relaxed(&page_bounds.hard_limit, 10 * MIB);
    const uint32_t first = ground_take(6 * MIB_GRANULES);
    CHECK(first != 0);
    CHECK_EQ(ground_take(5 * MIB_GRANULES), 0);
    CHECK_EQ(ground_stats().refused, 1);
    CHECK(ground_take(4 * MIB_GRANULES) != 0);
    CHECK_EQ(ground_take(1), 0);
    ground_give(first);
    CHECK(ground_take(6 * MIB_GRANULES) != 0);
    (void)ground_walk();
}

TEST(free_ground_counts_towards_the_hard_limit_and_is_given_back_to_make_room)
{
    ground_begin();
    store_relaxed(&page_bounds.hard_limit, 10 * MIB);
    const uint32_t first = ground_take(3 * MIB_GRANULES), fence = ground_take(1),
                   second = ground_take(3 * MIB_GRANULES);
    ground_give(first);
    ground_give(second);
    CHECK_EQ(ground_stats().dirty, 6 * MIB);
    CHECK(ground_take(8 * MIB_GRANULES) != 0);
    CHECK(ground_stats().dirty + 8 * MIB + GRANULE_BYTES <= 10 * MIB);
    CHECK(fence != 0);
    (void)ground_walk();
}

TEST(a_joined_run_is_as_old_as_its_youngest_part)
{
    ground_begin();
    store_relaxed(&page_bounds.purge_delay_ms, 500);
    const uint32_t first = ground_take(10);
    const uint32_t second = ground_take(10);
    (void)ground_take(1);
    page_purge_due(1000);
    ground_give(first);
    page_give_idle((granule_index){second}, (granule_count){10});
    page_purge_due(1100);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 20);
    page_purge_due(1500);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 4); /* a MiB a visit */
}

static uint32_t given_meanwhile;

static void give_meanwhile(void) { ground_give(given_meanwhile); }

/* Four single dirty granules have to go before two clean ones fit; while the first goes, another thread gives back
 * `length` granules in a row that were not there when the request looked for dirty ground. */
static void check_two_while_others_give(uint32_t length)
{
    uint32_t singles[8];

    ground_begin();
    given_meanwhile = ground_take(length);
    for (int i = 0; i < 8; i++)
        singles[i] = ground_take(1);
    CHECK(ground_take(4 * MIB_GRANULES - 1 - length - 8) != 0); /* all clean ground that is left */
    store_relaxed(&page_bounds.hard_limit, granule_bytes((granule_count){4 * MIB_GRANULES - 1}));
    for (int i = 1; i < 8; i += 2)
        ground_give(singles[i]);
    CHECK_EQ(ground_walk().free[GROUND_DIRTY], 4);
    fake_os.during_purge = give_meanwhile;
    const uint32_t taken = ground_take(2);
    CHECK_EQ(taken, given_meanwhile);
    (void)ground_walk();
}

TEST(what_others_give_back_while_room_is_made_is_taken) { check_two_while_others_give(2); }

TEST(and_cut_when_it_is_more) { check_two_while_others_give(3); }

TEST(a_hard_limit_below_what_is_live_refuses_and_nothing_more)
{
    ground_begin();
    const uint32_t first = ground_take(4 * MIB_GRANULES);
    store_relaxed(&page_bounds.hard_limit, MIB);
    CHECK_EQ(ground_take(1), 0);
    ground_give(first);
    CHECK(ground_take(MIB_GRANULES) != 0);
    (void)ground_walk();
}
