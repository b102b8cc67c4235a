/* aligned_mix.c: every alignment with every order of size, mixed with plain blocks, resized and freed in all ways. */
#include "../lib/test.h"

#include <pthread.h>

#include "oracle.h"

enum { MOST_EXPONENT = 24, PLACES = 64 };

static const size_t sizes[] = {0,     1,     15,     16,     17,     48,      100,   255,         256,     1000,
                               1024,  1025,  4095,   4096,   4097,   10000,   16384, 32768,       65535,   65536,
                               65537, 98304, 131072, 200000, 262144, 1000000, MIB,   3 * MIB + 1, 5 * MIB, 33 * MIB};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

static const enum entry aligned_entries[] = {FROM_MEMALIGN, FROM_POSIX_MEMALIGN, FROM_ALIGNED_ALLOC};

static bool may_ask(enum entry entry, size_t alignment)
{
    return entry != FROM_POSIX_MEMALIGN || alignment >= sizeof(void *);
}

TEST(every_alignment_with_every_size_one_by_one)
{
    for (size_t exponent = 0; exponent <= MOST_EXPONENT; exponent++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            for (size_t k = 0; k < 3; k++) {
                struct block block;
                const size_t alignment = (size_t)1 << exponent;
                if (!may_ask(aligned_entries[k], alignment))
                    continue;
                CHECK(block_take(&block, aligned_entries[k], alignment, sizes[i], exponent * 100 + i));
                block_release(&block, i + k);
            }
        }
    }
}

/* All alive together: no block may lie in the alignment gap of another. */
TEST(every_size_alive_together_at_each_alignment)
{
    for (size_t exponent = 0; exponent <= MOST_EXPONENT; exponent++) {
        struct block blocks[SIZE_COUNT][2];
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            CHECK(block_take(&blocks[i][0], FROM_MEMALIGN, (size_t)1 << exponent, sizes[i], i));
            CHECK(block_take(&blocks[i][1], FROM_MALLOC, 0, sizes[SIZE_COUNT - 1 - i], i + 1));
        }
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            block_release(&blocks[i][1], 1);
            block_release(&blocks[i][0], i);
        }
    }
}

TEST(memalign_rounds_any_alignment_up)
{
    for (size_t alignment = 0; alignment < 5000; alignment += 7) {
        struct block block;
        CHECK(block_take(&block, FROM_MEMALIGN, alignment, alignment / 3, alignment));
        block_release(&block, 1);
    }
}

/* Many small blocks at one large alignment cost address space, not memory: one page each and the heap's own books. */
TEST(thousand_small_blocks_at_64_kib_alignment)
{
    static struct block blocks[1000];
    for (size_t i = 0; i < 1000; i++)
        CHECK(block_take(&blocks[i], FROM_ALIGNED_ALLOC, 64 * KIB, 1 + i % 100, i));
    for (size_t i = 0; i < 1000; i++)
        block_release(&blocks[i * 7 % 1000], i);
}

/* Resizing forgets the alignment, never the content. */
static void resize_through_sizes(enum entry entry, size_t alignment, struct dice *dice)
{
    struct block block;
    CHECK(block_take(&block, entry, alignment, random_request(dice, 64 * KIB), dice_next(dice)));
    for (int i = 0; i < 6; i++)
        CHECK(block_resize(&block, 1 + random_request(dice, 2 * MIB), i % 2 != 0, dice_next(dice)));
    block_release(&block, dice_next(dice));
}

TEST(aligned_blocks_are_resized)
{
    struct dice dice = dice_new();
    for (size_t round = 0; round < rounds(20, 500); round++) {
        for (size_t exponent = 3; exponent <= MOST_EXPONENT; exponent++)
            resize_through_sizes(aligned_entries[round % 3], (size_t)1 << exponent, &dice);
    }
}

/* Random aligned and plain blocks side by side, as long as they fit. */
static void *mix(void *argument)
{
    struct dice dice = dice_new();
    struct block blocks[PLACES] = {0};
    for (size_t i = 0; i < *(const size_t *)argument; i++) {
        struct block *block = &blocks[dice_roll(&dice, PLACES)];
        const enum entry entry = (enum entry)dice_roll(&dice, ENTRY_COUNT);
        const size_t alignment = random_alignment(&dice, entry, 0);
        if (block->start)
            block_release(block, dice_next(&dice));
        else
            CHECK(block_take(block, entry, alignment, random_request(&dice, MIB), dice_next(&dice)));
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (blocks[i].start)
            block_release(&blocks[i], i);
    }
    return NULL;
}

TEST(aligned_and_plain_blocks_mixed)
{
    size_t operations = rounds(60000, 2000000);
    mix(&operations);
}

TEST(aligned_and_plain_blocks_mixed_by_four_threads)
{
    size_t operations = rounds(20000, 500000);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, mix, &operations), 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
