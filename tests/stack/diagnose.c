/* diagnose.c: an overflow says so and dies of SIGSEGV all the same; every other fault is as it was. */
#include "places.h"

#include "../lib/self.h"

#include <sys/resource.h>
#include <sys/syscall.h>

enum { ERRNO = 4711 };

static void needs_plain_signals(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("SIGSEGV is the sanitizer's");
}

static void ask_for_diagnosis(void)
{
    errno = ERRNO;
    CHECK_EQ(ashlar_stack_diagnose(), 0);
    CHECK_EQ(ashlar_stack_diagnose(), 0); /* again is harmless */
    CHECK_EQ(errno, ERRNO);
}

/* ---- Overflows ---- */

static volatile size_t turns; /* read at every turn: the compiler cannot know that there is no end */

static size_t __attribute__((noinline)) overflow(size_t depth, const volatile char *above)
{
    volatile char frame[200];
    frame[0] = (char)depth;
    const size_t result = turns != 1 ? overflow(depth + 1, frame) : 0;
    return result + (size_t)frame[0] + (size_t)above[0];
}

static size_t __attribute__((noinline)) overflow_in_large_frames(size_t depth)
{
    volatile char frame[20000];
    frame[0] = (char)depth;
    const size_t result = turns != 1 ? overflow_in_large_frames(depth + 1) : 0;
    return result + (size_t)frame[0];
}

/* Recursion through A and B: their memory comes from the heap in the end, so the frames themselves run out. */
static size_t __attribute__((noinline)) overflow_through_tools(size_t depth)
{
    ASHLAR_SCRATCH(s, 16);
    ASHLAR_GUARD(g);
    char *const scratch = ashlar_scratch_get(&s, depth % 32);
    char *const checked = ASHLAR_ALLOCA(char, 2000, g);
    if (scratch == NULL || checked == NULL)
        _exit(3);
    checked[0] = checked[1999] = 1;
    const size_t result = turns != 1 ? overflow_through_tools(depth + 1) : 0;
    return result + (size_t)checked[0];
}

static void run_over(void) { turns = overflow(0, ""); }
static void run_over_in_large_frames(void) { turns = overflow_in_large_frames(0); }
static void run_over_through_tools(void) { turns = overflow_through_tools(0); }

/* The child died of SIGSEGV and said that it was an overflow of the stack `info`. */
static void check_diagnosis(struct ashlar_stack_info info)
{
    unsigned long thread, address, lo, hi, limit;
    int end = 0;
    const char *const line = test_child_stderr();
    CHECK(WIFSIGNALED(test_child_status()) && WTERMSIG(test_child_status()) == SIGSEGV);
    if (sscanf(line, "ashlar: stack overflow in thread %lu at 0x%lx (stack 0x%lx-0x%lx, limit %lu)\n%n", &thread,
               &address, &lo, &hi, &limit, &end) != 5 ||
        line[end] != '\0')
        test_fail(__FILE__, __LINE__, "the child printed \"%s\"", line);
    CHECK(thread > 1);
    CHECK_EQ(lo, info.lo);
    CHECK_EQ(hi, info.hi);
    CHECK_EQ(limit, hi - lo);
    CHECK(address < lo && lo - address <= info.guard + 64 * KIB);
}

/* In a child: ask on this stack, then overflow it. */
static void dies_with_diagnosis(place_body *run)
{
    const struct ashlar_stack_info info = place_bounds();
    if (test_child_begin()) {
        ask_for_diagnosis();
        run();
        test_child_end();
    }
    check_diagnosis(info);
}

static void overflow_is_told(void) { dies_with_diagnosis(run_over); }
static void overflow_in_large_frames_is_told(void) { dies_with_diagnosis(run_over_in_large_frames); }
static void overflow_through_tools_is_told(void) { dies_with_diagnosis(run_over_through_tools); }

static void on_main_and_in_a_thread(place_body *body)
{
    needs_plain_signals();
    body();
    run_on_thread(64 * KIB, body);
    run_on_thread(MIB, body);
}

TEST(an_overflow_is_told) { on_main_and_in_a_thread(overflow_is_told); }
TEST(so_is_one_in_large_frames) { on_main_and_in_a_thread(overflow_in_large_frames_is_told); }
TEST(the_heap_takes_over_until_frames_themselves_run_out) { on_main_and_in_a_thread(overflow_through_tools_is_told); }

TEST(under_a_lowered_limit_that_limit_is_told)
{
    needs_plain_signals();
    const struct rlimit limit = {MIB, MIB};
    (void)place_bounds();
    if (test_emulated() || setrlimit(RLIMIT_STACK, &limit) != 0)
        SKIP("the limit of the stack cannot be set so");
    overflow_is_told();
    CHECK(strstr(test_child_stderr(), "limit 1048576)") != NULL);
}

TEST(where_proc_is_closed_it_is_told_by_what_was_known)
{
    needs_plain_signals();
    if (test_emulated())
        SKIP("resource limits of the emulator are its own");
    const struct ashlar_stack_info info = place_bounds();
    const struct rlimit none = {0, 0};
    if (test_child_begin()) {
        ask_for_diagnosis();
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
        run_over();
        test_child_end();
    }
    check_diagnosis(info);
}

