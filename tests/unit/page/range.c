/* range.c: address ranges that grow in place on a played kernel, and the reservation where no place can be had. */
#include "test.h"

#include "../lib/fake_os.h"
#include "../lib/ground.h"

#define GIB ((size_t)1 << 30)

static const size_t page_sizes[] = {4 << 10, 16 << 10, 64 << 10};

/* ---- Ranges ------------------------------------------------------------------------------------------------------- */

static void growing(const void *argument)
{
    fake_os.page_bytes = *(const size_t *)argument;
    page_start();
    fake_needs_place(page_heaps_range.base);
    struct page_range range = {page_heaps_range.base, 0, MIB, false};
    CHECK(page_range_grow(&range, 1, 1));
    CHECK_EQ(range.mapped, fake_os.page_bytes);
    CHECK(page_range_grow(&range, range.mapped, MIB)); /* there already */
    CHECK_EQ(range.mapped, fake_os.page_bytes);
    CHECK(page_range_grow(&range, 100000, 200000)); /* a step beyond the need */
    CHECK(range.mapped >= 200000);
    CHECK_EQ(range.mapped % fake_os.page_bytes, 0);
    CHECK(fake_is_open((void *)range.base, range.mapped));
    CHECK(page_range_grow(&range, MIB, 2 * MIB)); /* the step is too long for the limit, the need is not */
    CHECK_EQ(range.mapped, MIB);
    CHECK(!page_range_grow(&range, MIB + 1, 1));
    CHECK_EQ(range.mapped, MIB);
}

TESTS(page_sizes_of_growing)
{
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++)
        test_add(growing, &page_sizes[i], "a_range_grows_by_whole_pages_up_to_its_limit_pages_of_%zu", page_sizes[i]);
}

TEST(a_step_that_is_refused_leaves_what_is_needed)
{
    page_start();
    fake_needs_place(page_heaps_range.base);
    struct page_range range = {page_heaps_range.base, 0, MIB, false};
    fake_os.refused_call = 1;
    CHECK(page_range_grow(&range, 5000, 65536));
    CHECK_EQ(range.mapped, 8192);
    fake_os.refused_call = fake_os.calls + 1;
    fake_os.refuses_from_there = true;
    CHECK(!page_range_grow(&range, 10000, 65536));
    CHECK_EQ(range.mapped, 8192);
}

TEST(ground_is_found_elsewhere_when_a_drawn_place_is_taken)
{
    page_start();
    fake_needs_place(page_heap_range.base);
    fake_obstacle(page_heap_range.base, 64 << 10);
    const uintptr_t drawn = page_heap_range.base;
    CHECK(page_open());
    CHECK(page_ground.base != drawn);
    CHECK(!page_heap_range.reserved);
    CHECK_EQ(fake_os.range_count, 2); /* the first table was given back */
    (void)ground_walk();
}

TEST(no_range_meets_another_before_it_has_grown_by_a_tib)
{
    for (uint64_t draw = 0; draw < 1000; draw++) {
        fake_os.random[0] = test_random();
        page_start();
        const struct page_range *const ranges[] = {&page_heaps_range, &page_heap_range, &page_table_range};
        for (int i = 0; i < 3; i++) {
            CHECK(ranges[i]->base % GRANULE_BYTES == 0);
            CHECK(i == 0 || ranges[i]->base - ranges[i - 1]->base > ranges[i - 1]->limit ||
                  ranges[i]->base - ranges[i - 1]->base > 1024 * GIB);
        }
        CHECK(page_table_range.limit >> LINE_SHIFT >= page_heap_range.limit >> GRANULE_SHIFT);
    }
}

/* ---- The reservation ---------------------------------------------------------------------------------------------- */

static const struct reservation {
    size_t page_bytes;
    size_t bytes_max;
} reservations[] = {
    {4 << 10, 64 * GIB}, {16 << 10, 64 * GIB},  {64 << 10, 64 * GIB},
    {4 << 10, GIB},      {64 << 10, 100 * MIB}, {4 << 10, 32 * MIB},
};

static void reserved_ground(const void *argument)
{
    const struct reservation *const reservation = argument;
    size_t taken = 0;

    fake_os.page_bytes = reservation->page_bytes;
    fake_os.refuses_places = true;
    fake_os.reservation_bytes_max = reservation->bytes_max;
    page_start();
    CHECK(page_open());
    CHECK(page_heap_range.reserved);
    const uintptr_t start = page_table_range.base;
    const uintptr_t end = page_heap_range.base + page_heap_range.limit;
    CHECK(end - start <= reservation->bytes_max);
    CHECK(page_table_range.base + page_table_range.limit < page_heaps_range.base);
    CHECK(page_heaps_range.base + page_heaps_range.limit < page_heap_range.base);
    CHECK_EQ(page_heap_range.base % GRANULE_BYTES, 0);
    CHECK(page_range_grow(&page_heaps_range, 3 * fake_os.page_bytes, 1));
    while (taken < 2 * GIB && ground_take(100) != 0)
        taken += ground_bytes(100);
    CHECK(taken > page_heap_range.limit / 4 * 3 || taken >= 2 * GIB);
    CHECK(fake_bytes_in(start, end, FAKE_OPEN) == fake_os.open_bytes);
    (void)ground_walk();
}

TESTS(reserved_grounds)
{
    for (size_t i = 0; i < sizeof reservations / sizeof reservations[0]; i++)
        test_add(reserved_ground, &reservations[i],
                 "without_places_all_lies_in_one_reservation_of_%zu_mib_pages_of_%zu", reservations[i].bytes_max / MIB,
                 reservations[i].page_bytes);
}

TEST(without_places_and_without_room_there_is_no_ground_and_a_later_call_finds_some)
{
    fake_os.refuses_places = true;
    fake_os.reservation_bytes_max = 16 * MIB;
    page_start();
    CHECK(!page_open());
    CHECK_EQ(ground_take(1), 0);
    CHECK_EQ(fake_os.range_count, 0); /* nothing is left behind */
    fake_os.reservation_bytes_max = SIZE_MAX;
    CHECK(ground_take(1) != 0);
    (void)ground_walk();
}

TEST(a_reservation_that_cannot_be_opened_is_given_back)
{
    fake_os.refuses_places = true;
    fake_os.open_bytes_max = 64 << 10; /* the table, but not the heap range */
    page_start();
    CHECK(!page_open());
    CHECK_EQ(fake_os.range_count, 0);
    fake_os.refuses_places = false;
    fake_os.open_bytes_max = SIZE_MAX;
    fake_needs_place(page_heap_range.base);
    CHECK(page_open());
    CHECK(!page_heap_range.reserved);
}
