/* Stories about who owns a slab and how blocks find home, told step by step by actors. */
#include "test.h"

#include "../lib/actors.h"

/* ---- The way home -------------------------------------------------------------------------------------------------- */

TEST(a_block_freed_by_another_thread_waits_in_a_parcel_then_in_the_inbox_and_is_handed_out_again)
{
    begin();
    void *const first = get_as(ANN, 100);
    void *const second = get_as(ANN, 100);
    (void)get_as(BOB, 100);
    free_as(BOB, first);
    free_as(BOB, second);
    check_held(1);
    CHECK_EQ(word_of(slab_of(first)).count, 0);
    send_parcels(BOB);
    check_held(1);
    CHECK_EQ(walk.tokens, 1);
    CHECK_EQ(word_of(slab_of(first)).count, 2);
    heap_collect(heap_of(ANN));
    check_held(1);
    CHECK_EQ(walk.tokens, 0);
    CHECK(slab_list_holds(slab_of(first), slab_of(first)->freed, 2, first));
    CHECK(slab_list_holds(slab_of(first), slab_of(first)->freed, 2, second));
    exit_as(ANN);
    exit_as(BOB);
    CHECK_EQ(live_granules(), 1); /* Bob's one block */
}

TEST(many_parcels_for_one_slab_need_one_token)
{
    void *blocks[20];

    begin();
    for (int i = 0; i < 20; i++)
        blocks[i] = get_as(ANN, 50);
    for (int i = 0; i < 20; i++) {
        (void)get_as(BOB, 5000);
        free_as(BOB, blocks[i]);
        send_parcels(BOB);
        heap_walk();
        CHECK_EQ(walk.tokens, 1);
        CHECK_EQ(word_of(slab_of(blocks[0])).count, i + 1);
    }
    heap_collect(heap_of(ANN));
    check_held(20);
    CHECK_EQ(walk.tokens, 0);
}

TEST(a_parcel_gives_way_to_one_for_another_slab_in_its_place)
{
    void *blocks[HEAP_PARCELS + 1];

    begin();
    for (int i = 0; i <= HEAP_PARCELS; i++) { /* slabs of four granules: every fourth place */
        blocks[i] = get_as(ANN, 65536);
        for (int j = 1; j < 4; j++)
            (void)get_as(ANN, 65536);
    }
    (void)get_as(BOB, 16);
    const struct slab *const first = slab_of(blocks[0]);
    for (int i = 0; i <= HEAP_PARCELS; i++) {
        free_as(BOB, blocks[i]);
        empty_magazines(BOB);
        heap_walk();
    }
    CHECK_EQ(word_of(first).count, 1);
    CHECK(page_index_of(first).i % HEAP_PARCELS == page_index_of(slab_of(blocks[4])).i % HEAP_PARCELS);
}

TEST(a_thread_that_only_frees_never_holds_back_more_than_its_budget)
{
    static void *blocks[MANY];

    begin();
    for (int i = 0; i < MANY; i++)
        blocks[i] = get_as(ANN, 1 + test_random() % 8000);
    (void)get_as(BOB, 16);
    for (int i = 0; i < MANY; i++) {
        free_as(BOB, blocks[(i * 1009) % MANY]);
        CHECK(heap_of(BOB)->parcel_bytes <= WALK_PARCEL_BYTES);
    }
    check_held(1);
    exit_as(BOB);
    exit_as(ANN);
    check_held(1);
    CHECK_EQ(live_granules(), 1);
}

TEST(a_full_slab_wakes_when_a_block_comes_home)
{
    begin();
    void *blocks[4];
    for (int i = 0; i < 4; i++)
        blocks[i] = get_as(ANN, 65536);
    struct slab *const slab = slab_of(blocks[0]);
    (void)get_as(ANN, 65536); /* another slab */
    CHECK_EQ(slab->line.state, SLAB_FULL);
    (void)get_as(BOB, 16);
    free_as(BOB, blocks[1]);
    send_all(BOB);
    CHECK_EQ(slab->line.state, SLAB_FULL);
    heap_collect(heap_of(ANN));
    CHECK_EQ(slab->line.state, SLAB_PARTIAL);
    check_held(5);
    for (int i = 0; i < 4; i++)
        if (i != 1)
            free_as(BOB, blocks[i]);
    send_all(BOB);
    heap_collect(heap_of(ANN));
    CHECK_EQ(slab->line.kind, GRANULE_FREE); /* the last block home ended it */
    check_held(2);
}

