/* alignment.c: rule 1, every non-NULL result is aligned to 16 bytes, also below 16 bytes, and to what was asked for. */
#include "../lib/blocks.h"

TEST(every_entry_point_and_size)
{
    enum { LIVE = 6 };
    for (size_t a = 0; a < COUNT(allocators); a++)
        for (EACH_SIZE(bytes, 4 * MIB)) {
            void *blocks[LIVE];
            for (int i = 0; i < LIVE; i++) {
                blocks[i] = allocators[a].allocate(bytes);
                if (blocks[i] == NULL || !is_aligned(blocks[i], 16) || !is_aligned(blocks[i], allocators[a].alignment))
                    test_fail(__FILE__, __LINE__, "%s of %zu bytes gave %p", allocators[a].name, bytes, blocks[i]);
            }
            for (int i = 0; i < LIVE; i++)
                free(blocks[i]);
        }
}

TEST(every_entry_point_with_huge_sizes)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        for (size_t bytes = 4 * MIB + 1; bytes < 300 * MIB; bytes = bytes * 3 / 2 + 8) {
            void *block = allocators[a].allocate(bytes);
            if (block == NULL || !is_aligned(block, 16) || !is_aligned(block, allocators[a].alignment))
                test_fail(__FILE__, __LINE__, "%s of %zu bytes gave %p", allocators[a].name, bytes, block);
            free(block);
        }
}

TEST(resized_blocks)
{
    void *block = NULL;
    for (int round = 0; round < 20000; round++) {
        block = realloc(block, 1 + test_random() % ((size_t)16 << test_random() % 16));
        CHECK(block != NULL && is_aligned(block, 16));
    }
    free(block);
}

#if !TEST_NAMESPACED /* there libc's callers get the sanitizer's blocks */
TEST(what_libc_allocates_for_the_program)
{
    for (int length = 0; length < 100; length++) {
        char *text = strndup("................................................................................"
                             "....................",
                             (size_t)length);
        CHECK(text != NULL && is_aligned(text, 16));
        free(text);
    }
}
#endif
