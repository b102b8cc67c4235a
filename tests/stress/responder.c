/* responder.c: with `responder:on` memory goes back although no thread of the program does anything.
 *
 *   threads: allocate, free, sleep ....................................
 *   main:    allocate, free, sleep ... looks at its RSS, without malloc
 *   thread of the library's own:       gives back what is free, visits the sleepers */
#include "../lib/test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "../lib/self.h"

#include "oracle.h"

enum { THREADS = 4, BLOCKS = 4000, BLOCK_BYTES = 6000 };

static pthread_barrier_t gate;
static void *blocks[THREADS + 1][BLOCKS];

static void fill_up(size_t number)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[number][i] = malloc(BLOCK_BYTES);
        CHECK(blocks[number][i] != NULL);
        memset(blocks[number][i], 1, BLOCK_BYTES);
    }
}

static void empty(size_t number)
{
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[number][i]);
}

/* Frees its right neighbour's blocks: they come home to a sleeping thread. */
static void *work_and_sleep(void *number)
{
    fill_up((size_t)number);
    pthread_barrier_wait(&gate);
    empty(((size_t)number + 1) % THREADS);
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate); /* asleep */
    fill_up((size_t)number);
    empty((size_t)number);
    return NULL;
}

/* Sleep until the resident size is at most `bytes`, for three seconds at most. returns: what it is then. */
static size_t wait_for_rss(size_t bytes)
{
    const struct timespec moment = {0, 50000000};
    for (int i = 0; i < 60 && self_status("VmRSS") > bytes; i++)
        nanosleep(&moment, NULL);
    return self_status("VmRSS");
}

static size_t threads_now(void)
{
    if (test_emulated() || TEST_UNDER_TSAN)
        SKIP("the emulator, and the thread sanitizer, have threads of their own");
    size_t count = 0;
    DIR *const tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        SKIP("/proc/self/task cannot be read");
    while (readdir(tasks) != NULL)
        count++;
    closedir(tasks);
    return count - 2; /* . and .. */
}

TEST(memory_goes_back_while_every_thread_sleeps)
{
    test_restart("responder:on");
    pthread_t threads[THREADS];
    const size_t base = self_status("VmRSS");
    CHECK_EQ(pthread_barrier_init(&gate, NULL, THREADS + 1), 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, work_and_sleep, (void *)i), 0);
    fill_up(THREADS);
    pthread_barrier_wait(&gate);
    const size_t full = self_status("VmRSS") - base;
    empty(THREADS);
    pthread_barrier_wait(&gate);
    const size_t idle = wait_for_rss(base + full / 10) - base;
    test_note("resident: %zu KiB full, %zu KiB when all have slept for a while", full / KIB, idle / KIB);
    pthread_barrier_wait(&gate);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    self_needs_true_sizes();
    CHECK(idle <= full / 10);
}

TEST(nobody_looks_when_it_is_off)
{
    test_restart("responder:off");
    CHECK_EQ(threads_now(), 1);
}

TEST(a_fork_child_has_one_of_its_own)
{
    test_restart("responder:on");
    CHECK_EQ(threads_now(), 2);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(threads_now() == 2 ? 0 : 1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
    (void)number;
    handled++;
}

/* The main thread blocks the signal: the library's thread must not be the one that gets it. */
TEST(signals_never_arrive_on_it)
{
    test_restart("responder:on");
    sigset_t set;
    const struct timespec moment = {0, 100000000};
    CHECK(signal(SIGUSR1, handle) != SIG_ERR);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    nanosleep(&moment, NULL);
    CHECK_EQ(handled, 0);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(handled, 1);
}
