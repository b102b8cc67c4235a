/* Stories about blocks that were freed last: who gets them, how many there are, and how they come home. */
#include "test.h"

#include "../lib/actors.h"

enum { BYTES = 5000, BLOCKS = 60 };

static void *blocks[BLOCKS];

static void get_blocks(enum actor actor, int count)
{
    for (int i = 0; i < count; i++)
        blocks[i] = get_as(actor, BYTES);
}

static uint32_t kept_by(enum actor actor) { return heap_magazine_count(heap_of(actor), class_of(BYTES)); }

static uint32_t kept_in_all(enum actor actor)
{
    uint32_t count = 0;

    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++)
        count += heap_magazine_count(heap_of(actor), class);
    return count;
}

static uint32_t room(void) { return heap_magazine_room[class_of(BYTES).i]; }

static void check_double_free(int count)
{
    CHECK_EQ(reports.count, count);
    CHECK_EQ(reports.last.kind, MISUSE_DOUBLE_FREE);
}

/* ---- One thread ----------------------------------------------------------------------------------------------------- */

TEST(what_was_freed_last_comes_first_whatever_slab_it_is_in)
{
    begin();
    get_blocks(ANN, BLOCKS);
    for (int i = 0; i < 10; i++)
        free_as(ANN, blocks[i * 6]);
    check_held(BLOCKS - 10);
    CHECK(slab_of(blocks[0]) != slab_of(blocks[54]));
    for (int i = 10; i-- > 0;)
        CHECK_EQ(get_as(ANN, BYTES), blocks[i * 6]);
    check_held(BLOCKS);
}

TEST(a_magazine_has_its_room_and_what_is_beyond_goes_into_the_slab)
{
    begin();
    get_blocks(ANN, BLOCKS);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        free_as(ANN, blocks[i]);
        CHECK_EQ(kept_by(ANN), i < room() ? i + 1 : room());
        check_held(BLOCKS - 1 - i);
    }
    CHECK(room() < BLOCKS);
    for (uint32_t i = room(); i-- > 0;)
        CHECK_EQ(get_as(ANN, BYTES), blocks[i]);
}

TEST(every_medium_class_keeps_two_blocks_and_no_more_than_its_bytes)
{
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        const size_t fit = ((size_t)128 << 10) / class_bytes(class); /* heap/magazine.c */
        if (class.i >= CLASS_MEDIUM)
            CHECK_EQ(heap_magazine_room[class.i], fit < MAGAZINE_ROUNDS ? fit : MAGAZINE_ROUNDS);
        CHECK(heap_magazine_room[class.i] >= 2);
    }
}

TEST(blocks_of_slabs_of_several_granules_are_kept_too)
{
    begin();
    void *const first = get_as(ANN, 60000);
    void *const second = get_as(ANN, 60000); /* its start is not in the slab's first granule */
    CHECK_EQ(slab_of(first), slab_of(second));
    free_as(ANN, second);
    free_as(ANN, first);
    check_held(0);
    CHECK_EQ(get_as(ANN, 60000), first);
    CHECK_EQ(get_as(ANN, 60000), second);
    check_held(2);
}

TEST(small_blocks_are_not_kept)
{
    begin();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = get_as(ANN, CLASS_SMALL_MAX);
    for (int i = 0; i < BLOCKS; i++)
        free_as(ANN, blocks[i]);
    CHECK_EQ(kept_in_all(ANN), 0);
    check_held(0);
}

TEST(a_smaller_class_borrows_what_is_kept)
{
    begin();
    get_blocks(ANN, 24); /* slabs of twelve: both full */
    free_as(ANN, blocks[3]);
    const uint32_t granules = live_granules();
    CHECK_EQ(get_as(ANN, 4500), blocks[3]);
    CHECK_EQ(live_granules(), granules);
    check_held(24);
}

TEST(what_nobody_wants_for_a_purge_delay_goes_home)
{
    begin();
    get_blocks(ANN, BLOCKS);
    struct heap *const heap = heap_of(ANN);
    const uint64_t delay = load_relaxed(&page_bounds.purge_delay_ms);
    heap_magazines_due(heap, 10 * delay);
    for (int i = 0; i < BLOCKS; i++)
        free_as(ANN, blocks[i]);
    CHECK(live_granules() > 2);
    heap_magazines_due(heap, 11 * delay);
    CHECK_EQ(kept_by(ANN), room());
    heap_magazines_due(heap, 11 * delay + 1);
    CHECK_EQ(kept_in_all(ANN), 0);
    check_held(0);
    CHECK_EQ(live_granules(), 1); /* the current slab */
}

