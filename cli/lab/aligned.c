/* aligned.c: memalign and valloc: addresses that are multiples of something, and the room they take. Both are obsolete.
 */
#include "card.h"

#include "../statistics.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* ---- memalign ---- */

enum { ASKED = 100, BLOCKS = 8, NOT_A_POWER = 48 };

/* Bytes between the starts of successive blocks, beyond those asked for: the median of a few. */
static double lost_bytes(char *const blocks[BLOCKS])
{
    double gaps[BLOCKS - 1];

    for (int i = 1; i < BLOCKS; i++)
        gaps[i - 1] = (double)(blocks[i] > blocks[i - 1] ? blocks[i] - blocks[i - 1] : blocks[i - 1] - blocks[i]);
    return statistics_quantile(gaps, BLOCKS - 1, 0.5) - ASKED;
}

static void run_memalign(const struct child_order *order)
{
    int wrong = 0;

    (void)order;
    for (size_t alignment = 16; alignment <= 2 * MIB; alignment *= 2) {
        char *blocks[BLOCKS];

        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = child_given(memalign(alignment, ASKED));
            wrong += (uintptr_t)blocks[i] % alignment != 0;
        }
        child_tell_at(METRIC_memalign_lost, (double)alignment, lost_bytes(blocks));
    }
    child_tell(METRIC_memalign_wrong, wrong);
}

/* An alignment that is no power of two: what memalign makes of it, and what posix_memalign answers. */
static void run_memalign_odd(const struct child_order *order)
{
    void *block = NULL;
    uintptr_t bits = 0;
    bool refused = false;

    (void)order;
    for (int i = 0; i < BLOCKS; i++) {
        void *const odd = child_launder(memalign(child_unknown(NOT_A_POWER), ASKED));
        refused = refused || odd == NULL;
        bits |= (uintptr_t)odd;
    }
    child_tell(METRIC_memalign_odd_alignment, refused ? 0 : (double)(bits & -bits));
    child_tell(METRIC_memalign_posix_code, posix_memalign(&block, child_unknown(NOT_A_POWER), ASKED));
}

static void judge_memalign(struct judgement *j)
{
    const struct judge_value wrong = judge_get(j, METRIC_memalign_wrong);
    const struct judge_value code = judge_get(j, METRIC_memalign_posix_code);
    const struct judge_value odd = judge_get(j, METRIC_memalign_odd_alignment);

    if (wrong.known)
        judge_claim(j, wrong.median == 0, TEXT_memalign_aligned, TEXT_memalign_misaligned);
    if (code.known)
        judge_claim(j, code.median == EINVAL, TEXT_memalign_code, TEXT_memalign_no_code);
    if (judge_get_at(j, METRIC_memalign_lost, 64 * KIB).known)
        judge_remark(j, TEXT_memalign_price);
    if (odd.known)
        judge_remark(j, odd.median > 0 ? TEXT_memalign_odd_rounded : TEXT_memalign_odd_refused);
}

const struct lab_card card_memalign = {
    .id = "memalign",
    .on_heaps = true,
    .title = TEXT_memalign_title,
    .textbook = TEXT_memalign_textbook,
    .traps = {TEXT_memalign_trap_obsolete},
    .parts = {{.name = "powers", .run = run_memalign}, {.name = "odd", .run = run_memalign_odd}},
    .claims = 2,
    .judge = judge_memalign,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_memalign_picture,
                  .x = TEXT_axis_alignment,
                  .log_x = true,
                  .log_y = true,
                  .metrics = {METRIC_memalign_lost}}},
};

/* ---- valloc ---- */

static void run_valloc(const struct child_order *order)
{
    enum { SMALL = 10 };
    const size_t page = child_page();
    uintptr_t rest = 0;
    char *last = NULL;

    (void)order;
    child_tell(METRIC_valloc_page, (double)page);
    for (int i = 0; i < BLOCKS; i++) {
        char *const block = child_given(valloc(SMALL));

        rest |= (uintptr_t)block % page;
        if (last != NULL)
            child_tell(METRIC_valloc_distance, (double)(block > last ? block - last : last - block));
        last = block;
    }
    child_tell(METRIC_valloc_rest, (double)rest);
    errno = 0;
    child_tell(METRIC_valloc_huge_null, child_launder(valloc(child_unknown(SIZE_MAX))) == NULL);
}

static void judge_valloc(struct judgement *j)
{
    const struct judge_value rest = judge_get(j, METRIC_valloc_rest);
    const struct judge_value refused = judge_get(j, METRIC_valloc_huge_null);

    if (rest.known)
        judge_claim(j, rest.median == 0, TEXT_valloc_aligned, TEXT_valloc_misaligned);
    if (refused.known)
        judge_claim(j, refused.median == 1, TEXT_valloc_refuses, TEXT_valloc_not_refused);
    if (judge_get(j, METRIC_valloc_distance).known)
        judge_remark(j, TEXT_valloc_price);
}

const struct lab_card card_valloc = {
    .id = "valloc",
    .on_heaps = true,
    .title = TEXT_valloc_title,
    .textbook = TEXT_valloc_textbook,
    .traps = {TEXT_valloc_trap_obsolete},
    .parts = {{.name = "pages", .run = run_valloc}},
    .claims = 2,
    .judge = judge_valloc,
    .pictures = {{.kind = PICTURE_BARS,
                  .title = TEXT_valloc_picture,
                  .metrics = {METRIC_valloc_page, METRIC_valloc_distance}}},
};
