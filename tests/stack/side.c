/* side.c: tool C. Blocks that outlive functions and end by marks; a model judges random use; misuse has its line. */
#include "refusing_malloc.h"

#include "places.h"

#include "../lib/self.h"

#include <setjmp.h>
#include <sys/resource.h>

enum { ERRNO = 4711 };

static struct ashlar_side_info stat_now(void)
{
    struct ashlar_side_info info;
    CHECK_EQ(ashlar_side_stat(&info), 0);
    CHECK(info.used <= info.high_water && info.high_water <= info.committed && info.committed <= info.reserved);
    return info;
}

static void *allocate(size_t n)
{
    errno = ERRNO;
    void *const at = ashlar_side_alloc(n);
    CHECK(at != NULL && (uintptr_t)at % 16 == 0);
    CHECK_EQ(errno, ERRNO);
    return at;
}

static ashlar_mark push(void)
{
    const ashlar_mark m = ashlar_side_push();
    CHECK(m.serial != 0);
    return m;
}

/* ---- Sizes and alignments ---- */

TEST(before_the_first_use_there_is_nothing)
{
    const struct ashlar_side_info info = stat_now();
    CHECK_EQ(info.reserved, 0);
    CHECK_EQ(info.high_water, 0);
    ashlar_side_trim();
    CHECK_EQ(stat_now().reserved, 0);
}

TEST(sixty_four_mib_are_reserved_and_little_is_committed)
{
    test_restart(NULL);
    CHECK(allocate(1) != NULL);
    CHECK_EQ(stat_now().reserved, 64 * MIB);
    CHECK_EQ(stat_now().used, 16);
    CHECK_EQ(stat_now().committed, 64 * KIB);
}

TEST(the_setting_is_obeyed_to_the_byte)
{
    test_restart("side_stack:1M");
    const ashlar_mark m = push(); /* 16 bytes */
    CHECK_EQ(stat_now().reserved, MIB);
    CHECK(allocate(MIB - 16) != NULL);
    errno = 0;
    CHECK_EQ(ashlar_side_alloc(0), NULL);
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(ashlar_side_push().serial, 0);
    ashlar_side_pop(m);
    CHECK(allocate(MIB - 1) != NULL);
    CHECK_EQ(stat_now().used, MIB);
    CHECK_EQ(stat_now().committed, MIB);
}

