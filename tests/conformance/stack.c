/* stack.c: rule 8, no entry point uses more than 4 KiB of stack.
 *
 * A thread runs on a stack that was painted; the lowest byte that lost its colour tells how deep it went. What a thread
 * that does nothing uses is subtracted. */
#include "../lib/blocks.h"

#include <fcntl.h>

enum { STACK_BYTES = 256 * 1024, LIMIT = 4096, COLOUR = 0xc5 };

static _Alignas(4096) unsigned char stack[STACK_BYTES];

static size_t depth_of(void *(*body)(void *))
{
    memset(stack, COLOUR, sizeof stack);
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, body, NULL), 0);
    join_thread(thread);
    pthread_attr_destroy(&attributes);
    size_t untouched = 0;
    while (untouched < sizeof stack && stack[untouched] == COLOUR)
        untouched++;
    return sizeof stack - untouched;
}

static void *nothing(void *unused)
{
    memset(unused, 0, 0);
    return unused;
}

enum { BLOCKS = 700 };
static void *blocks[BLOCKS];
static size_t size_of(size_t i) { return i % 100 == 99 ? HUGE_BYTES + i : i * i * (1 + i % 10); }

static void *take_all(void *unused)
{
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(size_of(i));
    return unused;
}

static void *give_all_back(void *unused)
{
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return unused;
}

static void *take_and_give(void *unused)
{
    take_all(NULL);
    give_all_back(NULL);
    take_all(NULL);
    give_all_back(NULL);
    ashlar_purge();
    return unused;
}

static void *resize(void *unused)
{
    void *block = NULL;
    for (size_t i = 1; i < 2 * BLOCKS; i++)
        block = realloc(block, size_of(i < BLOCKS ? i : 2 * BLOCKS - i) + 1);
    free(block);
    return unused;
}

static void *allocate_otherwise(void *unused)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t a = 0; a < COUNT(allocators); a++)
            free(allocators[a].allocate(size_of(i) / 4));
        free_sized(malloc(i), i);
        free_aligned_sized(aligned_alloc(64, i), 64, i);
    }
    return unused;
}

static void *fail(void *unused)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        CHECK_EQ(allocators[a].allocate(SIZE_MAX / 4), NULL);
    return unused;
}

static void *look_inside(void *unused)
{
    static struct ashlar_stats stats;
    static char text[1 << 16];
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    CHECK(ashlar_stats_json(text, sizeof text) > 0);
    CHECK(ashlar_option("dirty", text, sizeof text) > 0);
    CHECK_EQ(ashlar_option_set("dirty", "8M"), 0);
#if !TEST_NAMESPACED
    CHECK(mallinfo2().uordblks < 1 * GIB);
    malloc_trim(0);
#endif
    return unused;
}

#if !TEST_NAMESPACED
static void *print_stats(void *unused)
{
    malloc_stats();
    return unused;
}
#endif

static void stays_shallow_once(const char *what, void *(*body)(void *))
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer needs stack of its own");
    depth_of(nothing);
    size_t base = depth_of(nothing), depth = depth_of(body);
    test_note("%s: %zu bytes", what, depth - base);
    CHECK(depth > base);
    CHECK(depth - base <= LIMIT);
}

static void stays_shallow(const char *what, void *(*body)(void *))
{
    body(NULL); /* binds the functions of the program: the dynamic loader's stack is not ours */
    stays_shallow_once(what, body);
}

TEST(allocating_and_freeing_stays_shallow) { stays_shallow("malloc, free", take_and_give); }
TEST(resizing_stays_shallow) { stays_shallow("realloc", resize); }
TEST(the_other_entry_points_stay_shallow) { stays_shallow("the others", allocate_otherwise); }
TEST(looking_inside_stays_shallow) { stays_shallow("statistics, options", look_inside); }

#if !TEST_NAMESPACED
TEST(printing_statistics_stays_shallow)
{
    CHECK_EQ(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO), STDERR_FILENO);
    stays_shallow("malloc_stats", print_stats);
}
#endif

TEST(failing_stays_shallow) { stays_shallow("failure", fail); }

TEST(freeing_another_threads_blocks_stays_shallow)
{
    take_all(NULL);
    give_all_back(NULL);
    take_all(NULL);
    stays_shallow_once("free, remote", give_all_back);
}
