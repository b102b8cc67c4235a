/* fork.c: what a child makes of the heaps of threads that it does not have, and what its parent keeps. */
#include "test.h"

#include "../lib/actors.h"

/* Dan forks; what the child sees, without a real fork: the others are gone. */
static void fork_as_dan(void)
{
    be(DAN);
    heap_fork_prepare();
    heap_fork_child();
}

static void *block_lists[3][MANY / 10];

/* Ann, Bob and Cat own blocks, hold some of each other's in parcels, and have tokens in their inboxes. */
static void entangle(void)
{
    (void)get_as(DAN, 16);
    for (enum actor actor = ANN; actor <= CAT; actor++)
        for (int i = 0; i < MANY / 10; i++)
            block_lists[actor][i] = get_as(actor, 1 + test_random() % 5000);
    for (enum actor actor = ANN; actor <= CAT; actor++) {
        for (int i = 0; i < MANY / 20; i++)
            free_as(actor, block_lists[(actor + 1) % 3][i]);
        send_parcels(actor);
        for (int i = MANY / 20; i < MANY / 20 + 20; i++)
            free_as(actor, block_lists[(actor + 1) % 3][i]);
    }
    heap_walk();
    CHECK(walk.tokens > 3);
}

/* Dan frees what the others left. */
static void clean_up(void)
{
    be(DAN);
    for (int list = 0; list < 3; list++)
        for (int i = MANY / 20 + 20; i < MANY / 10; i++)
            walk_put_back(block_lists[list][i]);
    heap_settle();
}

TEST(a_fork_child_inherits_the_blocks_of_three_dead_threads_and_can_free_them_all)
{
    begin();
    entangle();
    const uint64_t held = walk_held();
    fork_as_dan();
    check_held(held);
    CHECK_EQ(walk.live_heaps, 1);
    clean_up();
    check_held(1);
    CHECK_EQ(walk.orphans, 0);
    CHECK_EQ(live_granules(), 1);
}

TEST(a_fork_child_reuses_the_heaps_and_slabs_of_the_dead)
{
    begin();
    entangle();
    fork_as_dan();
    const uint32_t before = live_granules();
    for (int i = 0; i < MANY / 20; i++)
        (void)get_as(DAN, 1 + test_random() % 2000);
    CHECK(live_granules() <= before + before / 4);
    be(ANN);
    heap_self = 0; /* a new thread of the child */
    (void)walk_get(100);
    heap_walk();
    CHECK_EQ(walk.live_heaps, 2);
}

TEST(a_heap_whose_thread_ended_unheard_serves_the_next_thread_in_its_place)
{
    begin();
    heap_taps.thread_began = NULL; /* real thread pointers */
    void *const kept = get_as(ANN, 100);
    struct heap *const heap = heap_of(ANN);
    heap_self = 0; /* Ann is gone, and libc gives her stack to the next thread */
    void *const next = walk_get(100);
    CHECK_EQ(heap_own(), heap);
    CHECK_EQ(slab_of(next), slab_of(kept));
    walk_put_back(kept);
    walk_put_back(next);
    heap_walk();
    CHECK_EQ(walk.live_heaps, 1);
}

TEST(a_fork_child_may_fork_and_its_child_too)
{
    begin();
    entangle();
    for (int i = 0; i < 3; i++) {
        fork_as_dan();
        heap_walk();
        be(ANN);
        heap_self = 0;
        block_lists[0][0] = walk_get(100);
        block_lists[1][0] = walk_get(3000);
    }
    fork_as_dan();
    heap_walk();
    CHECK_EQ(walk.live_heaps, 1);
}

TEST(a_parent_that_forked_goes_on_as_if_nothing_had_been)
{
    begin();
    entangle();
    const uint64_t held = walk_held();
    be(DAN);
    heap_fork_prepare();
    heap_fork_parent();
    check_held(held);
    CHECK_EQ(walk.live_heaps, 4);
}

TEST(a_fork_child_survives_a_thread_that_was_inside_a_slow_path)
{
    begin();
    entangle();
    heap_of(BOB)->is_busy = true;
    slab_of(block_lists[BOB][MANY / 10 - 1])->needed = 77; /* in the middle of a count */
    fork_as_dan();
    heap_walk(); /* every slab adds up again */
    CHECK_EQ(walk.live_heaps, 1);
    clean_up();
    heap_walk();
}

TEST(a_fork_child_leaves_a_parcel_alone_that_was_being_packed)
{
    begin();
    entangle();
    send_parcels(BOB);
    for (size_t bytes = 16; bytes < 5000; bytes *= 3) /* six slabs, so two parcels at least */
        free_as(BOB, get_as(CAT, bytes));
    struct heap *const heap = heap_of(BOB);
    int slot = 0;
    while (heap->parcels[slot].slab == NULL)
        slot++;
    struct slab *const slab = heap->parcels[slot].slab;
    heap->is_busy = true;
    heap->parcel_bytes -= (size_t)heap->parcels[slot].count * slab->block_bytes;
    heap->parcels[slot] = (struct heap_parcel){slab, NULL, heap->parcels[slot].last, 0}; /* as heap_send() begins one */
    CHECK(heap->parcel_bytes > 0);
    fork_as_dan();
    heap_walk();
    CHECK_EQ(walk.live_heaps, 1);
}
