/* free.c: every allocator's blocks may be given to every function that frees, in any order, on any thread. */
#include "../lib/blocks.h"

static void by_free(void *block) { free(block); }
static void by_realloc_zero(void *block) { CHECK_EQ(realloc(block, 0), NULL); }
static void by_reallocarray_zero(void *block) { CHECK_EQ(reallocarray(block, 0, 8), NULL); }
static void by_resize_and_free(void *block) { free(realloc(block, 12345)); }

#if !TEST_NAMESPACED
static void by_cfree(void *block) { cfree(block); }
static void by_libc_free(void *block) { __libc_free(block); }
static void by_libc_realloc(void *block) { CHECK_EQ(__libc_realloc(block, 0), NULL); }
#endif

static const struct {
    const char *name;
    void (*release)(void *);
} releases[] = {
    {"free", by_free},
    {"realloc(0)", by_realloc_zero},
    {"reallocarray(0)", by_reallocarray_zero},
    {"realloc, free", by_resize_and_free},
#if !TEST_NAMESPACED
    {"cfree", by_cfree},
    {"__libc_free", by_libc_free},
    {"__libc_realloc(0)", by_libc_realloc},
#endif
};

TEST(null_is_nothing)
{
    errno = 4711;
    free(NULL);
    free_sized(NULL, 0);
    free_sized(NULL, 100);
    free_aligned_sized(NULL, 16, 100);
    CHECK_EQ(errno, 4711);
}

TEST(every_allocator_with_every_release)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        for (size_t r = 0; r < COUNT(releases); r++)
            for (size_t bytes = 0; bytes < 80 * MIB; bytes = bytes * 5 / 2 + 7) {
                void *block = allocators[a].allocate(bytes);
                CHECK(block != NULL);
                size_t some = bytes < MIB ? malloc_usable_size(block) : MIB;
                fill(block, some, bytes);
                CHECK(is_filled(block, some, bytes));
                releases[r].release(block);
            }
}

/* ---- Orders ------------------------------------------------------------------------------------------------------ */

enum { BLOCKS = 4096 };
static void *blocks[BLOCKS];

static void allocate_all(size_t bytes)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(bytes);
        CHECK(blocks[i] != NULL);
        fill(blocks[i], bytes, i);
    }
}

static void release(size_t i, size_t bytes)
{
    CHECK(is_filled(blocks[i], bytes, i));
    free(blocks[i]);
}

static void shuffle(void)
{
    /* Contents are keyed by the place in the table, so places are drawn, not blocks moved. */
    static uint16_t order[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        order[i] = (uint16_t)i;
    for (size_t i = BLOCKS - 1; i > 0; i--) {
        size_t other = test_random() % (i + 1);
        uint16_t kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[order[i]]);
        blocks[order[i]] = NULL;
    }
}

TEST(any_order)
{
    const size_t sizes[] = {16, 48, 100, 1000, 4096, 20000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        allocate_all(sizes[s]);
        for (size_t i = 0; i < BLOCKS; i++)
            release(i, sizes[s]);
        allocate_all(sizes[s]);
        for (size_t i = BLOCKS; i-- > 0;)
            release(i, sizes[s]);
        allocate_all(sizes[s]);
        for (size_t start = 0; start < 64; start++) /* one of each slab in turn */
            for (size_t i = start; i < BLOCKS; i += 64)
                release(i, sizes[s]);
        allocate_all(sizes[s]);
        shuffle();
    }
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

static void *free_all(void *bytes)
{
    for (size_t i = 0; i < BLOCKS; i++)
        release(i, (size_t)(uintptr_t)bytes);
    return NULL;
}

static void *free_odd(void *bytes)
{
    for (size_t i = 1; i < BLOCKS; i += 2)
        release(i, (size_t)(uintptr_t)bytes);
    return NULL;
}

static void *allocate_in_thread(void *bytes)
{
    allocate_all((size_t)(uintptr_t)bytes);
    return NULL;
}

static const size_t thread_sizes[] = {0, 24, 100, 1000, 10000, 70000};

TEST(another_thread_frees)
{
    for (size_t s = 0; s < COUNT(thread_sizes); s++)
        for (int round = 0; round < 3; round++) {
            allocate_all(thread_sizes[s]);
            in_thread(free_all, (void *)thread_sizes[s]);
        }
}

TEST(owner_and_another_thread_free_together)
{
    for (size_t s = 0; s < COUNT(thread_sizes); s++)
        for (int round = 0; round < 3; round++) {
            allocate_all(thread_sizes[s]);
            pthread_t other = start_thread(free_odd, (void *)thread_sizes[s]);
            for (size_t i = 0; i < BLOCKS; i += 2)
                release(i, thread_sizes[s]);
            join_thread(other);
        }
}

TEST(free_after_owner_thread_exit)
{
    for (size_t s = 0; s < COUNT(thread_sizes); s++)
        for (int round = 0; round < 3; round++) {
            in_thread(allocate_in_thread, (void *)thread_sizes[s]);
            free_all((void *)thread_sizes[s]);
        }
}

TEST(free_in_a_third_thread_after_owner_thread_exit)
{
    for (size_t s = 0; s < COUNT(thread_sizes); s++) {
        in_thread(allocate_in_thread, (void *)thread_sizes[s]);
        in_thread(free_all, (void *)thread_sizes[s]);
    }
}

TEST(large_and_huge_blocks_cross_threads)
{
    for (size_t bytes = 64 * KIB; bytes < 100 * MIB; bytes *= 3) {
        void *block = malloc(bytes);
        CHECK(block != NULL);
        fill(block, bytes, 1);
        in_thread((void *(*)(void *))(void *)by_free, block);
    }
}
