/* huge.c: blocks with mappings of their own on a played kernel: the table, what is kept of freed ones, and refusals.
 * What the floor counts must agree with the kernel's books at every moment. */
#include "test.h"

#include "../lib/fake_os.h"
#include "../lib/ground.h"

static const size_t page_sizes[] = {4 << 10, 16 << 10, 64 << 10};

/* The ground opens first, as for everything that maps: where fixed places are taken (a sanitizer's shadow), that moves
 * all ranges into one reservation. */
static void begin(void)
{
    page_start();
    CHECK(page_open());
}

static char *take(size_t bytes) { return page_huge_take(bytes, fake_os.page_bytes, 0); }

static size_t whole_pages(size_t bytes) { return round_up(bytes, fake_os.page_bytes); }

/* Live blocks and their bytes, as counted. */
static void check_live(uint64_t blocks, size_t bytes)
{
    const struct page_stats stats = ground_stats();

    CHECK_EQ(stats.huge_live, blocks);
    CHECK_EQ(stats.huge_live_bytes, bytes);
    CHECK_EQ(fake_os.open_bytes, bytes + page_heap_range.mapped + stats.metadata); /* nothing else is mapped */
}

static bool is_zero(const char *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

/* ---- Live blocks -------------------------------------------------------------------------------------------------- */

static void one_block(const void *argument)
{
    fake_os.page_bytes = *(const size_t *)argument;
    begin();
    char *const block = take(40 * MIB + 1);
    CHECK(block != NULL);
    check_live(1, whole_pages(40 * MIB + 1));
    const struct page_huge found = page_huge_find(block + 40 * MIB);
    CHECK_EQ(found.start, (uintptr_t)block);
    CHECK_EQ(found.bytes, whole_pages(40 * MIB + 1));
    CHECK_EQ(found.state, HUGE_LIVE);
    CHECK_EQ(page_huge_find(block + found.bytes).state, HUGE_UNKNOWN);
    CHECK_EQ(page_huge_find(block - 1).state, HUGE_UNKNOWN);
    CHECK_EQ(block[0] | block[found.bytes - 1], 0);
    CHECK_EQ(page_huge_give(block).state, HUGE_LIVE);
    check_live(0, 0);
}

TESTS(page_sizes_of_one_block)
{
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++)
        test_add(one_block, &page_sizes[i], "a_block_is_found_by_all_of_its_addresses_and_no_other_pages_of_%zu",
                 page_sizes[i]);
}

TEST(an_aligned_block_leaves_nothing_mapped_around_it)
{
    begin();
    for (size_t alignment = 4096; alignment <= 256 * MIB; alignment *= 2) {
        char *const block = page_huge_take(3 * MIB, alignment, 0);
        CHECK_EQ((uintptr_t)block % alignment, 0);
        check_live(1, 3 * MIB);
        (void)page_huge_give(block);
    }
}

TEST(sizes_that_no_address_space_holds_are_refused_without_a_call)
{
    begin();
    const uint64_t calls = fake_os.calls;
    CHECK_EQ(take(SIZE_MAX), NULL);
    CHECK_EQ(take(REQUEST_BYTES_MAX), NULL);
    CHECK_EQ(page_huge_take(MIB, (size_t)1 << 63, 0), NULL);
    CHECK_EQ(fake_os.calls, calls);
}

TEST(blocks_of_one_heap_are_found_one_by_one_until_none_is_left)
{
    begin();
    for (uint32_t i = 0; i < 30; i++)
        CHECK(page_huge_take(MIB, 4096, 1 + i % 3) != NULL);
    for (uint32_t left = 10; left > 0; left--) {
        const struct page_huge found = page_huge_any_of(2);
        CHECK_EQ(found.heap, 2);
        CHECK_EQ(page_huge_give((void *)found.start).state, HUGE_LIVE);
    }
    CHECK_EQ(page_huge_any_of(2).state, HUGE_UNKNOWN);
    check_live(20, 20 * MIB);
}

/* ---- The table ---------------------------------------------------------------------------------------------------- */

enum { BLOCKS = 4000 };

TEST(thousands_of_blocks_stay_findable_as_the_table_moves)
{
    static char *blocks[BLOCKS];

    begin();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = take(4096 * (1 + (size_t)i % 3));
        CHECK(blocks[i] != NULL);
    }
    for (int i = 0; i < BLOCKS; i++) {
        const struct page_huge found = page_huge_find(blocks[i] + test_random() % 4096);
        CHECK_EQ(found.start, (uintptr_t)blocks[i]);
        CHECK_EQ(found.bytes, 4096 * (1 + (size_t)i % 3));
    }
    for (int i = 0; i < BLOCKS; i++)
        CHECK_EQ(page_huge_give(blocks[(i * 7) % BLOCKS]).state, HUGE_LIVE);
    check_live(0, 0);
}

