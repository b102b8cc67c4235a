/* sizes.c: rule 2, a size that no block can have gives NULL and ENOMEM at every entry point, before and after any
 * rounding. A small block is made and freed before each attempt, so that a fast path has something to hand out by
 * mistake. */
#include "../lib/blocks.h"

enum { RANGE = 1 << 14 };

static void refuses(const struct allocator *allocator, size_t bytes)
{
    void *small = malloc(bytes % 200);
    CHECK(small != NULL);
    free(small);
    errno = 0;
    void *block = allocator->allocate(bytes);
    if (block != NULL || errno != ENOMEM)
        test_fail(__FILE__, __LINE__, "%s of %zu bytes gave %p, errno %d", allocator->name, bytes, block, errno);
}

static void refuses_all(const void *argument)
{
    const struct allocator *allocator = argument;
    for (size_t i = 0; i < RANGE; i++)
        refuses(allocator, SIZE_MAX - i);
    for (size_t i = 1; i <= RANGE; i++)
        refuses(allocator, (size_t)PTRDIFF_MAX + i);
    for (size_t k = 1; k < RANGE; k++) {
        refuses(allocator, k << 50);
        refuses(allocator, (k << 50) - 1);
    }
}

/* Alignments that make the sum of size and alignment wrap around. */
static void *by_memalign_huge(size_t bytes) { return memalign((size_t)1 << 40, bytes); }
static void *by_memalign_max(size_t bytes) { return memalign((size_t)1 << 62, bytes); }
static void *by_aligned_alloc_huge(size_t bytes) { return aligned_alloc((size_t)1 << 62, bytes); }
static void *by_calloc_two(size_t bytes) { return calloc(2, bytes / 2 + 1); }
static void *by_reallocarray_two(size_t bytes) { return reallocarray(NULL, bytes / 2 + 1, 2); }

static void *by_realloc_of_a_small_block(size_t bytes)
{
    static uint64_t *kept;
    if (kept == NULL) {
        kept = malloc(24);
        CHECK(kept != NULL);
        fill(kept, 24, 1);
    }
    void *block = realloc(kept, bytes);
    CHECK(is_filled(kept, 24, 1));
    return block;
}

static void *by_realloc_of_a_large_block(size_t bytes)
{
    static uint64_t *kept;
    if (kept == NULL) {
        kept = malloc(300000);
        CHECK(kept != NULL);
    }
    return realloc(kept, bytes);
}

static void *by_realloc_of_a_huge_block(size_t bytes)
{
    static uint64_t *kept;
    if (kept == NULL) {
        kept = malloc(HUGE_BYTES + 1);
        CHECK(kept != NULL);
    }
    return realloc(kept, bytes);
}

static const struct allocator further[] = {
    {"memalign(2^40)", by_memalign_huge, 16},
    {"memalign(2^62)", by_memalign_max, 16},
    {"aligned_alloc(2^62)", by_aligned_alloc_huge, 16},
    {"calloc(2, n/2+1)", by_calloc_two, 16},
    {"reallocarray(NULL, n/2+1, 2)", by_reallocarray_two, 16},
    {"realloc(small)", by_realloc_of_a_small_block, 16},
    {"realloc(large)", by_realloc_of_a_large_block, 16},
    {"realloc(huge)", by_realloc_of_a_huge_block, 16},
#if !TEST_NAMESPACED
    {"__libc_malloc", __libc_malloc, 16},
    {"__libc_valloc", __libc_valloc, 16},
    {"__libc_pvalloc", __libc_pvalloc, 16},
#endif
};

TESTS(impossible_sizes)
{
    for (size_t i = 0; i < COUNT(allocators); i++)
        test_add(refuses_all, &allocators[i], "impossible sizes: %s", allocators[i].name);
    for (size_t i = 0; i < COUNT(further); i++)
        test_add(refuses_all, &further[i], "impossible sizes: %s", further[i].name);
}

TEST(small_negative_sizes_do_not_give_small_blocks)
{
    for (int less = 1; less < 100; less++) {
        errno = 0;
        CHECK_EQ(malloc((size_t)-less), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(malloc((size_t)(-8L - less)), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
}
