/* Random lives of many threads that allocate, free, hand blocks to each other, end and are followed by others. After
 * each episode everybody rests, and heap_walk() proves every invariant of the floor; at the end every block is freed,
 * and every granule must be free again.
 *
 *   threads --get--> own blocks --hand over--> slots --take--> another thread --free--> home, or an orphan
 */
#include "test.h"

#include "../lib/heap_walk.h"

#include <pthread.h>

enum { THREADS = 4, SLOTS = 256, OWN = 64, EPISODES = 12, STEPS = 3000 };

struct note {
    uint64_t tag; /* the block's address xor `bytes` */
    size_t bytes;
};

static _Atomic(struct note *) slots[SLOTS]; /* blocks on their way from thread to thread */
static size_t bytes_max;

static struct note *get(size_t bytes)
{
    struct note *const note = walk_get(bytes < sizeof *note ? sizeof *note : bytes);

    CHECK(note != NULL);
    CHECK_EQ((uintptr_t)note % BLOCK_ALIGN, 0);
    note->bytes = bytes;
    note->tag = (uintptr_t)note ^ bytes;
    memset(note + 1, (int)bytes, bytes < sizeof *note ? 0 : bytes - sizeof *note);
    return note;
}

static void put_back(struct note *note)
{
    const unsigned char *const content = (const unsigned char *)(note + 1);
    const size_t bytes = note->bytes;

    CHECK_EQ(note->tag, (uintptr_t)note ^ bytes);
    for (size_t i = 0; i + sizeof *note < bytes; i++)
        CHECK_EQ(content[i], (unsigned char)bytes);
    walk_put_back(note);
}

static void swap_with_slot(struct note **own)
{
    /* acquire-release: the block's content travels with it. */
    *own = atomic_exchange_explicit(&slots[test_random() % SLOTS], *own, memory_order_acq_rel);
}

static size_t any_size(void)
{
    const unsigned bits = 4 + (unsigned)(test_random() % 13);

    return test_random() % ((size_t)1 << bits) % bytes_max;
}

/* Steps of a thread's life. */
static void live(struct note **own)
{
    for (int step = 0; step < STEPS; step++) {
        struct note **const one = &own[test_random() % OWN];
        if (*one == NULL)
            *one = get(any_size());
        else if (test_random() % 2 == 0)
            swap_with_slot(one);
        else {
            put_back(*one);
            *one = NULL;
        }
    }
}

static void leave(struct note **own)
{
    for (int i = 0; i < OWN; i++) {
        swap_with_slot(&own[i]); /* half of what is left stays with the others */
        if (own[i] != NULL)
            put_back(own[i]);
        own[i] = NULL;
    }
}

static uint64_t count_blocks(struct note **own)
{
    uint64_t count = 0;

    for (int i = 0; i < OWN; i++)
        count += own[i] != NULL;
    return count;
}

static uint64_t blocks_in_slots(void)
{
    uint64_t count = 0;

    for (int i = 0; i < SLOTS; i++)
        count += load_relaxed(&slots[i]) != NULL;
    return count;
}

static pthread_barrier_t rest;
static _Atomic uint64_t resting_blocks; /* in the hands of threads that rest */

/* A life with a rest in the middle, in which the main thread looks at everything. */
static void *live_and_end(void *argument)
{
    struct note *own[OWN] = {0};

    (void)argument;
    live(own);
    add_relaxed(&resting_blocks, count_blocks(own));
    pthread_barrier_wait(&rest);
    pthread_barrier_wait(&rest);
    live(own);
    leave(own);
    heap_thread_exit();
    return NULL;
}

static void episode(bool main_lives_too)
{
    pthread_t threads[THREADS];
    struct note *own[OWN] = {0};

    store_relaxed(&resting_blocks, 0);
    CHECK_EQ(pthread_barrier_init(&rest, NULL, THREADS + 1), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, live_and_end, NULL), 0);
    if (main_lives_too)
        live(own);
    pthread_barrier_wait(&rest);
    heap_walk();
    CHECK_EQ(walk_held(), blocks_in_slots() + count_blocks(own) + load_relaxed(&resting_blocks));
    pthread_barrier_wait(&rest);
    if (main_lives_too)
        live(own);
    leave(own);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(pthread_barrier_destroy(&rest), 0);
}

