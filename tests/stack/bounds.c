/* bounds.c: where a stack ends, on every kind of stack, under every kind of limit, and whether it is true: what is said
 * to be there is touched, and what lies below is no stack. */
#include "refusing_malloc.h"

#include "places.h"

#include <sys/resource.h>

enum { ERRNO = 4711 };

static uintptr_t lo_of(struct ashlar_stack_info info) { return (uintptr_t)info.lo; }

static uintptr_t __attribute__((noinline)) here(void) { return (uintptr_t)__builtin_frame_address(0); }

/* What must hold wherever the caller runs. */
static struct ashlar_stack_info check_bounds(int kind)
{
    errno = ERRNO;
    const struct ashlar_stack_info info = place_bounds();
    CHECK_EQ(errno, ERRNO);
    CHECK_EQ(info.kind, kind);
    CHECK(here() >= lo_of(info) && here() < (uintptr_t)info.hi);
    const size_t left = ashlar_stack_left(), mine = here() - lo_of(info);
    CHECK(left <= mine + 256 && mine <= left + 256);
    CHECK_EQ(errno, ERRNO);
    return info;
}

static void set_limit(size_t bytes)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
    limit.rlim_cur = bytes;
    if (limit.rlim_max < bytes || test_emulated() || setrlimit(RLIMIT_STACK, &limit) != 0)
        SKIP("the limit of the stack cannot be set so");
}

/* Touch each page from the caller's frame down to `lo`. */
static void __attribute__((noinline, no_sanitize("address", "thread"))) touch_down_to(uintptr_t lo)
{
    const size_t page = place_page_bytes();
    for (uintptr_t at = here() - 512; at > lo && at - lo > page; at -= page)
        *(volatile char *)at = 1;
    *(volatile char *)lo = 1;
}

/* A sanitizer's shadow, or the emulator's guard page, may lie below the main stack and cut it short. */
static void needs_a_free_place_below(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN || test_emulated())
        SKIP("what lies below the stack is not free there");
}

/* ---- Main ---- */

TEST(the_main_stack_has_its_limit)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_MAIN);
    CHECK((char *)getauxval(AT_RANDOM) < (char *)info.hi);
    CHECK(info.guard > 0);
    CHECK_EQ(info.estimate, limit.rlim_cur == RLIM_INFINITY);
    needs_a_free_place_below();
    if (limit.rlim_cur != RLIM_INFINITY)
        CHECK_EQ((uintptr_t)info.hi - lo_of(info), limit.rlim_cur);
}

TEST(what_is_said_to_be_left_of_the_main_stack_is_there)
{
    const struct ashlar_stack_info info = place_bounds();
    EXITS(0) { touch_down_to(lo_of(info) + 64 * KIB); }
}

TEST(a_lowered_limit_counts_at_once)
{
    const struct ashlar_stack_info before = place_bounds();
    set_limit(MIB);
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_MAIN);
    CHECK_EQ(info.estimate, 0);
    CHECK_EQ((uintptr_t)info.hi - lo_of(info), MIB);
    CHECK(lo_of(info) > lo_of(before));
    EXITS(0) { touch_down_to(lo_of(info) + 64 * KIB); }
}

TEST(a_limit_that_is_no_multiple_of_a_page_ends_at_a_page)
{
    set_limit(MIB + 1000);
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_MAIN);
    CHECK_EQ((uintptr_t)info.hi - lo_of(info), MIB);
}

/* ASHLAR_ALLOCA takes a quarter of what it believes to be left. */
static bool __attribute__((noinline)) alloca_takes(size_t n)
{
    ASHLAR_GUARD(g);
    char *const at = ASHLAR_ALLOCA(char, n, g);
    CHECK(at != NULL);
    return is_on_stack(at);
}

TEST(checked_alloca_follows_a_lowered_limit_after_a_refresh)
{
    (void)ashlar_stack_left();
    set_limit(200 * KIB);
    errno = ERRNO;
    ashlar_stack_refresh();
    CHECK_EQ(errno, ERRNO);
    CHECK(!alloca_takes(60 * KIB));
    CHECK(alloca_takes(10 * KIB));
}

TEST(below_a_limit_that_is_passed_already_nothing_is_left)
{
    (void)ashlar_stack_left();
    const volatile size_t depth = 300 * KIB;
    volatile char *const deep = __builtin_alloca(depth);
    deep[0] = 1;
    touch_down_to(here() - 256 * KIB); /* what is there already stays */
    set_limit(100 * KIB);
    CHECK_EQ(ashlar_stack_left(), 0);
    ashlar_stack_refresh();
    CHECK_EQ(ashlar_stack_left(), 0);
    CHECK_EQ(deep[0], 1);
}

