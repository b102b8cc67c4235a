/* fresh.c: blocks for a thread that cannot be served otherwise: a signal handler that allocates while the code under it
 * holds one of our locks (waiting would be for ever), and a thread that has reported misuse and is about to abort.
 *
 *   newest --> [ chunk | size block | size block | ... ] --> older chunk --> NULL
 *
 * Blocks are cut off the newest chunk, each behind a word with its size; large ones bring a chunk of their own. Nothing
 * is ever given back: such calls are rare, and mostly the last ones of the process. Neither is anything locked: a chunk
 * is pushed with one compare-and-swap, and space in it is taken with one addition. */
#include "page/page.h"

struct chunk {
    struct chunk *older;
    size_t bytes;         /* of the mapping */
    _Atomic size_t taken; /* may run past `bytes`: then the chunk is full */
    size_t unused;
};

/* Lies right before a block. */
struct fresh_header {
    uintptr_t mark; /* start of the block xor the key secret: tells it from the block's surroundings */
    size_t bytes;
};

#define CHUNK_BYTES ((size_t)64 << 10)

static_assert(sizeof(struct chunk) % BLOCK_ALIGN == 0 && sizeof(struct fresh_header) == BLOCK_ALIGN,
              "blocks stay aligned");

static _Atomic(struct chunk *) newest;

/* Map a chunk, take its first `bytes` bytes before anybody else can, and make it the newest. */
static uintptr_t take_from_new(size_t bytes)
{
    const size_t wanted = bytes + sizeof(struct chunk);
    const size_t mapped = round_up(wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES, page_ground.page_bytes);
    struct chunk *const chunk = os_map(NULL, mapped, NULL);

    if (chunk == NULL)
        return 0;
    chunk->bytes = mapped;
    store_relaxed(&chunk->taken, wanted);
    chunk->older = load_relaxed(&newest);
    /* release: publishes the chunk; pairs with the acquires below. */
    while (!atomic_compare_exchange_weak_explicit(&newest, &chunk->older, chunk, memory_order_release,
                                                  memory_order_relaxed))
        ;
    return (uintptr_t)(chunk + 1);
}

/* Take `bytes` bytes of `chunk`. returns: 0 when it has no room. */
static uintptr_t take_from(struct chunk *chunk, size_t bytes)
{
    if (chunk == NULL || load_relaxed(&chunk->taken) > chunk->bytes || bytes > chunk->bytes)
        return 0;
    const size_t at = add_relaxed(&chunk->taken, bytes);

    return at + bytes <= chunk->bytes ? (uintptr_t)chunk + at : 0;
}

void *page_fresh_take(size_t bytes, size_t alignment)
{
    const size_t slack = alignment > BLOCK_ALIGN ? alignment : 0;

    if (bytes > REQUEST_BYTES_MAX / 2 || slack > REQUEST_BYTES_MAX / 4)
        return NULL;
    bytes = round_up(bytes > 0 ? bytes : 1, BLOCK_ALIGN);
    const size_t whole = bytes + slack + sizeof(struct fresh_header);
    uintptr_t start = take_from(load_acquire(&newest), whole);

    if (start == 0)
        start = take_from_new(whole);
    if (start == 0)
        return NULL;
    const uintptr_t block =
        round_up(start + sizeof(struct fresh_header), alignment > BLOCK_ALIGN ? alignment : BLOCK_ALIGN);

    ((struct fresh_header *)block)[-1] = (struct fresh_header){block ^ page_ground.key_secret, bytes};
    return (void *)block;
}

static bool holds(const struct chunk *chunk, uintptr_t address) { return address - (uintptr_t)chunk < chunk->bytes; }

size_t page_fresh_bytes(const void *block)
{
    const uintptr_t address = (uintptr_t)block;
    const struct chunk *chunk = load_acquire(&newest);

    while (chunk != NULL && !holds(chunk, address))
        chunk = chunk->older;
    if (chunk == NULL || address % BLOCK_ALIGN != 0 ||
        address - (uintptr_t)chunk < sizeof *chunk + sizeof(struct fresh_header))
        return 0;
    const struct fresh_header *const header = (const struct fresh_header *)address - 1;

    return header->mark == (address ^ page_ground.key_secret) ? header->bytes : 0;
}