TEST(one_byte_more_than_there_is_fails)
{
    test_restart("side_stack:1M");
    const size_t sizes[] = {MIB + 1, 2 * MIB, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 15, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        errno = 0;
        CHECK_EQ(ashlar_side_alloc(sizes[i]), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
    CHECK_EQ(stat_now().used, 0);
    CHECK(allocate(MIB) != NULL);
}

TEST(nothing_is_still_a_place_of_its_own)
{
    char *const first = allocate(0), *const second = allocate(0);
    CHECK(first != second);
    *first = *second = 1;
}

TEST(every_alignment_up_to_4096)
{
    for (size_t align = 1; align <= 4096; align *= 2) {
        (void)allocate(1);
        errno = ERRNO;
        char *const at = ashlar_side_alloc_aligned(100, align);
        CHECK(at != NULL && (uintptr_t)at % align == 0 && (uintptr_t)at % 16 == 0);
        CHECK_EQ(errno, ERRNO);
        memset(at, 1, 100);
    }
}

TEST(other_alignments_are_refused)
{
    const size_t alignments[] = {0, 3, 24, 4095, 8192, SIZE_MAX};
    for (size_t i = 0; i < COUNT(alignments); i++) {
        volatile size_t align = alignments[i]; /* the compiler would complain, too */
        errno = 0;
        CHECK_EQ(ashlar_side_alloc_aligned(1, align), NULL);
        CHECK_EQ(errno, EINVAL);
    }
    CHECK_EQ(stat_now().reserved, 0);
}

/* ---- A model ---- */

enum { DEPTH_MAX = 400, BLOCKS_MAX = 4000 };

static struct {
    ashlar_mark marks[DEPTH_MAX];
    size_t blocks_at[DEPTH_MAX]; /* blocks when the mark was pushed */
    size_t depth;
    struct {
        unsigned char *at;
        size_t bytes;
    } blocks[BLOCKS_MAX];
    size_t count;
} model;

static unsigned char colour(size_t block) { return (unsigned char)(block * 151 + 1); }

/* The first and the last byte tell of every overlap with a neighbour. */
static void check_block(size_t i)
{
    CHECK_EQ(model.blocks[i].at[0], colour(i));
    CHECK_EQ(model.blocks[i].at[model.blocks[i].bytes - 1], colour(i));
}

static void model_alloc(void)
{
    const size_t large = test_random() % 200 == 0 ? 10000 : 100;
    const size_t n = 1 + test_random() % large, align = (size_t)1 << test_random() % 8;
    unsigned char *const at = ashlar_side_alloc_aligned(n, align);
    CHECK(at != NULL && (uintptr_t)at % align == 0);
    if (model.count > 0)
        CHECK(at >= model.blocks[model.count - 1].at + model.blocks[model.count - 1].bytes);
    at[0] = at[n - 1] = colour(model.count);
    model.blocks[model.count].at = at;
    model.blocks[model.count++].bytes = n;
}

static void model_push(void)
{
    model.marks[model.depth] = push();
    model.blocks_at[model.depth++] = model.count;
}

static void model_pop(void)
{
    const size_t levels = model.depth > 2 && test_random() % 10 == 0 ? 1 + test_random() % (model.depth - 1) : 1;
    model.depth -= levels;
    for (size_t i = model.blocks_at[model.depth]; i < model.count; i++)
        check_block(i);
    model.count = model.blocks_at[model.depth];
    ashlar_side_pop(model.marks[model.depth]);
    CHECK_EQ(stat_now().used, model.marks[model.depth].pos - model.marks[0].pos);
}

TEST(a_million_random_steps_agree_with_a_model)
{
    const int steps = test_emulated() ? 100000 : 1000000;
    model_push();
    for (int i = 0; i < steps; i++) {
        const uint64_t what = test_random() % 8;
        if (what < 4 && model.count < BLOCKS_MAX)
            model_alloc();
        else if (what < 6 && model.depth < DEPTH_MAX)
            model_push();
        else if (model.depth > 1)
            model_pop();
    }
    while (model.depth > 0)
        model_pop();
    CHECK_EQ(stat_now().used, 0);
}

/* Inline code and function decide alike where memory becomes ready: at the ends of pages. */
TEST(blocks_that_end_with_a_page_or_beside_it)
{
    for (size_t i = 0; i < 6; i++) {
        const ashlar_mark m = push();
        const size_t page = place_page_bytes(), n = page - stat_now().used % page + 16 * (i % 3) - 16;
        char *const at = i < 3 ? ashlar_side_alloc(n) : (ashlar_side_alloc)(n);
        CHECK_EQ(at, m.pos + 16);
        memset(at, 1, n);
        CHECK_EQ(push().pos, m.pos + 16 + n);
        ashlar_side_pop(m);
    }
    CHECK_EQ(stat_now().used, 0);
}

/* Nobody asks in between: asking takes note. */
TEST(high_water_is_exact_whoever_popped)
{
    const ashlar_mark first = push();
    size_t highest = 0;
    for (int i = 0; i < 1000; i++) {
        const ashlar_mark m = push();
        const size_t n = test_random() % (i < 500 ? 3000 : 300);
        const size_t end = (uintptr_t)ashlar_side_alloc(n) + (n != 0 ? (n + 15) / 16 * 16 : 16) - first.pos;
        highest = end > highest ? end : highest;
        if (i % 2 == 0)
            ashlar_side_pop(m);
        else
            (ashlar_side_pop)(m);
    }
    CHECK_EQ(stat_now().high_water, highest);
    CHECK(allocate(4000) != NULL); /* and when nobody popped */
    CHECK_EQ(stat_now().high_water, 4016);
}

/* ---- Order ---- */

TEST(popping_a_mark_that_was_popped_stops)
{
    const ashlar_mark m = push();
    ashlar_side_pop(m);
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(m); }
}

TEST(also_when_a_block_lies_where_it_was)
{
    const ashlar_mark outer = push(), m = push();
    ashlar_side_pop(m);
    CHECK_EQ(allocate(100), m.pos); /* its header is still there, word for word */
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(m); }
    ashlar_side_pop(outer);
}

