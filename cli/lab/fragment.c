/* fragment.c: the heap fragments, the stack does not.
 *
 *   fill      [aaa][b][cccc][dd][eee][f]     blocks of mixed sizes, drawn from the seed
 *   thin out  [aaa]   [cccc]    [eee]        every second one freed
 *   ask again [aaa]   [cccc]    [eee]   [gggggggg]   larger ones, as many bytes as were freed: do they find room?
 *   free all
 *
 * After each step: bytes that live, and bytes that are resident for them. The list of blocks is in a mapping of its
 * own. */
#include "card.h"

#include <alloca.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE = 32 * MIB, LIVE_QUICK = 12 * MIB, SMALLEST = 16, DOUBLINGS = 8, LARGE = 6 * KIB };
enum { CELLS = 192, CELL = 128 };

struct block {
    char *at;
    size_t bytes;
};

struct heap {
    struct block *blocks;
    size_t count;
    size_t most; /* blocks there is room for */
    size_t live; /* bytes */
    size_t rss_before;
    uint64_t random;
    uint32_t trace; /* a sum over all sizes, in their order */
};

/* ---- The heap ---- */

/* Between 16 bytes and 4 KiB, each doubling as likely as any other. */
static size_t mixed_size(struct heap *heap)
{
    const uint64_t draw = statistics_random(&heap->random);
    const size_t base = (size_t)SMALLEST << (draw % DOUBLINGS);

    return base + (size_t)(draw >> 32) % base;
}

static void take(struct heap *heap, size_t bytes)
{
    char *const at = heap->count < heap->most ? child_launder(malloc(bytes)) : NULL;

    if (at == NULL)
        child_skip(TEXT_skip_memory);
    (void)child_launder(memset(at, 1, bytes));
    heap->blocks[heap->count++] = (struct block){at, bytes};
    heap->live += bytes;
    heap->trace = heap->trace * 31 + (uint32_t)bytes;
}

static void release(struct heap *heap, struct block *block)
{
    free(block->at);
    heap->live -= block->bytes;
    *block = (struct block){0};
}

static void tell_step(const struct heap *heap, int step)
{
    child_tell_at(METRIC_fragment_live, step, (double)heap->live);
    child_tell_at(METRIC_fragment_footprint, step, (double)child_rss() - (double)heap->rss_before);
}

/* How full the CELLS x CELL bytes from `start` are. */
static void tell_map(const struct heap *heap, const char *start)
{
    size_t filled[CELLS] = {0};

    for (size_t i = 0; i < heap->count; i++) {
        const struct block *const block = &heap->blocks[i];
        for (size_t k = 0; k < block->bytes; k++) {
            const uintptr_t offset = (uintptr_t)block->at + k - (uintptr_t)start;
            if (offset < (uintptr_t)CELLS * CELL)
                filled[offset / CELL]++;
        }
    }
    for (int i = 0; i < CELLS; i++)
        child_tell_at(METRIC_fragment_map, i, 100.0 * (double)filled[i] / CELL);
}

static void thin_out(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i += 2)
        release(heap, &heap->blocks[i]);
}

static void run_heap(const struct child_order *order)
{
    const size_t wanted = order->quick ? LIVE_QUICK : LIVE;
    struct heap heap = {.random = order->seed, .most = wanted / SMALLEST};

    if (order->most < 3 * wanted)
        child_skip(TEXT_skip_most);
    heap.blocks = child_map(heap.most * sizeof *heap.blocks);
    memset(heap.blocks, 0, heap.most / 16 * sizeof *heap.blocks); /* resident now, so that it is not counted later */
    heap.rss_before = child_rss();
    while (heap.live < wanted)
        take(&heap, mixed_size(&heap));
    tell_step(&heap, 1);
    thin_out(&heap);
    tell_step(&heap, 2);
    child_tell(METRIC_fragment_ratio, ((double)child_rss() - (double)heap.rss_before) / (double)heap.live);
    tell_map(&heap, heap.blocks[heap.count / 2 | 1].at);
    while (heap.live < wanted)
        take(&heap, LARGE + mixed_size(&heap));
    tell_step(&heap, 3);
    for (size_t i = 0; i < heap.count; i++)
        if (heap.blocks[i].at != NULL)
            release(&heap, &heap.blocks[i]);
    tell_step(&heap, 4);
    child_tell(METRIC_fragment_trace, heap.trace);
}

