/* calloc_large.c: zeroed blocks of 256 KiB to 16 MiB of which an eighth is used, as a sparse table or bitmap.
 *
 * 16 blocks are live; each operation replaces the oldest. Fresh pages from the kernel are zero already: an allocator
 * that knows it need not clear (and so touch) them. One that reuses a written block must clear it, or give it back
 * first. Every eighth page is checked to be zero at both ends and then marked there; so is the very last byte. Before a
 * block is freed its marks, which no other live block has, are checked.
 *
 * calloc_large [SCALE] */
#include "work.h"

enum { LIVE = 16, SIZE_LOW = 256 * KIB, SIZE_HIGH = 16 * MIB, USE_EVERY = 8 * PAGE_STEP, USUAL_OPERATIONS = 4000 };

struct block {
    unsigned char *content;
    size_t bytes;
    unsigned char mark;
};

static void change(unsigned char *byte, unsigned char from, unsigned char to)
{
    if (*byte != from)
        fail("calloc block holds %02x at %p, not %02x", *byte, (void *)byte, from);
    *byte = to;
}

/* Every byte that is used holds `from`, and then `to`. */
static void use_block(const struct block *block, unsigned char from, unsigned char to)
{
    for (size_t at = 0; at + PAGE_STEP < block->bytes; at += USE_EVERY) {
        change(&block->content[at], from, to);
        change(&block->content[at + PAGE_STEP - 1], from, to);
    }
    change(&block->content[block->bytes - 1], from, to);
}

static void block_free(const struct block *block)
{
    if (block->content != NULL)
        use_block(block, block->mark, block->mark);
    free(block->content);
}

/* `number` tells it from the others that live. */
static struct block block_new(size_t bytes, size_t number)
{
    const struct block block = {calloc(bytes / 16, 16), bytes / 16 * 16, (unsigned char)(1 + number % 255)};
    if (block.content == NULL)
        fail("calloc(%zu, 16) gave no memory", bytes / 16);
    use_block(&block, 0, block.mark);
    return block;
}

int main(int count, char **values)
{
    static struct block blocks[LIVE];
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    struct random_stream stream = random_from(0);
    uint64_t checksum = 0;
    for (size_t i = 0; i < operations; i++) {
        const size_t bytes = random_inverse_square(&stream, SIZE_LOW, SIZE_HIGH);
        block_free(&blocks[i % LIVE]);
        blocks[i % LIVE] = block_new(bytes, i);
        checksum = mix(checksum, bytes);
    }
    for (size_t i = 0; i < LIVE; i++)
        block_free(&blocks[i]);
    print_result("calloc_large", operations, checksum);
    return finish();
}