TEST(a_heap_that_settles_keeps_nothing)
{
    begin();
    get_blocks(ANN, BLOCKS);
    for (int i = 0; i < BLOCKS; i++)
        free_as(ANN, blocks[i]);
    heap_settle();
    check_held(0);
    CHECK_EQ(live_granules(), 0);
}

TEST(what_is_kept_is_not_live_and_was_handed_out_once_for_each_time)
{
    struct heap_stats stats;

    begin();
    get_blocks(ANN, BLOCKS);
    for (int i = 0; i < 5; i++)
        free_as(ANN, blocks[i]);
    heap_stats_read(&stats, NULL);
    CHECK_EQ(stats.live, BLOCKS - 5);
    CHECK_EQ(stats.handed, BLOCKS);
    (void)get_as(ANN, BYTES);
    heap_stats_read(&stats, NULL);
    CHECK_EQ(stats.live, BLOCKS - 4);
    CHECK_EQ(stats.handed, BLOCKS + 1);
}

TEST(who_lives_on_a_magazine_looks_around_all_the_same)
{
    begin();
    get_blocks(ANN, 2);
    (void)get_as(BOB, 16);
    free_as(BOB, blocks[0]);
    send_all(BOB);
    CHECK_EQ(word_of(slab_of(blocks[0])).count, 1);
    free_as(ANN, blocks[1]);
    for (int i = 0; i < 64; i++)
        free_as(ANN, get_as(ANN, BYTES));
    CHECK_EQ(word_of(slab_of(blocks[0])).count, 0);
    check_held(1);
}

/* ---- Other threads -------------------------------------------------------------------------------------------------- */

TEST(anothers_block_is_handed_out_as_if_it_had_never_been_freed)
{
    begin();
    get_blocks(ANN, 2);
    (void)get_as(BOB, 16);
    const uint32_t used = slab_used(slab_of(blocks[0]));
    free_as(BOB, blocks[0]);
    check_held(2);
    CHECK_EQ(heap_of(BOB)->parcel_bytes, 0);
    CHECK_EQ(get_as(BOB, BYTES), blocks[0]);
    CHECK_EQ(word_of(slab_of(blocks[0])).count, 0);
    CHECK_EQ(word_of(slab_of(blocks[0])).owner, heap_of(ANN)->id);
    CHECK_EQ(slab_used(slab_of(blocks[0])), used);
    check_held(3);
    free_as(ANN, blocks[0]); /* and back again */
    CHECK_EQ(get_as(ANN, BYTES), blocks[0]);
}

TEST(anothers_blocks_beyond_the_room_go_into_parcels)
{
    begin();
    get_blocks(ANN, BLOCKS);
    (void)get_as(BOB, 16);
    for (uint32_t i = 0; i <= room(); i++)
        free_as(BOB, blocks[i]);
    CHECK_EQ(kept_by(BOB), room());
    CHECK_EQ(heap_of(BOB)->remote_frees, room() + 1);
    CHECK_EQ(heap_of(BOB)->parcel_bytes, slab_of(blocks[0])->block_bytes);
    check_held(BLOCKS - room());
}

TEST(a_thread_that_ends_sends_home_what_it_kept)
{
    begin();
    get_blocks(ANN, 12);
    (void)get_as(BOB, 16);
    for (int i = 0; i < 12; i++)
        free_as(BOB, blocks[i]);
    exit_as(BOB);
    check_held(1);
    exit_as(ANN);
    check_held(1);
    CHECK_EQ(live_granules(), 1);
}

TEST(what_is_kept_of_a_thread_that_ended_ends_its_orphan)
{
    begin();
    get_blocks(ANN, 12);
    (void)get_as(BOB, 16);
    for (int i = 0; i < 12; i++)
        free_as(BOB, blocks[i]);
    exit_as(ANN);
    heap_walk();
    CHECK_EQ(walk.orphans, 1);
    CHECK_EQ(get_as(BOB, BYTES), blocks[11]);
    free_as(BOB, blocks[11]);
    send_all(BOB);
    check_held(1);
    CHECK_EQ(walk.orphans, 0);
    CHECK_EQ(live_granules(), 1);
}

