/* phases.c: what does a long-running program keep when its sizes and its live set change, and it then falls idle?
 *
 * Six phases, each with sizes around another centre and with another amount of memory. In a phase every thread
 * allocates up to that amount, replaces half of the blocks, at random places, and frees all but 7 in 100: these
 * survivors lie scattered over everything that the phase used. After the last phase only survivors live. All threads
 * but the main one then sleep, and that one goes on lightly for 60 seconds (see go_on_lightly()). RSS is read from the
 * kernel
 *
 *   peak     the highest of all phases, when everything is allocated     freed    right after the last frees
 *   idle_1   one second later; idle_10 and idle_60: 10 and 60 seconds later
 *
 * and printed in KiB, beside live: the bytes that the survivors asked for, all that a malloc has to keep. SCALE changes
 * memory and idle time alike, and moments that are not reached are not printed. The run's wall time means nothing here.
 * A first line says "rests" when the last frees are done: whoever waits for the processors may go on then.
 *
 * phases [SCALE [THREADS]] */
#include "work.h"

enum { SURVIVORS_PERCENT = 7, USUAL_IDLE_MILLISECONDS = 60000, MOMENTS = 3 };

/* The memory is that of all threads together. */
static const struct phase {
    size_t centre, mebibytes;
} phases[] = {{64, 40}, {1500, 80}, {200, 30}, {12000, 100}, {500, 50}, {4000, 60}};
enum { PHASES = sizeof phases / sizeof phases[0] };

/* Seconds of idleness after which RSS is read. */
static const size_t moments[MOMENTS] = {1, 10, 60};

/* Blocks are linked through themselves, so that the program holds no memory but the blocks. */
struct block {
    struct block *next;
    size_t bytes; /* of the content */
    unsigned char content[];
};

struct worker {
    uint64_t seed;
    size_t share_percent; /* of each phase's memory: scale */
    size_t threads;
    uint64_t checksum;
    size_t live; /* bytes that the survivors asked for */
};

/* The threads wait at `full` with everything allocated, and free when the main thread, too, has come to `read_out`. */
static pthread_barrier_t full, read_out, all_freed, may_end;

/* Sizes from a half to one and a half of the centre. */
static struct block *block_new(struct worker *worker, size_t centre, struct random_stream *stream, struct block *next)
{
    const size_t bytes = random_between(stream, centre / 2, centre + centre / 2);
    struct block *block = take(sizeof *block + bytes);
    block->next = next;
    block->bytes = bytes;
    fill(block->content, bytes, bytes);
    worker->checksum = mix(worker->checksum, bytes);
    return block;
}

/* Free the block after `link`, which then leads to the one after that. */
static void block_free(struct block **link)
{
    struct block *const block = *link;
    *link = block->next;
    check_fill(block->content, block->bytes, block->bytes);
    free(block);
}

static struct block *allocate_all(struct worker *worker, const struct phase *phase, struct random_stream *stream)
{
    struct block *first = NULL;
    const size_t budget = phase->mebibytes * MIB / worker->threads * worker->share_percent / 100;
    for (size_t used = 0; used < budget; used += sizeof *first + first->bytes)
        first = block_new(worker, phase->centre, stream, first);
    return first;
}

static void replace_half(struct worker *worker, const struct phase *phase, struct block **link,
                         struct random_stream *stream)
{
    for (; *link != NULL; link = &(*link)->next) {
        if (random_below(stream, 2) == 0)
            continue;
        block_free(link);
        *link = block_new(worker, phase->centre, stream, *link);
    }
}

/* Free all but some. returns: where the list of survivors ends. */
static struct block **free_most(struct worker *worker, struct block **link, struct random_stream *stream)
{
    while (*link != NULL) {
        if (random_below(stream, 100) >= SURVIVORS_PERCENT) {
            block_free(link);
            continue;
        }
        worker->live += sizeof **link + (*link)->bytes;
        link = &(*link)->next;
    }
    return link;
}

static void *live_through_phases(void *data)
{
    struct worker *worker = data;
    struct random_stream stream = random_from(worker->seed);
    struct block *survivors = NULL, **end = &survivors;
    for (size_t i = 0; i < PHASES; i++) {
        *end = allocate_all(worker, &phases[i], &stream);
        replace_half(worker, &phases[i], end, &stream);
        pthread_barrier_wait(&full);
        pthread_barrier_wait(&read_out);
        end = free_most(worker, end, &stream);
    }
    pthread_barrier_wait(&all_freed);
    pthread_barrier_wait(&may_end); /* asleep until the main thread has read everything */
    while (survivors != NULL)
        block_free(&survivors);
    return NULL;
}

/* ---- The main thread's part -------------------------------------------------------------------------------------- */

/* What the kernel counts as resident, in KiB; 0: this moment was not reached. */
struct readings {
    size_t peak, freed, idle[MOMENTS];
};

static int64_t milliseconds_now(void) { return nanoseconds_now() / 1000000; }

/* Go on lightly for so long, and read at each moment that comes. */
static void idle(struct readings *readings, size_t milliseconds)
{
    struct random_stream stream = random_from(THREADS_MAX);
    const int64_t start = milliseconds_now();
    size_t passed = 0, moment = 0;
    while (passed < milliseconds) {
        go_on_lightly(&stream);
        passed = (size_t)(milliseconds_now() - start);
        if (moment < MOMENTS && passed >= moments[moment] * 1000)
            readings->idle[moment++] = resident_kib();
    }
}

static struct readings watch(size_t idle_milliseconds)
{
    struct readings readings = {.peak = 0};
    for (size_t i = 0; i < PHASES; i++) {
        pthread_barrier_wait(&full);
        const size_t resident = resident_kib();
        readings.peak = resident > readings.peak ? resident : readings.peak;
        pthread_barrier_wait(&read_out);
    }
    pthread_barrier_wait(&all_freed);
    readings.freed = resident_kib();
    (void)write(STDOUT_FILENO, "rests\n", sizeof "rests\n" - 1);
    idle(&readings, idle_milliseconds);
    pthread_barrier_wait(&may_end);
    return readings;
}

static void print_readings(const struct readings *readings, size_t live)
{
    printf(" live_kib=%zu peak_kib=%zu freed_kib=%zu", live / KIB, readings->peak, readings->freed);
    for (size_t i = 0; i < MOMENTS; i++)
        if (readings->idle[i] > 0)
            printf(" idle_%zu_kib=%zu", moments[i], readings->idle[i]);
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    pthread_t started[THREADS_MAX];
    const size_t threads = thread_argument(count, values, 2);
    pthread_barrier_t *const barriers[] = {&full, &read_out, &all_freed, &may_end};
    for (size_t i = 0; i < sizeof barriers / sizeof barriers[0]; i++)
        pthread_barrier_init(barriers[i], NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){.seed = i, .share_percent = argument(count, values, 1, 100), .threads = threads};
        started[i] = start_thread(live_through_phases, &workers[i]);
    }
    const struct readings readings = watch(scaled(count, values, USUAL_IDLE_MILLISECONDS));
    uint64_t checksum = 0;
    size_t live = 0;
    for (size_t i = 0; i < threads; i++) {
        join_thread(started[i]);
        checksum = mix(checksum, workers[i].checksum);
        live += workers[i].live;
    }
    print_result("phases", threads * PHASES, checksum);
    print_readings(&readings, live);
    return finish();
}
