/* usable_fill.c: every byte that malloc_usable_size() promises is the program's, and nobody else's.
 *
 * All blocks of a row are alive together, each is filled to its last usable byte, and then all are read again: a block
 * that promised too much has damaged its neighbour, or the heap's own books, which the frees afterwards would show. */
#include "oracle.h"

enum { ROW_BLOCKS = 3000 };

static struct block row[ROW_BLOCKS];

static void check_and_release_row(size_t count, struct dice *dice)
{
    for (size_t i = 0; i < count; i++)
        block_check(&row[i]);
    for (size_t i = 0; i < count; i++)
        block_release(&row[i], dice_next(dice));
}

/* Fill with the byte that the free lists like least, and ask for the size again after every write. */
static void fill_with_ones(const struct block *block)
{
    memset(block->start, 0xff, block->usable);
    CHECK_EQ(malloc_usable_size(block->start), block->usable);
}

TEST(every_small_size_filled_to_its_end)
{
    struct dice dice = dice_new();
    for (size_t first = 0; first < 12 * KIB; first += ROW_BLOCKS) {
        for (size_t i = 0; i < ROW_BLOCKS; i++)
            CHECK(block_take(&row[i], FROM_MALLOC, 0, first + i, dice_next(&dice)));
        check_and_release_row(ROW_BLOCKS, &dice);
    }
}

TEST(neighbours_of_one_size_filled_to_their_ends)
{
    static const size_t sizes[] = {0, 1, 16, 24, 40, 72, 120, 255, 500, 1000, 1025, 2000, 4000, 5000, 9000, 20000};
    struct dice dice = dice_new();
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (size_t i = 0; i < ROW_BLOCKS; i++)
            CHECK(block_take(&row[i], FROM_MALLOC, 0, sizes[k], dice_next(&dice)));
        check_and_release_row(ROW_BLOCKS, &dice);
    }
}

TEST(large_and_huge_blocks_filled_to_their_ends)
{
    struct dice dice = dice_new();
    for (size_t i = 0; i < 60; i++)
        CHECK(block_take(&row[i], FROM_MALLOC, 0, random_request(&dice, 8 * MIB) + 64 * KIB, dice_next(&dice)));
    for (size_t i = 60; i < 64; i++)
        CHECK(block_take(&row[i], FROM_MALLOC, 0, 33 * MIB + dice_roll(&dice, MIB), dice_next(&dice)));
    check_and_release_row(64, &dice);
}

TEST(blocks_of_every_entry_point_filled_to_their_ends)
{
    struct dice dice = dice_new();
    for (size_t i = 0; i < ROW_BLOCKS; i++) {
        const enum entry entry = (enum entry)(i % ENTRY_COUNT);
        CHECK(block_take(&row[i], entry, (size_t)8 << dice_roll(&dice, 8), random_request(&dice, 20000),
                         dice_next(&dice)));
    }
    check_and_release_row(ROW_BLOCKS, &dice);
}

/* What a program leaves behind in a block must not matter to the heap. */
TEST(blocks_full_of_ones_are_freed_and_taken_again)
{
    struct dice dice = dice_new();
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < ROW_BLOCKS; i++) {
            CHECK(block_take(&row[i], (enum entry)dice_roll(&dice, FROM_MEMALIGN), 0, random_request(&dice, 4000), 0));
            fill_with_ones(&row[i]);
        }
        for (size_t i = 0; i < ROW_BLOCKS; i++)
            free(row[i].start);
    }
}

TEST(resizing_to_the_usable_size_never_moves)
{
    struct dice dice = dice_new();
    for (size_t i = 0; i < 20000; i++) {
        struct block block;
        CHECK(block_take(&block, FROM_MALLOC, 0, random_request(&dice, MIB), dice_next(&dice)));
        unsigned char *const start = block.start;
        if (block.usable > 0)
            CHECK(block_resize(&block, block.usable, false, dice_next(&dice)));
        CHECK_EQ(block.start, start);
        block_release(&block, dice_next(&dice));
    }
}
