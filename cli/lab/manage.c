/* manage.c: the compiler manages the stack, the programmer the heap.
 *
 * The same function is called 100,000 times with 256 bytes of its own: on the stack, from malloc and forgotten, from
 * malloc and freed. What the process keeps afterwards shows who tidied up. */
#include "card.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 100000, CALLS_QUICK = 20000, LOCAL = 256, POINTS = 10, PLACES = 32 };

/* ---- Experiments ---- */

/* A function with a local of LOCAL bytes. returns: where the local was. */
CHILD_OPAQUE static uintptr_t use_local(int value)
{
    char local[LOCAL];

    memset(local, value, sizeof local);
    return (uintptr_t)child_launder(local);
}

CHILD_OPAQUE static void *use_forgotten(int value)
{
    void *const block = child_launder(malloc(LOCAL));

    if (block == NULL)
        child_skip(TEXT_skip_memory);
    return child_launder(memset(block, value, LOCAL));
}

/* The different ones among addresses, as long as they are few. */
struct places {
    uintptr_t seen[PLACES];
    int count;
};

static void note_place(struct places *places, uintptr_t address)
{
    for (int i = 0; i < places->count; i++)
        if (places->seen[i] == address)
            return;
    if (places->count < PLACES)
        places->seen[places->count++] = address;
}

enum manner { ON_STACK, FORGOTTEN, FREED };

static void call_once(enum manner manner, int value, struct places *places)
{
    if (manner == ON_STACK)
        note_place(places, use_local(value));
    else if (manner == FORGOTTEN)
        (void)use_forgotten(value);
    else
        free(use_forgotten(value));
}

/* Call and watch the resident set: at POINTS calls, and as a share of all bytes that were asked for. */
static void call_many(const struct child_order *order, enum manner manner, enum metric curve, enum metric slope)
{
    const int calls = order->quick ? CALLS_QUICK : CALLS;
    struct places places = {.count = 0};

    call_once(manner, 1, &places); /* what the first call brings with it is not what each call leaves */
    const size_t before = child_rss();
    double grown = 0;

    if (order->most < (size_t)calls * LOCAL * 2)
        child_skip(TEXT_skip_most);
    for (int i = 1; i <= calls; i++) {
        call_once(manner, i, &places);
        if (i % (calls / POINTS) == 0) {
            grown = (double)child_rss() - (double)before;
            child_tell_at(curve, i, grown);
        }
    }
    child_tell(slope, 100 * grown / ((double)calls * LOCAL));
    if (manner == ON_STACK)
        child_tell(METRIC_manage_places, places.count);
}

static void run_stack(const struct child_order *order)
{
    call_many(order, ON_STACK, METRIC_manage_rss_stack, METRIC_manage_slope_stack);
}

static void run_forgotten(const struct child_order *order)
{
    call_many(order, FORGOTTEN, METRIC_manage_rss_forgotten, METRIC_manage_slope_forgotten);
}

static void run_freed(const struct child_order *order)
{
    call_many(order, FREED, METRIC_manage_rss_freed, METRIC_manage_slope_freed);
}

/* What a local's bytes are after its function has returned and another has been called. Reading them is undefined
 * behaviour: that is what is shown. The addresses are laundered, so the compiler sees no local. */
static void run_dangling(const struct child_order *order)
{
    const volatile char *const dead = child_address(use_local(1));
    int changed = 0;

    (void)order;
    (void)use_local(2);
    for (size_t i = 0; i < LOCAL; i++)
        changed += dead[i] != 1;
    child_tell(METRIC_manage_dangling, 100.0 * changed / LOCAL);
}

/* ---- Judging ---- */

static void judge(struct judgement *j)
{
    const struct judge_value stack = judge_get(j, METRIC_manage_slope_stack);
    const struct judge_value forgotten = judge_get(j, METRIC_manage_slope_forgotten);
    const struct judge_value freed = judge_get(j, METRIC_manage_slope_freed);
    const struct judge_value places = judge_get(j, METRIC_manage_places);

    if (places.known && stack.known)
        judge_claim(j, places.median <= 1 && stack.median < 1, TEXT_manage_stack_tidied, TEXT_manage_stack_untidy);
    if (forgotten.known)
        judge_claim(j, forgotten.median >= 90, TEXT_manage_forgotten_stays, TEXT_manage_forgotten_vanishes);
    if (freed.known)
        judge_claim(j, freed.median < 1, TEXT_manage_freed_reused, TEXT_manage_freed_grows);
    if (judge_get(j, METRIC_manage_dangling).known)
        judge_remark(j, TEXT_manage_dangling_local);
}

const struct lab_card card_manage = {
    .id = "manage",
    .on_heaps = true,
    .title = TEXT_manage_title,
    .textbook = TEXT_manage_textbook,
    .traps = {TEXT_manage_trap_silent},
    .parts = {{.name = "stack", .run = run_stack},
              {.name = "forgotten", .run = run_forgotten},
              {.name = "freed", .run = run_freed},
              {.name = "dangling", .run = run_dangling}},
    .claims = 3,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_manage_picture,
                  .x = TEXT_axis_calls,
                  .metrics = {METRIC_manage_rss_forgotten, METRIC_manage_rss_freed, METRIC_manage_rss_stack}}},
};
