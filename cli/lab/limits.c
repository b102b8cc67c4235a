/* limits.c: the stack is small, the heap is large.
 *
 * Stacks are walked down, a page at a time, until the kernel refuses. The heap is asked for ever larger blocks, and
 * then filled up to what the lab may touch. At the end one large step shows what a guard page is worth without probes.
 */
#include "card.h"

#include "jump.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- The main stack ---- */

/* How much of `limit` a program gets, whose environment, arguments and first frames are in it already. */
static void walk_main(const struct child_order *order, size_t limit)
{
    char here;

    if (order->most < limit)
        child_skip(TEXT_skip_most);
    const size_t reached = child_walk_down(child_launder(&here), 2 * limit);

    child_tell_at(METRIC_limits_main, (double)limit, (double)reached);
    child_tell_at(METRIC_limits_main_share, (double)limit, 100.0 * (double)reached / (double)limit);
}

static void run_main_1(const struct child_order *order) { walk_main(order, MIB); }
static void run_main_8(const struct child_order *order) { walk_main(order, 8 * MIB); }
static void run_main_64(const struct child_order *order) { walk_main(order, 64 * MIB); }

/* ---- Stacks of threads ---- */

struct thread_walk {
    size_t most;
    size_t reached;
};

static void *walk_thread(void *argument)
{
    struct thread_walk *const walk = argument;
    char here;

    walk->reached = child_walk_down(child_launder(&here), walk->most);
    return NULL;
}

static bool walk_on_thread(size_t bytes, struct thread_walk *walk)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool done;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    done = pthread_attr_setstacksize(&attributes, bytes) == 0 &&
           pthread_create(&thread, &attributes, walk_thread, walk) == 0 && pthread_join(thread, NULL) == 0;
    (void)pthread_attr_destroy(&attributes);
    return done;
}

static void run_threads(const struct child_order *order)
{
    for (size_t bytes = 16 * KIB; bytes <= 64 * MIB && bytes <= order->most; bytes *= 4) {
        struct thread_walk walk = {.most = bytes};

        if (walk_on_thread(bytes, &walk)) /* the smallest are refused where registers are large */
            child_tell_at(METRIC_limits_thread, (double)bytes, (double)walk.reached);
    }
}

/* ---- The heap ---- */

static bool can_have(size_t bytes)
{
    void *const block = child_launder(malloc(bytes));

    free(block);
    return block != NULL;
}

/* The largest block that malloc gives, to 1 part in 64; nothing is touched. */
static void run_largest(const struct child_order *order)
{
    size_t given = 0;

    (void)order;
    for (size_t step = (size_t)1 << 47; step >= MIB && step >= given / 64; step /= 2)
        if (can_have(given + step))
            given += step;
    child_tell(METRIC_limits_largest, (double)given);
}

/* Take and fill blocks until malloc refuses or the lab's own limit is reached. */
static void run_filled(const struct child_order *order)
{
    const size_t most = order->quick && order->most > 128 * MIB ? 128 * MIB : order->most;
    bool is_refused = false;
    size_t filled = 0;

    while (filled + MIB <= most && !is_refused) {
        void *const block = child_launder(malloc(MIB));

        is_refused = block == NULL;
        if (!is_refused) {
            (void)child_launder(memset(block, 1, MIB));
            filled += MIB;
        }
    }
    child_tell(METRIC_limits_filled, (double)filled);
    child_tell(METRIC_limits_refused, is_refused);
}

/* ---- One large step over the guard page ---- */

/* [ neighbour | guard page | stack of a thread ]: a function whose frame is larger than its stack and the guard. */
static void run_jump(const struct child_order *order)
{
    enum { NEIGHBOUR = MIB, STACK = 256 * KIB, STEP = 512 * KIB };
    char *const all = child_map(NEIGHBOUR + STACK);
    const size_t page = child_page();
    char *const stack = all + NEIGHBOUR;

    if (order->most < NEIGHBOUR + STACK || mprotect(stack - page, page, PROT_NONE) != 0)
        child_skip(TEXT_skip_memory);
    struct jump jump = {.bytes = STEP, .neighbour = all, .neighbour_bytes = NEIGHBOUR - page};

    jump.step = jump_unprobed;
    if (!child_on_stack(stack, STACK, jump_try, &jump))
        child_skip(TEXT_skip_threads);
    child_tell(METRIC_limits_jump_unprobed, (double)jump.damaged);
    jump.step = jump_probed;
    if (!child_on_stack(stack, STACK, jump_try, &jump))
        child_skip(TEXT_skip_threads);
    child_tell(METRIC_limits_jump_probed, (double)jump.damaged);
}

/* ---- Judging ---- */

static void judge(struct judgement *j)
{
    const struct judge_value share = judge_get_at(j, METRIC_limits_main_share, 8 * MIB);
    const struct judge_value reached = judge_get_at(j, METRIC_limits_main, 8 * MIB);
    const struct judge_value largest = judge_get(j, METRIC_limits_largest);
    const struct judge_value refused = judge_get(j, METRIC_limits_refused);
    const struct judge_value unprobed = judge_get(j, METRIC_limits_jump_unprobed);

    if (share.known)
        judge_claim(j, share.median >= 85 && share.median <= 100, TEXT_limits_stack_as_set, TEXT_limits_stack_unlike);
    if (reached.known && largest.known)
        judge_claim(j, largest.median >= 10 * reached.median, TEXT_limits_heap_larger, TEXT_limits_heap_smaller);
    if (refused.known)
        judge_remark(j, refused.median != 0 ? TEXT_limits_filled_refused : TEXT_limits_filled_remark);
    if (unprobed.known && judge_get(j, METRIC_limits_jump_probed).known)
        judge_remark(j, unprobed.median > 0 ? TEXT_limits_jump_remark : TEXT_limits_jump_caught);
}

const struct lab_card card_limits = {
    .id = "limits",
    .on_heaps = true,
    .title = TEXT_limits_title,
    .textbook = TEXT_limits_textbook,
    .traps = {TEXT_limits_trap_share, TEXT_limits_trap_reserved},
    .parts = {{.name = "main_1", .run = run_main_1, .stack = MIB},
              {.name = "main_8", .run = run_main_8, .stack = 8 * MIB},
              {.name = "main_64", .run = run_main_64, .stack = 64 * MIB},
              {.name = "threads", .run = run_threads},
              {.name = "largest", .run = run_largest},
              {.name = "filled", .run = run_filled},
              {.name = "jump", .run = run_jump}},
    .claims = 2,
    .judge = judge,
    .pictures = {{.kind = PICTURE_BARS,
                  .title = TEXT_limits_picture,
                  .log_x = true,
                  .metrics = {METRIC_limits_main, METRIC_limits_thread, METRIC_limits_filled, METRIC_limits_largest}}},
};
