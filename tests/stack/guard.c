/* guard.c: tool B. The stack while there is plenty, the heap when there is not, or when nobody knows. */
#include "refusing_malloc.h"

#include "places.h"

enum { ERRNO = 4711 };

#define ON_STACK ((size_t)64 * KIB) /* the most that one guard takes there */

static volatile unsigned char sink;

/* Write every byte, so that memory that is not there is noticed. */
static void fill(void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile unsigned char *)at)[i] = (unsigned char)i;
    sink = n > 0 ? ((unsigned char *)at)[n - 1] : 0;
}

/* Ask for `n` bytes in a function of its own. returns: whether they came from the stack. */
static bool __attribute__((noinline)) comes_from_stack(size_t n)
{
    ASHLAR_GUARD(g);
    errno = ERRNO;
    char *const at = ASHLAR_ALLOCA(char, n, g);
    CHECK(at != NULL);
    CHECK_EQ(errno, ERRNO);
    CHECK_EQ((uintptr_t)at % 16, 0);
    fill(at, n);
    return is_on_stack(at);
}

/* The same by distance, for a stack whose bounds are not known. */
static bool __attribute__((noinline)) comes_from_near(size_t n)
{
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    ASHLAR_GUARD(g);
    char *const at = ASHLAR_ALLOCA(char, n, g);
    CHECK(at != NULL);
    fill(at, n);
    return here - (uintptr_t)at < MIB;
}

/* ---- Limits ---- */

TEST(a_request_up_to_the_limit_comes_from_the_stack)
{
    CHECK(comes_from_stack(0));
    CHECK(comes_from_stack(1));
    CHECK(comes_from_stack(ON_STACK - 16));
    CHECK(comes_from_stack(ON_STACK - 1)); /* rounded up to the limit */
    CHECK(comes_from_stack(ON_STACK));
    CHECK(!comes_from_stack(ON_STACK + 1));
    CHECK(!comes_from_stack(MIB));
}

static void a_quarter_of_what_is_left(void)
{
    const size_t left = ashlar_stack_left();
    CHECK(left > 1024 && left < 4 * ON_STACK);
    CHECK(comes_from_stack(left / 8));
    CHECK(!comes_from_stack(left / 4 + 16));
    CHECK(!comes_from_stack(left));
    CHECK(!comes_from_stack(2 * left));
}

TEST(on_a_small_stack_a_quarter_of_what_is_left)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer needs a larger stack");
    run_on_thread(16 * KIB, a_quarter_of_what_is_left);
    run_on_thread(64 * KIB, a_quarter_of_what_is_left);
}

TEST(a_hundred_requests_of_4000_bytes_put_16_on_the_stack)
{
    ASHLAR_GUARD(g);
    int on_stack = 0;
    for (int i = 0; i < 100; i++) {
        char *const at = ASHLAR_ALLOCA(char, 4000, g);
        CHECK(at != NULL);
        fill(at, 4000);
        on_stack += is_on_stack(at);
    }
    CHECK_EQ(on_stack, 16);
}

TEST(requests_do_not_overlap)
{
    ASHLAR_GUARD(g);
    unsigned char *blocks[200];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = ASHLAR_ALLOCA(unsigned char, i * 5, g);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], (int)i, i * 5);
    }
    for (size_t i = 0; i < COUNT(blocks); i++)
        for (size_t j = 0; j < i * 5; j++)
            CHECK_EQ(blocks[i][j], (unsigned char)i);
}

TEST(a_million_requests_use_less_than_68_kib_of_stack)
{
    if (TEST_UNDER_ASAN)
        SKIP("the sanitizer puts a zone around each alloca");
    ASHLAR_GUARD(g);
    const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    uintptr_t lowest = frame;
    const struct ashlar_stack_info info = place_bounds();
    const size_t count = test_emulated() ? 100000 : 1000000;
    for (size_t i = 0; i < count; i++) {
        size_t *const at = ASHLAR_ALLOCA(size_t, 1 + i % 7, g);
        CHECK(at != NULL);
        at[i % 7] = i;
        if ((uintptr_t)at >= (uintptr_t)info.lo && (uintptr_t)at < lowest)
            lowest = (uintptr_t)at;
    }
    CHECK(lowest < frame && frame - lowest < 68 * KIB);
}

/* ---- Sizes and alignments ---- */