TEST(blocks_of_shared_heaps_are_never_kept)
{
    begin();
    (void)get_as(BOB, 16);
    struct heap *const shared = heap_shared_new();
    void *const block = walk_get_from(shared, BYTES);
    free_as(BOB, block);
    CHECK_EQ(kept_in_all(BOB), 0);
    check_held(1);
    heap_shared_destroy(shared);
    check_held(1);
    CHECK_EQ(live_granules(), 1);
}

/* ---- Visitors and forks --------------------------------------------------------------------------------------------- */

static void visit_as_cat(void)
{
    if (TEST_UNDER_TSAN)
        SKIP("nobody visits under the thread sanitizer, see os_wait_for_stores()");
    be(CAT);
    heap_visit_all();
}

TEST(a_visitor_sends_home_what_a_sleeper_keeps)
{
    begin();
    get_blocks(ANN, BLOCKS);
    (void)get_as(BOB, 16);
    (void)get_as(CAT, 16);
    for (int i = 0; i < BLOCKS; i++)
        free_as(i % 2 == 0 ? ANN : BOB, blocks[i]);
    visit_as_cat();
    CHECK_EQ(kept_by(ANN), 0);
    CHECK_EQ(kept_by(BOB), 0);
    check_held(2);
    CHECK_EQ(live_granules(), 2); /* of Bob's and Cat's own blocks */
    CHECK_EQ(walk.tokens, 0);
    get_blocks(ANN, BLOCKS);
    check_held(BLOCKS + 2);
}

TEST(a_visitor_sends_home_what_a_sleeper_has_listed_of_medium_blocks)
{
    struct heap_stats stats;

    begin();
    void *const block = get_as(ANN, 1100); /* carved with others, which are on the list */
    CHECK(heap_of(ANN)->list[class_of(1100).i] != NULL);
    (void)get_as(CAT, 16);
    free_as(ANN, block);
    visit_as_cat();
    check_held(1);
    CHECK_EQ(live_granules(), 1);
    heap_stats_read(&stats, NULL);
    CHECK_EQ(stats.handed, 2);
    CHECK_EQ(stats.live, 1);
    (void)get_as(ANN, 1100);
    check_held(2);
}

TEST(a_visitor_leaves_small_lists_alone)
{
    begin();
    void *const block = get_as(ANN, 1000);
    (void)get_as(CAT, 16);
    free_as(ANN, block);
    visit_as_cat();
    check_held(1);
    CHECK_EQ(live_granules(), 2);
    CHECK_EQ(slab_of(get_as(ANN, 1000)), slab_of(block));
    check_held(2);
}

TEST(a_visitor_leaves_a_damaged_list_where_it_is)
{
    begin();
    void *const block = get_as(ANN, 1100);
    struct block *const next = heap_of(ANN)->list[class_of(1100).i];
    (void)get_as(CAT, 16);
    free_as(ANN, block);
    next->link = 0x4141414141414141;
    visit_as_cat();
    CHECK_EQ(live_granules(), 2);
    CHECK_EQ(reports.count, 0);
    CHECK_EQ(get_as(ANN, 1100), next);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DAMAGED_LIST);
}

TEST(a_visitor_leaves_a_damaged_block_where_it_is_kept)
{
    begin();
    get_blocks(ANN, 12);
    (void)get_as(CAT, 16);
    for (int i = 0; i < 3; i++)
        free_as(ANN, blocks[i]);
    ((struct block *)blocks[1])->link ^= 1;
    visit_as_cat();
    CHECK_EQ(kept_by(ANN), 2); /* what lies above it went home */
    CHECK_EQ(reports.count, 0);
    CHECK_EQ(get_as(ANN, BYTES), blocks[1]);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DAMAGED_LIST);
}

