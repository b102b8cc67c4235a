/* memory.c: mappings of the real kernel: exactly where they were asked for, never over something else, zero when new
 * and after a purge; errors come as values and errno stays as it was. */
#include "test.h"

#include <string.h>
#include <sys/mman.h>

#include "os/os.h"

enum { BYTES = 1 << 20 };

/* Where nothing is mapped. */
static char *free_place(void)
{
    char *const place = os_map_nothing(NULL, 4 * BYTES);

    CHECK(place != NULL);
    CHECK_EQ(os_unmap(place, 4 * BYTES), 0);
    return place + BYTES;
}

static bool is_zero(const char *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

TEST(a_mapping_lies_exactly_where_it_was_asked_for_and_reads_as_zero)
{
    char *const place = free_place();
    int error = -1;

    CHECK_EQ(os_map(place, BYTES, &error), place);
    CHECK_EQ(error, 0);
    CHECK(is_zero(place, BYTES));
    memset(place, 1, BYTES);
}

TEST(a_place_that_is_taken_is_refused_and_what_lies_there_stays)
{
    char *const place = free_place();
    int error = 0;

    CHECK_EQ(os_map(place, BYTES, NULL), place);
    memset(place, 7, BYTES);
    errno = 12345;
    CHECK_EQ(os_map(place, BYTES, &error), NULL);
    CHECK_EQ(error, EEXIST);
    CHECK_EQ(os_map(place - 4096, 8192, &error), NULL); /* half of it */
    CHECK_EQ(error, EEXIST);
    CHECK_EQ(os_map(place + BYTES - 4096, BYTES, &error), NULL);
    CHECK_EQ(error, EEXIST);
    CHECK_EQ(errno, 12345);
    CHECK(place[0] == 7 && memcmp(place, place + 1, BYTES - 1) == 0);
    CHECK_EQ(os_map(place + BYTES, BYTES, &error), place + BYTES); /* right behind is free */
}

TEST(what_no_kernel_has_is_refused_with_its_error)
{
    int error = 0;

    errno = 12345;
    CHECK_EQ(os_map(NULL, (size_t)1 << 62, &error), NULL);
    CHECK_EQ(error, ENOMEM);
    CHECK_EQ(os_map(NULL, 0, &error), NULL);
    CHECK_EQ(error, EINVAL);
    CHECK_EQ(os_map_nothing(NULL, (size_t)1 << 62), NULL);
    CHECK_EQ(os_remap(free_place(), 4096, 8192), NULL);
    CHECK(os_open_up(free_place(), 4096) != 0);
    CHECK(test_emulated() || os_purge(free_place(), 4096) != 0); /* the emulator takes any advice */
    CHECK_EQ(os_unmap((void *)1, 4096), EINVAL);
    CHECK_EQ(errno, 12345);
}

TEST(after_a_purge_the_pages_read_as_zero)
{
    char *const place = os_map(NULL, BYTES, NULL);

    memset(place, 1, BYTES);
    CHECK_EQ(os_purge(place + 4096, BYTES - 8192), 0);
    CHECK(is_zero(place + 4096, BYTES - 8192));
    CHECK_EQ(place[4095], 1);
    CHECK_EQ(place[BYTES - 4096], 1);
}

TEST(nothing_can_be_opened_up_and_then_reads_as_zero)
{
    char *const place = os_map(NULL, BYTES, NULL);

    memset(place, 1, BYTES);
    CHECK_EQ(os_map_nothing(place, BYTES), place);
    CHECK_EQ(os_open_up(place, 8192), 0);
    CHECK(is_zero(place, 8192));
    CHECK_EQ(os_unmap(place, BYTES), 0);
    CHECK_EQ(os_map(place, BYTES, NULL), place);
}

TEST(a_mapping_that_grows_takes_its_content_along)
{
    char *const place = os_map(NULL, BYTES, NULL);

    memset(place, 1, BYTES);
    char *const larger = os_remap(place, BYTES, 16 * BYTES);
    CHECK(larger != NULL);
    CHECK(larger[0] == 1 && memcmp(larger, larger + 1, BYTES - 1) == 0);
    CHECK(is_zero(larger + BYTES, 15 * BYTES));
    CHECK_EQ(os_unmap(larger, 16 * BYTES), 0);
}
