/* first_call.c: any entry point may be the very first, of a process or of a thread.
 *
 *   process   a new image of this program; its .preinit_array function, which runs before every constructor but that of
 *             the shared library, makes the call that FIRST_CALL names. Then a test runs in that process as usual.
 *             Earlier calls still: first_ifunc.c.
 *   thread    a thread that has not touched the heap; the call may be given a block of another thread. */
#include "../lib/test.h"

#include <pthread.h>

#include "oracle.h"

/* ---- The calls -------------------------------------------------------------------------------------------------------- */

/* A block of the program's own, aligned as a heap's would be: foreign to every malloc. */
static _Alignas(64) unsigned char foreign[256];

static struct block kept; /* what the first call returned */

static void keep(void *start, enum entry origin, size_t alignment, size_t bytes)
{
    CHECK(start != NULL);
    block_record(&kept, start, origin, alignment, bytes, 1);
}

static void first_malloc(void) { keep(malloc(100), FROM_MALLOC, 0, 100); }
static void first_malloc_of_nothing(void) { keep(malloc(0), FROM_MALLOC, 0, 0); }
static void first_malloc_large(void) { keep(malloc(MIB), FROM_MALLOC, 0, MIB); }
static void first_malloc_huge(void) { keep(malloc(100 * MIB), FROM_MALLOC, 0, 100 * MIB); }
static void first_calloc(void) { keep(calloc(10, 30), FROM_CALLOC, 0, 300); }
static void first_realloc(void) { keep(realloc(NULL, 100), FROM_REALLOC, 0, 100); }
static void first_reallocarray(void) { keep(reallocarray(NULL, 10, 10), FROM_REALLOCARRAY, 0, 100); }
static void first_memalign(void) { keep(memalign(4096, 100), FROM_MEMALIGN, 4096, 100); }
static void first_aligned_alloc(void) { keep(aligned_alloc(64, 100), FROM_ALIGNED_ALLOC, 64, 100); }
static void first_valloc(void) { keep(valloc(100), FROM_VALLOC, 0, 100); }
static void first_pvalloc(void) { keep(pvalloc(100), FROM_PVALLOC, 0, 100); }
static void first_posix_memalign(void)
{
    void *start = NULL;
    CHECK_EQ(posix_memalign(&start, 256, 100), 0);
    keep(start, FROM_POSIX_MEMALIGN, 256, 100);
}

static void first_free_of_null(void) { free(NULL); }
static void first_free_sized_of_null(void) { free_sized(NULL, 8); }
static void first_free_aligned_sized_of_null(void) { free_aligned_sized(NULL, 8, 8); }
static void first_free_of_foreign(void) { free(foreign); }
static void first_free_of_stack(void)
{
    _Alignas(16) unsigned char local[64];
    free(local);
}
static void first_realloc_of_foreign(void)
{
    errno = 0;
    CHECK(realloc(foreign, 500) == NULL);
    CHECK_EQ(errno, ENOMEM);
}
static void first_usable_size_of_null(void) { CHECK_EQ(malloc_usable_size(NULL), 0); }
static void first_usable_size_of_foreign(void) { CHECK_EQ(malloc_usable_size(foreign), 0); }
static void first_purge(void) { ashlar_purge(); }
static void first_stats_read(void)
{
    struct ashlar_stats stats;
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
}
static void first_impossible_malloc(void)
{
    errno = 0;
    CHECK(malloc(SIZE_MAX - 64) == NULL);
    CHECK_EQ(errno, ENOMEM);
}
#if !TEST_NAMESPACED
static void first_trim(void) { CHECK((unsigned)malloc_trim(0) <= 1); }
static void first_mallinfo2(void) { (void)mallinfo2(); }
static void first_mallopt(void) { CHECK_EQ(mallopt(M_MXFAST, 0), 1); }
#endif

struct call {
    const char *name;
    void (*make)(void);
    bool only_in_process; /* of a foreign pointer, which is ignored then */
};

#define CALL(name)                                                                                                     \
    {                                                                                                                  \
#name, first_##name, false                                                                                     \
    }