TEST(also_when_another_mark_lies_where_it_was)
{
    const ashlar_mark m = push();
    ashlar_side_pop(m);
    const ashlar_mark again = push();
    CHECK_EQ(again.pos, m.pos);
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(m); }
    ashlar_side_pop(again);
}

TEST(popping_a_mark_that_went_with_an_older_one_stops)
{
    const ashlar_mark outer = push(), inner = push();
    ashlar_side_pop(outer);
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(inner); }
}

static ashlar_mark mark_of_another;
static void pop_of_another(void)
{
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(mark_of_another); }
    const ashlar_mark own = push();
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(mark_of_another); }
    ashlar_side_pop(own);
}

TEST(popping_a_mark_of_another_thread_stops)
{
    mark_of_another = push();
    run_on_thread(256 * KIB, pop_of_another);
}

static void push_only(void) { mark_of_another = push(); }

static void pop_of_an_ended_thread(void)
{
    const ashlar_mark own = push();
    CHECK(own.serial != mark_of_another.serial);
    if (own.pos != mark_of_another.pos)
        SKIP("the second thread's side stack lies elsewhere");
    DIES("ashlar: side stack popped out of order (in ashlar_side_pop)") { ashlar_side_pop(mark_of_another); }
}

TEST(popping_a_mark_of_an_ended_thread_in_its_place_stops)
{
    run_on_thread(256 * KIB, push_only);
    run_on_thread(256 * KIB, pop_of_an_ended_thread);
}

TEST(a_scope_that_ends_out_of_order_says_so)
{
    DIES("ashlar: side stack popped out of order (in ASHLAR_SIDE_SCOPE)")
    {
        const ashlar_mark outer = push();
        {
            ASHLAR_SIDE_SCOPE(inner);
            ashlar_side_pop(outer);
        }
    }
}

TEST(a_mark_that_was_overwritten_is_told_from_a_wrong_order)
{
    const size_t words[] = {0, 1, 1}; /* of the header: its serial, the mark before */
    for (size_t i = 0; i < COUNT(words); i++) {
        const ashlar_mark outer = push();
        const uintptr_t block = (uintptr_t)allocate(16);
        const ashlar_mark inner = push();
        CHECK_EQ(inner.pos, block + 16);
        DIES("ashlar: side stack mark overwritten (in ashlar_side_pop)")
        {
            ((volatile uint64_t *)inner.pos)[words[i]] = UINT64_C(0x4141414141414141);
            ashlar_side_pop(i == 1 ? outer : inner);
        }
        ashlar_side_pop(outer);
    }
}

TEST(a_mark_without_a_serial_pops_nothing)
{
    (void)allocate(100);
    ashlar_side_pop((ashlar_mark){0});
    CHECK_EQ(stat_now().used, 112);
}

static jmp_buf outside;

static void __attribute__((noreturn)) through_three_scopes(int depth)
{
    ASHLAR_SIDE_SCOPE(m);
    (void)allocate(1000);
    if (depth == 1)
        longjmp(outside, 1);
    through_three_scopes(depth - 1);
}

TEST(a_longjmp_over_three_scopes_is_mended_by_the_next_pop)
{
    const ashlar_mark m = push();
    const size_t used = stat_now().used;
    if (setjmp(outside) == 0)
        through_three_scopes(3);
    CHECK(stat_now().used > used + 3000);
    ashlar_side_pop(m);
    CHECK_EQ(stat_now().used, used - 16);
}

TEST(a_scope_pops_at_its_end)
{
    size_t used = 0;
    for (int i = 0; i < 1000; i++) {
        ASHLAR_SIDE_SCOPE(m);
        (void)allocate(10000);
        if (i == 0)
            used = stat_now().used;
        CHECK_EQ(stat_now().used, used);
        if (m.serial % 2 == 0)
            continue;
    }
    CHECK_EQ(stat_now().used, 0);
    CHECK_EQ(stat_now().high_water, used);
}

