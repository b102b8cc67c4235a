/* producer_consumer.c: threads that only allocate feed threads that only free.
 *
 *   producer --> ring of batches --> consumer
 *
 * Every block of a producer's heap is freed by a stranger here. Memory must come back to the producer in time: the peak
 * resident size stays below 1.5 times the peak of live bytes plus a fixed slack, however much passes through. And when
 * all threads are gone a trim finds all of it, whoever held it last. */
#include "../lib/test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "../lib/self.h"

#include "oracle.h"

enum {
    MOST_PRODUCERS = 4,
    BATCH_BLOCKS = 128,
    RING_BATCHES = 4096,
    SLACK_BYTES = 24 * MIB,   /* bound of free memory kept, thread stacks, slabs not yet full */
    TRIMMED_BYTES = 16 * MIB, /* may stay resident when everything is free and trimmed */
};

struct traffic {
    const char *name;
    size_t producers, consumers;
    size_t batches_under_way; /* in each ring, at most */
    size_t batches;           /* from each producer */
    size_t least, most;       /* request sizes */
};

/* What one producer has under way. The semaphores order all the rest. */
struct ring {
    sem_t filled, vacant;
    void *blocks[RING_BATCHES][BATCH_BLOCKS];
    struct dice dice;
};

static struct ring rings[MOST_PRODUCERS];
static const struct traffic *traffic;
static _Atomic size_t live_bytes, peak_live_bytes;

static void count_live(size_t bytes)
{
    const size_t live = atomic_fetch_add(&live_bytes, bytes) + bytes;
    size_t peak = peak_live_bytes;
    while (live > peak && !atomic_compare_exchange_weak(&peak_live_bytes, &peak, live))
        ;
}

/* The pattern's generation for block `index` of batch `batch`. */
static uint64_t block_generation(size_t batch, size_t index) { return batch * BATCH_BLOCKS + index; }

static void fill_batch(struct ring *ring, size_t batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < BATCH_BLOCKS; i++) {
        struct block block;
        const size_t size = traffic->least + dice_roll(&ring->dice, traffic->most - traffic->least + 1);
        CHECK(block_take(&block, FROM_MALLOC, LEAST_ALIGNMENT, size, block_generation(batch, i)));
        ring->blocks[batch % RING_BATCHES][i] = block.start;
        bytes += block.usable;
    }
    count_live(bytes);
}

static void empty_batch(struct ring *ring, size_t batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < BATCH_BLOCKS; i++) {
        void *start = ring->blocks[batch % RING_BATCHES][i];
        const size_t usable = malloc_usable_size(start);
        content_check(start, usable, start, usable, block_generation(batch, i));
        free(start);
        bytes += usable;
    }
    live_bytes -= bytes;
}

static void *produce(void *argument)
{
    struct ring *ring = argument;
    for (size_t batch = 0; batch < traffic->batches; batch++) {
        sem_wait(&ring->vacant);
        fill_batch(ring, batch);
        sem_post(&ring->filled);
    }
    return NULL;
}

/* Serves ring `first`, first + consumers, ..., one batch of each in turn. */
static void *consume(void *first)
{
    for (size_t batch = 0; batch < traffic->batches; batch++) {
        for (size_t i = (size_t)first; i < traffic->producers; i += traffic->consumers) {
            sem_wait(&rings[i].filled);
            empty_batch(&rings[i], batch);
            sem_post(&rings[i].vacant);
        }
    }
    return NULL;
}

static void open_rings(void)
{
    memset(rings, 0, sizeof rings); /* resident before the count begins */
    for (size_t i = 0; i < traffic->producers; i++) {
        sem_init(&rings[i].filled, 0, 0);
        sem_init(&rings[i].vacant, 0, (unsigned)traffic->batches_under_way);
        rings[i].dice = dice_new();
    }
}

static void run_threads(void)
{
    pthread_t producers[MOST_PRODUCERS] = {0}, consumers[MOST_PRODUCERS] = {0};
    for (size_t i = 0; i < traffic->producers; i++)
        CHECK_EQ(pthread_create(&producers[i], NULL, produce, &rings[i]), 0);
    for (size_t i = 0; i < traffic->consumers; i++)
        CHECK_EQ(pthread_create(&consumers[i], NULL, consume, (void *)i), 0);
    for (size_t i = 0; i < traffic->producers; i++)
        CHECK_EQ(pthread_join(producers[i], NULL), 0);
    for (size_t i = 0; i < traffic->consumers; i++)
        CHECK_EQ(pthread_join(consumers[i], NULL), 0);
}

static void memory_comes_back(const void *row)
{
    traffic = row;
    open_rings();
    self_reset_peak();
    const size_t base = self_status("VmRSS");
    run_threads();
    const size_t peak = self_status("VmHWM") - base;
    CHECK_EQ(live_bytes, 0);
#if TEST_NAMESPACED
    ashlar_purge();
#else
    malloc_trim(0);
#endif
    const size_t rest = self_status("VmRSS") - base;
    test_note("peak of live bytes %zu KiB, of resident bytes %zu KiB; %zu KiB stay resident after a trim",
              peak_live_bytes / KIB, peak / KIB, rest / KIB);
    self_needs_true_sizes();
    CHECK(peak <= peak_live_bytes + peak_live_bytes / 2 + SLACK_BYTES);
    CHECK(rest <= TRIMMED_BYTES);
}

TESTS(producer_consumer)
{
    static struct traffic table[] = {
        {"one pair, 64 bytes", 1, 1, 4096, 30000, 64, 64},
        {"one pair, 16 to 2000 bytes", 1, 1, 512, 6000, 16, 2000},
        {"one pair, 1 to 100 KiB", 1, 1, 12, 200, KIB, 100 * KIB},
        {"one pair, 100 KiB to 3 MiB", 1, 1, 1, 30, 100 * KIB, 3 * MIB},
        {"four producers, one consumer, 16 to 500 bytes", 4, 1, 256, 3000, 16, 500},
        {"two producers, two consumers, 16 to 4000 bytes", 2, 2, 128, 3000, 16, 4000},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        table[i].batches *= rounds(1, 20);
        test_add(memory_comes_back, &table[i], "memory_comes_back: %s", table[i].name);
    }
}
