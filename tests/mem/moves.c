/* moves.c: every length, alignment and overlap, at each width of vectors, with and without string instructions, between
 * pages that may not be touched. One table of ways, one body for each story; a loop over bytes is the judge. */
#include "ways.h"

enum { ROOM = 64 * PAGE, AROUND = 64 };

static void check_painted(const byte *at, size_t n, size_t first, size_t salt, const char *what, size_t size)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] != pattern(first + i, salt))
            test_fail(__FILE__, __LINE__, "%zu bytes: %s differs at %zu", size, what, i);
}

/* Copy `n` bytes between two places that do not overlap; what lies around the target must stay. */
static void copy_apart(byte *to, const byte *from, size_t n, size_t before, size_t behind)
{
    paint(to - before, before + n + behind, 1);
    CHECK_EQ(mem_move(to, from, n), to);
    check_painted(to - before, before, 0, 1, "what lies before", n);
    check_painted(to, n, 0, 2, "the copy", n);
    check_painted(to + n, behind, before + n, 1, "what lies behind", n);
}

/* Each length flush with the page behind and with the page before, for source and target. */
static void copies_at_the_edges(const void *way)
{
    byte *const source = guarded(ROOM), *const target = guarded(ROOM);

    go(way);
    for (size_t i = 0; i < LENGTHS; i++) {
        const size_t n = length_number(i);
        byte *const high = source + ROOM - n;
        paint(source, n, 2);
        copy_apart(target, source, n, 0, AROUND);
        copy_apart(target + ROOM - n, source, n, AROUND, 0);
        paint(high, n, 2);
        copy_apart(target, high, n, 0, AROUND);
        copy_apart(target + ROOM - n, high, n, AROUND, 0);
    }
}

static void copies_at_all_alignments(const void *way)
{
    byte *const source = guarded(ROOM), *const target = guarded(ROOM);

    go(way);
    for (size_t n = 0; n <= 520; n += 1 + n / 64)
        for (size_t a = 0; a < 64; a += 3)
            for (size_t b = 0; b < 64; b += 5) {
                paint(source + b, n, 2);
                copy_apart(target + AROUND + a, source + b, n, AROUND, AROUND);
            }
}

/* Move `n` bytes by `distance` within one place. */
static void move_by(byte *place, size_t n, ptrdiff_t distance)
{
    const size_t low = (size_t)(distance < 0 ? -distance : 0);
    const size_t span = low + n + (size_t)(distance > 0 ? distance : 0);
    byte *const from = place + low;
    byte *const to = from + distance;

    paint(place, span + AROUND, 3);
    CHECK_EQ(mem_move(to, from, n), to);
    for (size_t i = 0; i < span + AROUND; i++) {
        const size_t in_target = (size_t)(place + i - to);
        const byte expected = in_target < n ? pattern(low + in_target, 3) : pattern(i, 3);
        if (place[i] != expected)
            test_fail(__FILE__, __LINE__, "%zu bytes moved by %td: byte %zu is wrong", n, distance, i);
    }
}

static void moves_at_all_distances(const void *way)
{
    byte *const room = guarded(ROOM);

    go(way);
    for (size_t n = 0; n <= 256; n += 1 + n / 32)
        for (ptrdiff_t distance = -(ptrdiff_t)n; distance <= (ptrdiff_t)n; distance++)
            move_by(room + n % 17, n, distance);
    for (size_t n = 257; n <= 1400; n += 61)
        for (ptrdiff_t distance = -(ptrdiff_t)n; distance <= (ptrdiff_t)n;
             distance += distance > -130 && distance < 130 ? 1 : 7)
            move_by(room + n % 23, n, distance);
    for (ptrdiff_t distance = -4200; distance <= 4200; distance += 91)
        move_by(room, 50000, distance);
}

static void fill_and_check(byte *at, int c, size_t n, size_t before, size_t behind)
{
    paint(at - before, before + n + behind, 4);
    CHECK_EQ(mem_set(at, c, n), at);
    check_painted(at - before, before, 0, 4, "what lies before", n);
    for (size_t i = 0; i < n; i++)
        if (at[i] != (byte)c)
            test_fail(__FILE__, __LINE__, "%zu bytes filled: byte %zu is %d, not %d", n, i, at[i], (byte)c);
    check_painted(at + n, behind, before + n, 4, "what lies behind", n);
}