static const struct call calls[] = {
    CALL(malloc),
    CALL(malloc_of_nothing),
    CALL(malloc_large),
    CALL(malloc_huge),
    CALL(calloc),
    CALL(realloc),
    CALL(reallocarray),
    CALL(memalign),
    CALL(posix_memalign),
    CALL(aligned_alloc),
    CALL(valloc),
    CALL(pvalloc),
    CALL(free_of_null),
    CALL(free_sized_of_null),
    CALL(free_aligned_sized_of_null),
    {"free_of_foreign", first_free_of_foreign, true},
    {"free_of_stack", first_free_of_stack, true},
    {"realloc_of_foreign", first_realloc_of_foreign, true},
    {"usable_size_of_foreign", first_usable_size_of_foreign, true},
    CALL(usable_size_of_null),
    CALL(purge),
    CALL(stats_read),
    CALL(impossible_malloc),
#if !TEST_NAMESPACED
    CALL(trim),
    CALL(mallinfo2),
    CALL(mallopt),
#endif
};
enum { CALL_COUNT = sizeof calls / sizeof *calls };

static void work_as_usual(void)
{
    static _Thread_local struct shelf shelf;
    struct dice dice = dice_new();
    shelf = (struct shelf){.live_limit = 8 * MIB, .largest = MIB};
    shelf_steps(&shelf, &dice, 3000);
    shelf_clear(&shelf, &dice);
}

/* ---- First of the process --------------------------------------------------------------------------------------------- */

static const struct call *made;

/* No libc function that might allocate may run before the call: the environment is read by hand. */
static void make_first_call(int argc, char **argv, char **environment)
{
    static const char name[] = "FIRST_CALL=";
    (void)argc, (void)argv;
    for (; *environment; environment++) {
        if (strncmp(*environment, name, sizeof name - 1) == 0) {
            made = &calls[atoi(*environment + sizeof name - 1)];
            made->make();
        }
    }
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = make_first_call;

static void first_of_the_process(const void *call)
{
    char number[24];
    snprintf(number, sizeof number, "%td", (const struct call *)call - calls);
    setenv("FIRST_CALL", number, 1);
    test_restart(((const struct call *)call)->only_in_process ? "foreign:ignore" : NULL);
    CHECK(made == call);
    work_as_usual();
    if (kept.start)
        block_release(&kept, 1);
    work_as_usual();
}

/* ---- First of a thread ------------------------------------------------------------------------------------------------ */

static void *first_of_this_thread(void *call)
{
    ((const struct call *)call)->make();
    if (kept.start)
        block_release(&kept, 1);
    work_as_usual();
    return NULL;
}

static void run_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void first_of_a_thread(const void *call)
{
    for (int i = 0; i < 4; i++)
        run_thread(first_of_this_thread, (void *)call);
}

/* The first call gets a block of the main thread. */
static void *first_is_free(void *block)
{
    block_release(block, 1);
    return NULL;
}

static void *first_is_realloc(void *block)
{
    CHECK(block_resize(block, 70000, false, 5));
    return NULL;
}

static void *first_is_usable_size(void *block)
{
    block_check(block);
    return NULL;
}

TEST(first_call_of_a_thread_frees_a_block_of_main)
{
    for (size_t i = 0; i < 2000; i++) {
        struct block block;
        CHECK(block_take(&block, FROM_MALLOC, 0, i * 37 % 100000, i));
        run_thread(first_is_free, &block);
    }
}

TEST(first_call_of_a_thread_resizes_a_block_of_main)
{
    for (size_t i = 0; i < 1000; i++) {
        struct block block;
        CHECK(block_take(&block, FROM_MALLOC, 0, i * 37 % 100000, i));
        run_thread(first_is_usable_size, &block);
        run_thread(first_is_realloc, &block);
        block_release(&block, i);
    }
}

static pthread_barrier_t gate;

static void *first_together(void *call)
{
    struct block block = {0};
    pthread_barrier_wait(&gate);
    CHECK(block_take(&block, (enum entry)((size_t)call % ENTRY_COUNT), 64, 100, (size_t)call));
    block_release(&block, (size_t)call);
    return NULL;
}

TEST(first_calls_of_many_threads_at_once)
{
    enum { TOGETHER = 16 };
    CHECK_EQ(pthread_barrier_init(&gate, NULL, TOGETHER), 0);
    for (size_t round = 0; round < rounds(100, 5000); round++) {
        pthread_t threads[TOGETHER];
        for (size_t i = 0; i < TOGETHER; i++)
            CHECK_EQ(pthread_create(&threads[i], NULL, first_together, (void *)(round + i)), 0);
        for (size_t i = 0; i < TOGETHER; i++)
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
}

TESTS(first_call)
{
    for (size_t i = 0; i < CALL_COUNT; i++)
        test_add(first_of_the_process, &calls[i], "first_call_of_a_process: %s", calls[i].name);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (!calls[i].only_in_process)
            test_add(first_of_a_thread, &calls[i], "first_call_of_a_thread: %s", calls[i].name);
    }
}
