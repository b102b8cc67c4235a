/* lock.c: a lock that knows its holder: it excludes, it wakes whoever waits, and it tells a thread that would wait for
 * itself. */
#include "test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct os_lock lock;
static uint64_t counter; /* guarded by lock */

TEST(a_thread_that_holds_the_lock_is_told_instead_of_waiting_for_itself)
{
    CHECK(!os_lock_is_held(&lock));
    CHECK(os_lock_take(&lock));
    CHECK(os_lock_is_held(&lock));
    CHECK(!os_lock_take(&lock));
    CHECK(os_lock_is_held(&lock));
    os_lock_drop(&lock);
    CHECK(!os_lock_is_held(&lock));
    CHECK(os_lock_take(&lock));
    os_lock_drop(&lock);
    CHECK_EQ(load_relaxed(&lock.word), 0);
}

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(os_lock_take(&lock));
        const uint64_t before = counter;
        if (i % 64 == 0)
            (void)sched_yield(); /* let the others run into it */
        counter = before + 1;
        os_lock_drop(&lock);
    }
    return NULL;
}

TEST(threads_that_fight_for_it_never_hold_it_together_and_all_get_it)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(counter, (uint64_t)THREADS * ROUNDS);
    CHECK_EQ(load_relaxed(&lock.word), 0);
}

static _Atomic bool is_waiting;

static void *wait_for_it(void *argument)
{
    (void)argument;
    CHECK(!os_lock_is_held(&lock)); /* another thread's lock is not this one's */
    store_relaxed(&is_waiting, true);
    CHECK(os_lock_take(&lock));
    counter = 1;
    os_lock_drop(&lock);
    return NULL;
}

TEST(a_thread_that_sleeps_on_it_is_woken)
{
    pthread_t thread;

    CHECK(os_lock_take(&lock));
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
    while (!load_relaxed(&is_waiting) || (load_relaxed(&lock.word) & 1) == 0)
        (void)sched_yield();
    CHECK_EQ(counter, 0);
    os_lock_drop(&lock);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(counter, 1);
}

static void *take_and_keep(void *argument)
{
    (void)argument;
    CHECK(os_lock_take(&lock));
    return NULL;
}

TEST(after_a_reset_it_is_free_whoever_held_it)
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, take_and_keep, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(load_relaxed(&lock.word) != 0);
    os_lock_reset(&lock);
    CHECK(os_lock_take(&lock));
    os_lock_drop(&lock);
}

TEST(a_fork_child_holds_what_the_forking_thread_held)
{
    int status = 0;

    CHECK(os_lock_take(&lock));
    const pid_t child = fork();
    if (child == 0) {
        const bool is_told = !os_lock_take(&lock);
        os_lock_drop(&lock);
        _exit(is_told && os_lock_take(&lock) ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    os_lock_drop(&lock);
}