static void fills(const void *way)
{
    static const int values[] = {0, 255, 256, -1, 0xaa25};
    byte *const room = guarded(ROOM);

    go(way);
    for (size_t i = 0; i < LENGTHS; i++) {
        const size_t n = length_number(i);
        fill_and_check(room, values[i % 5], n, 0, AROUND);
        fill_and_check(room + ROOM - n, values[(i + 1) % 5], n, AROUND, 0);
    }
    for (size_t n = 0; n <= 520; n += 1 + n / 64)
        for (size_t a = 0; a < 64; a++)
            fill_and_check(room + AROUND + a, values[a % 5], n, AROUND, AROUND);
}

TESTS(ways)
{
    for (size_t i = 0; i < WAYS; i++) {
        test_add(copies_at_the_edges, &ways[i], "copies at the edges of pages, %s", ways[i].name);
        test_add(copies_at_all_alignments, &ways[i], "copies at all alignments, %s", ways[i].name);
        test_add(moves_at_all_distances, &ways[i], "moves at all distances, %s", ways[i].name);
        test_add(fills, &ways[i], "fills, %s", ways[i].name);
    }
}

/* Start with these options. */
static void start(const char *configuration)
{
    struct option_settings settings;
    struct text error = {NULL, 0, 0};

    option_set_initial(&settings);
    CHECK(option_read(configuration, &settings, &error));
    mem_start(&settings);
}

TEST(what_the_processor_can_do_is_asked_for_at_the_start_only)
{
    CHECK_EQ(mem_limits.level, MEM_16);
    CHECK_EQ(mem_limits.copy_rep.most, 0);
    CHECK_EQ(mem_limits.copy_nt.most, 0);
    start("");
    CHECK(mem_limits.level <= mem_level_max());
    CHECK((mem_limits.level != MEM_16) == (mem_level_max() != MEM_16));
    CHECK(mem_limits.copy_rep.least <= mem_limits.copy_rep.most);
    CHECK(mem_limits.set_rep.least <= mem_limits.set_rep.most);
}

TEST(options_choose_the_width_but_none_that_the_processor_lacks)
{
    start("mem_level:sse2");
    CHECK_EQ(mem_limits.level, MEM_16);
    start("mem_level:avx2");
    CHECK_EQ(mem_limits.level, mem_level_max() < MEM_32 ? mem_level_max() : MEM_32);
    start("mem_level:avx512");
    CHECK_EQ(mem_limits.level, mem_level_max());
}

TEST(options_choose_where_string_instructions_and_non_temporal_stores_are_used)
{
    start("mem_copy_rep_min:1K,mem_copy_rep_max:1M,mem_set_rep_min:2K,mem_set_rep_max:2M");
    CHECK_EQ(mem_limits.copy_rep.least, 1 << 10);
    CHECK_EQ(mem_limits.copy_rep.most, 1 << 20);
    CHECK_EQ(mem_limits.set_rep.least, 2 << 10);
    CHECK_EQ(mem_limits.set_rep.most, 2 << 20);
    start("mem_copy_rep_min:off,mem_set_rep_max:off");
    CHECK_EQ(mem_limits.copy_rep.least, SIZE_MAX);
    start("mem_copy_nt_min:1M");
    CHECK_EQ(mem_limits.copy_nt.least, 1 << 20);
    CHECK_EQ(mem_limits.copy_nt.most, SIZE_MAX);
    start("mem_copy_nt_min:off");
    CHECK_EQ(mem_limits.copy_nt.least, SIZE_MAX);
}

/* Lengths from here on are asked more: too late, and no string instruction would be used, nor a negative length seen.
 */
TEST(one_length_stands_for_all_the_bounds)
{
    start("mem_copy_rep_min:1K,mem_copy_nt_min:4K,mem_set_rep_min:2K");
    CHECK_EQ(mem_limits.copy_loop_end, 1 << 10);
    CHECK_EQ(mem_limits.set_loop_end, 2 << 10);
    start("mem_copy_rep_min:8K,mem_copy_nt_min:4K");
    CHECK_EQ(mem_limits.copy_loop_end, 4 << 10);
    start("mem_copy_rep_min:off,mem_copy_nt_min:off,mem_set_rep_min:off");
    CHECK_EQ(mem_limits.copy_loop_end, PTRDIFF_MAX);
    CHECK_EQ(mem_limits.set_loop_end, PTRDIFF_MAX);
    CHECK_EQ(mem_limits.set_rep.most, SIZE_MAX);
}