static void empty_slots(void)
{
    for (int i = 0; i < SLOTS; i++) {
        struct note *const note = atomic_exchange_explicit(&slots[i], NULL, memory_order_acq_rel);
        if (note != NULL)
            put_back(note);
    }
}

/* Everything was freed: no slab is left but what this thread gives back now, and no granule is live. */
static void check_nothing_is_left(void)
{
    struct heap_stats stats;

    heap_settle();
    heap_walk();
    CHECK_EQ(walk_held(), 0);
    CHECK_EQ(walk.orphans, 0);
    CHECK_EQ(walk.slabs, 0);
    heap_stats_read(&stats, NULL);
    CHECK_EQ(stats.active, 0);
    for (granule_index index = {1}; index.i < page_granule_end().i; index.i++) {
        const struct line *const line = page_line_at(index);
        CHECK(line->kind == GRANULE_NONE || line->kind == GRANULE_FREE || line->kind == GRANULE_FREE_TAIL);
    }
}

static void random_lives(size_t most)
{
    bytes_max = most;
    page_start();
    for (int i = 0; i < EPISODES; i++) {
        episode(i % 2 == 0);
        heap_walk();
        CHECK_EQ(walk_held(), blocks_in_slots());
        CHECK_EQ(walk.live_heaps, 1);
    }
    empty_slots();
    check_nothing_is_left();
}

TEST(small_blocks_of_many_threads_all_come_home) { random_lives(1024); }
TEST(blocks_of_all_classes_of_many_threads_all_come_home) { random_lives(CLASS_BYTES_MAX); }

/* Blocks of one size, so that threads fight for the same few slabs, orphans, and tokens. */
TEST(blocks_of_one_size_of_many_threads_all_come_home) { random_lives(17); }

/* ---- A consumer that never allocates ------------------------------------------------------------------------------- */

static void *consume(void *argument)
{
    (void)argument;
    for (int taken = 0; taken < 20000;) {
        struct note *own = NULL;
        swap_with_slot(&own);
        if (own == NULL)
            continue;
        put_back(own);
        taken++;
    }
    heap_thread_exit();
    return NULL;
}

static void *produce(void *argument)
{
    (void)argument;
    for (int made = 0; made < 20000; made++) {
        struct note *own = get(16 + test_random() % 300);
        struct note *none = NULL;
        while (!atomic_compare_exchange_weak_explicit(&slots[test_random() % SLOTS], &none, own, memory_order_release,
                                                      memory_order_relaxed))
            none = NULL;
    }
    heap_thread_exit();
    return NULL;
}

TEST(what_producers_make_and_consumers_free_comes_home)
{
    pthread_t threads[THREADS];

    bytes_max = 1024;
    page_start();
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, i % 2 == 0 ? produce : consume, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    heap_walk();
    CHECK_EQ(walk_held(), blocks_in_slots());
    empty_slots();
    check_nothing_is_left();
}

/* ---- A shared heap under many threads ------------------------------------------------------------------------------ */

static struct heap *shared;

static void *live_in_shared_heap(void *argument)
{
    void *own[OWN] = {0};

    (void)argument;
    for (int step = 0; step < STEPS; step++) {
        void **const one = &own[test_random() % OWN];
        if (*one == NULL) {
            *one = walk_get_from(shared, any_size());
            CHECK(*one != NULL);
            memset(*one, 1, 1);
        } else {
            walk_put_back(*one);
            *one = NULL;
        }
    }
    heap_thread_exit();
    return NULL; /* what is left ends with the heap */
}

TEST(a_shared_heap_of_many_threads_ends_with_all_that_is_in_it)
{
    pthread_t threads[THREADS];

    bytes_max = 200000;
    page_start();
    shared = heap_shared_new();
    CHECK(shared != NULL);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, live_in_shared_heap, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    heap_walk();
    CHECK(walk_held() > 0);
    heap_shared_destroy(shared);
    check_nothing_is_left();
}
