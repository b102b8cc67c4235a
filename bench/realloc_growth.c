/* realloc_growth.c: one vector that grows by realloc, every new page of it written.
 *
 *   double   from 4 KiB, twice as large each time, as std::vector and most hand-made vectors grow
 *   step     by 1 MiB each time, as a careless program grows a buffer: quadratic unless pages are moved instead of
 * copied once     one malloc of the final size: what touching the memory alone costs; no realloc can be faster
 *
 * realloc_growth [SCALE [MEBIBYTES [MODE]]]: MODE 1 double, 2 step, 3 once. SCALE shortens the vector. */
#include "work.h"

enum { DEFAULT_MEBIBYTES = 256, FIRST_BYTES = 4 * KIB, STEP_BYTES = MIB };
enum mode { MODE_DOUBLE = 1, MODE_STEP = 2, MODE_ONCE = 3 };

static const char *const mode_names[] = {[MODE_DOUBLE] = "double", [MODE_STEP] = "step", [MODE_ONCE] = "once"};

/* The number that page `page` of the vector holds in its first eight bytes. */
static uint64_t page_number(size_t page) { return mix(page, 0x5eed); }

/* Write the pages in [from, to). */
static void write_pages(unsigned char *vector, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PAGE_STEP) {
        const uint64_t number = page_number(at / PAGE_STEP);
        memcpy(vector + at, &number, sizeof number);
    }
}

/* Fail unless every page still holds its number. returns: a checksum of all. */
static uint64_t check_pages(const unsigned char *vector, size_t bytes)
{
    uint64_t checksum = 0;
    for (size_t at = 0; at < bytes; at += PAGE_STEP) {
        uint64_t number;
        memcpy(&number, vector + at, sizeof number);
        if (number != page_number(at / PAGE_STEP))
            fail("page %zu of a vector of %zu bytes was lost in realloc", at / PAGE_STEP, bytes);
        checksum = mix(checksum, number);
    }
    return checksum;
}

static size_t next_size(enum mode mode, size_t bytes, size_t last)
{
    const size_t next = mode == MODE_DOUBLE ? 2 * bytes : bytes + STEP_BYTES;
    return next < last ? next : last;
}

int main(int count, char **values)
{
    const size_t last = scaled(count, values, argument(count, values, 2, DEFAULT_MEBIBYTES)) * MIB;
    const size_t mode_number = argument(count, values, 3, MODE_DOUBLE);
    if (mode_number > MODE_ONCE)
        fail("mode %zu: 1, 2 or 3 is wanted", mode_number);
    const enum mode mode = (enum mode)mode_number;
    size_t bytes = mode == MODE_DOUBLE ? FIRST_BYTES : mode == MODE_STEP ? STEP_BYTES : last;
    size_t operations = 1;
    unsigned char *vector = take(bytes);
    write_pages(vector, 0, bytes);
    while (bytes < last) {
        const size_t next = next_size(mode, bytes, last);
        vector = realloc(vector, next);
        if (vector == NULL)
            fail("realloc(%zu) gave no memory", next);
        write_pages(vector, bytes, next);
        bytes = next;
        operations++;
    }
    const uint64_t checksum = check_pages(vector, bytes);
    free(vector);
    print_result("realloc_growth", operations, checksum);
    printf(" mode=%s mebibytes=%zu", mode_names[mode], last / MIB);
    return finish();
}