TEST(a_raised_limit_is_not_trusted)
{
    const struct ashlar_stack_info before = place_bounds();
    if (before.estimate)
        SKIP("the stack has no limit");
    set_limit(1024 * MIB);
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_MAIN);
    CHECK_EQ(info.estimate, 1);
    CHECK_EQ(info.lo, before.lo);
    set_limit((uintptr_t)before.hi - lo_of(before));
    CHECK_EQ(check_bounds(ASHLAR_STACK_MAIN).estimate, 0);
}

TEST(without_a_limit_eight_mib_are_supposed)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer does not start without a limit of the stack");
    if (!test_restarted())
        set_limit(RLIM_INFINITY);
    test_restart(NULL);
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_MAIN);
    CHECK_EQ(info.estimate, 1);
    CHECK((uintptr_t)info.hi - lo_of(info) <= 8 * MIB);
    CHECK((uintptr_t)info.hi - lo_of(info) >= 4 * MIB);
    CHECK(alloca_takes(60 * KIB));
    EXITS(0) { touch_down_to(lo_of(info) + 64 * KIB); }
}

TEST(a_mapping_below_cuts_the_stack_short)
{
    needs_a_free_place_below();
    const struct ashlar_stack_info before = place_bounds();
    if ((uintptr_t)before.hi - lo_of(before) < 6 * MIB)
        SKIP("the stack is too small to be cut");
    const uintptr_t block = lo_of(before) + 2 * MIB;
    void *const at =
        mmap((void *)block, place_page_bytes(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK_EQ(at, block);
    ashlar_stack_refresh();
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_MAIN);
    CHECK_EQ(info.lo, block + 257 * place_page_bytes());
    EXITS(0) { touch_down_to(lo_of(info)); }
}

/* ---- Threads ---- */

static void as_libc_says(void)
{
    pthread_attr_t attributes;
    void *lo;
    size_t bytes, guard;
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_THREAD);
    CHECK_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    CHECK_EQ(pthread_attr_getstack(&attributes, &lo, &bytes), 0);
    CHECK_EQ(pthread_attr_getguardsize(&attributes, &guard), 0);
    CHECK_EQ(pthread_attr_destroy(&attributes), 0);
    CHECK_EQ(info.lo, lo);
    CHECK_EQ((char *)info.hi, (char *)lo + bytes);
    CHECK_EQ(info.guard, guard);
    CHECK_EQ(info.estimate, 0);
}

TEST(a_threads_stack_is_what_libc_says)
{
    run_on_thread(16 * KIB, as_libc_says);
    run_on_thread(8 * MIB, as_libc_says);
}

static void truth_of_a_thread(void)
{
    const struct ashlar_stack_info info = place_bounds();
    EXITS(0) { touch_down_to(lo_of(info)); }
    if (test_child_begin()) {
        touch_down_to(lo_of(info) - 1);
        test_child_end();
    }
    const int status = test_child_status();
    CHECK(WIFSIGNALED(status) || TEST_UNDER_ASAN || TEST_UNDER_TSAN);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    CHECK(!WIFSIGNALED(status) || WTERMSIG(status) == SIGSEGV);
}

TEST(a_threads_stack_is_there_to_its_last_byte_and_not_beyond)
{
    run_on_thread(16 * KIB, truth_of_a_thread);
    run_on_thread(2 * MIB, truth_of_a_thread);
}

static void limits_are_not_a_threads(void)
{
    const struct ashlar_stack_info before = place_bounds();
    set_limit(64 * KIB);
    ashlar_stack_refresh();
    CHECK_EQ(check_bounds(ASHLAR_STACK_THREAD).lo, before.lo);
}

TEST(the_limit_does_not_change_a_threads_stack) { run_on_thread(MIB, limits_are_not_a_threads); }

static void *on_a_stack_of_the_programs(void *start)
{
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_THREAD);
    CHECK_EQ(info.lo, start);
    CHECK_EQ((char *)info.hi, (char *)start + MIB);
    return NULL;
}

TEST(a_stack_that_the_program_gave_to_a_thread)
{
    char *const start = place_map(MIB);
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstack(&attributes, start, MIB), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, on_a_stack_of_the_programs, start), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- Children ---- */

static struct ashlar_stack_info expected;