TEST(a_product_that_overflows_is_refused)
{
    const size_t counts[] = {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 8 + 1, SIZE_MAX / 16 + 1, SIZE_MAX / 8 + 2};
    ASHLAR_GUARD(g);
    for (size_t i = 0; i < COUNT(counts); i++) {
        errno = 0;
        CHECK_EQ(ASHLAR_ALLOCA(uint64_t, counts[i], g), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
    CHECK(ASHLAR_ALLOCA(uint64_t, 1, g) != NULL); /* the guard goes on */
}

TEST(nothing_is_still_a_place_of_its_own)
{
    ASHLAR_GUARD(g);
    char *const first = ASHLAR_ALLOCA(char, 0, g), *const second = ASHLAR_ALLOCA(char, 0, g);
    CHECK(first != NULL && second != NULL && first != second);
    fill(first, 1);
}

TEST(the_count_is_evaluated_once)
{
    ASHLAR_GUARD(g);
    size_t i = 3;
    int *const on_stack = ASHLAR_ALLOCA(int, i++, g);
    CHECK(on_stack != NULL);
    CHECK_EQ(i, 4);
    i = MIB;
    int *const on_heap = ASHLAR_ALLOCA(int, i++, g);
    CHECK(on_heap != NULL);
    CHECK_EQ(i, MIB + 1);
}

/* CHECK_ALIGNED(n): a type that is aligned to n, from the stack and from the heap. What was taken before lies above it,
 * and stays as it was. */
#define CHECK_ALIGNED(n)                                                                                               \
    do {                                                                                                               \
        struct aligned {                                                                                               \
            _Alignas(n) char c[n];                                                                                     \
        };                                                                                                             \
        unsigned char *const before = ASHLAR_ALLOCA(unsigned char, 16, g);                                             \
        CHECK(before != NULL);                                                                                         \
        memset(before, 0x5a, 16);                                                                                      \
        struct aligned *const on_stack = ASHLAR_ALLOCA(struct aligned, 2, g);                                          \
        struct aligned *const on_heap = ASHLAR_ALLOCA(struct aligned, 2 * MIB / (n), g);                               \
        CHECK(on_stack != NULL && on_heap != NULL);                                                                    \
        CHECK(is_on_stack(on_stack) && !is_on_stack(on_heap));                                                         \
        CHECK_EQ((uintptr_t)on_stack % (n), 0);                                                                        \
        CHECK_EQ((uintptr_t)on_heap % (n), 0);                                                                         \
        CHECK((uintptr_t)(on_stack + 2) <= (uintptr_t)before);                                                         \
        fill(on_stack, 2 * sizeof *on_stack);                                                                          \
        fill(on_heap, 2 * MIB);                                                                                        \
        for (int i = 0; i < 16; i++)                                                                                   \
            CHECK_EQ(before[i], 0x5a);                                                                                 \
    } while (0)

TEST(every_alignment_up_to_4096)
{
    ASHLAR_GUARD(g);
    CHECK_ALIGNED(1);
    CHECK_ALIGNED(2);
    CHECK_ALIGNED(4);
    CHECK_ALIGNED(8);
    CHECK_ALIGNED(16);
    CHECK_ALIGNED(32);
    CHECK_ALIGNED(64);
    CHECK_ALIGNED(128);
    CHECK_ALIGNED(256);
    CHECK_ALIGNED(512);
    CHECK_ALIGNED(1024);
    CHECK_ALIGNED(2048);
    CHECK_ALIGNED(4096);
}

TEST(a_larger_alignment_is_refused)
{
    struct aligned {
        _Alignas(8192) char c;
    };
    ASHLAR_GUARD(g);
    errno = 0;
    CHECK_EQ(ASHLAR_ALLOCA(struct aligned, 1, g), NULL);
    CHECK_EQ(errno, EINVAL);
}

/* ---- The heap part ---- */

static void __attribute__((noinline)) ask_often(size_t n)
{
    ASHLAR_GUARD(g);
    for (int i = 0; i < 50; i++) {
        char *const at = ASHLAR_ALLOCA(char, n, g);
        CHECK(at != NULL);
        fill(at, n);
    }
}

TEST(the_end_of_the_scope_frees_the_heap_part)
{
    needs_counting();
    comes_from_stack(1); /* what the first call in a thread asks libc for */
    const long live = refusing_live, calls = refusing_calls;
    ask_often(1000);
    CHECK_EQ(refusing_calls, calls);
    ask_often(10000);
    CHECK(refusing_calls > calls);
    CHECK_EQ(refusing_live, live);
}

TEST(a_guard_may_be_dropped_early_and_used_on)
{
    const long live = refusing_live;
    ASHLAR_GUARD(g);
    char *const before = ASHLAR_ALLOCA(char, MIB, g);
    CHECK(before != NULL);
    errno = ERRNO;
    ashlar_guard_drop(&g);
    ashlar_guard_drop(&g);
    CHECK_EQ(errno, ERRNO);
    CHECK_EQ(refusing_live, live);
    char *const after = ASHLAR_ALLOCA(char, MIB, g);
    CHECK(after != NULL);
    fill(after, MIB);
}

TEST(where_malloc_refuses_the_answer_is_null)
{
    needs_counting();
    const long live = refusing_live;
    {
        ASHLAR_GUARD(g);
        char *const kept = ASHLAR_ALLOCA(char, MIB, g);
        CHECK(kept != NULL);
        refusing = true;
        errno = 0;
        CHECK_EQ(ASHLAR_ALLOCA(char, MIB, g), NULL);
        CHECK_EQ(errno, ENOMEM);
        char *const small = ASHLAR_ALLOCA(char, 100, g); /* needs no malloc */
        CHECK(small != NULL);
        refusing = false;
        fill(kept, MIB);
    }
    CHECK_EQ(refusing_live, live);
}

static void first_call_without_memory(void)
{
    refusing = true;
    ASHLAR_GUARD(g);
    errno = 0;
    CHECK_EQ(ASHLAR_ALLOCA(char, 100, g), NULL); /* libc cannot say where the stack is, so the heap is asked */
    CHECK_EQ(errno, ENOMEM);
    refusing = false;
    char *const at = ASHLAR_ALLOCA(char, 100, g);
    CHECK(at != NULL && is_on_stack(at));
}

TEST(a_thread_without_memory_for_its_first_call_recovers)
{
    needs_counting();
    run_on_thread(64 * KIB, first_call_without_memory);
}

/* ---- Recursion ---- */

/* Frames of up to 64 KiB, a thousand deep: on a stack of 8 MiB most must come from the heap. */
static size_t __attribute__((noinline)) descend(size_t depth)
{
    ASHLAR_GUARD(g);
    char *const at = ASHLAR_ALLOCA(char, ON_STACK, g);
    CHECK(at != NULL);
    at[0] = 1;
    at[ON_STACK - 1] = 1;
    const size_t below = depth > 0 ? descend(depth - 1) : 0;
    return below + (size_t)(at[0] + at[ON_STACK - 1] - 1) * is_on_stack(at);
}

static void recursion_ends_on_the_heap(void)
{
    enum { DEPTH = TEST_UNDER_ASAN ? 300 : 1000 }; /* its frames are large */
    const size_t on_stack = descend(DEPTH - 1);
    test_note("%zu of %d requests on the stack", on_stack, DEPTH);
    CHECK(on_stack > 0 && on_stack < DEPTH);
}

TEST(the_heap_takes_over_in_a_recursion) { run_on_thread(8 * MIB, recursion_ends_on_the_heap); }

/* ---- Places ---- */

static void stack_for_small_heap_for_large(void)
{
    CHECK(comes_from_stack(100));
    CHECK(!comes_from_stack(10 * MIB));
}

static void heap_only(void)
{
    struct ashlar_stack_info info;
    CHECK_EQ(ashlar_stack_bounds(&info), ENOTSUP);
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    ASHLAR_GUARD(g);
    char *const at = ASHLAR_ALLOCA(char, 100, g);
    CHECK(at != NULL);
    fill(at, 100);
    CHECK((uintptr_t)at - (here - 256 * KIB) > 512 * KIB);
}

TEST(on_the_main_stack) { stack_for_small_heap_for_large(); }
TEST(on_the_stack_of_a_thread) { run_on_thread(16 * KIB, stack_for_small_heap_for_large); }
TEST(on_an_alternate_signal_stack)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer forbids malloc in every handler");
    run_on_signal_stack(stack_for_small_heap_for_large);
}

/* ---- An alternate stack in an array ---- */

enum { IN_ARRAY = 64 * 1024 };

static void small_stays_large_leaves(void)
{
    CHECK(ashlar_stack_left() < IN_ARRAY);
    CHECK(comes_from_stack(100));
    CHECK(!comes_from_stack(IN_ARRAY - 100));
}

static void never_from_the_stack(void) { CHECK(!comes_from_near(100)); }

static void with_an_alternate_stack_in_an_array(int flags, place_body *body)
{
    if (test_emulated())
        SKIP("the emulator takes such a stack for in use");
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer forbids malloc in every handler");
    char array[IN_ARRAY];
    const stack_t stack = {.ss_sp = array, .ss_size = sizeof array, .ss_flags = flags};
    (void)ashlar_stack_left(); /* the first call in the thread comes too early to see it */
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    ashlar_stack_refresh();
    run_on_signal_stack_at(array, sizeof array, flags, body);
}

TEST(on_an_alternate_stack_in_an_array) { with_an_alternate_stack_in_an_array(0, small_stays_large_leaves); }

TEST(on_one_that_disarms_itself)
{
    const int autodisarm = (int)(1u << 31); /* SS_AUTODISARM, which libc's headers lack */
    with_an_alternate_stack_in_an_array(autodisarm, never_from_the_stack);
}

static void alternate_stack_in_a_threads_array(void)
{
    with_an_alternate_stack_in_an_array(0, small_stays_large_leaves);
}
TEST(on_one_in_an_array_of_a_thread) { run_on_thread(MIB, alternate_stack_in_a_threads_array); }

/* ---- Other places ---- */

TEST(on_the_stack_of_a_coroutine) { run_on_coroutine(heap_only); }
TEST(in_a_child_of_the_main_thread) { run_in_child(stack_for_small_heap_for_large); }

static void child_of_thread(void) { run_in_child(stack_for_small_heap_for_large); }
TEST(in_a_child_of_a_thread) { run_on_thread(64 * KIB, child_of_thread); }

static void child_of_thread_that_knows(void)
{
    CHECK(comes_from_stack(100));
    run_in_child(stack_for_small_heap_for_large);
}
TEST(in_a_child_of_a_thread_that_has_asked_before) { run_on_thread(64 * KIB, child_of_thread_that_knows); }
