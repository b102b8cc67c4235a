/* threads.c: threads with a shelf each that hand blocks to one another.
 *
 *   thread A: shelf --offer--> exchange --accept--> thread B: check, then free, or resize, or keep on its own shelf
 *
 * So every way of freeing meets blocks of the caller's own heap, of a busy heap, and (at the end, in main) of heaps
 * whose threads are gone. */
#include "../lib/test.h"

#include <pthread.h>

#include "exchange.h"

enum { MOST_THREADS = 32 };

struct worker {
    pthread_t thread;
    struct shelf shelf;
    struct dice dice;
    size_t operations;
    size_t purge_once_in; /* 0: never */
};

static struct worker workers[MOST_THREADS];
static struct exchange exchange;

/* Give one block of the shelf to whoever comes. */
static void give(struct worker *worker)
{
    struct block *block = &worker->shelf.places[dice_roll(&worker->dice, SHELF_PLACES)];
    const size_t usable = block->usable;
    if (block->start && exchange_offer(&exchange, dice_roll(&worker->dice, EXCHANGE_PLACES), block))
        worker->shelf.live_bytes -= usable;
}

/* Take a stranger's block: keep it if there is a place for it, else free it. */
static void receive(struct worker *worker)
{
    struct block block;
    struct block *place = &worker->shelf.places[dice_roll(&worker->dice, SHELF_PLACES)];
    if (!exchange_accept(&exchange, dice_roll(&worker->dice, EXCHANGE_PLACES), &block))
        return;
    if (dice_once_in(&worker->dice, 8))
        (void)block_resize(&block, block.usable + 1 + dice_roll(&worker->dice, block.usable + 1), false, 1);
    if (place->start || dice_once_in(&worker->dice, 2)) {
        block_release(&block, dice_next(&worker->dice));
    } else {
        worker->shelf.live_bytes += block.usable;
        *place = block;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (size_t i = 0; i < worker->operations; i++) {
        shelf_step(&worker->shelf, &worker->dice);
        if (dice_once_in(&worker->dice, 2))
            give(worker);
        if (dice_once_in(&worker->dice, 2))
            receive(worker);
        if (worker->purge_once_in && dice_once_in(&worker->dice, worker->purge_once_in))
            ashlar_purge();
    }
    shelf_check(&worker->shelf);
    return NULL;
}

/* Run `count` workers made like `model`, then check and free in this thread all that they leave behind. */
static void run_workers(size_t count, struct worker model)
{
    for (size_t i = 0; i < count; i++) {
        workers[i] = model;
        workers[i].dice = dice_new();
        CHECK_EQ(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_join(workers[i].thread, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        shelf_check(&workers[i].shelf);
        shelf_clear(&workers[i].shelf, &workers[i].dice);
    }
    exchange_clear(&exchange);
}

TEST(small_blocks_cross_between_four_threads)
{
    run_workers(4, (struct worker){.shelf = {.live_limit = 16 * MIB, .largest = 1 * KIB},
                                   .operations = rounds(400000, 20000000)});
}

TEST(blocks_of_all_sizes_cross_between_four_threads)
{
    run_workers(
        4, (struct worker){.shelf = {.live_limit = 48 * MIB, .largest = 4 * MIB}, .operations = rounds(15000, 800000)});
}

TEST(blocks_cross_while_threads_purge)
{
    run_workers(4, (struct worker){.shelf = {.live_limit = 16 * MIB, .largest = 256 * KIB},
                                   .operations = rounds(30000, 1000000),
                                   .purge_once_in = 200});
}

TEST(blocks_cross_between_more_threads_than_processors)
{
    run_workers(MOST_THREADS, (struct worker){.shelf = {.live_limit = 4 * MIB, .largest = 64 * KIB},
                                              .operations = rounds(10000, 400000)});
}