static void as_in_the_parent(void)
{
    const struct ashlar_stack_info info = check_bounds(expected.kind);
    CHECK(info.lo == expected.lo && info.hi == expected.hi);
}

TEST(a_child_of_the_main_thread_has_the_same_stack)
{
    expected = place_bounds();
    run_in_child(as_in_the_parent);
}

static void child_of_a_thread(void)
{
    expected = place_bounds();
    run_in_child(as_in_the_parent);
}

TEST(a_child_of_a_thread_has_the_threads_stack) { run_on_thread(MIB, child_of_a_thread); }

static void bounds_of_a_thread(void) { check_bounds(ASHLAR_STACK_THREAD); }
static void first_call_in_a_child(void) { run_in_child(bounds_of_a_thread); }

TEST(so_has_one_whose_thread_never_asked) { run_on_thread(MIB, first_call_in_a_child); }

static void bounds_of_main(void) { check_bounds(ASHLAR_STACK_MAIN); }

TEST(so_has_one_whose_main_thread_never_asked) { run_in_child(bounds_of_main); }

/* ---- Alternate signal stacks ---- */

static void *signal_start;

static void exactly_the_signal_stack(void)
{
    const struct ashlar_stack_info info = check_bounds(ASHLAR_STACK_SIGNAL);
    CHECK_EQ(info.lo, signal_start);
    CHECK_EQ((char *)info.hi, (char *)signal_start + place_signal_bytes());
    CHECK_EQ(info.estimate, 0);
}

static void unknown(void)
{
    struct ashlar_stack_info info = {NULL, NULL, 1, 2, 3};
    errno = ERRNO;
    CHECK_EQ(ashlar_stack_bounds(&info), ENOTSUP);
    CHECK(info.lo == NULL && info.guard == 1 && info.estimate == 3);
    CHECK_EQ(ashlar_stack_left(), 0);
    CHECK_EQ(errno, ERRNO);
}

static void on_signal_stack(place_body *body, int flags)
{
    (void)ashlar_stack_left();
    signal_start = place_map(place_signal_bytes());
    run_on_signal_stack_at(signal_start, place_signal_bytes(), flags, body);
}

TEST(an_alternate_signal_stack) { on_signal_stack(exactly_the_signal_stack, 0); }

static void alternate_in_a_thread(void) { on_signal_stack(exactly_the_signal_stack, 0); }
TEST(an_alternate_signal_stack_of_a_thread) { run_on_thread(MIB, alternate_in_a_thread); }

TEST(an_alternate_signal_stack_in_an_array_on_the_main_stack)
{
    if (test_emulated())
        SKIP("the emulator takes such a stack for in use");
    (void)ashlar_stack_left();
    signal_start = __builtin_alloca(place_signal_bytes());
    run_on_signal_stack_at(signal_start, place_signal_bytes(), 0, exactly_the_signal_stack);
}

TEST(an_alternate_signal_stack_that_disarms_itself_is_not_known)
{
    const int autodisarm = (int)(1u << 31); /* SS_AUTODISARM, which libc's headers lack */
    if (test_emulated())
        SKIP("the emulator does not know SS_AUTODISARM");
    on_signal_stack(unknown, autodisarm);
}

static long calls_in_handler;

static void ask_in_handler(int signal)
{
    struct ashlar_stack_info info;
    (void)signal;
    const long calls = refusing_calls;
    CHECK_EQ(ashlar_stack_bounds(&info), 0);
    CHECK(ashlar_stack_left() > 0);
    calls_in_handler = refusing_calls - calls;
}

TEST(after_the_first_call_nothing_is_allocated)
{
    needs_counting();
    (void)ashlar_stack_left();
    const struct sigaction action = {.sa_handler = ask_in_handler};
    calls_in_handler = -1;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(calls_in_handler, 0);
}

/* ---- Others ---- */

TEST(the_stack_of_a_coroutine_is_not_known)
{
    (void)ashlar_stack_left();
    run_on_coroutine(unknown);
    check_bounds(ASHLAR_STACK_MAIN);
}

TEST(a_first_call_on_a_coroutine_finds_the_threads_own_stack_all_the_same)
{
    run_on_coroutine(unknown);
    check_bounds(ASHLAR_STACK_MAIN);
}

TEST(where_proc_is_closed_the_main_stack_is_not_known)
{
    if (test_emulated())
        SKIP("resource limits of the emulator are its own");
    const struct rlimit none = {0, 0};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    unknown();
}
