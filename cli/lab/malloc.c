/* malloc.c: n bytes, aligned for any type, or NULL. */
#include "card.h"

#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of 0 to 128 bytes: how much of each may be used, and what their addresses are multiples of. */
static void run_malloc_small(const struct child_order *order)
{
    enum { MOST = 128 };
    uintptr_t bits = 0;

    (void)order;
    for (size_t n = 0; n <= MOST; n++) {
        void *const block = malloc(child_unknown(n));

        if (n > 0 && block == NULL)
            child_skip(TEXT_skip_memory);
        if (n >= alignof(max_align_t))
            bits |= (uintptr_t)block;
        if (n % 4 == 0)
            child_tell_at(METRIC_malloc_usable, (double)n, (double)malloc_usable_size(block));
    }
    child_tell(METRIC_malloc_alignment, (double)(bits & -bits));
    child_tell(METRIC_malloc_zero_pointer, malloc(child_unknown(0)) != NULL);
    errno = 0;
    child_tell(METRIC_malloc_huge_null, child_launder(malloc(child_unknown(SIZE_MAX))) == NULL);
    child_tell(METRIC_malloc_huge_errno, errno);
}

static void run_malloc_large(const struct child_order *order)
{
    const size_t bytes = child_large(order);
    const size_t before = child_rss();
    char *const block = child_given(malloc(bytes));

    child_tell(METRIC_malloc_large, (double)bytes);
    child_tell(METRIC_malloc_untouched, (double)child_rss() - (double)before);
    (void)child_launder(memset(block, 1, bytes));
    child_tell(METRIC_malloc_touched, (double)child_rss() - (double)before);
}

static void judge_malloc(struct judgement *j)
{
    const struct judge_value alignment = judge_get(j, METRIC_malloc_alignment);
    const struct judge_value refused = judge_get(j, METRIC_malloc_huge_null);
    const struct judge_value error = judge_get(j, METRIC_malloc_huge_errno);
    const struct judge_value untouched = judge_get(j, METRIC_malloc_untouched);
    const struct judge_value touched = judge_get(j, METRIC_malloc_touched);

    if (alignment.known)
        judge_claim(j, alignment.median >= alignof(max_align_t), TEXT_malloc_aligned, TEXT_malloc_misaligned);
    if (refused.known && error.known)
        judge_claim(j, refused.median == 1 && error.median == ENOMEM, TEXT_malloc_refuses, TEXT_malloc_not_refused);
    if (untouched.known && touched.known)
        judge_claim(j, untouched.median < touched.median / 16, TEXT_malloc_lazy, TEXT_malloc_eager);
    if (judge_get(j, METRIC_malloc_zero_pointer).known)
        judge_remark(j, TEXT_malloc_zero_remark);
}

const struct lab_card card_malloc = {
    .id = "malloc",
    .on_heaps = true,
    .title = TEXT_malloc_title,
    .textbook = TEXT_malloc_textbook,
    .traps = {TEXT_malloc_trap_usable},
    .parts = {{.name = "small", .run = run_malloc_small}, {.name = "large", .run = run_malloc_large}},
    .claims = 3,
    .judge = judge_malloc,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_malloc_picture,
                  .x = TEXT_axis_asked,
                  .metrics = {METRIC_malloc_usable}}},
};