/* At the places around all that is, and was, in the table: first, last, and just beyond. */
static void peeking(const void *short_of_space)
{
    enum { MOST = 40, STEPS = 2000 };
    static char *blocks[MOST];

    fake_os.short_of_space = short_of_space != NULL; /* then nothing is kept, and the table gets shorter, too */
    begin();
    for (int step = 0; step < STEPS; step++) {
        char **const block = &blocks[test_random() % MOST];
        if (*block == NULL) {
            *block = take(4096 * (1 + test_random() % 8));
        } else if (test_random() % 2 == 0) {
            CHECK_EQ(page_huge_give(*block).state, HUGE_LIVE);
            *block = NULL;
        }
        for (int asked = 0; asked < 8; asked++) {
            const uintptr_t near = (uintptr_t)blocks[test_random() % MOST];
            const void *const address = (const void *)(near + (test_random() % 24 - 8) * 4096 - (asked & 1));
            const struct page_huge found = page_huge_find(address), peeked = page_huge_peek(address);
            CHECK_EQ(peeked.state, found.state);
            CHECK_EQ(peeked.start, found.start);
            CHECK_EQ(peeked.bytes, found.bytes);
        }
    }
}

TESTS(kept_or_not)
{
    test_add(peeking, NULL, "what_is_peeked_is_what_is_found_whatever_was_asked_before");
    test_add(peeking, "short", "what_is_peeked_is_what_is_found_where_nothing_is_kept");
}

/* ---- Freed blocks ------------------------------------------------------------------------------------------------- */

TEST(a_freed_block_keeps_its_place_but_no_memory_and_a_second_free_is_told)
{
    begin();
    char *const block = take(40 * MIB);
    (void)page_huge_give(block);
    CHECK_EQ(page_huge_find(block + MIB).state, HUGE_FREED);
    CHECK_EQ(page_huge_give(block).state, HUGE_FREED);
    CHECK_EQ(fake_bytes_in((uintptr_t)block, (uintptr_t)block + 40 * MIB, FAKE_NOTHING), 40 * MIB);
    check_live(0, 0);
}

TEST(an_interior_address_ends_no_block)
{
    begin();
    char *const block = take(MIB);
    CHECK_EQ(page_huge_give(block + 4096).start, (uintptr_t)block);
    CHECK_EQ(page_huge_find(block).state, HUGE_LIVE);
    check_live(1, MIB);
}

TEST(a_kept_place_serves_the_same_size_again_and_reads_as_zero)
{
    begin();
    char *const block = take(MIB);
    memset(block, 0xee, MIB);
    (void)page_huge_give(block);
    CHECK_EQ(take(MIB), block);
    CHECK(is_zero(block, MIB));
    check_live(1, MIB);
}

TEST(a_kept_place_serves_a_fifth_less_but_not_less_than_that_nor_more)
{
    begin();
    char *const block = take(10 * MIB);
    (void)page_huge_give(block);
    CHECK(take(11 * MIB) != block);
    CHECK(take(7 * MIB) != block);
    CHECK_EQ(take(8 * MIB), block);
    CHECK_EQ(page_huge_find(block).bytes, 8 * MIB);
    CHECK(!fake_is_ours(block + 8 * MIB, 4096)); /* the excess went back */
    check_live(3, 26 * MIB);
}

TEST(a_kept_place_that_is_not_aligned_enough_is_passed_over)
{
    begin();
    char *const block = page_huge_take(MIB, 64 * MIB, 0);
    char *const odd = take(MIB);
    (void)page_huge_give(odd);
    const bool would_do = (uintptr_t)odd % (64 * MIB) == 0;
    CHECK_EQ(page_huge_take(MIB, 64 * MIB, 0) == odd, would_do);
    CHECK(block != NULL);
}

TEST(what_is_kept_never_exceeds_the_most_that_was_live_and_the_oldest_goes_first)
{
    begin();
    char *const first = take(10 * MIB);
    (void)page_huge_give(first);
    char *const second = take(20 * MIB);
    (void)page_huge_give(second);
    CHECK_EQ(page_huge_find(first).state, HUGE_UNKNOWN);
    CHECK_EQ(page_huge_find(second).state, HUGE_FREED);
    CHECK(!fake_is_ours(first, 4096));

    char *blocks[4];
    for (int i = 0; i < 4; i++)
        blocks[i] = take((3 + (size_t)i) * MIB);
    for (int i = 0; i < 4; i++)
        (void)page_huge_give(blocks[i]);
    CHECK_EQ(page_huge_find(second).state, HUGE_UNKNOWN); /* 20 + 3 + 4 + 5 + 6 are more than 20 */
    for (int i = 0; i < 4; i++)
        CHECK_EQ(page_huge_find(blocks[i]).state, HUGE_FREED);
}

