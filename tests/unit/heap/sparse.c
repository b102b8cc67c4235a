/* Stories about slabs of which little is used: when their free pages go back to the kernel, and what comes after. */
#include "test.h"

#include "../lib/fake_os.h"
#include "../lib/ground.h"

#include "../lib/actors.h"

enum { BLOCKS = 4000, BYTES = 1500, SURVIVES = 20, LOOK_MS = 60 };

static struct survivor {
    unsigned char *block;
} all[BLOCKS];

static uint64_t now_ms;

static void fill_block(int i) { memset(all[i].block, i & 0xff, BYTES); }

static void check_block(int i)
{
    CHECK(all[i].block[0] == (i & 0xff) && memcmp(all[i].block, all[i].block + 1, BYTES - 1) == 0);
}

/* Ann has many blocks, and frees all but one in SURVIVES. */
static void leave_survivors(void)
{
    begin();
    now_ms = 1000;
    for (int i = 0; i < BLOCKS; i++) {
        all[i].block = get_as(ANN, BYTES);
        fill_block(i);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % SURVIVES != 0) {
            free_as(ANN, all[i].block);
            all[i].block = NULL;
        }
    heap_walk();
}

static void look_as(enum actor actor)
{
    now_ms += LOOK_MS;
    heap_thin_due(heap_of(actor), now_ms);
    heap_walk();
}

static uint32_t slabs_with_released_pages(void)
{
    uint32_t count = 0;

    for (granule_index index = {1}; index.i < page_granule_end().i; index.i++)
        count += slab_at(index)->line.kind == GRANULE_SLAB && slab_at(index)->line.released != 0;
    return count;
}

static int any_survivor_in_released(void)
{
    for (int i = 0; i < BLOCKS; i++)
        if (all[i].block != NULL && slab_of(all[i].block)->line.released != 0)
            return i;
    CHECK(false);
    return 0;
}

static void check_survivors(void)
{
    for (int i = 0; i < BLOCKS; i++)
        if (all[i].block != NULL)
            check_block(i);
}

static void free_survivors_as(enum actor actor)
{
    for (int i = 0; i < BLOCKS; i++)
        if (all[i].block != NULL) {
            check_block(i);
            free_as(actor, all[i].block);
        }
}

TEST(free_pages_of_sparse_slabs_go_back_at_the_second_look)
{
    leave_survivors();
    const size_t before = fake_os.purged_bytes;
    look_as(ANN);
    CHECK_EQ(fake_os.purged_bytes, before);
    look_as(ANN);
    CHECK(fake_os.purged_bytes - before > (size_t)BLOCKS * BYTES / 2);
    check_survivors();
    check_held(BLOCKS / SURVIVES);
    const size_t after = fake_os.purged_bytes;
    look_as(ANN);
    look_as(ANN);
    CHECK_EQ(fake_os.purged_bytes, after); /* once is enough */
    free_survivors_as(ANN);
    check_held(0);
}

TEST(a_sparse_slab_without_a_free_page_is_tried_again_after_256_looks)
{
    static void *blocks[GRANULE_BYTES / 64];
    const int count = (int)(GRANULE_BYTES / 64);

    begin();
    now_ms = 1000;
    for (int i = 0; i < count; i++)
        blocks[i] = get_as(ANN, 64);
    const struct slab *const slab = slab_of(blocks[0]);
    (void)get_as(ANN, 64); /* in another slab: this one is full, and then waits in the queue */
    for (int i = 0; i < count; i++)
        if (i % 32 != 0) /* two blocks stay in each page */
            free_as(ANN, blocks[i]);
    for (int i = 0; i < 10; i++)
        look_as(ANN);
    CHECK_EQ(slab->line.released, 0);
    for (int i = 32; i < count; i += 32)
        free_as(ANN, blocks[i]);
    for (int i = 10; i < 257; i++)
        look_as(ANN);
    CHECK_EQ(slab->line.released, 0);
    look_as(ANN);
    CHECK(slab->line.released != 0);
}

TEST(two_looks_are_a_tenth_of_the_purge_delay_apart)
{
    leave_survivors();
    store_relaxed(&page_bounds.purge_delay_ms, 5000);
    look_as(ANN);
    for (int i = 0; i < 8; i++)
        look_as(ANN); /* 480 ms */
    CHECK_EQ(slabs_with_released_pages(), 0);
    look_as(ANN);
    CHECK(slabs_with_released_pages() > 0);
}

TEST(slabs_that_are_in_use_between_looks_keep_their_pages)
{
    leave_survivors();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < BLOCKS; i++)
            if (i % SURVIVES != 0)
                all[i].block = get_as(ANN, BYTES);
        for (int i = 0; i < BLOCKS; i++)
            if (i % SURVIVES != 0)
                free_as(ANN, all[i].block);
        look_as(ANN);
    }
    CHECK(slabs_with_released_pages() <= 1); /* the last of the queue, which the class did not need */
}

TEST(slabs_that_are_half_used_keep_their_pages)
{
    begin();
    for (int i = 0; i < BLOCKS; i++)
        all[i].block = get_as(ANN, BYTES);
    for (int i = 0; i < BLOCKS; i += 2)
        free_as(ANN, all[i].block);
    look_as(ANN);
    look_as(ANN);
    CHECK_EQ(slabs_with_released_pages(), 0);
}

TEST(nobody_releases_pages_of_anothers_slabs)
{
    leave_survivors();
    (void)get_as(BOB, 100);
    look_as(BOB);
    look_as(BOB);
    CHECK_EQ(slabs_with_released_pages(), 0);
}

