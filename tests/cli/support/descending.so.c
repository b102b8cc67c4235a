/* descending.so.c: a malloc whose every block lies below the one before, for the card `growth` of the lab. It frees
 * nothing: the programs that have it are short. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GRAIN = 16 };

static const size_t room = (size_t)4 << 30;
static uintptr_t lowest, next; /* of the room; where the last block begins */

/* The size of a block stands in the GRAIN bytes before it. */
static size_t *size_of(void *block) { return (size_t *)((uintptr_t)block - GRAIN); }

static void *take(size_t alignment, size_t bytes)
{
    if (lowest == 0) {
        void *all = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED)
            abort();
        lowest = (uintptr_t)all;
        next = lowest + room;
    }
    if (bytes > next - lowest || next - lowest - bytes < alignment + 2 * GRAIN) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t block = (next - bytes) / alignment * alignment;
    next = block - GRAIN;
    *size_of((void *)block) = bytes;
    return (void *)block;
}

void *malloc(size_t bytes) { return take(GRAIN, bytes); }

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t bytes)
{
    size_t product;

    if (__builtin_mul_overflow(count, bytes, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(GRAIN, product); /* fresh from the kernel */
}

void *realloc(void *old, size_t bytes)
{
    void *block = take(GRAIN, bytes);

    if (block != NULL && old != NULL)
        memcpy(block, old, *size_of(old) < bytes ? *size_of(old) : bytes);
    return block;
}

void *aligned_alloc(size_t alignment, size_t bytes) { return take(alignment < GRAIN ? GRAIN : alignment, bytes); }

void *memalign(size_t alignment, size_t bytes) { return aligned_alloc(alignment, bytes); }

int posix_memalign(void **block, size_t alignment, size_t bytes)
{
    *block = aligned_alloc(alignment, bytes);
    return *block != NULL ? 0 : ENOMEM;
}

size_t malloc_usable_size(void *block) { return block != NULL ? *size_of(block) : 0; }
