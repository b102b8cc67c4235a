/* efficiency.c: the stack is faster than the heap.
 *
 *   allocate    take and give back, not touched
 *   touch       the same, and every byte written
 *   again       the same, and written twice: what the second time costs is the memory, the rest of the first time is
 * page faults and cold caches
 *
 * Each way of allocating runs warm, in batches. Then each once in a process that has never used it: a stack nobody has
 * been on, a heap nobody has asked. */
#include "card.h"

#include "ashlar_stack.h"

#include <alloca.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK = 8 * MIB, MANY = 32, PARTS_AT = 64 * KIB };

static const size_t sizes[] = {16, 256, 4 * KIB, 64 * KIB, MIB};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* ---- Ways to allocate ---- */

struct work {
    size_t bytes;
    int touches; /* how often each byte is written */
};

static inline void use(const struct work *work, void *block)
{
    block = child_launder(block);
    if (block == NULL)
        child_skip(TEXT_skip_memory);
    for (int i = 0; i < work->touches; i++)
        block = child_launder(memset(block, i, work->bytes));
}

#define LOCAL(size)                                                                                                    \
    static void by_local_##size(void *argument)                                                                        \
    {                                                                                                                  \
        char local[size];                                                                                              \
        use(argument, local);                                                                                          \
    }
LOCAL(16)
LOCAL(256)
LOCAL(4096)
LOCAL(65536)
LOCAL(1048576)

static child_operation *const by_local[SIZES] = {by_local_16, by_local_256, by_local_4096, by_local_65536,
                                                 by_local_1048576};

static void by_alloca(void *argument)
{
    const struct work *const work = argument;
    void *const block = alloca(work->bytes);

    use(work, block);
}

/* This one array is measured because the textbook has it; nothing else here is of variable length. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wvla"
static void by_array(void *argument)
{
    const struct work *const work = argument;
    char local[work->bytes];

    use(work, local);
}
#pragma GCC diagnostic pop

static void by_malloc(void *argument)
{
    const struct work *const work = argument;
    void *const block = child_launder(malloc(work->bytes));

    use(work, block);
    free(block);
}

/* MANY live at once, so that not every request finds the block that was freed last. */
static void by_many(void *argument)
{
    const struct work *const work = argument;
    void *blocks[MANY];

    for (int i = 0; i < MANY; i++) {
        blocks[i] = child_launder(malloc(work->bytes));
        use(work, blocks[i]);
    }
    for (int i = 0; i < MANY; i++)
        free(blocks[i]);
}

static void by_calloc(void *argument)
{
    const struct work *const work = argument;
    void *const block = child_launder(calloc(1, work->bytes));

    use(work, block);
    free(block);
}

