/* late.c: calls before main and after everything seems over.
 *
 *   .preinit_array   constructors   main ... thread destructors ... exit handlers, destructors, threads beyond exit
 *   |                                                                                                             |
 *   +---- the heap serves from here ------------------------------------------------------------------ to here ---+
 *
 * Nothing is torn down: a thread whose heap is gone is served from a shared one, and the process ends with its heap. */
#include "../lib/test.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "oracle.h"
#include "../lib/stats.h"

enum { BLOCKS = 24 };

struct set {
    struct block blocks[BLOCKS];
};

static void set_fill(struct set *set, uint64_t generation)
{
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK(block_take(&set->blocks[i], (enum entry)(i % ENTRY_COUNT), 64, i * i * 60, generation));
}

static void set_resize(struct set *set)
{
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK(block_resize(&set->blocks[i], 1 + i * 1000, i % 2, 3));
}

static void set_release(struct set *set)
{
    for (size_t i = 0; i < BLOCKS; i++)
        block_release(&set->blocks[i], i);
}

/* Everything a program can do at an odd time. */
static void use_heap(void)
{
    struct set set;
    set_fill(&set, 9);
    set_resize(&set);
    set_release(&set);
}

/* ---- Before main ------------------------------------------------------------------------------------------------------ */

static struct set from_preinit, from_early_constructor, from_constructor;
static pthread_key_t early_key, late_key;

static void run_destructor(void *value);

