/* scale.c: what one replacement costs, as live memory, threads or sizes in use grow.
 *
 * Every thread fills slots until its part of LIVE KiB is live, then works in two phases:
 *
 *   floor     pick a slot at random, check its block, stamp it anew          what the caches charge for the pattern
 *   replace   the same, but the block is freed and another one taken         floor + allocator
 *
 * Both make the same random draws. So the floor, measured in the same process a moment before, tells growing cache and
 * TLB misses of the program from those of the allocator. KINDS sizes are in use, spread from 16 to 2048 bytes in equal
 * ratios; a single one is in the middle.
 *
 * The figures are the wall time of a phase over all its operations, in picoseconds. The workers read the clock: from
 * the first that begins to the last that ends. The floor's draws are repeated until 50 ms have passed, for where little
 * is live, a pass takes no longer than a scheduler's slice.
 *
 * scale SCALE LIVE THREADS KINDS */
#include "work.h"

#include <math.h>

enum { SIZE_LOW = 16, SIZE_HIGH = 2048, KINDS_MAX = 64, USUAL_OPERATIONS = 1200000, FLOOR_NANOSECONDS = 50000000 };

struct slot {
    void *block;
    uint32_t bytes;
    uint32_t tag;
};

/* When a worker began and ended a phase, in nanoseconds, and what it did meanwhile. */
struct lap {
    int64_t begin, end;
    size_t operations;
};

struct worker {
    size_t number, live, operations, count;
    struct slot *slots;
    struct lap floor, replacing;
    uint64_t checksum;
};

static size_t sizes[KINDS_MAX], kinds;
static pthread_barrier_t phase;

static void choose_sizes(size_t count)
{
    kinds = count;
    for (size_t i = 0; i < count; i++) {
        const double way = count > 1 ? (double)i / (double)(count - 1) : 0.5;
        sizes[i] = (size_t)(SIZE_LOW * pow((double)SIZE_HIGH / SIZE_LOW, way));
    }
}

static double mean_size(void)
{
    double sum = 0;
    for (size_t i = 0; i < kinds; i++)
        sum += (double)sizes[i];
    return sum / (double)kinds;
}

static void slot_fill(struct slot *slot, size_t bytes, uint32_t tag)
{
    *slot = (struct slot){take(bytes), (uint32_t)bytes, tag};
    stamp(slot->block, bytes, tag);
}

static void slot_empty(const struct slot *slot)
{
    check_stamp(slot->block, slot->bytes, slot->tag);
    free(slot->block);
}

static size_t random_size(struct random_stream *stream) { return sizes[random_below(stream, kinds)]; }

static void work_in_place(struct worker *worker, struct random_stream stream)
{
    for (size_t i = 0; i < worker->operations; i++) {
        struct slot *slot = &worker->slots[random_below(&stream, worker->count)];
        check_stamp(slot->block, slot->bytes, slot->tag);
        slot->tag = (uint32_t)random_size(&stream); /* the draw that replace() makes */
        stamp(slot->block, slot->bytes, slot->tag);
    }
}

static void replace(struct worker *worker, struct random_stream stream)
{
    for (size_t i = 0; i < worker->operations; i++) {
        struct slot *slot = &worker->slots[random_below(&stream, worker->count)];
        slot_empty(slot);
        slot_fill(slot, random_size(&stream), (uint32_t)i);
        worker->checksum = mix(worker->checksum, slot->bytes);
    }
}

static void measure_floor(struct worker *worker, struct random_stream stream)
{
    struct lap lap = {.begin = nanoseconds_now()};
    do {
        work_in_place(worker, stream);
        lap.operations += worker->operations;
        lap.end = nanoseconds_now();
    } while (lap.end - lap.begin < FLOOR_NANOSECONDS);
    worker->floor = lap;
}

static void measure_replacing(struct worker *worker, struct random_stream stream)
{
    worker->replacing = (struct lap){.begin = nanoseconds_now(), .operations = worker->operations};
    replace(worker, stream);
    worker->replacing.end = nanoseconds_now();
}

static void *work(void *data)
{
    struct worker *worker = data;
    struct random_stream filling = random_from(2 * worker->number), working = random_from(2 * worker->number + 1);
    worker->count = (size_t)((double)worker->live / mean_size()) + 1;
    worker->slots = take(worker->count * sizeof *worker->slots);
    for (size_t i = 0; i < worker->count; i++)
        slot_fill(&worker->slots[i], random_size(&filling), (uint32_t)i);
    work_in_place(worker, working); /* once unmeasured: every page of slots and blocks has been seen */
    pthread_barrier_wait(&phase);
    measure_floor(worker, working);
    pthread_barrier_wait(&phase);
    measure_replacing(worker, working);
    pthread_barrier_wait(&phase);
    for (size_t i = 0; i < worker->count; i++)
        slot_empty(&worker->slots[i]);
    free(worker->slots);
    return NULL;
}

/* Make `all` cover `one`, too. */
static void lap_add(struct lap *all, const struct lap *one)
{
    all->begin = all->begin < one->begin ? all->begin : one->begin;
    all->end = all->end > one->end ? all->end : one->end;
    all->operations += one->operations;
}

static unsigned long long picoseconds_each(const struct lap *lap)
{
    return (unsigned long long)(lap->end - lap->begin) * 1000 / lap->operations;
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    static pthread_t running[THREADS_MAX];
    const size_t live = argument(count, values, 2, 64 * KIB) * KIB, threads = thread_argument(count, values, 3);
    const size_t wanted_kinds = argument(count, values, 4, 16);
    if (wanted_kinds > KINDS_MAX)
        fail("%zu sizes: at most %d", wanted_kinds, KINDS_MAX);
    choose_sizes(wanted_kinds);
    const size_t operations = scaled(count, values, USUAL_OPERATIONS) / threads + 1;
    pthread_barrier_init(&phase, NULL, (unsigned)threads);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){.number = i, .live = live / threads, .operations = operations};
        running[i] = start_thread(work, &workers[i]);
    }
    struct lap floor = {.begin = INT64_MAX}, replacing = {.begin = INT64_MAX};
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++) {
        join_thread(running[i]);
        lap_add(&floor, &workers[i].floor);
        lap_add(&replacing, &workers[i].replacing);
        checksum = mix(checksum, workers[i].checksum);
    }
    print_result("scale", replacing.operations, checksum);
    printf(" floor_ps=%llu op_ps=%llu", picoseconds_each(&floor), picoseconds_each(&replacing));
    return finish();
}
