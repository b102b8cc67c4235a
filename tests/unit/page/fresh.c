/* fresh.c: blocks for threads that cannot be served otherwise, on a played kernel. They are never given back, so what
 * is to be shown is that they are whole, apart from each other, zero, and told from every other address. */
#include "test.h"

#include "../lib/fake_os.h"

#include "page/page.h"

enum { BLOCKS = 400 };

static const size_t page_sizes[] = {4 << 10, 16 << 10, 64 << 10};

static bool is_zero(const char *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static void many_blocks(const void *argument)
{
    static char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];

    fake_os.page_bytes = *(const size_t *)argument;
    page_start();
    for (int i = 0; i < BLOCKS; i++) {
        const size_t alignment = (size_t)1 << test_random() % 17;
        sizes[i] = test_random() % (i % 10 == 0 ? 300000 : 2000);
        blocks[i] = page_fresh_take(sizes[i], alignment);
        CHECK(blocks[i] != NULL);
        CHECK_EQ((uintptr_t)blocks[i] % (alignment < BLOCK_ALIGN ? BLOCK_ALIGN : alignment), 0);
        CHECK_EQ(page_fresh_bytes(blocks[i]), round_up(sizes[i] > 0 ? sizes[i] : 1, BLOCK_ALIGN));
        sizes[i] = page_fresh_bytes(blocks[i]);
        CHECK(fake_is_open(blocks[i], sizes[i]));
        CHECK(is_zero(blocks[i], sizes[i]));
        memset(blocks[i], i % 255 + 1, sizes[i]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        CHECK_EQ(page_fresh_bytes(blocks[i]), sizes[i]); /* nobody wrote over its size */
        CHECK(blocks[i][0] == (char)(i % 255 + 1) && memcmp(blocks[i], blocks[i] + 1, sizes[i] - 1) == 0);
    }
}

TESTS(page_sizes_of_many_blocks)
{
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++)
        test_add(many_blocks, &page_sizes[i], "many_blocks_lie_apart_and_keep_their_sizes_pages_of_%zu", page_sizes[i]);
}

TEST(small_blocks_share_a_mapping)
{
    page_start();
    for (int i = 0; i < 1000; i++)
        CHECK(page_fresh_take(16, BLOCK_ALIGN) != NULL);
    CHECK_EQ(fake_os.calls, 1);
}

TEST(no_address_inside_or_outside_a_block_is_taken_for_one)
{
    page_start();
    CHECK_EQ(page_fresh_bytes(&fake_os), 0);
    char *const block = page_fresh_take(4096, BLOCK_ALIGN);
    for (ptrdiff_t offset = -64; offset < 5000; offset++)
        CHECK_EQ(page_fresh_bytes(block + offset), offset == 0 ? 4096 : 0);
    for (uintptr_t address = 0; address < 4096; address++)
        CHECK_EQ(page_fresh_bytes((void *)address), 0);
}

TEST(sizes_that_no_address_space_holds_are_refused_without_a_call)
{
    page_start();
    CHECK_EQ(page_fresh_take(SIZE_MAX, BLOCK_ALIGN), NULL);
    CHECK_EQ(page_fresh_take(REQUEST_BYTES_MAX, BLOCK_ALIGN), NULL);
    CHECK_EQ(page_fresh_take(16, (size_t)1 << 63), NULL);
    CHECK_EQ(fake_os.calls, 0);
}

TEST(a_refusal_is_a_null_and_the_next_call_is_served)
{
    page_start();
    fake_os.refused_call = 1;
    CHECK_EQ(page_fresh_take(16, BLOCK_ALIGN), NULL);
    CHECK(page_fresh_take(16, BLOCK_ALIGN) != NULL);
    fake_os.refused_call = fake_os.calls + 1;
    CHECK_EQ(page_fresh_take(100000, BLOCK_ALIGN), NULL);
    CHECK(page_fresh_take(16, BLOCK_ALIGN) != NULL); /* the small chunk still serves */
}
