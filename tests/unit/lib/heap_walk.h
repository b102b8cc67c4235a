/* heap_walk.h: a walk over every slab and every heap that believes nothing: the heap floor's invariants as code. Call
 * it while all threads rest.
 *
 *   blocks of a slab   held by the program | freed | on a thread's list | in a magazine | in a parcel | remote
 *                                                                                                each in one place
 *   a slab             current | partial | full of its owner, or an orphan                        each in one place
 *   a token            set exactly when the slab is in one inbox
 *
 * All but the first carry the key word; but for those in magazines, links that stay in their slab. */
#ifndef HEAP_WALK_H
#define HEAP_WALK_H

#include "test.h"

#include <string.h>

#include "heap/remote.h"

enum { WALK_HEAPS_MAX = 4096, WALK_GRANULES_MAX = 1 << 16, WALK_BLOCKS_MAX = 4096 };
#define WALK_INBOX_CLOSED UINT64_MAX         /* heap/remote.c */
#define WALK_PARCEL_BYTES ((size_t)64 << 10) /* heap/remote.c */

enum walk_place { WALK_NOWHERE, WALK_CURRENT, WALK_PARTIAL, WALK_FULL };

static struct {
    struct heap *heaps[WALK_HEAPS_MAX];
    uint32_t heap_count;
    uint8_t place[WALK_GRANULES_MAX];     /* enum walk_place, by first granule of the slab */
    uint32_t place_of[WALK_GRANULES_MAX]; /* whose */
    uint8_t inboxes[WALK_GRANULES_MAX];   /* how many inboxes it is in */
    bool seen[WALK_BLOCKS_MAX];           /* of the slab being looked at */

    /* What the walk found. */
    uint64_t held[CLASS_COUNT]; /* blocks in the program's hands */
    uint64_t slabs;
    uint64_t orphans;
    uint64_t tokens;
    uint64_t live_heaps;
} walk;

/* ---- Heaps -------------------------------------------------------------------------------------------------------- */

static inline void walk_note_heap(struct heap *heap, void *context)
{
    (void)context;
    CHECK(walk.heap_count < WALK_HEAPS_MAX);
    CHECK_EQ(heap->id, walk.heap_count + 1);
    walk.heaps[walk.heap_count++] = heap;
}

static inline struct slab *walk_slab(granule_index index)
{
    struct slab *const slab = slab_at(index);

    CHECK(index.i > 0 && index.i < page_granule_end().i);
    CHECK_EQ(slab->line.kind, GRANULE_SLAB);
    return slab;
}

static inline void walk_put(struct heap *heap, struct slab *slab, int class, enum walk_place place)
{
    const uint32_t index = page_index_of(slab).i;

    CHECK(index < WALK_GRANULES_MAX);
    CHECK_EQ(walk.place[index], WALK_NOWHERE);
    CHECK_EQ(slab->line.class, class);
    CHECK_EQ(heap_owner_of(slab), heap->id);
    walk.place[index] = (uint8_t)place;
    walk.place_of[index] = heap->id;
}

static inline void walk_lists(struct heap *heap, int class)
{
    granule_index before = NO_GRANULE;

    for (granule_index index = heap->partial[class].oldest; index.i != 0; index = slab_at(index)->next) {
        CHECK_EQ(walk_slab(index)->previous.i, before.i);
        CHECK_EQ(slab_at(index)->line.state, SLAB_PARTIAL);
        walk_put(heap, slab_at(index), class, WALK_PARTIAL);
        before = index;
    }
    CHECK_EQ(heap->partial[class].newest.i, before.i);
    before = NO_GRANULE;
    for (granule_index index = heap->full[class]; index.i != 0; index = slab_at(index)->next) {
        CHECK_EQ(walk_slab(index)->previous.i, before.i);
        CHECK_EQ(slab_at(index)->line.state, SLAB_FULL);
        walk_put(heap, slab_at(index), class, WALK_FULL);
        before = index;
    }
    if (heap->current[class] != NULL) {
        CHECK_EQ(walk_slab(page_index_of(heap->current[class]))->line.state, SLAB_UNLISTED);
        walk_put(heap, heap->current[class], class, WALK_CURRENT);
    } else {
        CHECK_EQ(heap->list[class], NULL);
    }
}

