/* realloc.c: a block that grows: where it stands, or by moving.
 *
 *   in place    same address
 *   remapped    another address, hardly a page fault: the kernel moved pages, nobody copied bytes
 *   copied      another address, and the new pages were faulted in */
#include "card.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { IN_PLACE, REMAPPED, COPIED };

struct growing {
    char *block;
    size_t bytes;
};

static void grow(void *argument)
{
    struct growing *const growing = argument;

    growing->block = child_given(realloc(growing->block, growing->bytes));
}

/* How the last step was made; small blocks that move are copied, whatever the faults say. */
static int way_of(const struct growing *growing, const char *before, long faults)
{
    const size_t pages = growing->bytes / 2 / child_page();

    if (growing->block == before)
        return IN_PLACE;
    return pages >= 16 && (size_t)faults < pages / 8 ? REMAPPED : COPIED;
}

/* Every byte of the old block must be there; each doubling is marked before the next. */
static void run_doubling(const struct child_order *order)
{
    const size_t most = child_large(order);
    struct growing growing = {child_given(malloc(KIB)), KIB};
    int counts[COPIED + 1] = {0};
    bool kept = true;

    (void)child_launder(memset(growing.block, 1, KIB));
    while (growing.bytes < most) {
        const char *const before = growing.block;
        const size_t old = growing.bytes;
        const long faults = child_faults();

        growing.bytes *= 2;
        child_tell_at(METRIC_realloc_time, (double)growing.bytes, child_time_once(grow, &growing));
        const int way = way_of(&growing, before, child_faults() - faults);
        child_tell_at(METRIC_realloc_faults, (double)growing.bytes, (double)(child_faults() - faults));
        counts[way]++;
        for (size_t i = 0; i < old; i += 64)
            kept = kept && growing.block[i] == 1;
        (void)child_launder(memset(growing.block + old, 1, growing.bytes - old));
    }
    child_tell(METRIC_realloc_in_place, counts[IN_PLACE]);
    child_tell(METRIC_realloc_remapped, counts[REMAPPED]);
    child_tell(METRIC_realloc_copied, counts[COPIED]);
    child_tell(METRIC_realloc_kept, kept);
}

/* A request that must fail: the old block is still ours. */
static void run_failing(const struct child_order *order)
{
    enum { BYTES = 1000 };
    char *const block = child_given(malloc(BYTES));
    bool kept = true;

    (void)order;
    (void)child_launder(memset(block, 7, BYTES));
    const char *const still = child_launder(block); /* the compiler knows that a successful realloc ends `block` */
    void *const larger = child_launder(realloc(block, child_unknown(PTRDIFF_MAX)));
    child_tell(METRIC_realloc_refused, larger == NULL);
    if (larger != NULL)
        return;
    for (int i = 0; i < BYTES; i++)
        kept = kept && still[i] == 7;
    child_tell(METRIC_realloc_old_valid, kept);
}

/* Whether one of the next requests gets the block at `address`: then it was freed. */
static bool is_given_again(uintptr_t address, size_t bytes)
{
    enum { REQUESTS = 1024 };

    for (int i = 0; i < REQUESTS; i++)
        if ((uintptr_t)child_given(malloc(bytes)) == address)
            return true;
    return false;
}

static void run_zero(const struct child_order *order)
{
    enum { BYTES = 100 };
    void *const block = child_given(malloc(BYTES));
    const uintptr_t address = (uintptr_t)child_launder(block);
    const void *const nothing = child_launder(realloc(block, child_unknown(0)));

    (void)order;
    child_tell(METRIC_realloc_zero_pointer, nothing != NULL);
    child_tell(METRIC_realloc_zero_freed, nothing == NULL && is_given_again(address, BYTES));
}

static void judge(struct judgement *j)
{
    const struct judge_value kept = judge_get(j, METRIC_realloc_kept);
    const struct judge_value refused = judge_get(j, METRIC_realloc_refused);
    const struct judge_value old = judge_get(j, METRIC_realloc_old_valid);
    const struct judge_value zero = judge_get(j, METRIC_realloc_zero_pointer);

    if (kept.known)
        judge_claim(j, kept.median == 1, TEXT_realloc_contents, TEXT_realloc_contents_lost);
    if (refused.known && old.known)
        judge_claim(j, refused.median == 1 && old.median == 1, TEXT_realloc_old_stays, TEXT_realloc_old_gone);
    if (kept.known)
        judge_remark(j, TEXT_realloc_ways);
    if (zero.known)
        judge_remark(j, zero.median == 1 ? TEXT_realloc_zero_gives : TEXT_realloc_zero_frees);
}

const struct lab_card card_realloc = {
    .id = "realloc",
    .on_heaps = true,
    .title = TEXT_realloc_title,
    .textbook = TEXT_realloc_textbook,
    .traps = {TEXT_realloc_trap_leak, TEXT_realloc_trap_zero},
    .parts = {{.name = "doubling", .run = run_doubling, .runs = LAB_TIMED},
              {.name = "failing", .run = run_failing},
              {.name = "zero", .run = run_zero}},
    .claims = 2,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_realloc_picture,
                  .x = TEXT_axis_new_size,
                  .log_x = true,
                  .log_y = true,
                  .metrics = {METRIC_realloc_time}},
                 {.kind = PICTURE_LINES,
                  .title = TEXT_realloc_faults_picture,
                  .x = TEXT_axis_new_size,
                  .log_x = true,
                  .metrics = {METRIC_realloc_faults}}},
};
