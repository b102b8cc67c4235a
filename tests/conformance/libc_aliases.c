/* libc_aliases.c: __libc_malloc and its relatives, __posix_memalign and cfree are the plain functions. */
#include "../lib/blocks.h"

#if TEST_NAMESPACED
TEST(standard_names_only) { SKIP("these functions exist under their standard names only"); }
#else

static void *by_posix_alias(size_t bytes)
{
    void *block = NULL;
    CHECK_EQ(__posix_memalign(&block, 64, bytes), 0);
    return block;
}

static void *by_calloc_alias(size_t bytes) { return __libc_calloc(bytes, 1); }
static void *by_realloc_alias(size_t bytes) { return __libc_realloc(NULL, bytes); }
static void *by_memalign_alias(size_t bytes) { return __libc_memalign(4096, bytes); }

static const struct allocator aliases[] = {
    {"__libc_malloc", __libc_malloc, 16},     {"__libc_calloc", by_calloc_alias, 16},
    {"__libc_realloc", by_realloc_alias, 16}, {"__libc_memalign", by_memalign_alias, 4096},
    {"__libc_valloc", __libc_valloc, 4096},   {"__libc_pvalloc", __libc_pvalloc, 4096},
    {"__posix_memalign", by_posix_alias, 64},
};

TEST(blocks_of_the_aliases_are_plain_blocks)
{
    for (size_t a = 0; a < COUNT(aliases); a++)
        for (EACH_SIZE(bytes, 2 * MIB)) {
            if (bytes > 300 && bytes % 7)
                continue;
            void *block = aliases[a].allocate(bytes);
            CHECK(block != NULL && is_aligned(block, aliases[a].alignment));
            CHECK(malloc_usable_size(block) >= bytes); /* ours: for a foreign block this is 0 */
            fill(block, bytes, 1);
            block = realloc(block, 2 * bytes + 1);
            CHECK(block != NULL && is_filled(block, bytes, 1));
            bytes % 2 ? free(block) : __libc_free(block);
        }
}

TEST(plain_blocks_go_through_the_aliases)
{
    for (EACH_SIZE(bytes, 2 * MIB)) {
        void *block = malloc(bytes);
        CHECK(block != NULL);
        fill(block, bytes, 2);
        block = __libc_realloc(block, 3 * bytes + 1);
        CHECK(block != NULL && is_filled(block, bytes, 2));
        cfree(block);
        CHECK_EQ(__libc_realloc(malloc(bytes), 0), NULL);
    }
    cfree(NULL);
    __libc_free(NULL);
}

TEST(the_aliases_keep_the_contract_of_errors)
{
    void *block = &block;
    CHECK_EQ(__posix_memalign(&block, 3, 100), EINVAL);
    CHECK_EQ(block, &block);
    errno = 0;
    CHECK_EQ(__libc_memalign(((size_t)1 << 63) + 1, 1), NULL);
    CHECK_EQ(errno, EINVAL);
    errno = 0;
    CHECK_EQ(__libc_calloc(SIZE_MAX / 2 + 1, 2), NULL);
    CHECK_EQ(errno, ENOMEM);
    errno = 0;
    CHECK_EQ(__libc_malloc((size_t)PTRDIFF_MAX + 1), NULL);
    CHECK_EQ(errno, ENOMEM);
    unsigned char *zeroed = __libc_calloc(1000, 10);
    CHECK(zeroed != NULL && is_zero(zeroed, 10000));
    free(zeroed);
}

#endif
