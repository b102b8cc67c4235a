/* place.c: what lies at an address, asked by whoever is about to copy there.
 *
 * The question may come at any moment and from anywhere, also out of a signal handler that has interrupted us: so no
 * lock, and no answer where one would be needed. What is read of a slab's line, or of a large block's, does not change
 * while the block lives that the address is in; of other addresses any answer will do that is no accusation. */
#include "heap/own.h"

static struct heap_place place_in_slab(const struct slab *slab, size_t offset)
{
    const uint32_t block_bytes = slab->block_bytes;
    const size_t start = (size_t)slab_block_number(slab, offset) * block_bytes;

    if (start >= load_relaxed(&slab->carved))
        return (struct heap_place){.kind = PLACE_UNUSED};
    return (struct heap_place){slab_is_released(slab, start) ? PLACE_FREED : PLACE_SMALL, slab_address(slab) + start,
                               block_bytes};
}

/* The line of a granule inside of a large block, as a look at it leaves it: in the half that nobody else uses. */
struct inside {
    char used[1 << LINE_SHIFT >> 1];
    _Atomic uint32_t head; /* where the block's first granule was. 0: nobody has looked */
} ONE_LINE;

static_assert(offsetof(struct large, remote) + sizeof(uint64_t) <= offsetof(struct inside, head),
              "it is in nobody's way");

static bool is_in_large(granule_index index, granule_index head)
{
    const struct large *const run = page_line_at(head);

    /* acquire: what the block's line says beside its kind, not what an earlier block's said; pairs with the release in
     * run_alloc(). */
    return head.i <= index.i && load_acquire(&run->line.kind) == GRANULE_LARGE && index.i - head.i < run->line.granules;
}

/* As page_run_of(), which walks back: for a block of 32 MiB over 512 lines. So whoever looks leaves behind what he has
 * found. What is found there was true of some block: it is believed if it is true of the present one. */
static granule_index run_of(granule_index index)
{
    struct inside *const line = page_line_at(index);
    const granule_index known = {load_relaxed(&line->head)};

    if (line_kind(page_line_at(index)) != GRANULE_NONE)
        return index;
    if (known.i != 0 && is_in_large(index, known))
        return known;
    const granule_index head = page_run_of(index);
    if (is_in_large(index, head))
        store_relaxed(&line->head, head.i);
    return head;
}

/* `index`, in which `address` lies, is in no slab. The last granule of a large block may be its own in part only. */
static struct heap_place place_in_run(granule_index index, uintptr_t address)
{
    const granule_index head = run_of(index);
    const uintptr_t start = (uintptr_t)page_address(head);
    const struct large *const run = page_line_at(head);

    switch (line_kind(&run->line)) {
    case GRANULE_LARGE:
        if (is_in_large(index, head) && address - start < run->bytes)
            return (struct heap_place){PLACE_LARGE, start, run->bytes};
        return (struct heap_place){.kind = PLACE_UNUSED};
    case GRANULE_FREE:
    case GRANULE_FREE_TAIL:
    case GRANULE_PURGING: /* unless it was led here by what an earlier look has left, and the large block just went */
        return (struct heap_place){.kind = page_run_of(index).i == head.i ? PLACE_UNUSED : PLACE_UNKNOWN};
    default:
        return (struct heap_place){0};
    }
}

static struct heap_place place_elsewhere(const void *address)
{
    static const enum heap_place_kind kinds[] = {
        [HUGE_UNKNOWN] = PLACE_UNKNOWN, [HUGE_LIVE] = PLACE_LARGE, [HUGE_FREED] = PLACE_FREED};

    if (!page_huge_may_hold(address))
        return (struct heap_place){0};
    const struct page_huge found = page_huge_peek(address);

    return (struct heap_place){kinds[found.state], found.start, found.bytes};
}

struct heap_place heap_place_of(const void *address)
{
    const uintptr_t offset = page_offset(address);

    if (!page_holds(offset))
        return place_elsewhere(address);
    struct line *const line = page_line(offset);
    const struct slab *slab;
    size_t inside = offset & (GRANULE_BYTES - 1);

    return likely(slab_around(line, &slab, &inside)) ? place_in_slab(slab, inside)
                                                     : place_in_run(page_index_of(line), (uintptr_t)address);
}

size_t heap_bytes_left(const void *address)
{
    const struct heap_place place = heap_place_of(address);

    if (place.kind == PLACE_UNKNOWN)
        return SIZE_MAX;
    return place.kind == PLACE_SMALL || place.kind == PLACE_LARGE ? place.block + place.bytes - (uintptr_t)address : 0;
}
