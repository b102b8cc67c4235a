/* crossed_handlers.c: threads interrupt each other in the middle of everything, and the handlers allocate and fork.
 *
 *   worker:  blocks of all sizes, two shared heaps, threads that end, trims     main: signals to one after another
 *   handler: the same in small, and now and then a fork whose child does the same
 *
 * What a handler wants may be held by a thread which waits for what the code under the handler holds: two such threads
 * that wait for each other wait for ever, and this test hangs. Handlers ask for other small sizes than the code that
 * they interrupt: in the middle of a fast path its list is not theirs to use, and nobody promises that it is. */
#include "../lib/test.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/stats.h"
#include "child.h"
#include "oracle.h"

enum { WORKERS = 4, HEAPS = 2, CHILD_SECONDS = 60, HUGE_BYTES = 33 * MIB };

static ashlar_heap *heaps[HEAPS];
static atomic_bool is_over;
static _Atomic size_t handled, forked;
static _Atomic size_t steps[WORKERS]; /* of each worker outside handlers */
static _Thread_local struct dice handler_dice;
static _Thread_local volatile sig_atomic_t is_in_libc; /* a fork may interrupt us anywhere else */

/* ---- What workers, handlers and children do -------------------------------------------------------------------------- */

enum user { WORKER, HANDLER };

static size_t request(enum user user, struct dice *dice)
{
    if (dice_once_in(dice, 4))
        return 70 * KIB + dice_roll(dice, 230 * KIB);
    return user == WORKER ? 1 + dice_roll(dice, 4 * KIB) : 6 * KIB + dice_roll(dice, 50 * KIB);
}

static void use_block(enum user user, struct dice *dice)
{
    struct block block;
    const size_t bytes = request(user, dice);
    if (block_take(&block, (enum entry)dice_roll(dice, ENTRY_COUNT), 64, bytes, dice_next(dice)))
        block_release(&block, dice_next(dice));
}

static void use_huge_block(struct dice *dice)
{
    char *const block = malloc(HUGE_BYTES + dice_roll(dice, MIB));
    CHECK(block != NULL);
    block[0] = block[HUGE_BYTES - 1] = 1;
    CHECK(block[0] == 1 && block[HUGE_BYTES - 1] == 1);
    free(block);
}

static void use_heap(struct dice *dice)
{
    const size_t bytes = 1 + dice_roll(dice, dice_once_in(dice, 4) ? 200 * KIB : 2 * KIB);
    char *const block = ashlar_heap_malloc(heaps[dice_roll(dice, HEAPS)], bytes);
    CHECK(block != NULL);
    memset(block, 0x5a, bytes);
    CHECK_EQ(block[bytes - 1], 0x5a);
    ashlar_free(block);
}

static void use_memory(enum user user, struct dice *dice)
{
    switch (dice_roll(dice, 8)) {
    case 0:
        use_huge_block(dice);
        break;
    case 1 ... 3:
        use_heap(dice);
        break;
    default:
        use_block(user, dice);
    }
}

/* ---- Handlers ------------------------------------------------------------------------------------------------------- */

static void fork_here(struct dice *dice)
{
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        for (int i = 0; i < 20; i++)
            use_memory(HANDLER, dice);
        _exit(0);
    }
    child_wait_for(child);
    forked++;
}

static void interrupt(int signal)
{
    const int kept = errno;
    (void)signal;
    if (handler_dice.state == 0)
        handler_dice = (struct dice){(uintptr_t)&handler_dice | 1};
    if (!is_in_libc && dice_once_in(&handler_dice, 16))
        fork_here(&handler_dice);
    for (int i = 0; i < 3; i++)
        use_memory(HANDLER, &handler_dice);
    handled++;
    errno = kept;
}

/* ---- Workers -------------------------------------------------------------------------------------------------------- */

static void *live_shortly(void *argument)
{
    struct dice dice = {*(uint64_t *)argument | 1};
    for (int i = 0; i < 20; i++)
        use_memory(WORKER, &dice);
    return NULL;
}

