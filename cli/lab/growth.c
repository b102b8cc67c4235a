/* growth.c: the stack grows downward, the heap upward.
 *
 * Frames of nested calls are compared with their callers, never two locals of one function: the compiler may put those
 * in any order. Blocks are taken one after the other, none freed, in three sizes. */
#include "card.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { DEPTH = 64, BLOCKS = 32, RUNS = 20 };

/* ---- Frames ---- */

static volatile int sink; /* what follows a call keeps it from becoming a jump */

/* Where the frames are, from the first called to the last. */
CHILD_OPAQUE static void descend(uintptr_t frames[], int depth)
{
    unsigned char local[32] = {0};

    frames[depth] = (uintptr_t)child_launder(local);
    if (depth + 1 < DEPTH)
        descend(frames, depth + 1);
    sink = local[0];
}

static void run_frames(const struct child_order *order)
{
    static uintptr_t frames[DEPTH];
    int down = 0;

    (void)order;
    descend(frames, 0);
    for (int i = 1; i < DEPTH; i++)
        down += frames[i] < frames[i - 1];
    child_tell(METRIC_growth_frames_down, 100.0 * down / (DEPTH - 1));
}

/* ---- Blocks ---- */

/* How many of BLOCKS successive blocks lie above the one before, and where each lies from the first. */
static void take_blocks(size_t bytes, enum metric sequence)
{
    static char *blocks[BLOCKS];
    int up = 0;

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = child_launder(malloc(bytes));
        if (blocks[i] == NULL)
            child_skip(TEXT_skip_memory);
        up += i > 0 && blocks[i] > blocks[i - 1];
        child_tell_at(sequence, i + 1, (double)(intptr_t)(blocks[i] - blocks[0]));
    }
    child_tell_at(METRIC_growth_blocks_up, (double)bytes, 100.0 * up / (BLOCKS - 1));
}

static void run_blocks(const struct child_order *order)
{
    (void)order;
    take_blocks(64, METRIC_growth_small);
    take_blocks(64 * KIB, METRIC_growth_medium);
    take_blocks(MIB, METRIC_growth_large);
}

/* ---- Places ---- */

static double tebibytes(const volatile void *address)
{
    return (double)(uintptr_t)child_launder(address) / ((double)MIB * (double)MIB);
}

static void run_places(const struct child_order *order)
{
    static int initialised = 1, zero;
    char local;
    void *const block = child_launder(malloc(64));

    (void)order;
    child_tell(METRIC_growth_place_code, tebibytes((const void *)(uintptr_t)run_places));
    child_tell(METRIC_growth_place_data, tebibytes(&initialised));
    child_tell(METRIC_growth_place_bss, tebibytes(&zero));
    child_tell(METRIC_growth_place_heap, tebibytes(block));
    child_tell(METRIC_growth_place_mapping, tebibytes(child_map(child_page())));
    child_tell(METRIC_growth_place_libc, tebibytes((const void *)(uintptr_t)mmap));
    child_tell(METRIC_growth_place_stack, tebibytes(&local));
    free(block);
}

/* ---- Judging ---- */

static void judge(struct judgement *j)
{
    static const struct {
        size_t bytes;
        enum text yes, no;
    } claims[] = {{64, TEXT_growth_small_up, TEXT_growth_small_not},
                  {64 * KIB, TEXT_growth_medium_up, TEXT_growth_medium_not},
                  {MIB, TEXT_growth_large_up, TEXT_growth_large_not}};
    const struct judge_value frames = judge_get(j, METRIC_growth_frames_down);

    if (frames.known)
        judge_claim(j, frames.median == 100, TEXT_growth_frames_sink, TEXT_growth_frames_not);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        const struct judge_value up = judge_get_at(j, METRIC_growth_blocks_up, (double)claims[i].bytes);
        if (up.known)
            judge_claim(j, up.median >= 95, claims[i].yes, claims[i].no);
    }
}

const struct lab_card card_growth = {
    .id = "growth",
    .on_heaps = true,
    .title = TEXT_growth_title,
    .textbook = TEXT_growth_textbook,
    .traps = {TEXT_growth_trap_brk, TEXT_growth_trap_locals},
    .parts = {{.name = "frames", .run = run_frames, .runs = RUNS},
              {.name = "blocks", .run = run_blocks, .runs = RUNS},
              {.name = "places", .run = run_places, .runs = RUNS}},
    .claims = 4,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_growth_picture,
                  .x = TEXT_axis_block,
                  .metrics = {METRIC_growth_large, METRIC_growth_medium, METRIC_growth_small}},
                 {.kind = PICTURE_COLUMN,
                  .title = TEXT_growth_column,
                  .metrics = {METRIC_growth_place_stack, METRIC_growth_place_mapping, METRIC_growth_place_libc,
                              METRIC_growth_place_heap, METRIC_growth_place_bss, METRIC_growth_place_data,
                              METRIC_growth_place_code}}},
};
