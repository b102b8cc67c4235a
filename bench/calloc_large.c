/* calloc_large.c: zeroed blocks of 256 KiB to 16 MiB of which an eighth is used, as a sparse table or bitmap.
 *
 * 16 blocks are live; each operation replaces the oldest. Fresh pages from the kernel are zero already: an allocator
 * that knows it need not clear (and so touch) them. One that reuses a written block must clear it, or give it back
 * first. Every eighth page is checked to be zero at both ends and then written; so is the very last byte.
 *
 * calloc_large [SCALE] */
#include "work.h"

enum { LIVE = 16, SIZE_LOW = 256 * KIB, SIZE_HIGH = 16 * MIB, USE_EVERY = 8 * PAGE_STEP, USUAL_OPERATIONS = 5500 };

static void check_zero(const unsigned char *block, size_t bytes, size_t at)
{
    if (block[at] != 0)
        fail("calloc block of %zu bytes holds %02x at %zu", bytes, block[at], at);
}

static void use_block(unsigned char *block, size_t bytes)
{
    for (size_t at = 0; at + PAGE_STEP < bytes; at += USE_EVERY) {
        check_zero(block, bytes, at);
        check_zero(block, bytes, at + PAGE_STEP - 1);
        block[at] = block[at + PAGE_STEP - 1] = 0xa5;
    }
    check_zero(block, bytes, bytes - 1);
    block[bytes - 1] = 0xa5;
}

int main(int count, char **values)
{
    static unsigned char *blocks[LIVE];
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    struct random_stream stream = random_from(0);
    uint64_t checksum = 0;
    for (size_t i = 0; i < operations; i++) {
        const size_t bytes = random_inverse_square(&stream, SIZE_LOW, SIZE_HIGH);
        free(blocks[i % LIVE]);
        blocks[i % LIVE] = calloc(bytes / 16, 16);
        if (blocks[i % LIVE] == NULL)
            fail("calloc(%zu, 16) gave no memory", bytes / 16);
        use_block(blocks[i % LIVE], bytes / 16 * 16);
        checksum = mix(checksum, bytes);
    }
    for (size_t i = 0; i < LIVE; i++)
        free(blocks[i]);
    print_result("calloc_large", operations, checksum);
    return finish();
}
