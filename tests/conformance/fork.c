/* fork.c: a child works with everything that its parent had. The storms are in tests/stress. */
#include "../lib/blocks.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { BLOCKS = 1000 };
static void *blocks[BLOCKS];

static size_t size_of(int i) { return i % 100 == 99 ? HUGE_BYTES + 5 : i % 25 == 24 ? 300000 : (size_t)i * 7; }

static size_t filled_of(int i) { return size_of(i) < 64 * KIB ? size_of(i) : 64 * KIB; }

static void *take_all(void *unused)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(size_of(i));
        CHECK(blocks[i] != NULL);
        fill(blocks[i], filled_of(i), (uint64_t)i);
    }
    return unused;
}

static void *give_all_back(void *unused)
{
    for (int i = 0; i < BLOCKS; i++) {
        CHECK(is_filled(blocks[i], filled_of(i), (uint64_t)i));
        free(blocks[i]);
    }
    return unused;
}

/* The child of a process with threads starts threads of its own. */
static void need_threads_in_children(void)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer allows no threads after a fork beside threads");
}

TEST(a_child_frees_its_parents_blocks)
{
    take_all(NULL);
    EXITS(0)
    {
        give_all_back(NULL);
        take_all(NULL);
        give_all_back(NULL);
    }
    give_all_back(NULL); /* the parent's are untouched */
}

TEST(a_child_resizes_its_parents_blocks)
{
    take_all(NULL);
    EXITS(0)
    {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = realloc(blocks[i], size_of(i) * 2 + 1);
            CHECK(blocks[i] != NULL && is_filled(blocks[i], filled_of(i), (uint64_t)i));
            fill(blocks[i], filled_of(i), 3);
            free(blocks[i]);
        }
    }
    give_all_back(NULL);
}

/* ---- Threads that do not exist in the child ---------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void *take_all_and_wait(void *unused)
{
    take_all(NULL);
    pthread_barrier_wait(&barrier); /* taken */
    pthread_barrier_wait(&barrier); /* the child is done */
    give_all_back(NULL);
    return unused;
}

TEST(a_child_frees_blocks_of_threads_it_does_not_have)
{
    need_threads_in_children();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t owner = start_thread(take_all_and_wait, NULL);
    pthread_barrier_wait(&barrier);
    EXITS(0)
    {
        give_all_back(NULL);
        take_all(NULL);
        in_thread(give_all_back, NULL);
        in_thread(take_all, NULL);
        give_all_back(NULL);
    }
    pthread_barrier_wait(&barrier);
    join_thread(owner);
}

static atomic_bool stop;
static atomic_size_t busy_threads;

static void *allocate_until_stopped(void *unused)
{
    busy_threads++;
    while (!atomic_load(&stop)) {
        void *some[50];
        for (size_t i = 0; i < COUNT(some); i++)
            some[i] = malloc(test_random() % (i == 0 ? 4 * MIB : 4096));
        for (size_t i = 0; i < COUNT(some); i++)
            free(some[i]);
    }
    return unused;
}

TEST(children_of_a_busy_process_use_the_heap)
{
    need_threads_in_children();
    pthread_t threads[8];
    for (size_t t = 0; t < COUNT(threads); t++)
        threads[t] = start_thread(allocate_until_stopped, NULL);
    while (busy_threads < COUNT(threads)) /* a thread's start takes locks of a sanitizer, which a child would inherit */
        (void)sched_yield();
    for (int child = 0; child < 50; child++) {
        EXITS(0)
        {
            atomic_store(&stop, true); /* for this process: its threads to be */
            take_all(NULL);
            in_thread(give_all_back, NULL);
            in_thread(allocate_until_stopped, NULL);
            ashlar_purge();
        }
    }
    atomic_store(&stop, true);
    for (size_t t = 0; t < COUNT(threads); t++)
        join_thread(threads[t]);
}

TEST(generations)
{
    take_all(NULL);
    EXITS(0)
    {
        EXITS(0)
        {
            EXITS(0)
            {
                in_thread(give_all_back, NULL);
                take_all(NULL);
                give_all_back(NULL);
            }
            in_thread(give_all_back, NULL);
        }
        give_all_back(NULL);
    }
    give_all_back(NULL);
}

/* ---- Forks without handlers -------------------------------------------------------------------------------------- */

static void expect_status(pid_t child, int wanted)
{
    int status;
    CHECK(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), wanted);
}

TEST(vfork_leaves_the_parent_unharmed)
{
    for (volatile int round = 0; round < 20; round++) {
        take_all(NULL);
        pid_t child = vfork();
        if (child == 0) {
            if (round % 2)
                execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
            _exit(3);
        }
        expect_status(child, 3);
        give_all_back(NULL);
    }
}

TEST(_Fork_leaves_the_parent_unharmed)
{
    for (int round = 0; round < 20; round++) {
        take_all(NULL);
        pid_t child = _Fork();
        if (child == 0)
            _exit(4);
        expect_status(child, 4);
        give_all_back(NULL);
    }
}

TEST(a_raw_clone_leaves_the_parent_unharmed)
{
    for (int round = 0; round < 20; round++) {
        take_all(NULL);
        pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            syscall(SYS_exit_group, 5);
        expect_status(child, 5);
        give_all_back(NULL);
    }
}

TEST(a_child_that_shares_memory_may_allocate_before_exec)
{
    /* posix_spawn and Go's runtime do this: clone(CLONE_VM | CLONE_VFORK), a stack of its own, no handlers. */
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer takes every clone for a fork, and changes the memory that is shared");
    static _Alignas(16) unsigned char stack[64 * 1024];
    for (int round = 0; round < 20; round++) {
        take_all(NULL);
        pid_t child =
            clone((int (*)(void *))(void *)give_all_back, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        expect_status(child, 0);
    }
}
