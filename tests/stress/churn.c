/* churn.c: many short-lived threads whose blocks outlive them.
 *
 *   thread n:   accept what n-1, n-2, ... left   check it, free most of it, keep some for later
 *               allocate, offer survivors, exit
 *
 * The blocks of a thread that is gone are freed by strangers, so its slabs become whole again without an owner. What
 * may not happen in thousands of such lives: memory or heaps that pile up. */
#include "../lib/test.h"

#include <pthread.h>

#include "exchange.h"
#include "../lib/stats.h"

enum {
    GENERATION_THREADS = 8,
    BLOCKS_PER_LIFE = 40,
    GROWTH_STEPS = 8 * MIB, /* a heap grows by some MiB at a time: two steps are no trend */
};

static struct exchange exchange;
static const size_t sizes[] = {16, 24, 100, 256, 700, 1024, 3000, 8000, 20000, 70000};

static size_t random_size(struct dice *dice) { return sizes[dice_roll(dice, sizeof sizes / sizeof *sizes)]; }

/* Free what others have left at a third of the places. */
static void inherit(struct dice *dice)
{
    struct block block;
    for (size_t i = dice_roll(dice, 3); i < EXCHANGE_PLACES; i += 3) {
        if (exchange_accept(&exchange, i, &block))
            block_release(&block, dice_next(dice));
    }
}

/* Allocate, free half, leave the rest to later threads as far as there is room. */
static void live_and_leave(struct dice *dice)
{
    for (size_t i = 0; i < BLOCKS_PER_LIFE; i++) {
        struct block block;
        CHECK(block_take(&block, (enum entry)dice_roll(dice, ENTRY_COUNT), 64, random_size(dice), dice_next(dice)));
        if (dice_once_in(dice, 2) || !exchange_offer(&exchange, dice_roll(dice, EXCHANGE_PLACES), &block))
            block_release(&block, dice_next(dice));
    }
}

static void *short_life(void *argument)
{
    struct dice dice = dice_new();
    (void)argument;
    live_and_leave(&dice);
    inherit(&dice);
    return NULL;
}

/* A thread that never allocates. */
static void *only_free(void *argument)
{
    struct dice dice = dice_new();
    (void)argument;
    inherit(&dice);
    return NULL;
}

/* A thread whose one act is to resize what is not its own, and to leave it again. */
static void *only_resize(void *argument)
{
    struct dice dice = dice_new();
    struct block block;
    (void)argument;
    const size_t index = dice_roll(&dice, EXCHANGE_PLACES);
    if (!exchange_accept(&exchange, index, &block))
        return NULL;
    CHECK(block_resize(&block, random_size(&dice), dice_once_in(&dice, 2), dice_next(&dice)));
    if (!exchange_offer(&exchange, index, &block))
        block_release(&block, 1);
    return NULL;
}

static void *(*const lives[])(void *) = {short_life, short_life, short_life, only_free, only_resize, short_life};

/* Threads in overlapping lives: number i starts before number i - 8 is waited for. */
static void live_through(size_t threads)
{
    pthread_t running[GENERATION_THREADS];
    for (size_t i = 0; i < threads + GENERATION_THREADS; i++) {
        pthread_t *place = &running[i % GENERATION_THREADS];
        if (i >= GENERATION_THREADS)
            CHECK_EQ(pthread_join(*place, NULL), 0);
        if (i < threads)
            CHECK_EQ(pthread_create(place, NULL, lives[i % (sizeof lives / sizeof *lives)], NULL), 0);
    }
}

TEST(thousands_of_threads_leave_no_memory_and_no_heaps)
{
    const size_t threads = rounds(20000, 1000000);
    const struct ashlar_stats start = stats_now();
    live_through(1000); /* every size, every kind of life: the heap has its working size now */
    const struct ashlar_stats early = stats_now();
    size_t most_heaps = 0;
    for (size_t done = 1000; done < threads; done += 1000) {
        live_through(1000);
        const size_t heaps = stats_now().heaps;
        most_heaps = heaps > most_heaps ? heaps : most_heaps;
    }
    const struct ashlar_stats late = stats_now();
    test_note("mapped %zu KiB after 1,000 threads, %zu KiB after %zu; at most %zu heaps between generations",
              (size_t)early.mapped_bytes / KIB, (size_t)late.mapped_bytes / KIB, threads, most_heaps);
    CHECK(late.mapped_bytes <= early.mapped_bytes + early.mapped_bytes / 4 + GROWTH_STEPS);
    CHECK(late.metadata_bytes <= early.metadata_bytes + MIB);
    CHECK(most_heaps <= start.heaps + 1); /* all threads are joined when we look */

    exchange_clear(&exchange);
    const struct ashlar_stats end = stats_now();
    CHECK(end.live_bytes <= start.live_bytes + 100000);
}

/* ---- One block, one owner that is gone ------------------------------------------------------------------------------ */

static struct block left_behind[BLOCKS_PER_LIFE];

static void *leave_blocks(void *argument)
{
    struct dice dice = dice_new();
    (void)argument;
    for (size_t i = 0; i < BLOCKS_PER_LIFE; i++)
        CHECK(block_take(&left_behind[i], (enum entry)dice_roll(&dice, ENTRY_COUNT), 256, sizes[i % 10], i));
    return NULL;
}

static void *resize_blocks(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < BLOCKS_PER_LIFE; i++)
        CHECK(block_resize(&left_behind[i], left_behind[i].requested * (1 + i % 3), i % 2, i + 1));
    return NULL;
}

static void *release_blocks(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < BLOCKS_PER_LIFE; i++)
        block_release(&left_behind[i], i);
    return NULL;
}

static void run_alone(void *(*life)(void *))
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, life, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(free_after_owner_thread_exit)
{
    for (size_t i = 0; i < rounds(500, 20000); i++) {
        run_alone(leave_blocks);
        release_blocks(NULL);
    }
}

TEST(free_by_another_thread_after_owner_thread_exit)
{
    for (size_t i = 0; i < rounds(500, 20000); i++) {
        run_alone(leave_blocks);
        run_alone(release_blocks);
    }
}

TEST(resize_by_another_thread_after_owner_thread_exit)
{
    for (size_t i = 0; i < rounds(500, 20000); i++) {
        run_alone(leave_blocks);
        run_alone(resize_blocks);
        run_alone(release_blocks);
    }
}

/* ---- Owners that exit while their blocks are freed ------------------------------------------------------------------- */

static pthread_barrier_t gate;

static void *leave_at_the_gate(void *argument)
{
    leave_blocks(argument);
    pthread_barrier_wait(&gate);
    return NULL;
}

TEST(free_while_owner_thread_exits)
{
    CHECK_EQ(pthread_barrier_init(&gate, NULL, 2), 0);
    for (size_t i = 0; i < rounds(3000, 200000); i++) {
        pthread_t owner;
        CHECK_EQ(pthread_create(&owner, NULL, leave_at_the_gate, NULL), 0);
        pthread_barrier_wait(&gate);
        release_blocks(NULL); /* its exit and our frees now race */
        CHECK_EQ(pthread_join(owner, NULL), 0);
    }
}

TEST(many_threads_exit_at_once)
{
    enum { TOGETHER = 64 };
    for (size_t round = 0; round < rounds(30, 1000); round++) {
        pthread_t threads[TOGETHER];
        for (size_t i = 0; i < TOGETHER; i++)
            CHECK_EQ(pthread_create(&threads[i], NULL, short_life, NULL), 0);
        for (size_t i = 0; i < TOGETHER; i++)
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    exchange_clear(&exchange);
}
