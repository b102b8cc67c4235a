/* signal_fork.c: a signal handler that forks, at any instruction of malloc.
 *
 *   main: random operations ---- SIGPROF ----> handler: fork
 *                                                parent: wait for the child, return
 *                                                child:  a) allocate in the handler and leave, or
 *                                                        b) return into the interrupted operation and go on
 *
 * No program should do it; some crash reporters and profilers do. The fork's prepare handler may meet a lock that the
 * very same thread holds: it must not wait for it. The child must work too, and lose nothing but the block that was
 * under way. */
#include "../lib/test.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "oracle.h"

enum { CHILD_SECONDS = 60, TIMER_MICROSECONDS = 1000 };

static struct shelf shelf;
static struct dice dice;
static bool child_stays_in_handler;
static volatile sig_atomic_t in_child;
static volatile sig_atomic_t children;

/* a): the handler may stand inside malloc, so only new blocks are touched. */
static void __attribute__((noreturn)) allocate_in_handler(void)
{
    struct block blocks[8] = {0};
    for (size_t i = 0; i < 8; i++)
        CHECK(block_take(&blocks[i], FROM_CALLOC, 0, (size_t)24 << (2 * i), i));
    for (size_t i = 0; i < 8; i++)
        block_check(&blocks[i]);
    for (size_t i = 0; i < 8; i++)
        free(blocks[i].start);
    _exit(0);
}

static void wait_for(pid_t child)
{
    int status = 0;
    CHECK(child > 0);
    while (waitpid(child, &status, 0) < 0)
        CHECK_EQ(errno, EINTR);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
        VIOLATION("child %d ended by signal %d with status %d", (int)child, WTERMSIG(status), WEXITSTATUS(status));
}

static void fork_in_handler(int number)
{
    const int saved = errno;
    (void)number;
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        if (child_stays_in_handler)
            allocate_in_handler();
        in_child = 1;
    } else {
        wait_for(child);
        children++;
    }
    errno = saved;
}

/* b): the interrupted operation has ended. Everything is still there, and the heap works. Does not return. */
static void __attribute__((noreturn)) go_on_as_child(void)
{
    shelf_check(&shelf);
    shelf_steps(&shelf, &dice, 300);
    shelf_clear(&shelf, &dice);
    _exit(0);
}

static void run_timer(long microseconds)
{
    const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    CHECK_EQ(setitimer(ITIMER_PROF, &timer, NULL), 0); /* a child does not inherit it */
}

static void operate_under_timer(size_t largest, size_t live_limit, bool stays_in_handler, int forks)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer holds signals back until the next call that it knows");
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    CHECK_EQ(sigaction(SIGPROF, &action, NULL), 0);
    child_stays_in_handler = stays_in_handler;
    dice = dice_new();
    shelf = (struct shelf){.live_limit = live_limit, .largest = largest};
    run_timer(TIMER_MICROSECONDS);
    while (children < forks) {
        shelf_step(&shelf, &dice);
        if (dice_once_in(&dice, 2000))
            ashlar_purge();
        if (in_child)
            go_on_as_child();
    }
    run_timer(0);
    shelf_check(&shelf);
    shelf_clear(&shelf, &dice);
}

TEST(child_goes_on_with_the_interrupted_small_operation)
{
    operate_under_timer(KIB, MIB, false, (int)rounds(150, 10000));
}

TEST(child_goes_on_with_the_interrupted_operation_of_any_size)
{
    operate_under_timer(2 * MIB, 16 * MIB, false, (int)rounds(150, 10000));
}

TEST(child_allocates_inside_the_handler_of_a_small_operation)
{
    operate_under_timer(KIB, MIB, true, (int)rounds(150, 10000));
}

TEST(child_allocates_inside_the_handler_of_an_operation_of_any_size)
{
    operate_under_timer(2 * MIB, 16 * MIB, true, (int)rounds(150, 10000));
}