/* `is_busy`: Ann was inside a slow path. */
static void fork_beside_magazines(bool is_busy)
{
    begin();
    get_blocks(ANN, BLOCKS);
    (void)get_as(BOB, 16);
    (void)get_as(DAN, 16);
    for (int i = 0; i < BLOCKS - 1; i++)
        free_as(i % 2 == 0 ? ANN : i % 3 == 0 ? DAN : BOB, blocks[i]);
    struct heap *const ann = heap_of(ANN);
    ann->is_busy = is_busy;
    be(DAN);
    heap_fork_prepare();
    heap_fork_child();
    check_held(3);
    CHECK_EQ(walk.live_heaps, 1);
    CHECK_EQ(heap_magazine_count(ann, class_of(BYTES)), 0);
    free_as(DAN, blocks[BLOCKS - 1]);
    heap_settle();
    check_held(2);
    CHECK_EQ(walk.orphans, 1); /* of Bob's one block */
    CHECK_EQ(live_granules(), 2);
}

TEST(a_fork_child_has_nothing_to_do_with_what_a_dead_one_kept_damaged)
{
    begin();
    get_blocks(ANN, 12);
    (void)get_as(DAN, 16);
    for (int i = 0; i < 3; i++)
        free_as(ANN, blocks[i]);
    ((struct block *)blocks[1])->link ^= 1;
    struct heap *const ann = heap_of(ANN);
    be(DAN);
    heap_fork_prepare();
    heap_fork_child();
    CHECK_EQ(heap_magazine_count(ann, class_of(BYTES)), 0); /* the next thread's, empty */
    CHECK_EQ(reports.count, 0);
    heap_walk();
    CHECK_EQ(walk.live_heaps, 1);
}

TEST(a_fork_child_finds_what_the_dead_kept) { fork_beside_magazines(false); }
TEST(a_fork_child_finds_what_was_kept_by_one_who_was_inside) { fork_beside_magazines(true); }

/* ---- Misuse and handlers -------------------------------------------------------------------------------------------- */

TEST(a_second_free_of_a_kept_block_is_reported_at_once)
{
    begin();
    get_blocks(ANN, 2);
    (void)get_as(BOB, 16);
    free_as(ANN, blocks[0]);
    free_as(ANN, blocks[0]);
    check_double_free(1);
    free_as(BOB, blocks[1]); /* not his own */
    free_as(BOB, blocks[1]);
    check_double_free(2);
    check_held(1);
}

TEST(a_second_free_of_what_another_keeps_is_reported_when_it_comes_home)
{
    begin();
    get_blocks(ANN, 2);
    (void)get_as(BOB, 16);
    free_as(BOB, blocks[0]);
    free_as(ANN, blocks[0]);
    CHECK_EQ(reports.count, 0); /* it may be Ann's mistake or her own word: wait */
    send_all(BOB);
    heap_collect(heap_of(ANN));
    check_double_free(1);
    check_held(2);
}

TEST(damage_to_a_kept_block_is_reported_by_whoever_takes_it)
{
    begin();
    get_blocks(ANN, 24);
    for (int i = 0; i < 3; i++)
        free_as(ANN, blocks[i]);
    for (int i = 0; i < 3; i++)
        ((struct block *)blocks[i])->link ^= 1;
    CHECK_EQ(get_as(ANN, BYTES), blocks[2]);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(get_as(ANN, 4500), blocks[1]); /* borrowed */
    CHECK_EQ(reports.count, 2);
    CHECK(heap_of(ANN)->list[class_of(BYTES).i] == NULL); /* nobody follows the link */
    empty_magazines(ANN);
    CHECK_EQ(reports.count, 3);
    CHECK_EQ(reports.last.kind, MISUSE_DAMAGED_LIST);
    check_held(23);
}

TEST(what_a_handler_frees_inside_a_slow_path_goes_home_as_anothers_block_does)
{
    begin();
    get_blocks(ANN, 13); /* a slab of twelve, full, and another */
    struct slab *const slab = slab_of(blocks[0]);
    struct heap *const ann = heap_of(ANN);
    CHECK_EQ(slab->line.state, SLAB_FULL);
    ann->is_busy = true; /* here the signal comes */
    walk_put_back(blocks[0]);
    ann->is_busy = false; /* and goes */
    CHECK_EQ(kept_by(ANN), 0);
    CHECK_EQ(word_of(slab).count, 1);
    check_held(12);
    heap_collect(ann);
    CHECK_EQ(slab->line.state, SLAB_PARTIAL);
    check_held(12);
}
