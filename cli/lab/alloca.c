/* alloca.c: memory that lives until its function returns, and no way to say no.
 *
 * Asking for more than the stack has is undefined behaviour. It is done in a child that is expected to die. */
#include "card.h"

#include "ashlar_stack.h"

#include <alloca.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 64, BYTES = 100, STACK = 8 * MIB, TOO_MUCH = 2 * STACK };

/* One function's allocas: where they are. */
CHILD_OPAQUE static void allocate_in_loop(uintptr_t places[COUNT])
{
    for (int i = 0; i < COUNT; i++) {
        char *const at = child_launder(alloca(BYTES));

        *(volatile char *)at = 1;
        places[i] = (uintptr_t)at;
    }
}

static void run_places(const struct child_order *order)
{
    static uintptr_t first[COUNT], second[COUNT];
    int down = 0;

    (void)order;
    allocate_in_loop(first);
    allocate_in_loop(second);
    for (int i = 1; i < COUNT; i++)
        down += first[i] < first[i - 1];
    child_tell(METRIC_alloca_down, 100.0 * down / (COUNT - 1));
    child_tell(METRIC_alloca_same, memcmp(first, second, sizeof first) == 0);
    for (int i = 0; i < COUNT; i += 7) /* 0, 7, ... 63: the last one too */
        child_tell_at(METRIC_alloca_piled, i + 1, (double)(first[0] - first[i] + BYTES));
}

/* ---- Too much ---- */

struct too_much {
    size_t bytes;
};

/* From the top, as a program would fill an array. */
static void fill_too_much(void *argument)
{
    const struct too_much *const wish = argument;
    const size_t bytes = wish->bytes;
    char *const room = child_launder(alloca(bytes));

    for (size_t i = bytes; i > 0; i -= KIB)
        *(volatile char *)(room + i - 1) = 1;
}

/* Twice the stack. The process dies here; what it died of, the parent tells. */
static void run_too_much(const struct child_order *order)
{
    struct too_much wish = {TOO_MUCH};

    if (order->most < TOO_MUCH)
        child_skip(TEXT_skip_most);
    fill_too_much(&wish);
}

/* The same wish, to the checked alloca of Ashlar: the heap serves what the stack cannot. */
static void run_checked(const struct child_order *order)
{
    ASHLAR_GUARD(guard);

    if (order->most < TOO_MUCH)
        child_skip(TEXT_skip_most);
    char *const room = ASHLAR_ALLOCA(char, TOO_MUCH, guard);
    if (room != NULL)
        (void)child_launder(memset(room, 1, TOO_MUCH));
    child_tell(METRIC_alloca_checked, room != NULL);
}

static void judge(struct judgement *j)
{
    const struct judge_value down = judge_get(j, METRIC_alloca_down);
    const struct judge_value same = judge_get(j, METRIC_alloca_same);
    const struct judge_value checked = judge_get(j, METRIC_alloca_checked);
    const struct judge_value death = judge_get(j, METRIC_alloca_death);

    if (same.known)
        judge_claim(j, same.median == 1, TEXT_alloca_freed, TEXT_alloca_not_freed);
    if (down.known)
        judge_remark(j, TEXT_alloca_direction);
    if (judge_get_at(j, METRIC_alloca_piled, COUNT).known)
        judge_remark(j, TEXT_alloca_loop);
    if (death.known)
        judge_claim(j, death.median == SIGSEGV, TEXT_alloca_dies, TEXT_alloca_lives);
    if (checked.known)
        judge_remark(j, checked.median == 1 ? TEXT_alloca_checked_serves : TEXT_alloca_checked_refuses);
}

const struct lab_card card_alloca = {
    .id = "alloca",
    .title = TEXT_alloca_title,
    .textbook = TEXT_alloca_textbook,
    .traps = {TEXT_alloca_trap_size, TEXT_alloca_trap_argument},
    .parts = {{.name = "places", .run = run_places},
              {.name = "too_much", .run = run_too_much, .stack = STACK, .death = METRIC_alloca_death},
              {.name = "checked", .run = run_checked, .stack = STACK}},
    .claims = 2,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_alloca_picture,
                  .x = TEXT_axis_rounds,
                  .metrics = {METRIC_alloca_piled}}},
};
