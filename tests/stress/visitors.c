/* visitors.c: threads that trim the heap all the time, beside threads that work in it.
 *
 *   worker 1 <--blocks--> worker 2 <--blocks--> ...      visitor: trim, trim, trim
 *      |                                                    |
 *      +-- now and then ends, and another takes its place   +-- sends others' parcels, ends others' slabs
 *
 * Whatever a visitor does behind a thread's back, each block keeps its content and is nobody else's. */
#include "../lib/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "../lib/self.h"

#include "exchange.h"

enum { WORKERS = 4, VISITORS = 2, LIVES = 6 };

static struct shelf shelves[WORKERS];
static struct exchange exchange;
static atomic_bool is_over;
static atomic_size_t visits;
static size_t steps;

static void *work(void *argument)
{
    struct shelf *own = argument;
    struct dice dice = dice_new();
    for (size_t i = 0; i < steps; i++) {
        struct block *place = &own->places[shelf_step(own, &dice)], block;
        const size_t usable = place->usable;
        if (place->start && exchange_offer(&exchange, dice_roll(&dice, EXCHANGE_PLACES), place))
            own->live_bytes -= usable;
        if (exchange_accept(&exchange, dice_roll(&dice, EXCHANGE_PLACES), &block))
            block_release(&block, i);
    }
    shelf_clear(own, &dice);
    return NULL;
}

static void *live_again_and_again(void *argument)
{
    for (int life = 0; life < LIVES; life++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, work, argument), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    return NULL;
}

static void *visit(void *unused)
{
    while (!atomic_load(&is_over)) {
        ashlar_purge();
        atomic_fetch_add(&visits, 1);
    }
    return unused;
}

static void work_beside_visitors(size_t largest)
{
    pthread_t workers[WORKERS], visitors[VISITORS];
    steps = rounds(1500, 20000);
    atomic_store(&is_over, false);
    for (size_t i = 0; i < VISITORS; i++)
        CHECK_EQ(pthread_create(&visitors[i], NULL, visit, NULL), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        shelves[i] = (struct shelf){.live_limit = 4 * MIB, .largest = largest, .most_aligned = 64 * KIB};
        CHECK_EQ(pthread_create(&workers[i], NULL, live_again_and_again, &shelves[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        CHECK_EQ(pthread_join(workers[i], NULL), 0);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < VISITORS; i++)
        CHECK_EQ(pthread_join(visitors[i], NULL), 0);
    exchange_clear(&exchange);
    test_note("%zu visits", atomic_load(&visits));
}

TEST(visitors_beside_threads_with_small_blocks) { work_beside_visitors(400); }
TEST(visitors_beside_threads_with_blocks_of_all_sizes) { work_beside_visitors(200 * KIB); }
