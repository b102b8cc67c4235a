/* range.c: address ranges that grow in place, and the ground they make.
 *
 * Rivals reserve from half a GiB to a TiB at start; users pay with ulimit -v, container limits and core dumps. Here
 * four ranges (heap, table, heaps, huges) start at random places that other runtimes do not use, and grow by
 * MAP_FIXED_NOREPLACE in steps that merge into one kernel mapping each.
 *
 * Where fixed places are refused altogether (address spaces of 39 bits, emulators, odd kernels) one reservation without
 * access is made instead, as large as the kernel allows, and opened up step by step. */
#include "page/page.h"
#include "page/ground.h"

#include <errno.h>

/* Until the page size is known: the largest there is. */
struct page_ground page_ground = {.page_bytes = 64 << 10};
struct page_range page_heaps_range;
struct page_range page_table_range;
struct page_range page_heap_range;
struct page_range page_huges_range;

enum { TERA_SHIFT = 40, PLACE_TRIES = 8, HOLE_TRIES = 48 };

#define TERA ((uintptr_t)1 << TERA_SHIFT)
#define RESERVATION_MAX ((size_t)64 << 30)
#define RESERVATION_MIN ((size_t)32 << 20)
#define HEAP_RANGE_MAX ((size_t)8 << TERA_SHIFT)

/* Where the ranges may start: [first, first + 2^bits * 4 MiB). Below lie the program's fixed places and
 * AddressSanitizer's shadow, above the heap of position-independent programs (0x55...) and the kernel's own choices
 * (0x7f...). source: Linux Documentation/x86/x86_64/mm.rst; compiler-rt's address space tables. */
static const struct {
    struct page_range *range;
    uintptr_t first;
    unsigned bits;
    size_t limit;
} places[] = {
    {&page_heap_range, 32 * TERA, 23, HEAP_RANGE_MAX},
    {&page_table_range, 73 * TERA, 21, (HEAP_RANGE_MAX >> GRANULE_SHIFT) << LINE_SHIFT},
    {&page_heaps_range, 22 * TERA, 21, (size_t)16 << 30},
    {&page_huges_range, 82 * TERA, 19, (size_t)4 << 30},
};

static uint64_t draw_key[2]; /* the kernel's random bytes */
static uint64_t draw_count;

/* The next of a sequence of random words. One that becomes known tells nothing about the others. */
static uint64_t draw(void) { return sip_hash(draw_key, draw_count++); }

static void place_ranges(void)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const uintptr_t slot = (uintptr_t)(draw() >> (64 - places[i].bits));
        *places[i].range = (struct page_range){places[i].first + (slot << 22), 0, places[i].limit, false};
    }
}

void page_start(void)
{
    struct os_facts facts;

    os_start(&facts);
    draw_key[0] = facts.random[0];
    draw_key[1] = facts.random[1];
    draw_count = 0;
    page_ground.page_bytes = facts.page_bytes;
    page_ground.short_of_space = facts.short_of_space;
    page_ground.secure = facts.secure;
    page_ground.link_secret = draw();
    page_ground.key_secret = draw() | 1; /* odd: never the xor of two block addresses */
    place_ranges();
    page_ground.is_started = true;
}

static bool grow_by(struct page_range *range, size_t step, int *error)
{
    void *const end = (void *)(range->base + range->mapped);

    *error = ENOMEM;
    if (step > range->limit - range->mapped)
        return false;
    if (range->reserved)
        *error = os_open_up(end, step);
    else if (os_map(end, step, error) != NULL)
        *error = 0;
    if (*error != 0)
        return false;
    count_up(&range->mapped, step);
    return true;
}

bool page_range_grow(struct page_range *range, size_t bytes, size_t step)
{
    const size_t missing = round_up(bytes - range->mapped, page_ground.page_bytes);
    int error;

    if (bytes <= range->mapped)
        return true;
    step = round_up(step, page_ground.page_bytes);
    if ((step > missing && grow_by(range, step, &error)) || grow_by(range, missing, &error))
        return true;
    return page_huge_release_kept() && grow_by(range, missing, &error);
}

static struct {
    void *start;
    size_t bytes;
} reservation;

