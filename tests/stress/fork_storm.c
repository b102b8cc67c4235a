/* fork_storm.c: fork while other threads are anywhere inside the heap.
 *
 *   worker threads       main thread                         child
 *   shelves, exchange    fork, wait, check, fork, ...        every block of the parent that is not in a worker's hands:
 *                                                            check, resize, free; allocate; start threads; fork again
 *
 * In the child the workers do not exist and their heaps stand still in the middle of something. The child must be able
 * to do everything, including freeing blocks out of those heaps. A child that hangs is killed by its alarm, and that
 * fails. */
#include "../lib/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "child.h"
#include "exchange.h"

enum { MOST_WORKERS = 32, CHILD_SECONDS = 60, CHILD_STEPS = 300 };

static struct exchange exchange;
static struct shelf own_shelf, worker_shelves[MOST_WORKERS];
static atomic_bool stop;

/* ---- Workers -------------------------------------------------------------------------------------------------------- */

static void give_or_receive(struct shelf *shelf, struct dice *dice)
{
    struct block block;
    struct block *place = &shelf->places[dice_roll(dice, SHELF_PLACES)];
    const size_t index = dice_roll(dice, EXCHANGE_PLACES), usable = place->usable;
    if (place->start && exchange_offer(&exchange, index, place))
        shelf->live_bytes -= usable;
    else if (exchange_accept(&exchange, index, &block))
        block_release(&block, dice_next(dice));
}

static void *work(void *argument)
{
    struct shelf *shelf = argument;
    struct dice dice = dice_new();
    while (!stop) {
        shelf_step(shelf, &dice);
        give_or_receive(shelf, &dice);
        if (dice_once_in(&dice, 5000))
            ashlar_purge();
    }
    shelf_clear(shelf, &dice);
    return NULL;
}

/* ---- Children --------------------------------------------------------------------------------------------------------- */

static void *child_thread(void *argument)
{
    static struct shelf shelf = {.live_limit = 2 * MIB, .largest = 64 * KIB};
    struct dice dice = dice_new();
    (void)argument;
    shelf_steps(&shelf, &dice, CHILD_STEPS);
    shelf_clear(&shelf, &dice);
    return NULL;
}

static void start_a_thread_here(void)
{
    pthread_t thread;
    if (TEST_NAMESPACED)
        return; /* libc's own blocks come from a sanitizer's malloc, which does not survive a fork among threads */
    CHECK_EQ(pthread_create(&thread, NULL, child_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* All that a child may do with what it inherits. Ends the process. */
static void __attribute__((noreturn)) live_as_child(size_t number)
{
    struct dice dice = dice_new();
    alarm(CHILD_SECONDS);
    shelf_check(&own_shelf);
    exchange_clear(&exchange);
    shelf_steps(&own_shelf, &dice, CHILD_STEPS);
    if (number % 8 == 0)
        start_a_thread_here();
    if (number % 16 == 1) {
        const pid_t grandchild = fork();
        if (grandchild == 0)
            live_as_child(2);
        child_wait_for(grandchild);
    }
    if (number % 4 == 0)
        ashlar_purge();
    shelf_clear(&own_shelf, &dice);
    _exit(0);
}

/* ---- The storm ------------------------------------------------------------------------------------------------------- */

static void storm(size_t workers, size_t children, size_t largest)
{
    pthread_t threads[MOST_WORKERS];
    struct dice dice = dice_new();
    own_shelf = (struct shelf){.live_limit = MIB, .largest = largest};
    for (size_t i = 0; i < workers; i++) {
        worker_shelves[i] = (struct shelf){.live_limit = MIB, .largest = largest};
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &worker_shelves[i]), 0);
    }
    for (size_t i = 0; i < children; i++) {
        shelf_steps(&own_shelf, &dice, 50);
        const pid_t child = fork();
        if (child == 0)
            live_as_child(i);
        child_wait_for(child);
    }
    stop = true;
    for (size_t i = 0; i < workers; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    shelf_clear(&own_shelf, &dice);
    exchange_clear(&exchange);
}

TEST(fork_while_threads_allocate_small_blocks) { storm(rounds(4, 32), rounds(160, 10000), 2 * KIB); }

TEST(fork_while_threads_allocate_all_sizes) { storm(rounds(4, 32), rounds(80, 5000), 2 * MIB); }

TEST(fork_while_many_threads_allocate) { storm(MOST_WORKERS, rounds(20, 2000), 32 * KIB); }

/* ---- Fork handlers that allocate ------------------------------------------------------------------------------------- */

static atomic_bool handlers_allocate;
static _Atomic size_t handler_calls;

/* In each of the three phases of a fork; the heap may hold its locks then. */
static void allocate_in_handler(void)
{
    if (!handlers_allocate)
        return;
    struct block small = {0}, large = {0};
    CHECK(block_take(&small, FROM_MALLOC, 0, 100, 1));
    CHECK(block_take(&large, FROM_CALLOC, 0, 200 * KIB, 2));
    block_release(&small, 1);
    block_release(&large, 7);
    handler_calls++;
}

/* Before all constructors: so the handlers run when the library's own prepare handler has run already. */
static void register_handlers_first(void)
{
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = register_handlers_first;

TEST(fork_handlers_that_allocate)
{
    CHECK_EQ(pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler), 0);
    handlers_allocate = true;
    storm(2, rounds(80, 3000), 32 * KIB);
    CHECK(handler_calls > 0);
}

/* ---- Children without fork handlers ---------------------------------------------------------------------------------- */

TEST(raw_forks_leave_the_parent_unharmed)
{
    pthread_t thread;
    struct dice dice = dice_new();
    worker_shelves[0] = own_shelf = (struct shelf){.live_limit = 2 * MIB, .largest = 16 * KIB};
    CHECK_EQ(pthread_create(&thread, NULL, work, &worker_shelves[0]), 0);
    for (size_t i = 0; i < rounds(200, 5000); i++) {
        shelf_steps(&own_shelf, &dice, 50);
        const pid_t child = i % 2 ? _Fork() : vfork();
        if (child == 0)
            _exit(0);
        child_wait_for(child);
    }
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    shelf_clear(&own_shelf, &dice);
    exchange_clear(&exchange);
}

/* ---- Many threads that fork, with buffered output -------------------------------------------------------------------- */

static void __attribute__((noreturn)) print_as_child(void)
{
    alarm(CHILD_SECONDS);
    FILE *file = fopen("/dev/null", "w");
    CHECK(file != NULL);
    for (int i = 0; i < 100; i++)
        CHECK(fprintf(file, "%d %s %f\n", i, "line", i / 3.0) > 0);
    CHECK_EQ(fclose(file), 0);
    _exit(0);
}

static void *fork_and_print(void *argument)
{
    const size_t children = *(const size_t *)argument;
    FILE *file = fopen("/dev/null", "w");
    CHECK(file != NULL);
    for (size_t i = 0; i < children; i++) {
        const pid_t child = fork();
        if (child == 0)
            print_as_child();
        CHECK(fprintf(file, "started %d\n", (int)child) > 0);
        child_wait_for(child);
    }
    CHECK_EQ(fclose(file), 0);
    return NULL;
}

TEST(thirteen_threads_fork_and_print)
{
    enum { FORKERS = 13 };
    pthread_t threads[FORKERS];
    size_t children = rounds(60, 1500);
    if (TEST_NAMESPACED)
        SKIP("the sanitizer's malloc, which buffers come from, does not survive a fork among threads");
    for (size_t i = 0; i < FORKERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, fork_and_print, &children), 0);
    for (size_t i = 0; i < FORKERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
