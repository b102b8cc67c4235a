/* steps.c: a handler of a signal may come between any two instructions of the side stack, and leave by siglongjmp().
 * The processor itself takes each step here: with its trap flag set SIGTRAP follows every instruction. */
#include "places.h"

#include <setjmp.h>

#if defined(__x86_64__)

enum { TRAP_FLAG = 1 << 8 }; /* of EFLAGS; source: Intel SDM, volume 1, 3.4.3 */

static sigjmp_buf outside;
static volatile long steps_left;

static void step(int signal)
{
    (void)signal;
    if (--steps_left == 0)
        siglongjmp(outside, 1);
}

static void start_stepping(long steps)
{
    steps_left = steps;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
}

static void stop_stepping(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(unsigned long long)TRAP_FLAG);
}

static void by_inline_code(void)
{
    const ashlar_mark m = ashlar_side_push();
    char *const at = ashlar_side_alloc(100);
    if (m.serial == 0 || at == NULL)
        _exit(3);
    {
        ASHLAR_SIDE_SCOPE(inner);
        if (inner.serial == 0 || ashlar_side_alloc(1000) == NULL)
            _exit(3);
    }
    ashlar_side_pop(m);
}

static void marks_by_functions(void)
{
    const ashlar_mark m = (ashlar_side_push)();
    if (m.serial == 0 || (ashlar_side_push)().serial == 0)
        _exit(3);
    (ashlar_side_pop)(m);
}

/* Pages become ready, and go back: it is more than a pop lets stay. */
static void memory_by_functions(void)
{
    const ashlar_mark m = ashlar_side_push();
    if (m.serial == 0 || ashlar_side_alloc_aligned(2 * MIB, 256) == NULL)
        _exit(3);
    (ashlar_side_pop)(m);
}

/* Leave `body` after `steps` instructions. returns: whether it came to its end before. */
static bool __attribute__((noinline)) run_for(place_body *body, long steps)
{
    if (sigsetjmp(outside, 1) != 0)
        return false;
    start_stepping(steps);
    body();
    stop_stepping();
    return true;
}

/* The same, and the side stack goes on as if nothing had been. */
static bool comes_to_its_end(place_body *body, long steps)
{
    struct ashlar_side_info info;
    const ashlar_mark outer = ashlar_side_push();
    const bool is_done = run_for(body, steps);
    const ashlar_mark next = ashlar_side_push();

    CHECK(next.serial > outer.serial && next.pos > outer.pos);
    CHECK(ashlar_side_alloc(100) != NULL);
    (ashlar_side_pop)(next); /* looks at the last header */
    const ashlar_mark last = ashlar_side_push();
    CHECK(last.serial > next.serial);
    (ashlar_side_pop)(outer); /* looks at all of them */
    CHECK_EQ(ashlar_side_stat(&info), 0);
    CHECK_EQ(info.used, 0);
    return is_done;
}

static void leave_anywhere(place_body *body)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN || test_emulated())
        SKIP("nobody steps through a sanitizer or an emulator");
    const struct sigaction action = {.sa_handler = step};
    CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
    body(); /* the side stack is there, and its pages are ready */
    long steps = 1;
    while (!comes_to_its_end(body, steps))
        steps++;
    test_note("left after each of %ld instructions", steps - 1);
    CHECK(steps > 50);
}

#else

static void by_inline_code(void) {}
static void marks_by_functions(void) {}
static void memory_by_functions(void) {}
static void leave_anywhere(place_body *body)
{
    (void)body;
    SKIP("only x86 steps by itself");
}

#endif

TEST(inline_code_may_be_left_at_any_instruction) { leave_anywhere(by_inline_code); }
TEST(so_may_the_functions_that_mark) { leave_anywhere(marks_by_functions); }
TEST(so_may_those_that_ask_for_memory) { leave_anywhere(memory_by_functions); }
