/* memory.c: memset, memcpy and memmove.
 *
 * Overlapping memcpy is undefined behaviour. It is called through a pointer that the compiler cannot see through, in a
 * child, and compared with what memmove promises; a loop over bytes stands beside it, which does go wrong. */
#include "card.h"
#include "checked.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- memset ---- */

struct area {
    char *at;
    size_t bytes;
};

static void fill(void *argument)
{
    const struct area *const area = argument;

    (void)child_launder(memset(area->at, 0x5a, area->bytes));
}

/* Memory and processor in one number. `ns` may be less than the clock sees: then the number has no meaning. */
static void tell_speed(enum metric metric, double x, double bytes, double ns)
{
    if (ns > 0)
        child_tell_at(metric, x, bytes / ns);
}

static void run_speeds(const struct child_order *order)
{
    const size_t most = child_large(order);
    struct area area = {.at = child_map(most)};

    (void)memset(area.at, 1, most);
    for (area.bytes = 64; area.bytes <= most; area.bytes *= 4)
        tell_speed(METRIC_memset_speed, (double)area.bytes, (double)area.bytes,
                   child_time(METRIC_NONE, 0, fill, &area, 1));
}

static void run_first_touch(const struct child_order *order)
{
    enum { BYTES = 16 * MIB };
    struct area area = {.bytes = BYTES};

    if (order->most < 2 * (size_t)BYTES)
        child_skip(TEXT_skip_most);
    area.at = child_map(BYTES);
    child_tell(METRIC_memset_first, BYTES / child_time_once(fill, &area));
    child_tell(METRIC_memset_second, BYTES / child_time_once(fill, &area));
}

/* The value is an int; its low 8 bits are stored. */
static void run_low_bits(const struct child_order *order)
{
    unsigned char bytes[64];
    const int value = (int)child_unknown(0x1234);
    int right = 0;

    (void)order;
    (void)child_launder(memset(bytes, value, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++)
        right += bytes[i] == 0x34;
    child_tell(METRIC_memset_stored, bytes[0]);
    child_tell(METRIC_memset_right, right == sizeof bytes);
}

static void run_caches(const struct child_order *order)
{
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};

    (void)order;
    for (int i = 0; i < 3; i++) {
        const long bytes = sysconf(names[i]);
        if (bytes > 0)
            child_tell_at(METRIC_memset_cache, i + 1, (double)bytes);
    }
}

static void judge_memset(struct judgement *j)
{
    const struct judge_value right = judge_get(j, METRIC_memset_right);
    const struct judge_value first = judge_get(j, METRIC_memset_first);
    const struct judge_value second = judge_get(j, METRIC_memset_second);

    if (right.known)
        judge_claim(j, right.median == 1, TEXT_memset_low_bits, TEXT_memset_other_bits);
    if (first.known && second.known)
        judge_remark(j, judge_is_below(j, first, second) ? TEXT_memset_first_slower : TEXT_memset_first_same);
}

const struct lab_card card_memset = {
    .id = "memset",
    .title = TEXT_memset_title,
    .textbook = TEXT_memset_textbook,
    .traps = {TEXT_memset_trap_int, TEXT_memset_trap_secret},
    .parts = {{.name = "low_bits", .run = run_low_bits},
              {.name = "speeds", .run = run_speeds, .runs = LAB_TIMED},
              {.name = "first_touch", .run = run_first_touch, .runs = LAB_TIMED},
              {.name = "caches", .run = run_caches, .optional = true}},
    .claims = 1,
    .judge = judge_memset,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_memset_picture,
                  .x = TEXT_axis_bytes,
                  .log_x = true,
                  .marks = METRIC_memset_cache,
                  .metrics = {METRIC_memset_speed}}},
};

/* ---- Overlaps ---- */

enum { DISTANCE = 64, LONGEST = 20000, EVERY = 256, ROOM = LONGEST + 2 * DISTANCE };

typedef void *copy_function(void *to, const void *from, size_t n);

/* From the first byte to the last, as somebody writes it who does not think of overlaps. */
CHILD_OPAQUE static void *copy_by_loop(void *to, const void *from, size_t n)
{
    volatile char *const target = to;
    const volatile char *const source = from;

    for (size_t i = 0; i < n; i++)
        target[i] = source[i];
    return to;
}

/* Lengths: each up to EVERY, then ever larger ones. */
static size_t next_length(size_t n) { return n < EVERY ? n + 1 : n + n / 12; }

struct grid {
    copy_function *copy;
    unsigned char bytes[ROOM], source[ROOM], wanted[ROOM];
};

/* Whether `n` bytes moved by `distance` within one array arrive as they were. */
static bool arrives(struct grid *grid, int distance, size_t n)
{
    copy_function *const copy = (copy_function *)(uintptr_t)child_launder((void *)(uintptr_t)grid->copy);
    unsigned char *const from = grid->bytes + DISTANCE;

    memcpy(grid->bytes, grid->source, n + 2 * (size_t)DISTANCE);
    memcpy(grid->wanted, from, n);
    (void)copy(from + distance, from, n);
    return memcmp(child_launder(from + distance), grid->wanted, n) == 0;
}

/* The shortest range that overlaps with itself, moved by `distance`. */
static size_t shortest(int distance) { return (size_t)abs(distance) + 1; }