TEST(a_full_slab_of_many_blocks_wakes_when_a_64th_of_them_is_free)
{
    enum { PER_SLAB = 4096, FREED = PER_SLAB / 64 + 1 };
    begin();
    static void *blocks[PER_SLAB];
    for (int i = 0; i < PER_SLAB; i++)
        blocks[i] = get_as(ANN, 16);
    struct slab *const slab = slab_of(blocks[0]);
    (void)get_as(ANN, 16); /* another slab */
    CHECK_EQ(slab->line.state, SLAB_FULL);
    for (int i = 0; i < FREED; i++) {
        CHECK_EQ(slab->line.state, SLAB_FULL);
        free_as(ANN, blocks[i * 7]);
    }
    CHECK_EQ(slab->line.state, SLAB_PARTIAL);
    check_held(PER_SLAB + 1 - FREED);
}

TEST(the_slab_that_was_woken_first_is_the_next_to_be_used)
{
    void *blocks[12];

    begin();
    for (int i = 0; i < 12; i++)
        blocks[i] = get_as(ANN, 65536); /* three slabs of four */
    const struct slab *const slabs[] = {slab_of(blocks[0]), slab_of(blocks[4])};
    free_as(ANN, blocks[5]);
    empty_magazines(ANN);
    free_as(ANN, blocks[0]);
    empty_magazines(ANN);
    check_held(10);
    CHECK_EQ(slab_of(get_as(ANN, 65536)), slabs[1]);
    check_held(11);
    CHECK_EQ(slab_of(get_as(ANN, 65536)), slabs[0]);
    check_held(12);
    CHECK(slab_of(get_as(ANN, 65536)) != slabs[1]);
    check_held(13);
}

TEST(a_thread_without_a_heap_frees_without_getting_one)
{
    begin();
    void *const block = get_as(ANN, 100);
    be(BOB);
    heap_thread_reserve();
    CHECK(heap_free(block, "free")); /* a thread that has reported misuse frees nothing */
    check_held(1);
    CHECK_EQ(walk.live_heaps, 1);
}

/* ---- The end of a thread ------------------------------------------------------------------------------------------- */

TEST(a_thread_that_freed_everything_leaves_nothing)
{
    static void *blocks[MANY];

    begin();
    for (int i = 0; i < MANY; i++)
        blocks[i] = get_as(ANN, test_random() % CLASS_BYTES_MAX);
    for (int i = 0; i < MANY; i++)
        free_as(ANN, blocks[i]);
    exit_as(ANN);
    check_held(0);
    CHECK_EQ(walk.slabs, 0);
    CHECK_EQ(walk.live_heaps, 0);
    CHECK_EQ(live_granules(), 0);
}

TEST(a_heap_whose_thread_ended_is_closed_and_serves_the_next_thread)
{
    begin();
    (void)get_as(ANN, 16);
    const struct heap *const heap = heap_of(ANN);
    exit_as(ANN);
    CHECK_EQ(load_relaxed(&heap->inbox), WALK_INBOX_CLOSED);
    (void)get_as(BOB, 16);
    CHECK_EQ(heap_of(BOB), heap);
    check_held(2);
}

TEST(the_blocks_of_a_thread_that_ended_stay_and_the_last_free_ends_their_slab)
{
    void *blocks[10];

    begin();
    for (int i = 0; i < 10; i++) {
        blocks[i] = get_as(ANN, 200);
        memset(blocks[i], i, 200);
    }
    struct slab *const slab = slab_of(blocks[0]);
    exit_as(ANN);
    check_held(10);
    CHECK_EQ(walk.orphans, 1);
    CHECK_EQ(word_of(slab).owner, 0);
    (void)get_as(BOB, 5000);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(((char *)blocks[i])[199], i);
        free_as(BOB, blocks[i]);
        send_parcels(BOB);
        check_held(10 - (uint64_t)i);
    }
    CHECK_EQ(slab->line.kind, GRANULE_FREE);
    CHECK_EQ(walk.orphans, 0);
}

TEST(an_orphan_is_adopted_by_the_first_that_needs_its_class)
{
    begin();
    void *const kept = get_as(ANN, 200);
    struct slab *const slab = slab_of(kept);
    (void)get_as(BOB, 16);
    exit_as(ANN);
    CHECK_EQ(slab_of(get_as(BOB, 100)) == slab, false); /* another class */
    CHECK_EQ(slab_of(get_as(BOB, 200)), slab);
    check_held(4);
    CHECK_EQ(walk.orphans, 0);
    CHECK_EQ(word_of(slab).owner, heap_of(BOB)->id);
    free_as(BOB, kept); /* now a block of his own */
    check_held(3);
    CHECK_EQ(heap_of(BOB)->parcel_bytes, 0);
}