/* ---- The stack ---- */

enum { ALLOCAS = 256 };

struct pile {
    uint64_t random;
    uintptr_t top, bottom; /* of what the last pile occupied */
    size_t asked;
};

/* Mixed sizes by alloca, one above the other. */
CHILD_OPAQUE static void pile_up(struct pile *pile)
{
    pile->asked = 0;
    for (int i = 0; i < ALLOCAS; i++) {
        const size_t bytes = SMALLEST + statistics_random(&pile->random) % 256;
        char *const at = child_launder(alloca(bytes));

        *(volatile char *)at = 1;
        if (i == 0)
            pile->top = (uintptr_t)at + bytes;
        pile->bottom = (uintptr_t)at;
        pile->asked += bytes;
    }
}

/* Bytes by which a second pile of the same sizes lies lower than the first: room the first did not give back. */
static double holes(const struct child_order *order, struct pile *pile)
{
    uintptr_t bottom;

    *pile = (struct pile){.random = order->seed};
    pile_up(pile);
    bottom = pile->bottom;
    pile->random = order->seed;
    pile_up(pile);
    return (double)bottom - (double)pile->bottom;
}

/* 4 MiB, or half of the stack where there are not so many. */
static size_t depth_for(const struct child_order *order)
{
    struct rlimit limit;
    size_t depth = 4 * MIB < order->most ? 4 * MIB : order->most;

    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur / 2 < depth)
        depth = limit.rlim_cur / 2;
    return depth;
}

static void run_stack(const struct child_order *order)
{
    struct pile pile;
    char here;

    child_tell(METRIC_fragment_holes, holes(order, &pile));
    child_tell(METRIC_fragment_padding, (double)(pile.top - pile.bottom - pile.asked) / (ALLOCAS - 1));

    const size_t before = child_rss();
    const size_t reached = child_walk_down(child_launder(&here), depth_for(order));
    child_tell(METRIC_fragment_deep, (double)reached);
    child_tell(METRIC_fragment_kept, (double)child_rss() - (double)before);
}

/* ---- Judging ---- */

static void judge(struct judgement *j)
{
    const struct judge_value ratio = judge_get(j, METRIC_fragment_ratio);
    const struct judge_value stack = judge_get(j, METRIC_fragment_holes);

    if (ratio.known)
        judge_claim(j, ratio.median >= 1.5, TEXT_fragment_heap_wastes, TEXT_fragment_heap_packs);
    if (stack.known)
        judge_claim(j, stack.median == 0, TEXT_fragment_stack_whole, TEXT_fragment_stack_holes);
    if (judge_get_at(j, METRIC_fragment_footprint, 3).known && judge_get_at(j, METRIC_fragment_footprint, 4).known)
        judge_remark(j, TEXT_fragment_later);
}

const struct lab_card card_fragment = {
    .id = "fragment",
    .on_heaps = true,
    .title = TEXT_fragment_title,
    .textbook = TEXT_fragment_textbook,
    .traps = {TEXT_fragment_trap_stack},
    .parts = {{.name = "heap", .run = run_heap}, {.name = "stack", .run = run_stack}},
    .claims = 2,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_fragment_picture,
                  .x = TEXT_axis_step,
                  .metrics = {METRIC_fragment_footprint, METRIC_fragment_live}},
                 {.kind = PICTURE_STRIP, .title = TEXT_fragment_strip, .metrics = {METRIC_fragment_map}}},
};