/* One reservation for all four ranges, apart from each other by a granule without access. */
static bool reserve(void)
{
    for (size_t bytes = RESERVATION_MAX; bytes >= RESERVATION_MIN; bytes /= 2) {
        char *const start = os_map_nothing(NULL, bytes);
        if (start == NULL)
            continue;
        reservation.start = start;
        reservation.bytes = bytes;
        const size_t table = round_up(bytes >> (GRANULE_SHIFT - LINE_SHIFT), GRANULE_BYTES);
        const size_t heaps = bytes / 32;
        const size_t huges = bytes / 64;
        const uintptr_t heaps_start = (uintptr_t)start + table + GRANULE_BYTES;
        const uintptr_t huges_start = heaps_start + heaps + GRANULE_BYTES;
        const uintptr_t heap = round_up(huges_start + huges + GRANULE_BYTES, GRANULE_BYTES);

        page_table_range = (struct page_range){(uintptr_t)start, 0, table, true};
        page_heaps_range = (struct page_range){heaps_start, 0, heaps, true};
        page_huges_range = (struct page_range){huges_start, 0, huges, true};
        page_heap_range =
            (struct page_range){heap, 0, round_down((uintptr_t)start + bytes - heap, GRANULE_BYTES), true};
        return true;
    }
    return false;
}

/* Map the first bytes of the table and of the heap range. `*error` tells a place that is taken from a refusal. */
static bool open_ranges(int *error)
{
    return grow_by(&page_table_range, round_up(TABLE_STEP, page_ground.page_bytes), error) &&
           grow_by(&page_heap_range, HEAP_STEP_MIN, error);
}

static void abandon_table(void)
{
    if (page_table_range.mapped != 0)
        (void)os_unmap((void *)page_table_range.base, page_table_range.mapped);
}

bool page_ground_open(void)
{
    int error = 0;

    for (int i = 0; i < PLACE_TRIES; i++) {
        if (open_ranges(&error))
            break;
        abandon_table();
        place_ranges();
        if (error != EEXIST)
            break;
    }
    if (page_heap_range.mapped == 0 && !(reserve() && open_ranges(&error))) {
        if (page_table_range.reserved)
            (void)os_unmap(reservation.start, reservation.bytes);
        place_ranges(); /* the next call tries again from the start */
        return false;
    }
    page_ground.base = page_heap_range.base;
    page_ground.table = (char *)page_table_range.base;
    return true;
}

/* Bytes of heap range that the table has lines for. */
static size_t table_covers(void) { return page_table_range.mapped >> LINE_SHIFT << GRANULE_SHIFT; }

static bool grow_heap_by(size_t step, int *error)
{
    const size_t wanted = page_heap_range.mapped + step;
    const size_t lines = (wanted >> GRANULE_SHIFT) << LINE_SHIFT;

    *error = ENOMEM;
    if (wanted > table_covers() &&
        !page_range_grow(&page_table_range, lines, lines / 8 > TABLE_STEP ? lines / 8 : TABLE_STEP))
        return false;
    return grow_by(&page_heap_range, step, error);
}

/* Somebody else's mapping lies at the end of the range: leave it out, and go on behind it. Its lines stay NONE behind
 * one that says HOLE. returns: the granules left out, 0 when there is no getting past it. */
static granule_count skip_hole(size_t step, int *error)
{
    const size_t start = page_heap_range.mapped;
    size_t skip = HOLE_STEP;

    for (int i = 0; i < HOLE_TRIES; i++, skip += skip / 2) {
        skip = round_up(skip, GRANULE_BYTES);
        page_heap_range.mapped = start + skip;
        if (start + skip < page_heap_range.limit && grow_heap_by(step, error))
            return (granule_count){(uint32_t)(skip >> GRANULE_SHIFT)};
        page_heap_range.mapped = start;
        if (*error != EEXIST)
            break;
    }
    return (granule_count){0};
}

granule_count page_ground_grow(granule_count wanted, granule_count *hole)
{
    const size_t present = page_heap_range.mapped;
    const size_t least = granule_bytes(wanted);
    size_t step = round_up(present / 8, GRANULE_BYTES);
    int error = 0;

    step = step < HEAP_STEP_MIN ? HEAP_STEP_MIN : step > HEAP_STEP_MAX ? HEAP_STEP_MAX : step;
    step = step < least ? least : step;
    *hole = (granule_count){0};
    while (!grow_heap_by(step, &error)) {
        if (error == EEXIST && (*hole = skip_hole(step, &error)).n != 0)
            break;
        if (step == least)
            return (granule_count){0};
        step = step / 2 > least ? round_up(step / 2, GRANULE_BYTES) : least;
    }
    page_set_end(page_heap_range.mapped);
    return (granule_count){(uint32_t)(step >> GRANULE_SHIFT)};
}

granule_index page_run_of(granule_index index)
{
    while (index.i > 0 && line_kind(page_line_at(index)) == GRANULE_NONE)
        index.i--;
    return index;
}
