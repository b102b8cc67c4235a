/* fork_orphans.c: fork while slabs change hands: their threads end, others adopt them, their last blocks come home.
 *
 *   reapers:  start a short life --> shelf, gifts, what is left goes to the exchange --> its slabs are orphans
 *   main:     fork, wait, fork, ...
 *   child:    frees all that lies in the exchange, then finds the heap's own figures true to the block
 *
 * Whatever a thread was doing to a slab when the fork came, the child must be able to use that slab or leave it alone.
 * Nobody else is left in the child, so every count it makes must come out exactly. */
#include "../lib/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "child.h"
#include "exchange.h"
#include "../lib/stats.h"

enum { REAPERS = 3, CHILD_SECONDS = 60, HELD_MAX = 3 * ASHLAR_STATS_CLASSES };

static struct exchange exchange;
static atomic_bool stop;

/* ---- Threads that die -------------------------------------------------------------------------------------------- */

/* Hand everything on the shelf to whoever comes. What lies in the way is freed here: often a block of the dead. */
static void bequeath(struct shelf *shelf, struct dice *dice)
{
    for (size_t i = 0; i < SHELF_PLACES; i++) {
        struct block *const place = &shelf->places[i];
        struct block found;
        const size_t index = dice_roll(dice, EXCHANGE_PLACES);
        if (place->start == NULL)
            continue;
        if (exchange_accept(&exchange, index, &found))
            block_release(&found, dice_next(dice));
        if (!exchange_offer(&exchange, index, place))
            block_release(place, dice_next(dice));
    }
}

static void *live_briefly(void *argument)
{
    struct shelf *const shelf = argument;
    struct dice dice = dice_new();
    *shelf = (struct shelf){.live_limit = MIB, .largest = 80 * KIB};
    shelf_steps(shelf, &dice, 400);
    bequeath(shelf, &dice);
    return NULL;
}

static void *reap(void *shelf)
{
    while (!stop) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, live_briefly, shelf), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    return NULL;
}

/* ---- Children ---------------------------------------------------------------------------------------------------- */

static void expect_sane(const struct ashlar_stats *stats)
{
    uint64_t live = stats->large_live_blocks;
    CHECK_EQ(stats->live_blocks, stats->allocations - stats->frees);
    CHECK(stats->live_bytes <= stats->active_bytes);
    CHECK(stats->active_bytes <= stats->peak_active_bytes);
    CHECK(stats->active_bytes + stats->dirty_bytes <= stats->mapped_bytes);
    for (size_t i = 0; i < ASHLAR_STATS_CLASSES; i++) {
        CHECK(stats->classes[i].live_blocks <= stats->classes[i].allocations);
        CHECK(stats->classes[i].live_blocks * stats->classes[i].block_bytes <= stats->classes[i].slab_bytes);
        live += stats->classes[i].live_blocks;
    }
    CHECK_EQ(live + stats->huge_live_blocks, stats->live_blocks);
    CHECK(stats->heaps <= 2); /* this thread's, and the one that threads without a heap share */
    CHECK_EQ(stats->dropped_frees, 0);
    CHECK_EQ(stats->unproved_frees, 0);
}

/* Take blocks of every class: from slabs of the dead too. returns: how many. */
static size_t take_of_every_class(struct block *held)
{
    const struct ashlar_stats stats = stats_now();
    size_t count = 0;
    for (size_t i = 0; i < HELD_MAX; i++) {
        const size_t bytes = stats.classes[i % ASHLAR_STATS_CLASSES].block_bytes;
        if (bytes != 0)
            CHECK(block_take(&held[count++], i % 2 ? FROM_CALLOC : FROM_MALLOC, 0, bytes, i));
    }
    return count;
}

static void __attribute__((noreturn)) live_as_child(void)
{
    static struct block held[HELD_MAX];
    alarm(CHILD_SECONDS);
    exchange_clear(&exchange);
    const struct ashlar_stats before = stats_now();
    expect_sane(&before);
    const size_t count = take_of_every_class(held);
    const struct ashlar_stats between = stats_now();
    expect_sane(&between);
    CHECK_EQ(between.live_blocks, before.live_blocks + count);
    CHECK_EQ(between.allocations, before.allocations + count);
    for (size_t i = 0; i < count; i++)
        block_release(&held[i], i);
    const struct ashlar_stats after = stats_now();
    expect_sane(&after);
    CHECK_EQ(after.live_blocks, before.live_blocks);
    _exit(0);
}

TEST(fork_while_threads_end_and_their_slabs_are_adopted)
{
    static struct shelf shelves[REAPERS];
    pthread_t reapers[REAPERS];
    if (TEST_NAMESPACED)
        SKIP("libc's own blocks come from a sanitizer's malloc, which does not survive a fork among threads");
    for (size_t i = 0; i < REAPERS; i++)
        CHECK_EQ(pthread_create(&reapers[i], NULL, reap, &shelves[i]), 0);
    for (size_t i = 0; i < rounds(100, 20000); i++) {
        const pid_t child = fork();
        if (child == 0)
            live_as_child();
        child_wait_for(child);
    }
    stop = true;
    for (size_t i = 0; i < REAPERS; i++)
        CHECK_EQ(pthread_join(reapers[i], NULL), 0);
    exchange_clear(&exchange);
}
