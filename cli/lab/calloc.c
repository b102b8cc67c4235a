/* calloc.c: zeroed memory, and a product that does not overflow.
 *
 * A calloc that knows its memory to be zero does not write it. What that saves shows later: when the memory is read. */
#include "card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct request {
    size_t bytes;
    char *block;
};

static void do_calloc(void *argument)
{
    struct request *const request = argument;

    request->block = child_given(calloc(1, request->bytes));
}

static void do_malloc_and_memset(void *argument)
{
    struct request *const request = argument;

    request->block = child_launder(memset(child_given(malloc(request->bytes)), 0, request->bytes));
}

static void do_read(void *argument)
{
    const struct request *const request = argument;
    const size_t page = child_page();

    for (size_t i = 0; i < request->bytes; i += page)
        (void)*(volatile char *)(request->block + i);
}

static void tell_cost(child_operation *operation, struct request *request, enum metric time, enum metric faults)
{
    const long before = child_faults();

    child_tell(time, child_time_once(operation, request));
    child_tell(faults, (double)(child_faults() - before));
}

static void run_calloc_fresh(const struct child_order *order)
{
    struct request request = {.bytes = child_large(order)};

    child_tell(METRIC_calloc_bytes, (double)request.bytes);
    tell_cost(do_calloc, &request, METRIC_calloc_time, METRIC_calloc_faults);
    tell_cost(do_read, &request, METRIC_calloc_read_time, METRIC_calloc_read_faults);
}

static void run_calloc_by_hand(const struct child_order *order)
{
    struct request request = {.bytes = child_large(order)};

    tell_cost(do_malloc_and_memset, &request, METRIC_calloc_hand_time, METRIC_calloc_hand_faults);
}

/* Memory that was used before must be zero again. */
static void run_calloc_reused(const struct child_order *order)
{
    enum { ROUNDS = 64 };
    long wrong = 0;

    (void)order;
    for (size_t bytes = 16; bytes <= 256 * KIB; bytes *= 2)
        for (int i = 0; i < ROUNDS / 8; i++) {
            char *block = child_given(malloc(bytes));

            free(child_launder(memset(block, 0xff, bytes)));
            block = child_given(calloc(bytes / 8, 8));
            for (size_t k = 0; k < bytes; k++)
                wrong += block[k] != 0;
            free(block);
        }
    child_tell(METRIC_calloc_wrong, (double)wrong);
    errno = 0;
    child_tell(METRIC_calloc_overflow_null,
               child_launder(calloc(child_unknown((size_t)1 << 33), child_unknown((size_t)1 << 33))) == NULL);
    child_tell(METRIC_calloc_overflow_errno, errno);
}

static void judge_calloc(struct judgement *j)
{
    const struct judge_value wrong = judge_get(j, METRIC_calloc_wrong);
    const struct judge_value refused = judge_get(j, METRIC_calloc_overflow_null);
    const struct judge_value time = judge_get(j, METRIC_calloc_time);
    const struct judge_value by_hand = judge_get(j, METRIC_calloc_hand_time);
    const struct judge_value faults = judge_get(j, METRIC_calloc_faults);
    const struct judge_value later = judge_get(j, METRIC_calloc_read_faults);

    if (wrong.known)
        judge_claim(j, wrong.median == 0, TEXT_calloc_zeroed, TEXT_calloc_dirty);
    if (refused.known)
        judge_claim(j, refused.median == 1, TEXT_calloc_overflow_caught, TEXT_calloc_overflow_missed);
    if (time.known && by_hand.known)
        judge_remark(j, judge_is_below(j, time, by_hand) ? TEXT_calloc_faster : TEXT_calloc_not_faster);
    if (faults.known && later.known)
        judge_remark(j, later.median > faults.median ? TEXT_calloc_later : TEXT_calloc_at_once);
}

const struct lab_card card_calloc = {
    .id = "calloc",
    .on_heaps = true,
    .title = TEXT_calloc_title,
    .textbook = TEXT_calloc_textbook,
    .traps = {TEXT_calloc_trap_product},
    .parts = {{.name = "fresh", .run = run_calloc_fresh, .runs = LAB_TIMED},
              {.name = "by_hand", .run = run_calloc_by_hand, .runs = LAB_TIMED},
              {.name = "reused", .run = run_calloc_reused}},
    .claims = 2,
    .judge = judge_calloc,
    .pictures = {{.kind = PICTURE_BARS,
                  .title = TEXT_calloc_picture,
                  .metrics = {METRIC_calloc_time, METRIC_calloc_read_time, METRIC_calloc_hand_time}}},
};