static inline void walk_heap(struct heap *heap)
{
    const bool is_live = load_relaxed(&heap->is_live);
    size_t parcel_bytes = 0;

    walk.live_heaps += is_live;
    CHECK(!heap->is_busy);
    CHECK_EQ(load_relaxed(&heap->lock.word), 0);
    for (int class = 0; class < CLASS_COUNT; class ++) {
        walk_lists(heap, class);
        CHECK(is_live ||
              (heap->current[class] == NULL && heap->partial[class].oldest.i == 0 && heap->full[class].i == 0));
    }
    for (int i = 0; i < HEAP_PARCELS; i++)
        if (heap->parcels[i].slab != NULL)
            parcel_bytes += (size_t)heap->parcels[i].count * heap->parcels[i].slab->block_bytes;
    CHECK_EQ(heap->parcel_bytes, parcel_bytes);
    CHECK(parcel_bytes <= WALK_PARCEL_BYTES);
    CHECK(is_live || parcel_bytes == 0);

    uint64_t index = load_relaxed(&heap->inbox);
    if (!is_live)
        return; /* closed, or buried in a fork child, where nobody is left to bring anything */
    CHECK(index != WALK_INBOX_CLOSED);
    for (; index != 0; index = slab_at((granule_index){(uint32_t)index})->inbox_next.i)
        CHECK(++walk.inboxes[page_index_of(walk_slab((granule_index){(uint32_t)index})).i] == 1);
}

/* ---- Slabs -------------------------------------------------------------------------------------------------------- */

/* Follow a chain of free blocks that nobody else may hold. returns: how many; `*last`: the last one. */
static inline uint32_t walk_chain(const struct slab *slab, struct block *first, uint32_t most, struct block **last)
{
    uint32_t count = 0;

    for (struct block *block = first; block != NULL && count < most; block = slab_next(block)) {
        CHECK(slab_has_block(slab, (uintptr_t)block));
        CHECK_EQ(block->key, slab_key(block));
        const uint32_t number = slab_number_of(slab, block);
        CHECK(!walk.seen[number]);
        walk.seen[number] = true;
        *last = block;
        count++;
    }
    return count;
}

/* Blocks of `slab` on the list of the heap whose current slab it is. */
static inline uint32_t walk_hand(const struct slab *slab)
{
    const uint32_t index = page_index_of(slab).i;
    struct block *last = NULL;

    if (walk.place[index] != WALK_CURRENT)
        return 0;
    const struct heap *const heap = heap_at(walk.place_of[index]);
    const uint32_t count = walk_chain(slab, heap->list[slab->line.class], UINT32_MAX, &last);
    CHECK(last == NULL || slab_next(last) == NULL);
    return count;
}

static inline uint32_t walk_parcels(const struct slab *slab)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < walk.heap_count; i++)
        for (int slot = 0; slot < HEAP_PARCELS; slot++) {
            const struct heap_parcel *const parcel = &walk.heaps[i]->parcels[slot];
            struct block *last = NULL;
            if (parcel->slab != slab)
                continue;
            CHECK_EQ(page_index_of(slab).i % HEAP_PARCELS, slot);
            CHECK(parcel->count > 0);
            CHECK_EQ(walk_chain(slab, parcel->first, parcel->count, &last), parcel->count);
            CHECK_EQ(last, parcel->last);
            sum += parcel->count;
        }
    return sum;
}

static inline uint32_t walk_remote(const struct slab *slab, struct remote remote)
{
    struct block *last = NULL;

    if (remote.count == 0)
        return 0;
    CHECK_EQ(walk_chain(slab, slab_block(slab, remote.first), remote.count, &last), remote.count);
    CHECK_EQ(last, slab_block(slab, remote.last));
    return remote.count;
}

static inline void walk_owner(const struct slab *slab, struct remote remote)
{
    const uint32_t index = page_index_of(slab).i;
    const uintptr_t owner = load_relaxed(&slab->line.owner);

    CHECK_EQ(remote.token, walk.inboxes[index] == 1);
    walk.tokens += remote.token;
    if (remote.owner == 0) {
        CHECK_EQ(walk.place[index], WALK_NOWHERE);
        CHECK_EQ(owner, LINE_NOBODY);
        CHECK(!remote.direct && !remote.token);
        CHECK(slab_used(slab) > remote.count); /* else it would have ended */
        walk.orphans++;
        return;
    }
    const struct heap *const heap = heap_at(remote.owner);
    CHECK(remote.owner <= walk.heap_count && load_relaxed(&heap->is_live));
    CHECK_EQ(remote.direct, heap->is_shared);
    const bool asks = slab->line.class >= CLASS_MEDIUM || load_relaxed(&slab->line.released) != 0;
    const uintptr_t self = heap_self_of(heap) | (asks ? LINE_ASKS : 0);
    CHECK_EQ(owner, heap->is_shared ? LINE_NOBODY : self);
    CHECK_EQ(remote.token, remote.count != 0);
    CHECK(walk.place[index] != WALK_NOWHERE);
}

