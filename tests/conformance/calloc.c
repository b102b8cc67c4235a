/* calloc.c: all usable bytes are zero, whatever the memory held before; a product that overflows is refused. */
#include "../lib/blocks.h"

static void *zeroed(size_t count, size_t bytes)
{
    unsigned char *block = calloc(count, bytes);
    CHECK(block != NULL);
    CHECK(is_aligned(block, 16));
    CHECK(malloc_usable_size(block) >= count * bytes);
    CHECK(is_zero(block, malloc_usable_size(block)));
    return block;
}

static void dirty_and_free(void *block)
{
    memset(block, 0xa5, malloc_usable_size(block));
    free(block);
}

TEST(every_size_is_zero_when_fresh_and_when_reused)
{
    enum { LIVE = 8 };
    void *blocks[LIVE];
    for (EACH_SIZE(bytes, 4 * MIB)) {
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < LIVE; i++)
                blocks[i] = zeroed(1, bytes);
            for (int i = 0; i < LIVE; i++)
                dirty_and_free(blocks[i]);
        }
    }
}

TEST(huge_blocks_are_zero_when_fresh_and_when_reused)
{
    for (size_t bytes = 16 * MIB; bytes <= 128 * MIB; bytes += 16 * MIB)
        for (int round = 0; round < 3; round++)
            dirty_and_free(zeroed(bytes / 16, 16));
}

TEST(memory_of_other_sizes_is_zeroed)
{
    /* One size's slabs and runs go back and come out again as another's. */
    static void *blocks[8 * 1024 * 1024 / 4096];
    const size_t sizes[] = {24, 64, 300, 1000, 4096, 9000, 60000, 100000, 300000};
    for (int round = 0; round < 30; round++) {
        size_t bytes = sizes[test_random() % COUNT(sizes)];
        size_t count = 8 * MIB / (bytes + 4096);
        for (size_t i = 0; i < count; i++) {
            blocks[i] = zeroed(bytes, 1);
            memset(blocks[i], 0xff, bytes);
        }
        for (size_t i = 0; i < count; i++)
            free(blocks[i]);
    }
}

TEST(memory_is_zero_after_a_shrink_and_a_growth_next_to_it)
{
    for (int round = 0; round < 20; round++) {
        unsigned char *block = malloc(8 * MIB);
        CHECK(block != NULL);
        memset(block, 0xff, 8 * MIB);
        block = realloc(block, 1 * MIB); /* the tail goes back, dirty */
        CHECK(block != NULL);
        dirty_and_free(zeroed(1, 6 * MIB));
        dirty_and_free(block);
    }
}

TEST(memory_is_zero_after_a_purge)
{
    for (EACH_SIZE(bytes, 1 * MIB)) {
        if (bytes % 7 != 0)
            continue;
        void *block = malloc(bytes);
        CHECK(block != NULL);
        dirty_and_free(block);
        ashlar_purge();
        dirty_and_free(zeroed(1, bytes));
    }
}

static void *dirty_blocks_in_a_thread(void *unused)
{
    (void)unused;
    void *blocks[64];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(i * 1000);
        CHECK(blocks[i] != NULL);
    }
    for (size_t i = 0; i < COUNT(blocks); i++)
        dirty_and_free(blocks[i]);
    return NULL;
}

TEST(memory_inherited_from_a_dead_thread_is_zero)
{
    for (int round = 0; round < 20; round++) {
        in_thread(dirty_blocks_in_a_thread, NULL);
        for (size_t i = 0; i < 64; i++)
            dirty_and_free(zeroed(i, 1000));
    }
}

TEST(a_zero_product_gives_a_unique_block)
{
    void *one = zeroed(0, 0), *two = zeroed(0, 1000), *three = zeroed(1000, 0), *four = zeroed(0, SIZE_MAX);
    CHECK(one != two && two != three && three != four && one != three && one != four && two != four);
    free(one), free(two), free(three), free(four);
}

TEST(a_product_that_overflows_is_refused)
{
    const size_t half = SIZE_MAX / 2 + 1, root = (size_t)1 << 32;
    const size_t pairs[][2] = {
        {half, 2},
        {2, half},
        {root, root},
        {root + 1, root},
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX, 2},
        {SIZE_MAX, 1},
        {1, SIZE_MAX},
        {half, 1},
        {half / 8, 8},
        {3, SIZE_MAX / 2},
        {root * 2, root / 2 + 1},
        {half / 8 + 1, 16}, /* 16 after the wrap */
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        errno = 0;
        CHECK_EQ(calloc(pairs[i][0], pairs[i][1]), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
}