/* ---- Memory ---- */

static void touch(char *at, size_t n)
{
    for (size_t i = 0; i < n; i += 1024)
        at[i] = 1;
}

TEST(what_is_popped_and_trimmed_goes_back_to_the_kernel)
{
    const ashlar_mark m = push();
    for (int i = 0; i < 32; i++)
        touch(allocate(MIB), MIB);
    const size_t before = self_status("VmRSS");
    ashlar_side_pop(m);
    ashlar_side_trim();
    const size_t after = self_status("VmRSS");
    self_needs_true_sizes();
    test_note("resident: %zu, then %zu", before, after);
    CHECK(before >= after + 31 * MIB);
    touch(allocate(32 * MIB), 32 * MIB); /* and comes again */
}

/* Bytes of the side stack, whose first block is `first`, that are in memory. */
static size_t resident(void *first)
{
    static unsigned char pages[4 * MIB / 4096];
    const size_t page = place_page_bytes(), committed = stat_now().committed;
    size_t bytes = 0;
    CHECK(committed <= 4 * MIB);
    CHECK_EQ(mincore(first, committed, pages), 0);
    for (size_t i = 0; i < committed / page; i++)
        bytes += (pages[i] & 1) * page;
    return bytes;
}

TEST(trimming_keeps_what_is_in_use_and_a_little)
{
    char *const kept = allocate(MIB);
    memset(kept, 7, MIB);
    const ashlar_mark m = push();
    touch(allocate(MIB - 64 * KIB), MIB - 64 * KIB); /* less than a pop gives back by itself */
    ashlar_side_pop(m);
    CHECK_EQ(resident(kept), 2 * MIB - 64 * KIB);
    ashlar_side_trim();
    CHECK_EQ(resident(kept), MIB + 256 * KIB);
    for (size_t i = 0; i < MIB; i++)
        CHECK_EQ(kept[i], 7);
}

TEST(a_pop_that_leaves_much_unused_gives_it_back)
{
    char *const first = allocate(16);
    const ashlar_mark m = push();
    touch(allocate(2 * MIB), 2 * MIB);
    CHECK(resident(first) > MIB);
    ashlar_side_pop(m);
    CHECK(resident(first) <= 256 * KIB + place_page_bytes());
}

TEST(both_ends_are_guarded)
{
    test_restart("side_stack:1M");
    char *const first = allocate(MIB);
    first[MIB - 1] = 1;
    const size_t beyond[] = {(size_t)-1, MIB};
    for (size_t i = 0; i < COUNT(beyond); i++) {
        if (test_child_begin()) {
            *(volatile char *)((uintptr_t)first + beyond[i]) = 1;
            test_child_end();
        }
        CHECK(test_child_status() != 0);
    }
}

static void limit(int resource, size_t bytes)
{
    const struct rlimit limit = {bytes, bytes};
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN || test_emulated() || setrlimit((__rlimit_resource_t)resource, &limit) != 0)
        SKIP("address space and data cannot be limited here");
}

TEST(where_address_space_is_short_a_smaller_one_is_made)
{
    limit(RLIMIT_AS, self_status("VmSize") + 10 * MIB);
    touch(allocate(MIB), MIB);
    CHECK_EQ(stat_now().reserved, 8 * MIB);
}

TEST(where_there_is_none_the_answer_is_null)
{
    limit(RLIMIT_AS, self_status("VmSize") + 512 * KIB);
    errno = 0;
    CHECK_EQ(ashlar_side_push().serial, 0);
    CHECK_EQ(errno, ENOMEM);
    errno = 0;
    CHECK_EQ(ashlar_side_alloc(1), NULL);
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(stat_now().reserved, 0);
    ASHLAR_SIDE_SCOPE(m);
    CHECK_EQ(m.serial, 0);
}