TEST(where_address_space_is_short_nothing_is_kept)
{
    fake_os.short_of_space = true;
    begin();
    char *const block = take(MIB);
    (void)page_huge_give(block);
    CHECK_EQ(page_huge_find(block).state, HUGE_UNKNOWN);
    CHECK(!fake_is_ours(block, 4096));
    check_live(0, 0);
}

TEST(what_is_kept_is_given_up_when_the_kernel_has_nothing_else)
{
    begin();
    char *const block = take(4 * MIB);
    (void)page_huge_give(block);
    fake_os.refused_call = fake_os.calls + 1; /* the mapping; then the unmapping, then the mapping again */
    CHECK(take(2 * MIB) != NULL);
    CHECK_EQ(page_huge_find(block).state == HUGE_FREED, false);
    check_live(1, 2 * MIB);
}

/* ---- Resizing ----------------------------------------------------------------------------------------------------- */

static void fill(char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 1024)
        memcpy(block + i, &i, sizeof i);
}

static bool is_filled(const char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 1024)
        if (memcmp(block + i, &i, sizeof i) != 0)
            return false;
    return true;
}

static void resizing(const void *argument)
{
    fake_os.page_bytes = *(const size_t *)argument;
    begin();
    char *const block = take(MIB);
    fill(block, MIB);
    char *const larger = page_huge_resize(block, 3 * MIB + 1);
    CHECK(larger != NULL);
    check_live(1, whole_pages(3 * MIB + 1));
    CHECK(is_filled(larger, MIB));
    CHECK(is_zero(larger + MIB, 2 * MIB + 1));
    CHECK_EQ(page_huge_find(block).state, HUGE_UNKNOWN);
    char *const smaller = page_huge_resize(larger, MIB / 2);
    CHECK_EQ(smaller, larger); /* a shrink stays */
    CHECK(is_filled(smaller, MIB / 2));
    check_live(1, MIB / 2);
    CHECK_EQ(page_huge_resize(smaller, MIB / 2), smaller);
    check_live(1, MIB / 2);
}

TESTS(page_sizes_of_resizing)
{
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++)
        test_add(resizing, &page_sizes[i], "a_block_that_grows_takes_its_content_along_pages_of_%zu", page_sizes[i]);
}

TEST(a_refused_resize_changes_nothing)
{
    begin();
    char *const block = take(MIB);
    fill(block, MIB);
    fake_os.refused_call = fake_os.calls + 1;
    CHECK_EQ(page_huge_resize(block, 2 * MIB), NULL);
    fake_os.refused_call = fake_os.calls + 1;
    CHECK_EQ(page_huge_resize(block, MIB / 2), NULL);
    CHECK_EQ(page_huge_resize(block, SIZE_MAX), NULL);
    CHECK_EQ(page_huge_find(block).bytes, MIB);
    CHECK(is_filled(block, MIB));
    check_live(1, MIB);
}

/* ---- Limits and refusals ------------------------------------------------------------------------------------------- */

TEST(the_hard_limit_counts_every_block_once_however_it_came_and_went)
{
    begin();
    store_relaxed(&page_bounds.hard_limit, 10 * MIB);
    for (int i = 0; i < 50; i++) {
        char *block = take(4 * MIB);
        CHECK(block != NULL);
        CHECK_EQ(take(7 * MIB), NULL);
        block = page_huge_resize(block, 9 * MIB);
        CHECK(block != NULL);
        CHECK_EQ(page_huge_resize(block, 11 * MIB), NULL);
        CHECK_EQ(take(2 * MIB), NULL);
        block = page_huge_resize(block, 3 * MIB);
        CHECK(block != NULL);
        char *const other = take(7 * MIB);
        CHECK(other != NULL);
        (void)page_huge_give(block);
        (void)page_huge_give(other);
        check_live(0, 0);
    }
}

TEST(a_mapping_that_the_kernel_refuses_does_not_stay_on_the_account)
{
    begin();
    store_relaxed(&page_bounds.hard_limit, 10 * MIB);
    for (int i = 0; i < 20; i++) {
        fake_os.refused_call = fake_os.calls + 1;
        fake_os.refuses_from_there = true;
        CHECK_EQ(take(9 * MIB), NULL);
    }
    CHECK_EQ(ground_stats().refused, 20);
    fake_os.refused_call = 0;
    CHECK(take(10 * MIB) != NULL);
}