TEST(blocks_that_came_home_to_an_orphan_are_handed_out_by_whoever_adopts_it)
{
    void *blocks[8];

    begin();
    for (int i = 0; i < 8; i++)
        blocks[i] = get_as(ANN, 8192); /* a slab of eight, all used */
    struct slab *const slab = slab_of(blocks[0]);
    CHECK(slab_is_fully_carved(slab));
    (void)get_as(BOB, 16);
    exit_as(ANN);
    for (int i = 0; i < 3; i++)
        free_as(BOB, blocks[i]);
    send_all(BOB);
    CHECK_EQ(word_of(slab).count, 3);
    CHECK(!word_of(slab).token);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(slab_of(get_as(CAT, 8192)), slab);
    CHECK(slab_of(get_as(CAT, 8192)) != slab);
    check_held(10);
}

/* A parcel arrives after Ann has looked into her inbox for the last time and before she lets go of her slabs. */
static struct slab *exit_with_a_late_parcel(void **blocks, int count, enum actor adopter)
{
    for (int i = 0; i < count; i++)
        blocks[i] = get_as(ANN, 8192);
    (void)get_as(BOB, 16);
    (void)get_as(adopter, 16);
    struct heap *const heap = heap_of(ANN);
    heap_collect(heap);
    free_as(BOB, blocks[0]);
    send_all(BOB);
    be(ANN);
    heap_slabs_leave(heap, heap_orphan);
    return slab_of(blocks[0]);
}

TEST(a_token_that_meets_a_closed_inbox_ends_with_its_orphan)
{
    void *blocks[8];

    begin();
    struct slab *const slab = exit_with_a_late_parcel(blocks, 8, CAT);
    CHECK(word_of(slab).token);
    heap_inbox_close(heap_of(ANN));
    CHECK(!word_of(slab).token);
    CHECK_EQ(word_of(slab).count, 1);
    heap_inbox_open(heap_of(ANN));
    check_held(9);
    CHECK_EQ(walk.orphans, 1);
    CHECK_EQ(slab_of(get_as(CAT, 8192)), slab);
    check_held(10);
}

TEST(a_token_that_meets_a_closed_inbox_goes_to_whoever_adopted_the_slab_meanwhile)
{
    void *blocks[8];

    begin();
    struct slab *const slab = exit_with_a_late_parcel(blocks, 8, CAT);
    struct heap *const cat = heap_of(CAT);
    CHECK_EQ(heap_adopt_this(cat, slab), true);
    heap_slab_join(cat, slab);
    CHECK(word_of(slab).token);
    be(ANN);
    heap_inbox_close(heap_of(ANN));
    CHECK(word_of(slab).token);
    heap_inbox_open(heap_of(ANN));
    heap_walk();
    CHECK_EQ(walk.tokens, 1);
    heap_collect(cat);
    check_held(9);
    CHECK_EQ(walk.tokens, 0);
    be(CAT);
    CHECK_EQ(slab_of(walk_get(8192)), slab);
}

TEST(a_slab_that_changed_hands_is_passed_on_by_the_inbox_that_it_lies_in)
{
    void *blocks[8];

    begin();
    struct slab *const slab = exit_with_a_late_parcel(blocks, 8, CAT);
    struct heap *const cat = heap_of(CAT);
    CHECK_EQ(heap_adopt_this(cat, slab), true);
    heap_slab_join(cat, slab);
    heap_collect(heap_of(ANN)); /* as her heap's next thread would */
    heap_walk();
    CHECK_EQ(walk.tokens, 1);
    heap_collect(cat);
    check_held(9);
}

TEST(the_last_block_of_an_orphan_ends_it_even_when_it_met_a_closed_inbox)
{
    void *blocks[1];

    begin();
    struct slab *const slab = exit_with_a_late_parcel(blocks, 1, CAT);
    heap_inbox_close(heap_of(ANN));
    heap_inbox_open(heap_of(ANN));
    CHECK_EQ(slab->line.kind, GRANULE_FREE);
    check_held(2);
    CHECK_EQ(walk.orphans, 0);
}