static void run_preinit(void)
{
    set_fill(&from_preinit, 1);
    (void)pthread_key_create(&early_key, run_destructor); /* a lower number than the library's own key */
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = run_preinit;

__attribute__((constructor(101))) static void run_early_constructor(void) { set_fill(&from_early_constructor, 2); }
__attribute__((constructor)) static void run_constructor(void) { set_fill(&from_constructor, 3); }

TEST(blocks_from_before_main_are_like_others)
{
    set_resize(&from_preinit);
    set_release(&from_early_constructor);
    set_resize(&from_constructor);
    set_release(&from_preinit);
    set_release(&from_constructor);
}

static void *release_blocks_from_before_main(void *argument)
{
    (void)argument;
    set_release(&from_preinit);
    set_resize(&from_early_constructor);
    set_release(&from_early_constructor);
    set_release(&from_constructor);
    return NULL;
}

TEST(blocks_from_before_main_are_freed_by_a_thread)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, release_blocks_from_before_main, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- After the thread's destructors ----------------------------------------------------------------------------------- */

/* Destructors run in rounds as long as one sets its key anew: at most PTHREAD_DESTRUCTOR_ITERATIONS rounds, and the
 * library's own destructor is among them. So some calls here come after it. */
struct mourner {
    struct set *inherited; /* blocks of main */
    int rounds_left;
    pthread_key_t key;
};

static atomic_int destructor_rounds;

enum { ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS - TEST_UNDER_TSAN };

static void run_destructor(void *value)
{
    struct mourner *mourner = value;
    destructor_rounds++;
    use_heap();
    if (--mourner->rounds_left > 0) {
        CHECK_EQ(pthread_setspecific(mourner->key, mourner), 0);
        return;
    }
    set_resize(mourner->inherited);
    set_release(mourner->inherited);
}

static void *set_both_keys(void *mourners)
{
    struct mourner *two = mourners;
    use_heap();
    CHECK_EQ(pthread_setspecific(two[0].key, &two[0]), 0);
    CHECK_EQ(pthread_setspecific(two[1].key, &two[1]), 0);
    return NULL;
}

/* As set_both_keys(), but all that the thread ever does happens in destructors. */
static void *set_late_key_only(void *mourners)
{
    struct mourner *two = mourners;
    CHECK_EQ(pthread_setspecific(two[1].key, &two[1]), 0);
    return NULL;
}

static void mourn(void *(*life)(void *), int destructors)
{
    CHECK_EQ(pthread_key_create(&late_key, run_destructor), 0);
    for (int i = 0; i < (int)rounds(200, 10000); i++) {
        struct set sets[2];
        struct mourner two[2] = {{&sets[0], ROUNDS, early_key}, {&sets[1], ROUNDS, late_key}};
        pthread_t thread;
        set_fill(&sets[0], 1);
        set_fill(&sets[1], 2);
        destructor_rounds = 0;
        CHECK_EQ(pthread_create(&thread, NULL, life, two), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(destructor_rounds, destructors * ROUNDS);
        if (destructors == 1)
            set_release(&sets[0]);
    }
}

TEST(destructors_use_the_heap_in_every_round) { mourn(set_both_keys, 2); }

TEST(a_thread_uses_the_heap_first_in_its_destructors) { mourn(set_late_key_only, 1); }

/* ---- Threads whose first call comes from a destructor ----------------------------------------------------------------- */

/* A thread that waits until its `round`th round of destructors before it calls the heap at all. */
struct latecomer {
    int round, rounds_seen;
    void *inherited; /* a block of main */
};

static void wait_for_the_round(void *value)
{
    struct latecomer *latecomer = value;
    if (++latecomer->rounds_seen < latecomer->round) {
        CHECK_EQ(pthread_setspecific(late_key, latecomer), 0);
        return;
    }
    free(latecomer->inherited);
    free(malloc(100));
}

static void *be_late(void *latecomer)
{
    CHECK_EQ(pthread_setspecific(late_key, latecomer), 0);
    return NULL;
}

static void latecomers_leave_no_heap(const void *round)
{
    enum { LATECOMERS = 2000, WARM_UP = 10, HEAPS_MORE = 4 };
    struct ashlar_stats before = stats_now();
    /* A heap that is born in one round ends in the next. */
    if (*(const int *)round + TEST_UNDER_TSAN > ROUNDS)
        SKIP("the thread sanitizer ends a thread before its last round of destructors");
    CHECK_EQ(pthread_key_create(&late_key, wait_for_the_round), 0);
    for (int i = 0; i < WARM_UP + LATECOMERS; i++) {
        struct latecomer latecomer = {.round = *(const int *)round, .inherited = malloc(100)};
        pthread_t thread;
        if (i == WARM_UP)
            before = stats_now();
        CHECK_EQ(pthread_create(&thread, NULL, be_late, &latecomer), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(latecomer.rounds_seen, latecomer.round);
    }
    const struct ashlar_stats after = stats_now();
    if (after.heaps > before.heaps + HEAPS_MORE || after.metadata_bytes > before.metadata_bytes + 64 * KIB ||
        after.active_bytes > before.active_bytes + MIB)
        VIOLATION("%d threads, one after another, left %llu heaps, %llu bytes of metadata and %llu active bytes more",
                  LATECOMERS, (unsigned long long)(after.heaps - before.heaps),
                  (unsigned long long)(after.metadata_bytes - before.metadata_bytes),
                  (unsigned long long)(after.active_bytes - before.active_bytes));
}

TESTS(latecomers)
{
    static const int their_rounds[] = {1, 2, PTHREAD_DESTRUCTOR_ITERATIONS - 1, PTHREAD_DESTRUCTOR_ITERATIONS};
    for (size_t i = 0; i < sizeof their_rounds / sizeof *their_rounds; i++)
        test_add(latecomers_leave_no_heap, &their_rounds[i],
                 "threads whose first call comes in round %d of destructors leave no heap behind", their_rounds[i]);
}

/* What C++ uses for thread_local objects: runs before all keys' destructors. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *library);
extern void *__dso_handle;

static void destroy_object(void *set)
{
    set_release(set);
    use_heap();
}

static void *own_an_object(void *set)
{
    CHECK_EQ(__cxa_thread_atexit_impl(destroy_object, set, &__dso_handle), 0);
    set_fill(set, 4);
    return NULL;
}

TEST(thread_local_objects_use_the_heap_as_they_die)
{
    for (int i = 0; i < 500; i++) {
        static struct set set;
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, own_an_object, &set), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

/* ---- Cancellation ------------------------------------------------------------------------------------------------------ */

static atomic_bool is_cancelled, has_worked;

static void *work_while_cancelled(void *argument)
{
    (void)argument;
    while (!is_cancelled)
        sched_yield();
    use_heap(); /* no cancellation point in it */
    has_worked = true;
    pthread_testcancel();
    return NULL;
}

TEST(no_call_is_a_cancellation_point)
{
#if defined(__clang__)
    if (TEST_UNDER_ASAN)
        SKIP("not with clang's address sanitizer: it takes the rest of a cancelled thread's stack for a wild place");
#endif
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        void *result = NULL;
        is_cancelled = has_worked = false;
        CHECK_EQ(pthread_create(&thread, NULL, work_while_cancelled, NULL), 0);
        CHECK_EQ(pthread_cancel(thread), 0);
        is_cancelled = true;
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(has_worked);
        CHECK(result == PTHREAD_CANCELED);
    }
}

/* ---- The end of the process -------------------------------------------------------------------------------------------- */

static struct set until_exit;
static bool exits_by_plan; /* in a child of a test below, and not where the harness ends */

/* Exit status of the children below: shows that the last handler of all was reached. */
enum { REACHED_THE_END = 42 };

static void use_heap_at_exit(void)
{
    use_heap();
    set_resize(&until_exit);
}

/* Runs after all that atexit() registered in main. */
__attribute__((destructor(101))) static void run_destructor_of_program(void)
{
    if (!exits_by_plan)
        return;
    set_release(&until_exit);
    use_heap();
    _exit(REACHED_THE_END);
}

static void plan_exit(void)
{
    exits_by_plan = true;
    set_fill(&until_exit, 7);
    CHECK_EQ(atexit(use_heap_at_exit), 0);
}

TEST(exit_handlers_and_destructors_use_the_heap)
{
    EXITS(REACHED_THE_END)
    {
        plan_exit();
        exit(0);
    }
}

static atomic_bool keeps_working;

static void *work_for_ever(void *argument)
{
    (void)argument;
    while (keeps_working)
        use_heap();
    return NULL;
}

static void start_workers(size_t count)
{
    keeps_working = true;
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, work_for_ever, NULL), 0);
    }
}

