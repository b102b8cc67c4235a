/* medium.c: every thread keeps 1024 blocks of mixed size and replaces them at random, using all of their memory.
 *
 * The frequency of a size falls as 1/size^2 between LOW and HIGH. With the default of 4 to 32 KiB the blocks are pages,
 * buffers and tables: the range where slabs hold few blocks, and where giving memory back too eagerly or too late
 * shows. With LOW = 4 (four bytes to 32 KiB) nearly all blocks are tiny and a few are large. No block crosses threads.
 *
 * medium [SCALE [THREADS [LOW [HIGH]]]] */
#include "work.h"

enum { SLOTS = 1024, DEFAULT_LOW = 4 * KIB, DEFAULT_HIGH = 32 * KIB, USUAL_OPERATIONS = 900000 };

struct slot {
    void *block;
    size_t bytes;
};

struct worker {
    uint64_t seed;
    size_t operations, low, high;
    uint64_t checksum;
    struct slot slots[SLOTS];
};

static void slot_fill(struct worker *worker, size_t place, struct random_stream *stream)
{
    struct slot *slot = &worker->slots[place];
    slot->bytes = random_inverse_square(stream, worker->low, worker->high);
    slot->block = take(slot->bytes);
    fill(slot->block, slot->bytes, place);
    worker->checksum = mix(worker->checksum, slot->bytes);
}

static void slot_empty(struct worker *worker, size_t place)
{
    check_fill(worker->slots[place].block, worker->slots[place].bytes, place);
    free(worker->slots[place].block);
}

static void *replace_at_random(void *data)
{
    struct worker *worker = *(struct worker **)data;
    struct random_stream stream = random_from(worker->seed);
    for (size_t i = 0; i < SLOTS; i++)
        slot_fill(worker, i, &stream);
    for (size_t i = 0; i < worker->operations; i++) {
        const size_t place = random_below(&stream, SLOTS);
        slot_empty(worker, place);
        slot_fill(worker, place, &stream);
    }
    for (size_t i = 0; i < SLOTS; i++)
        slot_empty(worker, i);
    return NULL;
}

int main(int count, char **values)
{
    static struct worker *workers[THREADS_MAX];
    const size_t threads = thread_argument(count, values, 2);
    const size_t low = argument(count, values, 3, DEFAULT_LOW), high = argument(count, values, 4, DEFAULT_HIGH);
    if (low > high)
        fail("LOW %zu is above HIGH %zu", low, high);
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = take(sizeof *workers[i]);
        *workers[i] = (struct worker){.seed = i, .operations = operations, .low = low, .high = high};
    }
    run_threads(threads, replace_at_random, workers, sizeof workers[0]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++) {
        checksum = mix(checksum, workers[i]->checksum);
        free(workers[i]);
    }
    print_result("medium", threads * (operations + SLOTS), checksum);
    return finish();
}