TEST(released_blocks_are_handed_out_again_before_fresh_ground)
{
    leave_survivors();
    const uint32_t granules = live_granules();
    look_as(ANN);
    look_as(ANN);
    for (int i = 0; i < BLOCKS; i++)
        if (all[i].block == NULL) {
            all[i].block = get_as(ANN, BYTES);
            fill_block(i);
        }
    CHECK_EQ(live_granules(), granules);
    CHECK(slabs_with_released_pages() <= 1); /* one was not needed */
    check_survivors();
    check_held(BLOCKS);
    free_survivors_as(ANN);
    check_held(0);
}

TEST(survivors_beside_released_pages_are_freed_by_anybody)
{
    leave_survivors();
    look_as(ANN);
    look_as(ANN);
    (void)get_as(BOB, 100);
    free_survivors_as(BOB);
    send_all(BOB);
    heap_collect(heap_of(ANN));
    check_held(1);
    CHECK_EQ(slabs_with_released_pages(), 0);
    CHECK_EQ(reports.count, 0);
}

TEST(orphans_keep_their_released_pages_and_whoever_adopts_one_uses_them)
{
    leave_survivors();
    look_as(ANN);
    look_as(ANN);
    const uint32_t granules = live_granules();
    exit_as(ANN);
    heap_walk();
    CHECK(slabs_with_released_pages() > 0);
    for (int i = 0; i < BLOCKS; i++)
        if (all[i].block == NULL) {
            all[i].block = get_as(BOB, BYTES);
            fill_block(i);
        }
    CHECK_EQ(live_granules(), granules);
    check_survivors();
    free_survivors_as(BOB);
    check_held(0);
}

static void *released_block(void)
{
    const struct slab *const slab = slab_of(all[any_survivor_in_released()].block);
    const uint32_t page = (uint32_t)__builtin_ctz(slab->line.released);

    return slab_block(slab, slab_block_number(slab, page * page_ground.page_bytes + slab->block_bytes - 1));
}

TEST(a_second_free_of_a_released_block_is_named)
{
    leave_survivors();
    look_as(ANN);
    look_as(ANN);
    void *const block = released_block();
    const uint64_t held = BLOCKS / SURVIVES;

    free_as(ANN, block);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_DOUBLE_FREE);
    CHECK_EQ((uintptr_t)reports.last.address, (uintptr_t)block);
    heap_walk();
    CHECK_EQ(walk_held(), held);
    (void)get_as(BOB, 100);
    free_as(BOB, block);
    CHECK_EQ(reports.count, 2);
    CHECK_EQ(reports.last.kind, MISUSE_DOUBLE_FREE);
    CHECK_EQ(heap_find(block, "realloc").kind, BLOCK_FOREIGN);
    CHECK_EQ(reports.count, 3);
}

TEST(a_free_inside_a_released_block_is_interior)
{
    leave_survivors();
    look_as(ANN);
    look_as(ANN);
    free_as(ANN, (char *)released_block() + 16);
    CHECK_EQ(reports.count, 1);
    CHECK_EQ(reports.last.kind, MISUSE_INTERIOR);
}

TEST(a_heap_that_settles_releases_pages_at_once)
{
    leave_survivors();
    be(ANN);
    heap_settle();
    heap_walk();
    CHECK(slabs_with_released_pages() > 0);
    check_survivors();
}

TEST(a_handler_may_have_the_pages_released_between_a_count_and_its_event)
{
    enum { SMALL = 1000 };
    void *blocks[64];
    struct slab *due = NULL;

    begin();
    for (int i = 0; i < 64; i++)
        blocks[i] = get_as(ANN, SMALL);
    (void)get_as(ANN, SMALL); /* of another slab */
    for (int i = 0; i < 63; i++)
        free_as(ANN, blocks[i]);
    struct slab *const slab = slab_of(blocks[63]);
    struct heap *const ann = heap_of(ANN);
    CHECK_EQ(slab, slab_of(blocks[0]));
    CHECK_EQ(heap_push(blocks[63], &due), HEAP_PUSHED_EVENT);
    CHECK_EQ(due, slab);
    heap_thin_all(ann);
    CHECK(slab->line.released != 0 && slab->freed == NULL);
    heap_event(slab);
    check_held(1);
    CHECK_EQ(live_granules(), 1);
}

TEST(what_is_released_is_not_active)
{
    leave_survivors();
    const size_t before = load_relaxed(&heap_counts.active);
    be(ANN);
    heap_settle();
    const size_t after = load_relaxed(&heap_counts.active);
    CHECK(before - after > (size_t)BLOCKS * BYTES / 2);
    free_survivors_as(ANN);
    be(ANN);
    heap_settle();
    CHECK_EQ(load_relaxed(&heap_counts.active), 0);
}

TEST(a_kernel_that_takes_no_pages_back_changes_nothing)
{
    fake_os.purge_fails = true;
    leave_survivors();
    look_as(ANN);
    look_as(ANN);
    check_survivors();
    for (int i = 0; i < BLOCKS; i++)
        if (all[i].block == NULL) {
            all[i].block = get_as(ANN, BYTES);
            fill_block(i);
        }
    check_survivors();
    check_held(BLOCKS);
}

TEST(where_a_page_is_as_large_as_a_granule_none_is_released)
{
    fake_os.page_bytes = 64 << 10;
    leave_survivors();
    look_as(ANN);
    look_as(ANN);
    CHECK_EQ(slabs_with_released_pages(), 0);
    check_survivors();
}
