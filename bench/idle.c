/* idle.c: how much memory does a process keep when most of its threads have freed everything and sleep?
 *
 * 16 threads each allocate about 30 MB of mixed blocks, wait until all have, free everything, and sleep. The main
 * thread goes on lightly for 1.5 seconds (a few hundred small blocks every 10 ms; with ASLEEP it only sleeps), then
 * calls malloc_trim(0). No thread but the main one calls malloc after its frees. RSS is read from the kernel
 *
 *   full        when everything is allocated            freed    right after the last free
 *   idle_1000   one second later                        idle     after 1.5 seconds
 *   trimmed     after malloc_trim(0); without a malloc_trim of its own, a malloc leaves this to glibc's: nothing to
 * find
 *
 * all in KiB. SCALE changes the memory of each thread, not the time. The run's wall time means nothing here.
 *
 * idle [SCALE [THREADS [ASLEEP]]]; ASLEEP is 1 for awake, 2 for asleep */
#include "work.h"

#include <malloc.h>

enum { DEFAULT_THREADS = 16, USUAL_BYTES = 30000000, SIZE_LOW = 16, SIZE_HIGH = 16 * KIB };
enum { TICKS_BEFORE_READING = 100, TICKS = 150 };
enum { AWAKE = 1, ASLEEP = 2 };

struct worker {
    uint64_t seed;
    size_t budget; /* bytes to allocate */
    uint64_t checksum;
};

static pthread_barrier_t all_full, may_free, all_freed, may_end;

/* Blocks are linked through themselves, so that the program holds no memory but the blocks. */
struct block {
    struct block *next;
    size_t bytes;
    unsigned char content[];
};

/* Allocate blocks until the budget is used up. returns: the first of the list; the rest in order of allocation. */
static struct block *allocate_all(struct worker *worker)
{
    struct random_stream stream = random_from(worker->seed);
    struct block *first = NULL, **last = &first;
    for (size_t used = 0; used < worker->budget; last = &(*last)->next) {
        const size_t bytes = random_inverse_square(&stream, SIZE_LOW, SIZE_HIGH);
        struct block *block = take(sizeof *block + bytes);
        block->next = NULL;
        block->bytes = bytes;
        fill(block->content, bytes, bytes);
        used += sizeof *block + bytes;
        worker->checksum = mix(worker->checksum, bytes);
        *last = block;
    }
    return first;
}

static void free_all(struct block *block)
{
    while (block != NULL) {
        struct block *const next = block->next;
        check_fill(block->content, block->bytes, block->bytes);
        free(block);
        block = next;
    }
}

static void *allocate_free_sleep(void *data)
{
    struct block *blocks = allocate_all(data);
    pthread_barrier_wait(&all_full);
    pthread_barrier_wait(&may_free);
    free_all(blocks);
    pthread_barrier_wait(&all_freed);
    pthread_barrier_wait(&may_end); /* asleep until the main thread has read everything */
    return NULL;
}

/* What the kernel counts as resident, in KiB, at the moments named above. */
struct readings {
    size_t full, freed, idle_1000, idle, trimmed;
};

/* The main thread's part, from the moment when all threads have allocated. */
static struct readings watch(size_t state)
{
    struct readings resident;
    struct random_stream stream = random_from(THREADS_MAX);
    pthread_barrier_wait(&all_full);
    resident.full = resident_kib();
    pthread_barrier_wait(&may_free);
    pthread_barrier_wait(&all_freed);
    resident.freed = resident_kib();
    for (int tick = 0; tick < TICKS; tick++) {
        if (tick == TICKS_BEFORE_READING)
            resident.idle_1000 = resident_kib();
        if (state == AWAKE)
            go_on_lightly(&stream);
        else
            rest_for_a_tick();
    }
    resident.idle = resident_kib();
    (void)malloc_trim(0);
    resident.trimmed = resident_kib();
    pthread_barrier_wait(&may_end);
    return resident;
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    pthread_t started[THREADS_MAX];
    const size_t threads = argument(count, values, 2, DEFAULT_THREADS);
    if (threads > THREADS_MAX)
        fail("%zu threads: at most %d", threads, THREADS_MAX);
    const size_t state = argument(count, values, 3, AWAKE);
    if (state > ASLEEP)
        fail("argument 3 is %zu: 1 for awake, 2 for asleep", state);
    pthread_barrier_t *const barriers[] = {&all_full, &may_free, &all_freed, &may_end};
    for (size_t i = 0; i < sizeof barriers / sizeof barriers[0]; i++)
        pthread_barrier_init(barriers[i], NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){.seed = i, .budget = scaled(count, values, USUAL_BYTES)};
        started[i] = start_thread(allocate_free_sleep, &workers[i]);
    }
    const struct readings resident = watch(state);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++) {
        join_thread(started[i]);
        checksum = mix(checksum, workers[i].checksum);
    }
    print_result("idle", threads, checksum);
    printf(" full_kib=%zu freed_kib=%zu idle_1000_kib=%zu idle_kib=%zu trimmed_kib=%zu", resident.full, resident.freed,
           resident.idle_1000, resident.idle, resident.trimmed);
    return finish();
}
