/* random_pareto.c: replace blocks of Pareto-distributed size at random places: most are tiny, a few are large.
 *
 * Each thread owns 2^18 slots. One operation picks a slot at random, checks and frees the block in it, and puts a new
 * one there, written in full. About 45 MB per thread are live, so the freed block is cold in the cache, and so are the
 * links of a free list: this is what cache and TLB misses of an allocator cost. Long-running caches and interpreters
 * look like this.
 *
 * Sizes: P(size > x) = 16 / x, from 16 bytes, cut at 64 KiB.
 *
 * random_pareto [SCALE [THREADS]] */
#include "work.h"

enum { SLOTS = 1 << 18, SIZE_LOW = 16, SIZE_HIGH = 64 * KIB, USUAL_OPERATIONS = 1600000 };

struct slot {
    void *block;
    size_t bytes;
};

struct worker {
    uint64_t seed;
    size_t operations;
    uint64_t checksum;
};

static size_t pareto_size(struct random_stream *stream)
{
    const size_t size = ((size_t)SIZE_LOW << 16) / (1 + random_below(stream, 1 << 16));
    return size < SIZE_HIGH ? size : SIZE_HIGH;
}

static void slot_fill(struct slot *slot, size_t index, struct random_stream *stream)
{
    slot->bytes = pareto_size(stream);
    slot->block = take(slot->bytes);
    fill(slot->block, slot->bytes, index);
}

static void slot_empty(struct slot *slot, size_t index)
{
    check_fill(slot->block, slot->bytes, index);
    free(slot->block);
}

static void *replace_at_random(void *data)
{
    struct worker *worker = data;
    struct random_stream stream = random_from(worker->seed);
    struct slot *slots = take(SLOTS * sizeof *slots);
    for (size_t i = 0; i < SLOTS; i++)
        slot_fill(&slots[i], i, &stream);
    for (size_t i = 0; i < worker->operations; i++) {
        const size_t place = random_below(&stream, SLOTS);
        slot_empty(&slots[place], place);
        slot_fill(&slots[place], place, &stream);
        worker->checksum = mix(worker->checksum, slots[place].bytes);
    }
    for (size_t i = 0; i < SLOTS; i++)
        slot_empty(&slots[i], i);
    free(slots);
    return NULL;
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    const size_t threads = thread_argument(count, values, 2);
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    for (size_t i = 0; i < threads; i++)
        workers[i] = (struct worker){.seed = i, .operations = operations};
    run_threads(threads, replace_at_random, workers, sizeof workers[0]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++)
        checksum = mix(checksum, workers[i].checksum);
    print_result("random_pareto", threads * (operations + SLOTS), checksum);
    return finish();
}