/* Every distance from -64 to 64 with every length that overlaps: how many arrive damaged. */
static void walk_grid(const struct child_order *order, copy_function *copy, enum metric share, enum metric total)
{
    static struct grid grid;
    uint64_t random = order->seed;
    long wrong = 0, cases = 0;

    grid.copy = copy;
    for (size_t i = 0; i < ROOM; i++)
        grid.source[i] = (unsigned char)statistics_random(&random);
    for (int distance = -DISTANCE; distance <= DISTANCE; distance++) {
        long here = 0, lengths = 0;

        for (size_t n = shortest(distance); n <= LONGEST; n = next_length(n)) {
            here += !arrives(&grid, distance, n);
            lengths++;
        }
        if (distance % 4 == 0 && share != METRIC_NONE)
            child_tell_at(share, distance, 100.0 * (double)here / (double)lengths);
        wrong += here;
        cases += lengths;
    }
    child_tell(total, (double)wrong);
    child_tell(METRIC_overlap_cases, (double)cases);
}

static void run_memcpy_grid(const struct child_order *order)
{
    walk_grid(order, memcpy, METRIC_memcpy_wrong, METRIC_memcpy_damaged);
}

static void run_memmove_grid(const struct child_order *order)
{
    walk_grid(order, memmove, METRIC_NONE, METRIC_memmove_damaged);
}

static void run_loop_grid(const struct child_order *order)
{
    walk_grid(order, copy_by_loop, METRIC_loop_wrong, METRIC_loop_damaged);
}

static void judge_memcpy(struct judgement *j)
{
    const struct judge_value damaged = judge_get(j, METRIC_memcpy_damaged);
    const struct judge_value loop = judge_get(j, METRIC_loop_damaged);

    if (damaged.known)
        judge_claim(j, damaged.median > 0, TEXT_memcpy_damages, TEXT_memcpy_works_here);
    if (loop.known)
        judge_claim(j, loop.median > 0, TEXT_memcpy_loop_damages, TEXT_memcpy_loop_works);
    checked_judge(j);
}

const struct lab_card card_memcpy = {
    .id = "memcpy",
    .title = TEXT_memcpy_title,
    .textbook = TEXT_memcpy_textbook,
    .traps = {TEXT_memcpy_trap_works},
    .parts = {{.name = "grid", .run = run_memcpy_grid},
              {.name = "loop", .run = run_loop_grid},
              {.name = "beyond", .run = checked_run_beyond_without, .optional = true, .check_mem = "off"},
              {.name = "beyond_checked",
               .run = checked_run_beyond_with,
               .optional = true,
               .check_mem = "abort",
               .death = METRIC_beyond_signal},
              {.name = "cost", .run = checked_run_cost_without, .optional = true, .check_mem = "off"},
              {.name = "cost_checked", .run = checked_run_cost_with, .optional = true, .check_mem = "abort"}},
    .claims = 2,
    .judge = judge_memcpy,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_memcpy_picture,
                  .x = TEXT_axis_distance,
                  .metrics = {METRIC_loop_wrong, METRIC_memcpy_wrong}},
                 {.kind = PICTURE_LINES,
                  .title = TEXT_checked_picture,
                  .x = TEXT_axis_bytes,
                  .log_x = true,
                  .log_y = true,
                  .metrics = {METRIC_copy_with, METRIC_copy_without}}},
};

/* ---- memmove ---- */

struct move {
    char *from;
    int distance;
};

enum { MOVED = 16 * KIB, FARTHEST = 4 * KIB };

static void move_once(void *argument)
{
    const struct move *const move = argument;

    (void)child_launder(memmove(move->from + move->distance, move->from, MOVED));
}

static void run_move_costs(const struct child_order *order)
{
    static const int distances[] = {-FARTHEST, -1024, -256, -64, -16, -1, 1, 16, 64, 256, 1024, FARTHEST};
    static char room[MOVED + 2 * FARTHEST];
    struct move wish = {.from = room + FARTHEST};

    (void)order;
    for (size_t i = 0; i < sizeof distances / sizeof *distances; i++) {
        wish.distance = distances[i];
        (void)child_time(METRIC_memmove_time, wish.distance, move_once, &wish, 1);
    }
}

static void judge_memmove(struct judgement *j)
{
    const struct judge_value damaged = judge_get(j, METRIC_memmove_damaged);

    if (damaged.known)
        judge_claim(j, damaged.median == 0, TEXT_memmove_right, TEXT_memmove_wrong_bytes);
    if (judge_get_at(j, METRIC_memmove_time, -1).known && judge_get_at(j, METRIC_memmove_time, 1).known)
        judge_remark(j, TEXT_memmove_direction);
}

const struct lab_card card_memmove = {
    .id = "memmove",
    .title = TEXT_memmove_title,
    .textbook = TEXT_memmove_textbook,
    .traps = {TEXT_memmove_trap_type},
    .parts = {{.name = "grid", .run = run_memmove_grid}, {.name = "costs", .run = run_move_costs}},
    .claims = 1,
    .judge = judge_memmove,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_memmove_picture,
                  .x = TEXT_axis_distance,
                  .metrics = {METRIC_memmove_time}}},
};
