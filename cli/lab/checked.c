/* checked.c: what a checked copy does.
 *
 *     | block | victim | block | block |
 *             [ the copy      ]            64 bytes too many: whose bytes are they now?
 *
 * Both ways run on Ashlar's malloc and memcpy, so that the check alone makes the difference. */
#include "checked.h"

#include "../clean.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 64, BLOCK = 64, COPIED = 2 * BLOCK, VICTIM = BLOCKS / 2, BEFORE = 0x11, AFTER = 0x22 };

/* Ends the child where another memcpy would be measured: what is preloaded may have been refused. */
static void expect_ours(void)
{
    void *const function = dlsym(RTLD_DEFAULT, "memcpy");
    Dl_info found;

    if (function == NULL || dladdr(function, &found) == 0 || found.dli_fname == NULL ||
        strncmp(clean_base(found.dli_fname), "libashlar-mem.so", 16) != 0)
        child_skip(TEXT_skip_library);
}

/* ---- One block too far ---- */

static unsigned char *blocks[BLOCKS];

static void tell_damage(enum metric metric)
{
    int damaged = 0;

    for (int i = 0; i < BLOCKS; i++)
        for (int k = 0; k < BLOCK && i != VICTIM; k++)
            damaged += blocks[i][k] != BEFORE;
    child_tell(metric, damaged);
}

static void copy_too_far(void)
{
    static unsigned char source[COPIED];

    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = child_launder(memset(child_given(malloc(BLOCK)), BEFORE, BLOCK));
    memset(source, AFTER, sizeof source);
    (void)child_launder(memcpy(child_launder(blocks[VICTIM]), source, child_unknown(COPIED)));
}

void checked_run_beyond_without(const struct child_order *order)
{
    (void)order;
    expect_ours();
    copy_too_far();
    tell_damage(METRIC_beyond_without);
}

/* The library calls abort(), so this is no asynchronous signal. */
static void tell_at_abort(int signal)
{
    (void)signal;
    tell_damage(METRIC_beyond_with);
}

void checked_run_beyond_with(const struct child_order *order)
{
    const struct sigaction action = {.sa_handler = tell_at_abort};

    (void)order;
    expect_ours();
    if (sigaction(SIGABRT, &action, NULL) != 0)
        child_skip(TEXT_skip_signals);
    copy_too_far();
    tell_damage(METRIC_beyond_with); /* nobody stopped it */
}

/* ---- The price ---- */

struct copy {
    char *to, *from;
    size_t bytes;
};

static void copy_once(void *argument)
{
    const struct copy *const copy = argument;

    (void)child_launder(memcpy(copy->to, copy->from, copy->bytes));
}

static void measure(enum metric metric)
{
    static const size_t sizes[] = {16, 64, 256, KIB, 4 * KIB, 64 * KIB};

    expect_ours();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct copy copy = {child_given(malloc(sizes[i])), child_given(malloc(sizes[i])), sizes[i]};

        memset(copy.from, 1, copy.bytes);
        (void)child_time(metric, (double)copy.bytes, copy_once, &copy, 1);
        free(copy.to);
        free(copy.from);
    }
}

void checked_run_cost_without(const struct child_order *order)
{
    (void)order;
    measure(METRIC_copy_without);
}

void checked_run_cost_with(const struct child_order *order)
{
    (void)order;
    measure(METRIC_copy_with);
}

/* ---- Judging ---- */

void checked_judge(struct judgement *j)
{
    const struct judge_value without = judge_get(j, METRIC_beyond_without);
    const struct judge_value with = judge_get(j, METRIC_beyond_with);
    const struct judge_value end = judge_get(j, METRIC_beyond_signal);
    const struct judge_value free_copy = judge_get_at(j, METRIC_copy_without, 256);
    const struct judge_value checked = judge_get_at(j, METRIC_copy_with, 256);

    if (without.known && with.known && end.known)
        judge_remark(j, end.median == SIGABRT && with.median == 0 ? TEXT_checked_stopped : TEXT_checked_missed);
    if (free_copy.known && checked.known)
        judge_remark(j, judge_is_below(j, free_copy, checked) ? TEXT_checked_costs : TEXT_checked_costs_nothing);
}
