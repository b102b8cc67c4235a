/* idle.c: memory of threads that sleep.
 *
 *   allocate much --> free it all --> sleep .................... --> work again
 *                                     main trims: what the sleepers hold goes back too
 *
 * A heap that only its own thread can clear keeps its peak for as long as the thread waits for something to do. */
#include "../lib/test.h"

#include <pthread.h>

#include "../lib/self.h"

#include "oracle.h"

enum { THREADS = 8, BLOCKS = 30000, BYTES_EACH = 20 * MIB, TRIMMED_BYTES = 20 * MIB };

struct sleeper {
    void *blocks[BLOCKS];
    size_t count;
    size_t largest;
    size_t frees_for; /* distance to the thread whose blocks it frees; 0: its own */
};

static struct sleeper sleepers[THREADS];
static struct shelf shelves[THREADS];
static pthread_barrier_t gate;

static void allocate_much(struct sleeper *sleeper)
{
    struct dice dice = dice_new();
    for (size_t i = 0; i < sleeper->count; i++) {
        const size_t bytes = 1 + dice_roll(&dice, sleeper->largest);
        sleeper->blocks[i] = malloc(bytes);
        CHECK(sleeper->blocks[i] != NULL);
        memset(sleeper->blocks[i], 1, bytes);
    }
}

static void *live_and_sleep(void *argument)
{
    const size_t number = (size_t)argument;
    struct sleeper *own = &sleepers[number], *other = &sleepers[(number + own->frees_for) % THREADS];
    struct dice dice = dice_new();
    allocate_much(own);
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    for (size_t i = 0; i < other->count; i++)
        free(other->blocks[i * 7919 % other->count]); /* in another order; 7919 is prime */
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate); /* asleep; the heap is trimmed meanwhile */
    shelf_steps(&shelves[number], &dice, 3000);
    shelf_clear(&shelves[number], &dice);
    return NULL;
}

static void trim(void)
{
    errno = ERRNO_MARK;
#if TEST_NAMESPACED
    ashlar_purge();
#else
    (void)malloc_trim(0);
#endif
    CHECK_EQ(errno, ERRNO_MARK);
}

/* Go on lightly until the resident size is at most `bytes`, for three seconds at most: this thread's slow paths look at
 * the clock. */
static void live_on(size_t bytes)
{
    const struct timespec moment = {0, 1000000};
    struct dice dice = dice_new();
    for (int i = 0; i < 3000 && self_status("VmRSS") > bytes; i++) {
        void *few[64];
        for (size_t j = 0; j < 64; j++)
            few[j] = malloc(1 + dice_roll(&dice, 20000));
        for (size_t j = 0; j < 64; j++)
            free(few[j]);
        nanosleep(&moment, NULL);
    }
}

/* `trims`: the program asks for its memory; else the main thread only goes on, and it comes back by itself. */
static void memory_returns_while_threads_sleep(size_t largest, size_t frees_for, bool trims)
{
    pthread_t threads[THREADS];
    memset(sleepers, 0, sizeof sleepers); /* resident before the count begins */
    const size_t base = self_status("VmRSS");
    CHECK_EQ(pthread_barrier_init(&gate, NULL, THREADS + 1), 0);
    for (size_t i = 0; i < THREADS; i++) {
        shelves[i] = (struct shelf){.live_limit = 4 * MIB, .largest = 64 * KIB};
        sleepers[i].count = 2 * BYTES_EACH / largest;
        sleepers[i].largest = largest;
        sleepers[i].frees_for = frees_for;
        CHECK_EQ(pthread_create(&threads[i], NULL, live_and_sleep, (void *)i), 0);
    }
    pthread_barrier_wait(&gate);
    const size_t full = self_status("VmRSS") - base;
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    const size_t asleep = self_status("VmRSS") - base;
    if (trims)
        trim();
    else
        live_on(base + TRIMMED_BYTES);
    const size_t trimmed = self_status("VmRSS") - base;
    test_note("resident: %zu KiB full, %zu KiB when all is free, %zu KiB after a trim or a while", full / KIB,
              asleep / KIB, trimmed / KIB);
    pthread_barrier_wait(&gate);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    self_needs_true_sizes();
    CHECK(trimmed <= TRIMMED_BYTES);
}

TEST(trim_reaches_small_blocks_of_sleeping_threads) { memory_returns_while_threads_sleep(2000, 0, true); }

TEST(trim_reaches_medium_blocks_of_sleeping_threads) { memory_returns_while_threads_sleep(10000, 0, true); }

TEST(trim_reaches_small_blocks_that_sleeping_threads_freed_for_others)
{
    memory_returns_while_threads_sleep(2000, 1, true);
}

TEST(trim_reaches_medium_blocks_that_sleeping_threads_freed_for_others)
{
    memory_returns_while_threads_sleep(10000, 3, true);
}

/* `dirty` is what free ground may keep, and what sleepers must hold to be visited. */
static void without_a_trim(size_t largest, size_t frees_for)
{
    test_restart("purge_delay:100ms,dirty:1M");
    memory_returns_while_threads_sleep(largest, frees_for, false);
}

TEST(memory_of_sleeping_threads_returns_while_another_goes_on) { without_a_trim(10000, 0); }

TEST(small_blocks_that_came_home_to_sleeping_threads_return_while_another_goes_on) { without_a_trim(2000, 1); }

TEST(medium_blocks_that_came_home_to_sleeping_threads_return_while_another_goes_on) { without_a_trim(10000, 3); }