TEST(after_its_end_a_thread_shares_a_heap_with_others_that_ended)
{
    begin();
    (void)get_as(ANN, 16);
    exit_as(ANN);
    void *const late = get_as(ANN, 64);
    (void)get_as(BOB, 16);
    exit_as(BOB);
    CHECK_EQ(heap_owner_of(slab_of(get_as(BOB, 64))), heap_owner_of(slab_of(late)));
    CHECK(heap_at(heap_owner_of(slab_of(late)))->is_shared);
    free_as(BOB, late);
    check_held(3);
    exit_as(BOB); /* again: nothing more to end */
    check_held(3);
}

/* ---- Shared heaps --------------------------------------------------------------------------------------------------- */

TEST(blocks_of_a_shared_heap_are_sent_home_at_once)
{
    begin();
    (void)get_as(ANN, 16);
    struct heap *const shared = heap_shared_new();
    void *const block = walk_get_from(shared, 100);
    CHECK_EQ(heap_find(block, "free").heap, shared);
    free_as(ANN, block);
    CHECK_EQ(heap_of(ANN)->parcel_bytes, 0);
    heap_walk();
    CHECK_EQ(walk.tokens, 1);
    heap_shared_destroy(shared);
    check_held(1);
}

TEST(a_shared_heap_takes_its_small_large_and_huge_blocks_with_it)
{
    begin();
    struct heap *const shared = heap_shared_new();
    struct page_stats stats = {0};
    for (int i = 0; i < 100; i++)
        CHECK(walk_get_from(shared, test_random() % 200000) != NULL);
    void *const large = walk_get_from(shared, 1000000);
    CHECK(walk_get_from(shared, LARGE_BYTES_MAX + 1) != NULL);
    CHECK(walk_get_from(shared, 2000000) != NULL);
    walk_put_back(large);
    heap_shared_destroy(shared);
    check_held(0);
    CHECK_EQ(live_granules(), 0);
    page_stats_read(&stats);
    CHECK_EQ(stats.huge_live, 0);
}

/* ---- Suspects -------------------------------------------------------------------------------------------------------- */

TEST(a_second_free_while_the_first_is_in_another_threads_parcel_is_proved_when_it_comes_home)
{
    begin();
    void *const block = get_as(ANN, 100);
    (void)get_as(BOB, 16);
    free_as(BOB, block);
    free_as(BOB, block); /* nobody can know yet */
    CHECK_EQ(reports.count, 0);
    send_parcels(BOB);
    heap_collect(heap_of(ANN));
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DOUBLE_FREE);
    CHECK_EQ(reports.last.address, (uintptr_t)block);
    CHECK_EQ(reports.last.bytes, 112);
    heap_collect(heap_of(ANN));
    CHECK_EQ(reports.count, 1); /* said once */
    check_held(1);
}

TEST(a_block_in_which_the_program_wrote_the_key_word_is_no_double_free)
{
    begin();
    struct block *const block = get_as(ANN, 100);
    block->key = slab_key(block);
    free_as(ANN, block);
    (void)get_as(BOB, 16);
    free_as(BOB, block);
    heap_collect(heap_of(ANN));
    CHECK_EQ(reports.count, 0);
    check_held(2); /* it is lost, and nobody else is harmed */
}

TEST(more_suspects_than_there_are_records_are_counted_and_never_reported)
{
    static struct block *blocks[2 * HEAP_SUSPECTS];
    struct heap_stats stats;

    begin();
    for (int i = 0; i < 2 * HEAP_SUSPECTS; i++) {
        blocks[i] = get_as(ANN, 100);
        blocks[i]->key = slab_key(blocks[i]);
    }
    for (int i = 0; i < 2 * HEAP_SUSPECTS; i++)
        free_as(ANN, blocks[i]);
    heap_stats_read(&stats, NULL);
    CHECK_EQ(stats.unproved, HEAP_SUSPECTS);
    CHECK_EQ(reports.count, 0);
    check_held(2 * HEAP_SUSPECTS);
}

TEST(a_second_free_of_an_orphans_block_is_proved_by_whoever_makes_it)
{
    void *blocks[2];

    begin();
    blocks[0] = get_as(ANN, 100);
    blocks[1] = get_as(ANN, 100);
    (void)get_as(BOB, 16);
    exit_as(ANN);
    free_as(BOB, blocks[0]);
    send_parcels(BOB);
    free_as(BOB, blocks[0]);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DOUBLE_FREE);
    check_held(2);
    CHECK_EQ(walk.orphans, 0); /* he owns it now */
}