/* Without a limit the stack grows until it comes near the mapping below it. */
TEST(without_a_limit_the_gap_above_the_next_mapping_is_the_end)
{
    needs_plain_signals();
    if (test_emulated())
        SKIP("the emulator has stacks of its own");
    const struct ashlar_stack_info info = place_bounds();
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_STACK, &limit) != 0)
        SKIP("the limit of the stack cannot be set so");
    if (test_child_begin()) {
        const uintptr_t block = (uintptr_t)info.hi - 20 * MIB;
        CHECK_EQ(mmap((void *)block, place_page_bytes(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                      -1, 0),
                 block);
        ask_for_diagnosis();
        run_over();
        test_child_end();
    }
    CHECK(strstr(test_child_stderr(), "ashlar: stack overflow in thread ") == test_child_stderr());
    CHECK(WIFSIGNALED(test_child_status()) && WTERMSIG(test_child_status()) == SIGSEGV);
}

/* ---- Other faults ---- */

static void fault(void) { *(volatile char *)16 = 1; }

static void fault_that_is_sent(void) { CHECK_EQ(raise(SIGSEGV), 0); }

/* In a child that asked: dies of SIGSEGV without a word. */
static void dies_silently(place_body *body)
{
    if (test_child_begin()) {
        ask_for_diagnosis();
        body();
        test_child_end();
    }
    CHECK(WIFSIGNALED(test_child_status()) && WTERMSIG(test_child_status()) == SIGSEGV);
    CHECK_EQ(test_child_stderr()[0], '\0');
}

TEST(another_fault_dies_as_before)
{
    needs_plain_signals();
    dies_silently(fault);
    dies_silently(fault_that_is_sent);
}

static void handle_by(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK_EQ(sigaddset(&action.sa_mask, SIGUSR1), 0);
    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
}

static void handler_with_number(int signal)
{
    sigset_t blocked;
    CHECK_EQ(signal, SIGSEGV);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    CHECK(sigismember(&blocked, SIGUSR1) == 1 && sigismember(&blocked, SIGSEGV) == 1);
    _exit(7);
}

static void handler_with_info(int signal, siginfo_t *info, void *context)
{
    CHECK_EQ(signal, SIGSEGV);
    CHECK_EQ(info->si_addr, 16);
    CHECK(context != NULL);
    _exit(8);
}

TEST(a_handler_that_was_there_gets_other_faults)
{
    needs_plain_signals();
    EXITS(7)
    {
        handle_by(handler_with_number, 0);
        ask_for_diagnosis();
        fault();
    }
    EXITS(8)
    {
        const struct sigaction action = {.sa_sigaction = handler_with_info, .sa_flags = SA_SIGINFO};
        CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
        ask_for_diagnosis();
        fault();
    }
}

static volatile sig_atomic_t returns;

static void handler_that_returns(int signal)
{
    sigset_t blocked;
    (void)signal;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    CHECK_EQ(sigismember(&blocked, SIGSEGV), 0); /* SA_NODEFER */
    returns++;
}

TEST(its_flags_are_obeyed)
{
    needs_plain_signals();
    EXITS(0)
    {
        sigset_t blocked;
        handle_by(handler_that_returns, SA_NODEFER);
        ask_for_diagnosis();
        fault_that_is_sent();
        fault_that_is_sent();
        CHECK_EQ(returns, 2);
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
        CHECK_EQ(sigismember(&blocked, SIGUSR1), 0);
    }
    if (test_child_begin()) {
        handle_by(handler_that_returns, SA_NODEFER | (int)SA_RESETHAND);
        ask_for_diagnosis();
        fault_that_is_sent(); /* the handler's one time */
        fault_that_is_sent();
        test_child_end();
    }
    CHECK(WIFSIGNALED(test_child_status()) && WTERMSIG(test_child_status()) == SIGSEGV);
}

TEST(where_it_was_ignored_a_signal_is_and_a_fault_is_not)
{
    needs_plain_signals();
    EXITS(0)
    {
        handle_by(SIG_IGN, 0);
        ask_for_diagnosis();
        fault_that_is_sent();
    }
    if (test_child_begin()) {
        handle_by(SIG_IGN, 0);
        ask_for_diagnosis();
        fault();
        test_child_end();
    }
    CHECK(WIFSIGNALED(test_child_status()) && WTERMSIG(test_child_status()) == SIGSEGV);
}

TEST(an_overflow_comes_before_a_handler_that_was_there)
{
    needs_plain_signals();
    handle_by(handler_with_number, SA_ONSTACK);
    overflow_is_told();
}

/* ---- Alternate stacks ---- */

TEST(an_alternate_stack_of_the_programs_is_kept)
{
    const size_t bytes = place_signal_bytes();
    const stack_t ours = {.ss_sp = place_map(bytes), .ss_size = bytes};
    stack_t now;
    CHECK_EQ(sigaltstack(&ours, NULL), 0);
    ask_for_diagnosis();
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_EQ(now.ss_sp, ours.ss_sp);
}

static void *ask_and_end(void *unused)
{
    ask_for_diagnosis();
    return unused;
}

static size_t mappings_after_threads(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, ask_and_end, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    return self_mapping_count();
}

TEST(a_thread_that_ends_leaves_no_alternate_stack)
{
    const size_t before = mappings_after_threads(3), after = mappings_after_threads(100);
    needs_own_mappings();
    CHECK_EQ(after, before);
}

static void unknown(void)
{
    errno = ERRNO;
    CHECK_EQ(ashlar_stack_diagnose(), ENOTSUP);
    CHECK_EQ(errno, ERRNO);
}

TEST(an_unknown_stack_has_no_diagnosis) { run_on_coroutine(unknown); }