TEST(main_exits_while_threads_allocate)
{
    for (size_t i = 0; i < rounds(40, 2000); i++) {
        EXITS(REACHED_THE_END)
        {
            start_workers(3);
            plan_exit();
            exit(0);
        }
    }
}

static pthread_t main_thread;

static void *outlive_main(void *set)
{
    CHECK_EQ(pthread_join(main_thread, NULL), 0);
    set_resize(set);
    set_release(set);
    use_heap();
    exit(0);
}

TEST(main_leaves_by_pthread_exit_and_a_thread_goes_on)
{
    if (TEST_UNDER_TSAN)
        SKIP("not with the thread sanitizer: main leaves by pthread_exit()");
    for (size_t i = 0; i < rounds(40, 2000); i++) {
        EXITS(REACHED_THE_END)
        {
            static struct set set;
            pthread_t thread;
            main_thread = pthread_self();
            set_fill(&set, 8);
            plan_exit();
            CHECK_EQ(pthread_create(&thread, NULL, outlive_main, &set), 0);
            pthread_exit(NULL);
        }
    }
}

/* The last thread to end ends the process: exit handlers then run in a thread whose destructors have run. */
TEST(the_last_thread_returns_and_exit_handlers_run)
{
    if (TEST_UNDER_TSAN)
        SKIP("not with the thread sanitizer: main leaves by pthread_exit()");
    EXITS(REACHED_THE_END)
    {
        pthread_t thread;
        plan_exit();
        keeps_working = false;
        CHECK_EQ(pthread_create(&thread, NULL, work_for_ever, NULL), 0);
        pthread_exit(NULL);
    }
}