static void by_aligned(void *argument)
{
    enum { ALIGNMENT = 64 };
    const struct work *const work = argument;
    void *const block = child_launder(aligned_alloc(ALIGNMENT, (work->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT));

    use(work, block);
    free(block);
}

static void by_checked(void *argument)
{
    const struct work *const work = argument;
    ASHLAR_GUARD(guard);
    char *const block = ASHLAR_ALLOCA(char, work->bytes, guard);

    use(work, block);
}

static void by_side(void *argument)
{
    const struct work *const work = argument;
    const ashlar_mark mark = ashlar_side_push();

    use(work, ashlar_side_alloc(work->bytes));
    ashlar_side_pop(mark);
}

/* What one costs of MANY that end with one pop. */
static void by_side_many(void *argument)
{
    const struct work *const work = argument;
    const ashlar_mark mark = ashlar_side_push();

    for (int i = 0; i < MANY; i++)
        use(work, ashlar_side_alloc(work->bytes));
    ashlar_side_pop(mark);
}

static void by_mapping(void *argument)
{
    const struct work *const work = argument;
    void *const block = child_map(work->bytes);

    use(work, block);
    (void)munmap(block, work->bytes);
}

/* One way, and the metrics of what it costs; METRIC_NONE where it is not asked. */
struct way {
    child_operation *operation;
    unsigned things; /* done in one call */
    enum metric plain, touched;
    enum metric bookkeeping, first, again, faults; /* at PARTS_AT bytes */
};

static const struct way ways[] = {
    {NULL, 1, METRIC_efficiency_local, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE},
    {by_array, 1, METRIC_efficiency_array, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE},
    {by_alloca, 1, METRIC_efficiency_alloca, METRIC_touched_alloca, METRIC_keeping_alloca, METRIC_first_alloca,
     METRIC_again_alloca, METRIC_faults_alloca},
    {by_checked, 1, METRIC_efficiency_checked, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE},
    {by_side, 1, METRIC_efficiency_side, METRIC_touched_side, METRIC_keeping_side, METRIC_first_side, METRIC_again_side,
     METRIC_faults_side},
    {by_side_many, MANY, METRIC_efficiency_side_many, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE},
    {by_malloc, 1, METRIC_efficiency_malloc, METRIC_touched_malloc, METRIC_keeping_malloc, METRIC_first_malloc,
     METRIC_again_malloc, METRIC_faults_malloc},
    {by_many, MANY, METRIC_efficiency_many, METRIC_touched_many, METRIC_keeping_many, METRIC_first_many,
     METRIC_again_many, METRIC_faults_many},
    {by_calloc, 1, METRIC_efficiency_calloc, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE},
    {by_aligned, 1, METRIC_efficiency_aligned, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE, METRIC_NONE},
    {by_mapping, 1, METRIC_efficiency_mapping, METRIC_touched_mapping, METRIC_keeping_mapping, METRIC_first_mapping,
     METRIC_again_mapping, METRIC_faults_mapping},
};
enum { WAYS = sizeof ways / sizeof *ways };

/* ---- Warm ---- */

static double faults_in(const struct way *way, struct work *work)
{
    enum { CALLS = 4 };
    const long before = child_faults();

    for (int i = 0; i < CALLS; i++)
        way->operation(work);
    return (double)(child_faults() - before) / (CALLS * (double)way->things);
}

static double at_least_zero(double value) { return value > 0 ? value : 0; }

/* What of the time for PARTS_AT bytes is bookkeeping, what the first touch, what the second. */
static void tell_parts(const struct way *way, double plain, double touched)
{
    struct work twice = {PARTS_AT, 2};
    const double both = child_time(METRIC_NONE, 0, way->operation, &twice, way->things);
    const double again = at_least_zero(both - touched);

    child_tell(way->bookkeeping, plain);
    child_tell(way->first, at_least_zero(touched - plain - again));
    child_tell(way->again, again);
}

static void measure(const struct way *way, size_t index)
{
    struct work work = {sizes[index], 0};
    child_operation *const operation = way->operation != NULL ? way->operation : by_local[index];
    const double plain = child_time(way->plain, (double)work.bytes, operation, &work, way->things);

    if (way->touched == METRIC_NONE)
        return;
    work.touches = 1;
    const double touched = child_time(way->touched, (double)work.bytes, operation, &work, way->things);
    if (work.bytes == PARTS_AT) {
        child_tell(way->faults, faults_in(way, &work));
        tell_parts(way, plain, touched);
    }
}

static void run_warm(const struct child_order *order)
{
    if (order->most < 2 * MIB * MANY)
        child_skip(TEXT_skip_most);
    for (size_t way = 0; way < WAYS; way++)
        for (size_t i = 0; i < SIZES; i++)
            measure(&ways[way], i);
}

/* ---- For the first time ---- */

struct first_time {
    struct work work;
    double ns;
};

static void time_alloca(void *argument)
{
    struct first_time *const first = argument;

    first->ns = child_time_once(by_alloca, &first->work);
}

/* malloc first: making a thread takes memory from the heap. */
static void measure_first(size_t bytes)
{
    struct first_time first = {.work = {bytes, 1}};
    const double by_heap = child_time_once(by_malloc, &first.work);

    if (!child_on_stack(child_map(STACK), STACK, time_alloca, &first))
        child_skip(TEXT_skip_threads);
    child_tell_at(METRIC_virgin_malloc, (double)bytes, by_heap);
    child_tell_at(METRIC_virgin_alloca, (double)bytes, first.ns);
}

static void run_first_256(const struct child_order *order)
{
    (void)order;
    measure_first(256);
}

static void run_first_4k(const struct child_order *order)
{
    (void)order;
    measure_first(4 * KIB);
}

static void run_first_64k(const struct child_order *order)
{
    (void)order;
    measure_first(64 * KIB);
}

static void run_first_1m(const struct child_order *order)
{
    if (order->most < 4 * MIB)
        child_skip(TEXT_skip_most);
    measure_first(MIB);
}

/* ---- Judging ---- */

/* Whether `stack` is below `heap` at each of the sizes from `first` on. `measured`: whether all are there. */
static bool is_below_everywhere(const struct judgement *j, enum metric stack, enum metric heap, size_t first,
                                bool *measured)
{
    bool below = true;

    *measured = true;
    for (size_t i = first; i < SIZES; i++) {
        const struct judge_value left = judge_get_at(j, stack, (double)sizes[i]);
        const struct judge_value right = judge_get_at(j, heap, (double)sizes[i]);

        *measured = *measured && left.known && right.known;
        below = below && judge_is_below(j, left, right);
    }
    return below;
}

static void judge(struct judgement *j)
{
    bool measured;
    bool below = is_below_everywhere(j, METRIC_efficiency_alloca, METRIC_efficiency_malloc, 0, &measured);

    if (measured)
        judge_claim(j, below, TEXT_efficiency_warm_below, TEXT_efficiency_warm_not);
    below = is_below_everywhere(j, METRIC_touched_alloca, METRIC_touched_malloc, 0, &measured);
    if (measured)
        judge_claim(j, below, TEXT_efficiency_touched_below, TEXT_efficiency_touched_not);
    below = is_below_everywhere(j, METRIC_virgin_alloca, METRIC_virgin_malloc, 1, &measured);
    if (measured)
        judge_claim(j, below, TEXT_efficiency_virgin_below, TEXT_efficiency_virgin_not);
    if (measured && judge_get_at(j, METRIC_touched_malloc, PARTS_AT).known)
        judge_remark(j, TEXT_efficiency_cold_stack);
}

const struct lab_card card_efficiency = {
    .id = "efficiency",
    .on_heaps = true,
    .title = TEXT_efficiency_title,
    .textbook = TEXT_efficiency_textbook,
    .traps = {TEXT_efficiency_trap_hot},
    .parts = {{.name = "warm", .run = run_warm, .stack = STACK},
              {.name = "first_256", .run = run_first_256, .runs = LAB_TIMED},
              {.name = "first_4k", .run = run_first_4k, .runs = LAB_TIMED},
              {.name = "first_64k", .run = run_first_64k, .runs = LAB_TIMED},
              {.name = "first_1m", .run = run_first_1m, .runs = LAB_TIMED}},
    .claims = 3,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_efficiency_picture,
                  .x = TEXT_axis_bytes,
                  .log_x = true,
                  .log_y = true,
                  .metrics = {METRIC_efficiency_mapping, METRIC_efficiency_calloc, METRIC_efficiency_aligned,
                              METRIC_efficiency_many, METRIC_efficiency_malloc, METRIC_efficiency_side,
                              METRIC_efficiency_side_many, METRIC_efficiency_checked, METRIC_efficiency_array,
                              METRIC_efficiency_alloca, METRIC_efficiency_local}},
                 {.kind = PICTURE_LINES,
                  .title = TEXT_efficiency_touched_picture,
                  .x = TEXT_axis_bytes,
                  .log_x = true,
                  .log_y = true,
                  .metrics = {METRIC_touched_mapping, METRIC_touched_many, METRIC_touched_malloc, METRIC_touched_side,
                              METRIC_touched_alloca, METRIC_virgin_malloc, METRIC_virgin_alloca}},
                 {.kind = PICTURE_BARS,
                  .title = TEXT_efficiency_parts_picture,
                  .colours = 3,
                  .metrics = {METRIC_keeping_alloca, METRIC_first_alloca, METRIC_again_alloca, METRIC_keeping_side,
                              METRIC_first_side, METRIC_again_side, METRIC_keeping_malloc, METRIC_first_malloc,
                              METRIC_again_malloc, METRIC_keeping_many, METRIC_first_many, METRIC_again_many,
                              METRIC_keeping_mapping, METRIC_first_mapping, METRIC_again_mapping}}},
};
