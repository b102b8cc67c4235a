/* sized.c: free_sized and free_aligned_sized take what was asked for, also zero, also after a resize in place. That
 * they refuse other sizes is in tests/security. */
#include "../lib/blocks.h"

TEST(every_requested_size_is_accepted)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        void *block = malloc(bytes);
        CHECK(block != NULL);
        memset(block, 1, bytes);
        free_sized(block, bytes);
        if (bytes < 1 * MIB) {
            block = calloc(1, bytes);
            CHECK(block != NULL);
            free_sized(block, bytes);
        }
    }
}

TEST(the_size_of_the_last_resize_is_accepted)
{
    for (EACH_SIZE(bytes, 1 * MIB))
        for (size_t wanted = bytes / 4 + 1; wanted < 3 * bytes; wanted += 1 + bytes / 7) {
            void *block = malloc(bytes);
            CHECK(block != NULL);
            block = realloc(block, wanted);
            CHECK(block != NULL);
            free_sized(block, wanted);
        }
}

TEST(the_usable_size_is_accepted)
{
    for (EACH_SIZE(bytes, 1 * MIB)) {
        void *block = malloc(bytes);
        CHECK(block != NULL);
        block = realloc(block, malloc_usable_size(block));
        free_sized(block, malloc_usable_size(block));
    }
}

TEST(every_alignment_and_size_is_accepted)
{
    for (size_t alignment = 1; alignment <= 16 * MIB; alignment *= 2)
        for (size_t bytes = 0; bytes < 8 * MIB; bytes = bytes * 7 / 4 + 1) {
            void *block = aligned_alloc(alignment, bytes);
            CHECK(block != NULL && is_aligned(block, alignment));
            memset(block, 1, bytes);
            free_aligned_sized(block, alignment, bytes);
        }
}

TEST(huge_aligned_blocks_are_accepted)
{
    for (size_t alignment = 16; alignment <= 256 * MIB; alignment *= 16) {
        void *block = aligned_alloc(alignment, 40 * MIB + 1);
        CHECK(block != NULL && is_aligned(block, alignment));
        free_aligned_sized(block, alignment, 40 * MIB + 1);
    }
}

struct sized_block {
    void *block;
    size_t alignment, bytes;
};

static void *free_sized_in_thread(void *argument)
{
    const struct sized_block *sized = argument;
    if (sized->alignment)
        free_aligned_sized(sized->block, sized->alignment, sized->bytes);
    else
        free_sized(sized->block, sized->bytes);
    return NULL;
}

TEST(another_thread_may_free_with_the_size)
{
    for (size_t bytes = 0; bytes < 64 * MIB; bytes = bytes * 9 + 1) {
        in_thread(free_sized_in_thread, &(struct sized_block){malloc(bytes), 0, bytes});
        in_thread(free_sized_in_thread, &(struct sized_block){aligned_alloc(128, bytes), 128, bytes});
    }
}