/* libc is in the middle of its own things there, and no fork is allowed to interrupt it. */
static void let_a_thread_live(struct dice *dice)
{
    pthread_t thread;
    uint64_t seed = dice_next(dice);
    is_in_libc = 1;
    CHECK_EQ(pthread_create(&thread, NULL, live_shortly, &seed), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    is_in_libc = 0;
}

static void *work(void *own_steps)
{
    struct dice dice = dice_new();
    for (; !is_over; (*(_Atomic size_t *)own_steps)++) {
        use_memory(WORKER, &dice);
        if (dice_once_in(&dice, 50))
            let_a_thread_live(&dice);
        if (dice_once_in(&dice, 200))
            (void)malloc_trim(0);
    }
    return NULL;
}

/* Whom a handler sends back gets on before the next one comes. */
static void interrupt_all(const pthread_t *workers, size_t wanted)
{
    size_t seen[WORKERS] = {0};
    for (size_t i = 0; handled < wanted; i = (i + 1) % WORKERS) {
        const size_t now = steps[i];
        if (now != seen[i])
            CHECK_EQ(pthread_kill(workers[i], SIGUSR1), 0);
        seen[i] = now;
        usleep(50);
    }
}

TEST(threads_whose_handlers_allocate_and_fork_do_not_wait_for_each_other_for_ever)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer holds signals back until the next call that it knows");
    if (TEST_NAMESPACED)
        SKIP("a sanitizer's malloc does not survive such forks");
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    const size_t wanted = rounds(2000, 40000);
    pthread_t workers[WORKERS];
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    for (size_t i = 0; i < HEAPS; i++)
        CHECK((heaps[i] = ashlar_heap_new()) != NULL);
    for (size_t i = 0; i < WORKERS; i++)
        CHECK_EQ(pthread_create(&workers[i], NULL, work, (void *)&steps[i]), 0);
    interrupt_all(workers, wanted);
    is_over = true;
    for (size_t i = 0; i < WORKERS; i++)
        CHECK_EQ(pthread_join(workers[i], NULL), 0);
    test_note("%zu handlers, %zu forks from them", (size_t)handled, (size_t)forked);
}

/* ---- What handlers free comes back ----------------------------------------------------------------------------------- */

enum { POOL = 60, LETTERS = 64 };

static char *pool[POOL];
static atomic_size_t next_in_pool;
static _Atomic(char *) letters[LETTERS];

static void free_one(int signal)
{
    (void)signal;
    if (next_in_pool < POOL)
        free(pool[next_in_pool++]);
}

/* Owns what the visitor frees: a heap with mail, which a trim visits. */
static void *write_letters(void *unused)
{
    for (; next_in_pool < POOL; usleep(500))
        for (size_t i = 0; i < LETTERS; i++)
            if (letters[i] == NULL)
                letters[i] = malloc(1000);
    return unused;
}

static void *interrupt_until_all_is_free(void *visitor)
{
    for (; next_in_pool < POOL; usleep(1000))
        CHECK_EQ(pthread_kill(*(pthread_t *)visitor, SIGUSR1), 0);
    return NULL;
}

TEST(huge_blocks_that_handlers_free_during_visits_come_back)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer holds signals back until the next call that it knows");
    const struct sigaction action = {.sa_handler = free_one, .sa_flags = SA_RESTART};
    const uint64_t live_before = stats_now().huge_live_blocks;
    pthread_t writer, interrupter, visitor = pthread_self();
    for (size_t i = 0; i < POOL; i++)
        CHECK((pool[i] = malloc(HUGE_BYTES)) != NULL);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_EQ(pthread_create(&writer, NULL, write_letters, NULL), 0);
    CHECK_EQ(pthread_create(&interrupter, NULL, interrupt_until_all_is_free, &visitor), 0);
    while (next_in_pool < POOL) {
        for (size_t i = 0; i < LETTERS; i++)
            free(atomic_exchange(&letters[i], NULL));
        (void)malloc_trim(0);
    }
    CHECK_EQ(pthread_join(writer, NULL), 0);
    CHECK_EQ(pthread_join(interrupter, NULL), 0);
    const struct ashlar_stats after = stats_now();
    test_note("%llu of %d blocks left, %llu frees dropped", (unsigned long long)(after.huge_live_blocks - live_before),
              POOL, (unsigned long long)after.dropped_frees);
    CHECK(after.huge_live_blocks <= live_before + after.dropped_frees); /* none is lost without a word */
    CHECK(after.huge_live_blocks <= live_before + POOL / 4);            /* those that met the page floor itself */
}
