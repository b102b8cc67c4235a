/* realloc.c: resizing. A block stays where the new size is at most its usable size and at least half of it; sized frees
 * go by the same rule, so that a shrink in place never turns into a false report. */
#include "heap/own.h"

bool heap_fits(const struct heap_block *block, size_t bytes)
{
    if (bytes > block->bytes)
        return false;
    return bytes >= block->bytes / 2 || (block->kind == BLOCK_SMALL && class_of(bytes).i == block->class.i);
}

void *heap_realloc(void *address, const struct heap_block *block, size_t bytes, const char *in)
{
    if (bytes > REQUEST_BYTES_MAX)
        return NULL;
    if (heap_fits(block, bytes) && !block->is_suspect)
        return address;
    if (block->kind == BLOCK_LARGE || block->kind == BLOCK_HUGE)
        return heap_large_realloc(address, block, bytes, in);

    const struct heap_request request = {bytes, BLOCK_ALIGN, false, in};
    void *const moved = heap_alloc(block->heap, &request);

    if (moved == NULL)
        return NULL;
    __builtin_memcpy(moved, address, bytes < block->bytes ? bytes : block->bytes);
    (void)heap_free(address, in);
    return moved;
}