/* Blocks of `slab` in magazines, whoever's. */
static inline uint32_t walk_magazines(const struct slab *slab)
{
    uint32_t sum = 0;

    if (slab->line.class < CLASS_MEDIUM)
        return 0;
    for (uint32_t i = 0; i < walk.heap_count; i++) {
        const struct heap_magazine *const magazine = &walk.heaps[i]->magazines[slab->line.class - CLASS_MEDIUM];
        CHECK(magazine->count <= heap_magazine_room[slab->line.class]);
        for (uint32_t k = 0; k < magazine->count; k++) {
            const struct block *const block = magazine->blocks[k];
            if (slab_of_line(page_line(page_offset(block))) != slab)
                continue;
            CHECK(slab_has_block(slab, (uintptr_t)block));
            CHECK_EQ(block->key, slab_key(block));
            CHECK(!walk.seen[slab_number_of(slab, block)]);
            walk.seen[slab_number_of(slab, block)] = true;
            CHECK(!remote_unpack(load_relaxed(&slab->remote)).direct);
            sum++;
        }
    }
    return sum;
}

/* Slabs that are awake count down to empty. */
static inline void walk_count(const struct slab *slab) { CHECK_EQ(slab->line.slack, 0); }

/* Where a slab is listed goes with what it can give. */
static inline void walk_state(const struct slab *slab, uint32_t freed)
{
    switch (walk.place[page_index_of(slab).i]) {
    case WALK_PARTIAL:
        CHECK(freed > 0 || !slab_is_fully_carved(slab));
        CHECK(slab_used(slab) > 0);
        walk_count(slab);
        break;
    case WALK_FULL:
        CHECK(slab_is_fully_carved(slab));
        CHECK(slab->needed > 0);
        CHECK(freed <= class_table[slab->line.class].capacity / 64); /* heap/slabs.c */
        break;
    default:
        walk_count(slab);
    }
}

static inline void walk_one_slab(const struct slab *slab)
{
    const struct class_info *const info = &class_table[slab->line.class];
    const struct remote remote = remote_unpack(load_relaxed(&slab->remote));
    struct block *last = NULL;

    memset(walk.seen, 0, sizeof walk.seen);
    CHECK_EQ(slab->block_bytes, info->bytes);
    CHECK_EQ(slab->reciprocal, info->reciprocal);
    CHECK(load_relaxed(&slab->line.released) == 0 ||
          (info->granules == 1 &&
           (size_t)load_relaxed(&slab->line.released) < (size_t)1 << slab->carved / page_ground.page_bytes));
    CHECK_EQ(slab->carved % slab->block_bytes, 0);
    CHECK(slab->carved <= slab_bytes(slab));
    const uint32_t freed = walk_chain(slab, slab->freed, UINT32_MAX, &last);
    CHECK_EQ(slab_used(slab) + freed, slab_present_blocks(slab));
    const uint32_t away = walk_hand(slab) + walk_parcels(slab) + walk_magazines(slab) + walk_remote(slab, remote);
    CHECK(away <= slab_used(slab));
    walk_owner(slab, remote);
    walk_state(slab, freed);
    walk.held[slab->line.class] += slab_used(slab) - away;
    walk.slabs++;
}

/* Walk everything. */
static inline void heap_walk(void)
{
    memset(&walk, 0, sizeof walk);
    heap_each(walk_note_heap, NULL);
    for (uint32_t i = 0; i < walk.heap_count; i++)
        walk_heap(walk.heaps[i]);
    for (granule_index index = {1}; index.i < page_granule_end().i; index.i++) {
        const struct slab *const slab = slab_at(index);
        if (slab->line.kind == GRANULE_SLAB)
            walk_one_slab(slab);
        else if (slab->line.kind == GRANULE_SLAB_REST)
            CHECK_EQ(slab_of_line(page_line_at(index))->line.kind, GRANULE_SLAB);
    }
}

/* Blocks of all classes in the program's hands, after heap_walk(). */
static inline uint64_t walk_held(void)
{
    uint64_t held = 0;

    for (int class = 0; class < CLASS_COUNT; class ++)
        held += walk.held[class];
    return held;
}

/* ---- The calls of a program --------------------------------------------------------------------------------------- */

static inline void *walk_get_from(struct heap *heap, size_t bytes)
{
    const struct heap_request request = {bytes, BLOCK_ALIGN, false, "malloc"};

    return heap_alloc(heap, &request);
}

/* As malloc, fast path first. */
static inline void *walk_get(size_t bytes)
{
    void *block = NULL;

    if (bytes <= CLASS_SMALL_MAX)
        block = heap_pop(heap_mine(), class_of_small(bytes));
    else if (bytes <= CLASS_BYTES_MAX)
        block = heap_pop_kept(class_of_medium(bytes));
    return block != NULL ? block : walk_get_from(NULL, bytes);
}

/* As free. */
static inline void walk_put_back(void *block)
{
    struct slab *slab;

    switch (heap_push(block, &slab)) {
    case HEAP_PUSHED:
        return;
    case HEAP_PUSHED_EVENT:
        heap_event(slab);
        return;
    case HEAP_NOT_PUSHED:
        CHECK(heap_push_aside(block) || heap_free(block, "free"));
    }
}

#endif