TEST(a_word_that_names_more_blocks_than_are_used_is_reported_and_changes_no_count)
{
    begin();
    void *const block = get_as(ANN, 1024);
    (void)get_as(BOB, 16);
    free_as(BOB, block);
    send_parcels(BOB);
    struct slab *const slab = slab_of(block);
    struct remote word = word_of(slab);
    const uint32_t used = slab_used(slab);
    word.count = used + 1;
    store_relaxed(&slab->remote, remote_pack(word));
    heap_collect(heap_of(ANN));
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DAMAGED_LIST);
    CHECK_EQ(slab_used(slab), used);
}

TEST(a_damaged_list_is_reported_and_not_followed)
{
    begin();
    struct block *const first = get_as(ANN, 2000);
    struct block *const second = get_as(ANN, 2000);
    (void)get_as(ANN, 2000);
    (void)get_as(ANN, 2000); /* the list is empty: what is freed now comes next */
    free_as(ANN, first);
    free_as(ANN, second);
    empty_magazines(ANN);             /* into the slab: last freed first */
    first->link = 0x4141414141414141; /* what an overflow leaves */
    CHECK_EQ(get_as(ANN, 2000), first);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DAMAGED_LIST);
    CHECK(get_as(ANN, 2000) != second);
}

/* ---- A handler inside ------------------------------------------------------------------------------------------------ */

/* Ann's blocks of a slab that is full and sleeps until two of them are free; and one of another slab. */
static struct slab *fill_a_slab(void **full)
{
    const uint32_t capacity = class_table[class_of(1024).i].capacity;

    CHECK(capacity > 2);
    for (uint32_t i = 0; i < capacity; i++)
        full[i] = get_as(ANN, 1024);
    (void)get_as(ANN, 1024);
    CHECK_EQ(slab_of(full[0])->line.state, SLAB_FULL);
    CHECK_EQ(slab_of(full[0])->needed, 2);
    return slab_of(full[0]);
}

TEST(a_handler_may_free_between_a_count_and_its_event)
{
    void *full[64];
    struct slab *due = NULL, *none = NULL;

    begin();
    struct slab *const slab = fill_a_slab(full);
    be(ANN);
    CHECK_EQ(heap_push(full[0], &none), HEAP_PUSHED);
    CHECK_EQ(heap_push(full[1], &due), HEAP_PUSHED_EVENT);
    CHECK_EQ(due, slab);
    CHECK_EQ(heap_push(full[2], &none), HEAP_PUSHED); /* the handler's: the count wraps */
    CHECK_EQ(heap_push(full[3], &none), HEAP_PUSHED);
    heap_event(slab);
    CHECK_EQ(slab->line.state, SLAB_PARTIAL);
    check_held(61);
}

TEST(a_full_slab_in_which_a_handler_freed_wakes_with_the_next_free)
{
    void *full[64];

    begin();
    struct slab *const slab = fill_a_slab(full);
    struct heap *const ann = heap_of(ANN);
    const uintptr_t word = ann->lock.word;
    ann->is_busy = true;          /* here the signal comes, */
    ann->lock.word = word + 4096; /* while a visitor finds the owner inside */
    walk_put_back(full[0]);
    walk_put_back(full[1]);
    ann->lock.word = word;
    ann->is_busy = false; /* and goes */
    CHECK_EQ(slab->line.state, SLAB_FULL);
    free_as(ANN, full[2]);
    CHECK_EQ(slab->line.state, SLAB_PARTIAL);
    check_held(62);
}

TEST(a_handler_that_interrupted_a_slow_path_is_served_and_harms_nothing)
{
    void *blocks[64];

    begin();
    for (int i = 0; i < 64; i++)
        blocks[i] = get_as(ANN, 1024);
    struct heap *const heap = heap_of(ANN);
    heap->is_busy = true; /* here the signal comes */
    void *const large = walk_get(100000);
    void *const odd = walk_get(1024 * 5);
    CHECK(large != NULL && odd != NULL);
    memset(large, 1, 100000);
    for (int i = 0; i < 64; i++)
        walk_put_back(blocks[i]);
    walk_put_back(odd);
    heap->is_busy = false; /* and goes */
    heap_walk();
    for (int i = 0; i < 64; i++)
        (void)get_as(ANN, 1024);
    heap_walk();
    CHECK_EQ(reports.count, 0);
}
