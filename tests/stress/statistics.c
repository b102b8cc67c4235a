/* statistics.c: figures are read while everything they count is moving.
 *
 *   threads:  allocate, hand over, free, end, begin anew
 *   readers:  statistics, their JSON, a purge, options, all the while
 *
 * Reading stops nobody, so what is read meanwhile is only about right. But it must be finite, whole, and never in
 * anybody's way; and as soon as all threads rest it is exact again. */
#include "../lib/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "exchange.h"
#include "../lib/stats.h"

enum { WORKERS = 4, READERS = 2, LIVES = 6, STEPS = 2000, HEAPS_MOST = 2 * WORKERS + READERS + 2 };

static const uint64_t BLOCKS_MOST = WORKERS * SHELF_PLACES + EXCHANGE_PLACES + 1000;

static struct exchange exchange;
static struct shelf shelves[WORKERS];
static _Atomic bool is_over;

static void give_and_take(struct dice *dice)
{
    struct block block;
    for (size_t i = 0; i < EXCHANGE_PLACES; i += 1 + dice_roll(dice, 3)) {
        if (exchange_accept(&exchange, i, &block))
            block_release(&block, dice_next(dice));
        CHECK(block_take(&block, FROM_MALLOC, LEAST_ALIGNMENT, 1 + dice_roll(dice, 3000), dice_next(dice)));
        if (!exchange_offer(&exchange, i, &block))
            block_release(&block, dice_next(dice));
    }
}

static void *live(void *argument)
{
    struct shelf *shelf = argument;
    struct dice dice = dice_new();
    for (size_t i = 0; i < 4; i++) {
        shelf_steps(shelf, &dice, STEPS / 4);
        give_and_take(&dice);
    }
    shelf_clear(shelf, &dice);
    return NULL;
}

static size_t lives(void) { return rounds(LIVES, 20 * LIVES); }

/* One thread's place in the world: one life after another. */
static void *live_often(void *argument)
{
    const size_t number = (size_t)argument;
    for (size_t i = 0; i < lives(); i++) {
        pthread_t thread;
        shelves[number] = (struct shelf){.live_limit = 4 * MIB, .largest = 300 * KIB, .most_aligned = 64 * KIB};
        CHECK_EQ(pthread_create(&thread, NULL, live, &shelves[number]), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    return NULL;
}

static void check_plausible(const struct ashlar_stats *stats)
{
    CHECK_EQ(stats->version, ASHLAR_STATS_VERSION);
    CHECK_EQ(stats->bytes, sizeof *stats);
    CHECK(stats->heaps <= HEAPS_MOST);
    CHECK(stats->live_bytes < 1024 * (size_t)MIB);
    CHECK(stats->large_live_blocks <= BLOCKS_MOST);
    for (size_t i = 0; i < ASHLAR_STATS_CLASSES; i++)
        CHECK(stats->classes[i].slab_bytes < 1024 * (size_t)MIB);
}

static void *read_all_the_while(void *argument)
{
    static _Thread_local char text[64 * KIB];
    (void)argument;
    for (size_t i = 0; !atomic_load_explicit(&is_over, memory_order_relaxed); i++) {
        const struct ashlar_stats stats = stats_now();
        check_plausible(&stats);
        const size_t length = ashlar_stats_json(text, sizeof text);
        CHECK(length > 0 && length < sizeof text && text[length - 1] == '}');
        if (i % 8 == 0)
            (void)ashlar_purge();
        CHECK_EQ(ashlar_option_set("purge_delay", i % 2 ? "0ms" : "500ms"), 0);
    }
    return NULL;
}

static void begin_threads(pthread_t *threads, size_t count, void *(*body)(void *))
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, body, (void *)i), 0);
}

static void end_threads(const pthread_t *threads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST(figures_may_be_read_at_any_time_and_are_exact_at_rest)
{
    pthread_t workers[WORKERS], readers[READERS];
    const struct ashlar_stats before = stats_now();
    begin_threads(readers, READERS, read_all_the_while);
    begin_threads(workers, WORKERS, live_often);
    end_threads(workers, WORKERS);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    end_threads(readers, READERS);
    exchange_clear(&exchange);
    const struct ashlar_stats after = stats_now();
    CHECK(after.allocations > before.allocations + WORKERS * lives() * STEPS / 4);
    test_note("live before: %zu blocks, %zu bytes; after: %zu, %zu", (size_t)before.live_blocks,
              (size_t)before.live_bytes, (size_t)after.live_blocks, (size_t)after.live_bytes);
#if TEST_NAMESPACED
    CHECK_EQ(after.live_blocks, before.live_blocks); /* threads' own blocks are the sanitizer's */
    CHECK_EQ(after.live_bytes, before.live_bytes);
#else
    CHECK(after.live_blocks <= before.live_blocks + 4 * (WORKERS + READERS)); /* libc keeps what threads need */
#endif
}