TEST(a_block_that_the_kernel_will_not_take_back_is_ended_once)
{
    begin();
    char *const block = take(MIB);
    fake_os.refused_call = fake_os.calls + 1; /* neither a mapping over it nor its unmapping */
    fake_os.refuses_from_there = true;
    CHECK_EQ(page_huge_give(block).state, HUGE_LIVE);
    CHECK(page_huge_give(block).state != HUGE_LIVE);
    CHECK_EQ(ground_stats().huge_live, 0);
    CHECK_EQ(ground_stats().huge_live_bytes, 0);
}

/* Some life, whatever is refused on the way; ends with nothing live. */
static void short_life(void)
{
    char *blocks[8] = {0};

    for (size_t i = 0; i < 8; i++)
        blocks[i] = page_huge_take((1 + i) * MIB, i % 2 ? 4096 : 8 * MIB, 0);
    for (size_t i = 0; i < 8; i++) {
        char *const moved = blocks[i] != NULL ? page_huge_resize(blocks[i], (i % 3 + 1) * 3 * MIB) : NULL;
        blocks[i] = moved != NULL ? moved : blocks[i];
        if (blocks[i] != NULL && i % 2)
            (void)page_huge_give(blocks[i]);
    }
    for (size_t i = 1; i < 8; i += 2)
        blocks[i] = take(4 * MIB);
    for (size_t i = 0; i < 8; i++)
        if (blocks[i] != NULL)
            CHECK_EQ(page_huge_give(blocks[i]).state, HUGE_LIVE);
}

static bool refuse_and_recover(uint64_t call, bool from_there)
{
    EXITS(0)
    {
        fake_os.refused_call = call;
        fake_os.refuses_from_there = from_there;
        page_start();
        store_relaxed(&page_bounds.hard_limit, 200 * MIB);
        if (page_open())
            short_life();
        *(bool *)test_shared() = fake_os.refusals != 0;
        fake_os.refused_call = 0;
        CHECK(page_open());
        CHECK_EQ(ground_stats().huge_live, 0);
        CHECK_EQ(ground_stats().huge_live_bytes, 0);
        CHECK(take(200 * MIB) != NULL); /* the account is even */
    }
    return *(bool *)test_shared();
}

static void every_refusal_is_survived(bool from_there)
{
    uint64_t call = 1;

    while (refuse_and_recover(call, from_there))
        call++;
    CHECK(call > 20);
}

TEST(any_one_call_may_be_refused) { every_refusal_is_survived(false); }
TEST(all_calls_from_any_one_on_may_be_refused) { every_refusal_is_survived(true); }

/* ---- A long random life ------------------------------------------------------------------------------------------- */

enum { LIVE = 40, STEPS = 4000 };

static void random_life(const void *argument)
{
    struct {
        char *start;
        size_t bytes;
        uint64_t tag;
    } live[LIVE] = {0};
    uint64_t blocks = 0;
    size_t bytes = 0;

    fake_os.page_bytes = *(const size_t *)argument;
    begin();
    for (int step = 0; step < STEPS; step++) {
        const size_t i = test_random() % LIVE;
        const size_t wanted = whole_pages(1 + test_random() % (2 * MIB));
        if (live[i].start == NULL) {
            live[i].start = page_huge_take(wanted, fake_os.page_bytes << test_random() % 6, 0);
            CHECK(live[i].start != NULL);
            CHECK_EQ(live[i].start[0] | live[i].start[wanted - 1] | live[i].start[wanted / 2], 0);
            live[i].bytes = wanted;
            blocks++;
            bytes += wanted;
        } else if (test_random() % 3 == 0) {
            CHECK_EQ(*(uint64_t *)(void *)live[i].start, live[i].tag);
            live[i].start = page_huge_resize(live[i].start, wanted);
            CHECK(live[i].start != NULL);
            CHECK_EQ(*(uint64_t *)(void *)live[i].start, live[i].tag);
            bytes += wanted - live[i].bytes;
            live[i].bytes = wanted;
        } else {
            CHECK_EQ(*(uint64_t *)(void *)live[i].start, live[i].tag);
            CHECK_EQ(page_huge_give(live[i].start).bytes, live[i].bytes);
            live[i].start = NULL;
            blocks--;
            bytes -= live[i].bytes;
        }
        if (live[i].start != NULL) {
            live[i].tag = test_random();
            *(uint64_t *)(void *)live[i].start = live[i].tag;
            live[i].start[live[i].bytes - 1] = 1;
        }
        check_live(blocks, bytes);
    }
}

TESTS(page_sizes_of_random_lives)
{
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++)
        test_add(random_life, &page_sizes[i], "a_long_random_life_on_pages_of_%zu", page_sizes[i]);
}