TEST(where_data_is_limited_the_answer_is_null_and_the_rest_goes_on)
{
    limit(RLIMIT_DATA, self_status("VmData") + 3 * MIB);
    const ashlar_mark m = push();
    char *at, *last = NULL;
    size_t count = 0;
    for (; (at = ashlar_side_alloc(100 * KIB)) != NULL; last = at, count++)
        touch(at, 100 * KIB);
    CHECK_EQ(errno, ENOMEM);
    CHECK(count >= 20 && count <= 30);
    last[0] = 1;
    ashlar_side_pop(m);
    touch(allocate(2 * MIB), 2 * MIB);
}

/* ---- Threads and children ---- */

static void *use_it(void *unused)
{
    const ashlar_mark m = push();
    touch(allocate(MIB), MIB);
    ashlar_side_pop(m);
    (void)allocate(100); /* left behind */
    return unused;
}

static size_t mappings_after_threads(size_t count)
{
    pthread_t threads[100];
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, use_it, NULL), 0);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    return self_mapping_count();
}

/* A side stack's part without access: 64 MiB and two guard pages, but for the few MiB that are committed at most. */
static void count_reserved(const struct self_mapping *mapping, void *count)
{
    const size_t bytes = mapping->end - mapping->start;
    *(size_t *)count += bytes >= 60 * MIB && bytes <= 65 * MIB && strcmp(mapping->access, "---p") == 0;
}

/* libc keeps stacks of threads for later: a few mappings more are not ours. */
TEST(of_a_hundred_threads_no_mapping_is_left)
{
    test_restart(NULL);
    size_t before = 0, after = 0;
    self_mappings(count_reserved, &before);
    mappings_after_threads(100);
    const size_t mappings = self_mapping_count();
    mappings_after_threads(100);
    self_mappings(count_reserved, &after);
    needs_own_mappings();
    CHECK_EQ(after, before);
    CHECK(self_mapping_count() <= mappings + 10);
}

static pthread_key_t late_key;
static int late_rounds;

/* Runs after the key of the side stack, or before: both must leave nothing. */
static void late_destructor(void *unused)
{
    (void)use_it(unused);
    if (late_rounds++ < 2)
        CHECK_EQ(pthread_setspecific(late_key, &late_key), 0);
}

static void late_user(void)
{
    (void)allocate(1);
    CHECK_EQ(pthread_setspecific(late_key, &late_key), 0);
}

TEST(a_destructor_may_use_it_after_it_has_ended)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer ends a thread before its last round of destructors");
    test_restart(NULL);
    size_t before = 0, after = 0;
    self_mappings(count_reserved, &before);
    run_on_thread(256 * KIB, late_user); /* makes the side stack's own key before this one */
    CHECK_EQ(pthread_key_create(&late_key, late_destructor), 0);
    run_on_thread(256 * KIB, late_user);
    CHECK_EQ(late_rounds, 3);
    self_mappings(count_reserved, &after);
    CHECK_EQ(after, before);
}

static ashlar_mark mark_of_parent;
static char *block_of_parent;

static void use_what_the_parent_made(void)
{
    CHECK_EQ(block_of_parent[999], 1);
    memset(block_of_parent, 2, 1000);
    const ashlar_mark own = push();
    touch(allocate(10 * MIB), 10 * MIB);
    ashlar_side_pop(own);
    ashlar_side_pop(mark_of_parent);
    CHECK_EQ(stat_now().used, 0);
}

static void fork_and_go_on(void)
{
    mark_of_parent = push();
    block_of_parent = allocate(1000);
    memset(block_of_parent, 1, 1000);
    run_in_child(use_what_the_parent_made);
    CHECK_EQ(block_of_parent[999], 1);
    ashlar_side_pop(mark_of_parent);
}

TEST(a_child_goes_on_with_its_copy) { fork_and_go_on(); }
TEST(so_does_a_child_of_a_thread) { run_on_thread(256 * KIB, fork_and_go_on); }

TEST(malloc_is_not_asked)
{
    needs_counting();
    (void)allocate(1);
    const long calls = refusing_calls;
    refusing = true;
    const ashlar_mark m = push();
    touch(allocate(20 * MIB), 20 * MIB);
    ashlar_side_pop(m);
    ashlar_side_trim();
    CHECK_EQ(refusing_calls, calls);
    refusing = false;
}
