/* usable.c: the usable size is at least the request, constant for the block's life, all writable, and what good_size
 * said. */
#include "../lib/blocks.h"

TEST(null_has_none) { CHECK_EQ(malloc_usable_size(NULL), 0); }

TEST(a_block_of_zero_bytes_has_sixteen)
{
    void *block = malloc(0);
    CHECK_EQ(malloc_usable_size(block), 16);
    free(block);
}

TEST(good_size_tells_the_usable_size)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        void *block = malloc(bytes);
        CHECK(block != NULL);
        CHECK_EQ(malloc_usable_size(block), ashlar_good_size(bytes));
        free(block);
    }
}

TEST(usable_bytes_are_at_least_the_request_and_constant)
{
    enum { LIVE = 400 };
    static void *blocks[LIVE];
    static size_t usable[LIVE];
    for (size_t a = 0; a < COUNT(allocators); a++) {
        for (size_t i = 0; i < LIVE; i++) {
            size_t bytes = i * i;
            blocks[i] = allocators[a].allocate(bytes);
            CHECK(blocks[i] != NULL);
            usable[i] = malloc_usable_size(blocks[i]);
            CHECK(usable[i] >= bytes);
            fill(blocks[i], usable[i], i);
        }
        for (size_t i = 0; i < LIVE; i += 2) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
        ashlar_purge();
        for (size_t i = 1; i < LIVE; i += 2) {
            CHECK_EQ(malloc_usable_size(blocks[i]), usable[i]);
            CHECK(is_filled(blocks[i], usable[i], i));
            free(blocks[i]);
        }
    }
}

TEST(all_usable_bytes_of_large_and_huge_blocks_are_writable)
{
    const size_t sizes[] = {65537,          100000,     1 * MIB + 1,    5 * MIB + 3,
                            HUGE_BYTES - 1, HUGE_BYTES, HUGE_BYTES + 1, 70 * MIB + 5};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        void *block = malloc(sizes[i]);
        CHECK(block != NULL);
        fill(block, malloc_usable_size(block), 1);
        CHECK(is_filled(block, malloc_usable_size(block), 1));
        free(block);
    }
}

static void *usable_of(void *block) { return (void *)(uintptr_t)malloc_usable_size(block); }

TEST(every_thread_sees_the_same)
{
    for (size_t bytes = 0; bytes < 100 * MIB; bytes = bytes * 6 + 1) {
        void *block = malloc(bytes);
        CHECK_EQ(in_thread(usable_of, block), malloc_usable_size(block));
        free(block);
    }
}

/* ---- Borrowing ------------------------------------------------------------------------------------------------------- */

/* On a new thread, whose heap is empty: two blocks of `bytes` bytes, of which one is written and freed again. */
static void *idle_block(size_t bytes)
{
    void *const kept = malloc(bytes), *const idle = malloc(bytes);
    CHECK(kept != NULL && idle != NULL);
    fill(idle, malloc_usable_size(idle), 1);
    free(idle);
    return idle;
}

static void *borrow_within_reach(void *unused)
{
    void *const idle = idle_block(5120);
    void *const block = calloc(1, 4200); /* 4608, and 5120 comes next */
    CHECK_EQ((uintptr_t)block, (uintptr_t)idle);
    CHECK_EQ(malloc_usable_size(block), 5120);
    CHECK(is_zero(block, 5120));
    CHECK_EQ((uintptr_t)realloc(block, 5000), (uintptr_t)idle);
    free(block);
    return unused;
}

static void *borrow_out_of_reach(void *unused)
{
    void *const idle = idle_block(8192);
    const size_t smaller[] = {5120, 1024, 100};
    for (size_t i = 0; i < COUNT(smaller); i++)
        CHECK((uintptr_t)malloc(smaller[i]) != (uintptr_t)idle);
    void *const odd = idle_block(5632); /* which is no multiple of 1024 */
    CHECK((uintptr_t)aligned_alloc(1024, 4500) != (uintptr_t)odd);
    CHECK_EQ((uintptr_t)malloc(8000), (uintptr_t)idle);
    return unused;
}

TEST(a_medium_request_gets_an_idle_block_just_above_its_class) { in_thread(borrow_within_reach, NULL); }

TEST(a_request_gets_no_idle_block_that_is_much_larger_or_not_aligned) { in_thread(borrow_out_of_reach, NULL); }

TEST(waste_is_bounded)
{
    /* Eight classes per doubling: at most an eighth and a bit above the request; large blocks round to pages. */
    for (EACH_SIZE(bytes, 64 * MIB))
        if (bytes >= 128)
            CHECK(ashlar_good_size(bytes) <= bytes + bytes / 7 + 16 + (bytes > 64 * KIB ? block_page_bytes() : 0));
}
