/* depth.c: how deep a stack went: exact where it is painted, by pages where not. */
#include "places.h"

#include <sys/mman.h>
#include <sys/resource.h>

enum { ERRNO = 4711 };

static struct {
    size_t bytes;
    int exact;
} depth;

static void measure(void)
{
    errno = ERRNO;
    CHECK_EQ(ashlar_stack_high_water(&depth.bytes, &depth.exact), 0);
    CHECK_EQ(errno, ERRNO);
}

/* Use `n` bytes of stack below this frame, to the last one. */
static void __attribute__((noinline, no_sanitize("address", "thread"))) use(size_t n)
{
    volatile char *const at = __builtin_alloca(n);
    at[0] = 1;
    at[n - 1] = 1;
}

/* Of the caller's frame. */
static inline __attribute__((always_inline)) size_t depth_here(void)
{
    return (uintptr_t)place_bounds().hi - (uintptr_t)__builtin_frame_address(0);
}

static void needs_plain_frames(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer adds to every frame");
}

/* Painted, a use of `n` bytes below the present depth is seen to a few words. */
static void is_exact_for(size_t n)
{
    CHECK_EQ(ashlar_stack_paint(SIZE_MAX), 0);
    const size_t before = depth_here();
    use(n);
    measure();
    CHECK_EQ(depth.exact, 1);
    test_note("%zu bytes at a depth of %zu: high water %zu", n, before, depth.bytes);
    CHECK(depth.bytes >= before + n && depth.bytes <= before + n + 1024);
}

static void exact_for_several(void)
{
    is_exact_for(5000);
    is_exact_for(20001);
    is_exact_for(100000);
    is_exact_for(30000); /* painted anew: less than before */
}

TEST(paint_is_exact_in_a_thread)
{
    needs_plain_frames();
    run_on_thread(256 * KIB, exact_for_several);
}

TEST(paint_is_exact_on_the_main_stack)
{
    needs_plain_frames();
    exact_for_several();
}

TEST(paint_is_exact_on_an_alternate_signal_stack)
{
    needs_plain_frames();
    run_on_signal_stack(exact_for_several);
}

static void stays_until_more_is_used(void)
{
    CHECK_EQ(ashlar_stack_paint(SIZE_MAX), 0);
    use(50000);
    measure();
    const size_t first = depth.bytes;
    use(20000);
    measure();
    CHECK_EQ(depth.bytes, first);
    use(50064);
    measure();
    CHECK(depth.bytes >= first + 48 && depth.bytes <= first + 96);
}

TEST(the_high_water_stays_until_more_is_used)
{
    needs_plain_frames();
    run_on_thread(256 * KIB, stays_until_more_is_used);
}

static void needs_pagemap(void)
{
    if (test_emulated() || access("/proc/self/pagemap", R_OK) != 0)
        SKIP("the kernel's account of pages is not to be had");
}

static void more_than_was_painted(void)
{
    CHECK_EQ(ashlar_stack_paint(32 * KIB), 0);
    use(16 * KIB);
    measure();
    CHECK_EQ(depth.exact, 1);
    const size_t before = depth_here();
    use(100 * KIB);
    measure();
    CHECK_EQ(depth.exact, 0);
    CHECK(depth.bytes >= before + 100 * KIB);
}

TEST(below_what_is_painted_pages_are_counted)
{
    needs_plain_frames();
    needs_pagemap();
    run_on_thread(512 * KIB, more_than_was_painted);
}

/* A frame that is written at its lower end alone passes over all paint. */
static void __attribute__((noinline, no_sanitize("address", "thread"))) use_below(size_t n)
{
    volatile char *const at = __builtin_alloca(n);
    at[0] = 1;
    __asm__ volatile("" : : "r"(at) : "memory"); /* else clang keeps the one byte that is used */
}

static void passed_over(void)
{
    const struct rlimit none = {0, 0};
    CHECK_EQ(ashlar_stack_paint(32 * KIB), 0);
    use_below(100 * KIB);
    measure();
    CHECK_EQ(depth.exact, 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0); /* the account of pages cannot be opened */
    size_t bytes = 17;
    int exact = 18;
    CHECK_EQ(ashlar_stack_high_water(&bytes, &exact), ENOTSUP);
    CHECK(bytes == 17 && exact == 18);
    CHECK_EQ(ashlar_stack_paint(SIZE_MAX), 0);
    use(20000);
    measure();
    CHECK_EQ(depth.exact, 1); /* paint to the very end needs no account */
}

TEST(paint_that_may_have_been_passed_over_is_not_exact)
{
    needs_plain_frames();
    needs_pagemap();
    run_on_thread(512 * KIB, passed_over);
}

static void by_pages(void)
{
    const size_t before = depth_here();
    use(100000);
    measure();
    CHECK_EQ(depth.exact, 0);
    CHECK(depth.bytes >= before + 100000);
    CHECK(depth.bytes <= (uintptr_t)place_bounds().hi - (uintptr_t)place_bounds().lo);
}

TEST(without_paint_pages_are_counted)
{
    needs_pagemap();
    by_pages();
    run_on_thread(512 * KIB, by_pages);
}

static void pages_of_a_fresh_stack(void)
{
    measure();
    CHECK_EQ(depth.exact, 0);
    CHECK(depth.bytes < MIB);
    use(2 * MIB);
    measure();
    CHECK(depth.bytes > 2 * MIB && depth.bytes < 2 * MIB + 256 * KIB);
}

TEST(pages_that_were_never_touched_do_not_count)
{
    needs_pagemap();
    needs_plain_frames();
    run_on_thread(16 * MIB, pages_of_a_fresh_stack);
}

static void painting_nothing(void)
{
    CHECK_EQ(ashlar_stack_paint(SIZE_MAX), 0);
    CHECK_EQ(ashlar_stack_paint(0), 0);
    measure();
    CHECK_EQ(depth.exact, 0);
}

TEST(painting_nothing_forgets_the_paint)
{
    needs_pagemap();
    run_on_thread(256 * KIB, painting_nothing);
}

static void paint_on_another_stack(void)
{
    CHECK_EQ(ashlar_stack_paint(SIZE_MAX), 0);
    run_on_signal_stack(measure);
    CHECK_EQ(depth.exact, 0);
    measure();
    CHECK_EQ(depth.exact, 1);
}

TEST(paint_counts_for_the_stack_it_is_on)
{
    needs_pagemap();
    run_on_thread(256 * KIB, paint_on_another_stack);
}

static void unknown(void)
{
    size_t bytes = 17;
    int exact = 18;
    CHECK_EQ(ashlar_stack_paint(SIZE_MAX), ENOTSUP);
    CHECK_EQ(ashlar_stack_high_water(&bytes, &exact), ENOTSUP);
    CHECK(bytes == 17 && exact == 18);
}

TEST(a_coroutines_stack_is_neither_painted_nor_measured) { run_on_coroutine(unknown); }
