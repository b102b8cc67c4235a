/* measure.c: in a child: time memcpy and memset at every size, whatever they are bound to.
 *
 * prints: "library PATH", where memcpy was found, then lines "copy BYTES NANOSECONDS" and "set BYTES NANOSECONDS". */
#include "tune.h"

#include "../units.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { BATCH_BYTES = 8 << 20, BATCHES = 3, THREADS_MOST = 2, ROOM = 4096, TARGET_OFFSET = 16, SOURCE_OFFSET = 48 };

typedef void *copies(void *, const void *, size_t);
typedef void *fills(void *, int, size_t);

/* Behind volatile pointers: the compiler knows neither the function nor that the result is not used. */
static copies *volatile copy;
static fills *volatile fill;

static struct {
    enum tune_operation operation;
    size_t bytes;
    unsigned calls;
    pthread_barrier_t start, end;
} order;

struct worker {
    char *target, *source;
    double ns; /* for one call, in the last batch */
};

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void work(struct worker *worker)
{
    (void)pthread_barrier_wait(&order.start);
    const double start = now_ns();

    for (unsigned i = 0; i < order.calls; i++)
        if (order.operation == TUNE_COPY)
            (void)copy(worker->target, worker->source, order.bytes);
        else
            (void)fill(worker->target, (int)i, order.bytes);
    worker->ns = (now_ns() - start) / order.calls;
    (void)pthread_barrier_wait(&order.end);
}

static void *help(void *worker)
{
    for (;;)
        work(worker);
    return NULL;
}

/* The slowest worker's time for a call in the fastest batch. */
static double time_size(struct worker workers[], int threads, enum tune_operation operation, size_t bytes)
{
    double best = 0;

    order.operation = operation;
    order.bytes = bytes;
    order.calls = bytes < BATCH_BYTES ? (unsigned)(BATCH_BYTES / bytes) : 1;
    for (int batch = 0; batch < (bytes > 8 * (size_t)BATCH_BYTES ? 1 : BATCHES); batch++) {
        double slowest = 0;
        work(&workers[0]);
        for (int i = 0; i < threads; i++)
            slowest = workers[i].ns > slowest ? workers[i].ns : slowest;
        best = batch == 0 || slowest < best ? slowest : best;
    }
    return best;
}

/* Two buffers for each worker, in memory already. */
static bool make_workers(struct worker workers[], int threads, size_t most)
{
    pthread_t thread;

    if (pthread_barrier_init(&order.start, NULL, (unsigned)threads) != 0 ||
        pthread_barrier_init(&order.end, NULL, (unsigned)threads) != 0)
        return false;
    for (int i = 0; i < threads; i++) {
        char *const both =
            mmap(NULL, 2 * (most + ROOM), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (both == MAP_FAILED)
            return false;
        workers[i].target = both + TARGET_OFFSET;
        workers[i].source = both + most + ROOM + SOURCE_OFFSET;
        if (i > 0 && pthread_create(&thread, NULL, help, &workers[i]) != 0)
            return false;
    }
    return true;
}

static void tell_library(void)
{
    Dl_info info = {0};

    (void)dladdr((void *)(uintptr_t)copy, &info);
    (void)printf("library %s\n", info.dli_fname != NULL ? info.dli_fname : "?");
}

int tune_child(int argc, char **argv)
{
    struct worker workers[THREADS_MOST];
    uint64_t threads = 0, most = 0;

    if (argc != 3 || !units_read_count(argv[1], &threads) || !units_read_count(argv[2], &most) || threads < 1 ||
        threads > THREADS_MOST || most < 1024) {
        complain("this subcommand is for 'ashlar tune' alone");
        return EXIT_USAGE;
    }
    copy = (copies *)(uintptr_t)dlsym(RTLD_DEFAULT, "memcpy");
    fill = (fills *)(uintptr_t)dlsym(RTLD_DEFAULT, "memset");
    if (copy == NULL || fill == NULL || !make_workers(workers, (int)threads, most))
        return 1;
    tell_library();
    for (size_t bytes = TUNE_LEAST; bytes <= most; bytes *= 2) {
        (void)printf("copy %zu %.3f\n", bytes, time_size(workers, (int)threads, TUNE_COPY, bytes));
        (void)printf("set %zu %.3f\n", bytes, time_size(workers, (int)threads, TUNE_SET, bytes));
    }
    (void)fflush(stdout);
    _Exit(ferror(stdout) != 0); /* the other thread waits for ever */
}
