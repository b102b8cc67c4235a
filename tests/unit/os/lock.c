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

/* ---- The order of locks: what comes first here is taken first ----------------------------------------------------- */

static struct os_lock early = {.rank = LOCK_HEAPS}, middle = {.rank = LOCK_HEAP}, late = {.rank = LOCK_RUNS};
static struct os_lock other_middle = {.rank = LOCK_HEAP};

static void *take_and_keep(void *argument)
{
    CHECK(os_lock_take(argument));
    return NULL;
}

/* `held` is held from now on by a thread that is gone: nobody will drop it. */
static void lose(struct os_lock *held)
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, take_and_keep, held), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(!os_lock_is_free(held));
}

/* A lost lock of one rank, and one that is held. */
static void is_refused_under(struct os_lock *lost, struct os_lock *held)
{
    lose(lost);
    CHECK(os_lock_take(held));
    CHECK(!os_lock_take(lost));
    CHECK(!os_lock_try(lost));
    CHECK(!os_lock_is_held(lost));
    os_lock_drop(held);
    CHECK(!os_lock_any_is_held());
}

TEST(out_of_order_a_free_lock_is_taken)
{
    CHECK(os_lock_take(&late));
    CHECK(os_lock_take(&early));
    CHECK(os_lock_is_held(&early));
    os_lock_drop(&early);
    CHECK(os_lock_any_is_held());
    os_lock_drop(&late);
    CHECK(!os_lock_any_is_held());
}

TEST(out_of_order_another_threads_lock_is_refused) { is_refused_under(&early, &late); }

TEST(of_the_same_rank_another_threads_lock_is_refused) { is_refused_under(&middle, &other_middle); }

/* ---- Fork --------------------------------------------------------------------------------------------------------- */

TEST(a_fork_holds_the_lock_in_the_parent_and_the_child_finds_it_whole)
{
    os_lock_fork_prepare(&lock, NULL);
    CHECK(os_lock_is_held(&lock));
    os_lock_fork_parent(&lock);
    CHECK(os_lock_is_free(&lock));
    os_lock_fork_prepare(&lock, NULL);
    CHECK(os_lock_fork_child(&lock));
    CHECK(os_lock_is_free(&lock));
    CHECK(!os_lock_any_is_held());
}

TEST(a_fork_that_interrupts_the_holder_leaves_the_lock_with_it)
{
    CHECK(os_lock_take(&lock));
    os_lock_fork_prepare(&lock, NULL);
    os_lock_fork_parent(&lock);
    CHECK(os_lock_is_held(&lock));
    os_lock_fork_prepare(&lock, NULL);
    CHECK(!os_lock_fork_child(&lock)); /* not whole: the holder goes on changing what it guards */
    CHECK(os_lock_is_held(&lock));
    os_lock_drop(&lock);
    CHECK(!os_lock_any_is_held());
}

TEST(a_fork_in_the_middle_of_a_fork_leaves_the_lock_with_the_outer_one)
{
    os_lock_fork_prepare(&lock, NULL);
    os_lock_fork_prepare(&lock, NULL);
    os_lock_fork_parent(&lock);
    CHECK(os_lock_is_held(&lock));
    os_lock_fork_prepare(&lock, NULL);
    CHECK(!os_lock_fork_child(&lock));
    CHECK(os_lock_is_held(&lock));
    os_lock_fork_parent(&lock);
    CHECK(os_lock_is_free(&lock));
    CHECK(!os_lock_any_is_held());
}

TEST(a_fork_goes_without_a_lock_that_it_may_not_wait_for_and_the_child_is_told)
{
    lose(&early);
    CHECK(os_lock_take(&late));
    os_lock_fork_prepare(&early, NULL);
    CHECK(!os_lock_is_held(&early));
    os_lock_fork_parent(&early);
    CHECK(!os_lock_is_free(&early)); /* still its holder's */
    CHECK(!os_lock_fork_child(&early));
    CHECK(os_lock_is_free(&early));
    os_lock_drop(&late);
    CHECK(os_lock_take(&early));
    os_lock_drop(&early);
}

/* Keep the lock for longer than anybody would wait out of order. */
static void *keep_for_long(void *argument)
{
    CHECK(os_lock_take(argument));
    store_relaxed(&is_waiting, true);
    for (int i = 0; i < 4000; i++)
        os_yield();
    os_lock_drop(argument);
    return NULL;
}

TEST(a_fork_takes_several_of_a_rank_under_the_lock_that_says_so)
{
    pthread_t thread;

    store_relaxed(&is_waiting, false);
    CHECK_EQ(pthread_create(&thread, NULL, keep_for_long, &middle), 0);
    while (!load_relaxed(&is_waiting))
        (void)sched_yield();
    os_lock_fork_prepare(&early, NULL);
    os_lock_fork_prepare(&other_middle, &early);
    os_lock_fork_prepare(&middle, &early);
    CHECK(os_lock_is_held(&other_middle));
    CHECK(os_lock_is_held(&middle));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    os_lock_fork_parent(&middle);
    os_lock_fork_parent(&other_middle);
    os_lock_fork_parent(&early);
    CHECK(!os_lock_any_is_held());
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
