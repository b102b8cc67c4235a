/* class.c: the table of size classes, tried on every size that it serves. Arithmetic of this kind has no typical cases:
 * one size in a wrong class is a program that crashes once a year. So nothing here is drawn at random. */
#include "test.h"

#include "slab/class.h"

TEST(every_class_is_a_multiple_of_the_block_alignment_and_larger_than_the_one_before)
{
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        CHECK_EQ(class_bytes(class) % BLOCK_ALIGN, 0);
        CHECK(class.i == 0 || class_bytes(class) > class_bytes((class_id){(uint8_t)(class.i - 1)}));
    }
    CHECK_EQ(class_bytes((class_id){0}), BLOCK_ALIGN);
    CHECK_EQ(class_bytes((class_id){CLASS_COUNT - 1}), CLASS_BYTES_MAX);
}

TEST(every_size_gets_the_smallest_class_that_holds_it)
{
    class_id expected = {0};

    for (size_t bytes = 0; bytes <= CLASS_BYTES_MAX; bytes++) {
        if (bytes > class_bytes(expected))
            expected.i++;
        CHECK_EQ(class_of(bytes).i, expected.i);
    }
}

TEST(the_two_ways_to_a_class_meet_without_a_gap)
{
    for (size_t bytes = 0; bytes <= CLASS_SMALL_MAX; bytes++)
        CHECK_EQ(class_of(bytes).i, class_of_small(bytes).i);
    CHECK_EQ(class_of_medium(CLASS_SMALL_MAX + 1).i, class_of_small(CLASS_SMALL_MAX).i + 1);
}

TEST(a_power_of_two_and_its_small_header_share_a_class_without_waste)
{
    for (size_t power = 512; power <= 32768; power *= 2) {
        const size_t header = power / 64 > 16 ? power / 64 : 16;
        CHECK_EQ(class_bytes(class_of(power)), power);
        if (power != 4096)
            CHECK_EQ(class_bytes(class_of(power + header)), power + header);
    }
}

TEST(a_page_of_sqlite3_has_a_class_of_its_own)
{
    CHECK_EQ(class_bytes(class_of(4097)), 4368);
    CHECK_EQ(class_bytes(class_of(4368)), 4368);
    CHECK_EQ(class_bytes(class_of(4369)), 4608);
}

TEST(above_the_linear_classes_no_request_wastes_an_eighth_and_a_block_alignment)
{
    for (size_t bytes = 257; bytes <= CLASS_BYTES_MAX; bytes++)
        CHECK(class_bytes(class_of(bytes)) - bytes < bytes / 8 + BLOCK_ALIGN);
}

TEST(every_slab_has_room_for_four_blocks_and_says_how_many)
{
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++) {
        const struct class_info *const info = &class_table[class.i];
        const size_t room = (size_t)info->granules << GRANULE_SHIFT;
        CHECK(info->capacity >= 4);
        CHECK_EQ(info->capacity, room / info->bytes);
    }
}

/* Smallest class that holds `bytes` and is a multiple of `alignment`, by trying all of them. */
static int aligned_class_by_search(size_t bytes, size_t alignment)
{
    int class = 0;

    while (class_table[class].bytes < bytes || class_table[class].bytes % alignment != 0)
        class ++;
    return class;
}

TEST(every_size_at_every_alignment_gets_the_smallest_class_that_fits_both)
{
    for (size_t alignment = 1; alignment <= CLASS_BYTES_MAX; alignment *= 2) {
        int expected = aligned_class_by_search(0, alignment);
        for (size_t bytes = 0; bytes <= CLASS_BYTES_MAX; bytes++) {
            if (bytes > class_table[expected].bytes)
                expected = aligned_class_by_search(bytes, alignment);
            CHECK_EQ(class_of_aligned(bytes, alignment).i, expected);
        }
    }
}
