/* slab.c: slabs of every class, cut on a plain piece of memory that stands for the heap range. No kernel, no heap: this
 * floor only needs a base, a table and two secrets. */
#include "test.h"

#include <string.h>

#include "slab/slab.h"

enum { GRANULES = 8, FIRST = 1 };

static _Alignas(1 << GRANULE_SHIFT) char range[GRANULES << GRANULE_SHIFT];
static _Alignas(1 << LINE_SHIFT) char table[GRANULES << LINE_SHIFT];

static struct slab *start(int class)
{
    page_ground.base = (uintptr_t)range;
    page_ground.table = table;
    page_ground.link_secret = test_random();
    page_ground.key_secret = test_random() | 1;
    page_ground.page_bytes = 4096;
    page_set_end(sizeof range);
    return slab_start((granule_index){FIRST}, (class_id){(uint8_t) class});
}

/* `step` blocks at a time until the slab is fully carved. returns: how many. */
static uint32_t carve_all(struct slab *slab, size_t bytes)
{
    uint32_t carved = 0;

    while (!slab_is_fully_carved(slab)) {
        uint32_t count = 0;
        const struct block *const first = slab_carve(slab, bytes, &count);
        CHECK_EQ((uintptr_t)first, slab_address(slab) + (size_t)carved * slab->block_bytes);
        carved += count;
    }
    return carved;
}

/* Give block `number` back, as its owner. */
static struct block *give(struct slab *slab, uint32_t number)
{
    struct block *const block = slab_block(slab, number);

    block->key = slab_key(block);
    block->link = slab_link(slab->freed);
    slab->freed = block;
    slab->needed--;
    return block;
}

/* ---- Arithmetic, for every offset --------------------------------------------------------------------------------- */

TEST(every_offset_in_every_slab_is_a_start_exactly_when_division_says_so)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        const struct slab *const slab = start(class);
        for (size_t offset = 0; offset < slab_bytes(slab); offset++)
            CHECK_EQ(slab_is_start(slab, offset), offset % slab->block_bytes == 0);
    }
}

TEST(every_offset_in_every_slab_has_the_number_that_division_says)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        const struct slab *const slab = start(class);
        for (size_t offset = 0; offset <= slab_bytes(slab); offset++)
            CHECK_EQ(slab_block_number(slab, offset), offset / slab->block_bytes);
    }
}

/* At each offset as many as are left, one more, and lengths that are anything. */
TEST(as_many_bytes_have_room_as_a_block_has_left_and_not_one_more)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        const struct slab *const slab = start(class);
        for (size_t offset = 0; offset < slab_bytes(slab); offset++) {
            const size_t left = slab->block_bytes - offset % slab->block_bytes;
            const size_t some = 1 + test_random() % (2 * (size_t)slab->block_bytes), any = test_random() | 1;
            CHECK(slab_has_room(slab, offset, 1) && slab_has_room(slab, offset, left));
            CHECK(!slab_has_room(slab, offset, left + 1) && !slab_has_room(slab, offset, SIZE_MAX));
            CHECK_EQ(slab_has_room(slab, offset, some), some <= left);
            CHECK_EQ(slab_has_room(slab, offset, any), any <= left);
        }
    }
}

TEST(only_carved_blocks_are_blocks)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct slab *const slab = start(class);
        uint32_t count = 0;
        CHECK(!slab_has_block(slab, slab_address(slab)));
        (void)slab_carve(slab, 1, &count);
        CHECK_EQ(count, 1);
        CHECK(slab_has_block(slab, slab_address(slab)));
        CHECK(!slab_has_block(slab, slab_address(slab) + 1));
        CHECK(!slab_has_block(slab, slab_address(slab) + slab->block_bytes));
        CHECK(!slab_has_block(slab, slab_address(slab) - slab->block_bytes));
    }
}

/* ---- Start and end ------------------------------------------------------------------------------------------------ */

TEST(every_line_of_a_slab_leads_to_its_first)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct slab *const slab = start(class);
        for (uint32_t i = 0; i < class_table[class].granules; i++)
            CHECK_EQ(slab_of_line(page_line_at((granule_index){FIRST + i})), slab);
        CHECK_EQ(slab->line.kind, GRANULE_SLAB);
        CHECK_EQ(slab_end(slab).n, class_table[class].granules);
        for (uint32_t i = 0; i < GRANULES; i++)
            CHECK_EQ(((struct line *)page_line_at((granule_index){i}))->kind, GRANULE_NONE);
    }
}

TEST(an_ended_slab_is_nobodys_and_looks_like_no_large_block)
{
    struct slab *const slab = start(0);

    store_relaxed(&slab->line.owner, 12345);
    slab->previous.i = 7;
    slab->inbox_next.i = 7;
    store_relaxed(&slab->remote, 99);
    (void)slab_end(slab);
    CHECK_EQ(load_relaxed(&slab->line.owner), LINE_NOBODY);
    CHECK_EQ(load_relaxed(&slab->remote), 0);
    CHECK_EQ(*(uint64_t *)(void *)((char *)slab + 48), 0); /* heap/own.h: the size of the large block that was here */
}

/* ---- Carving ------------------------------------------------------------------------------------------------------ */

TEST(carving_hands_out_every_block_once_in_order)
{
    const size_t steps[] = {1, 100, 4096, 16384, 65536, SIZE_MAX};

    for (int class = 0; class < CLASS_COUNT; class ++)
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct slab *const slab = start(class);
            CHECK_EQ(carve_all(slab, steps[i]), class_table[class].capacity);
            CHECK_EQ(slab_used(slab), class_table[class].capacity);
            CHECK_EQ(slab->carved, (uint32_t)class_table[class].capacity * class_table[class].bytes);
            CHECK_EQ(slab_carved_blocks(slab), class_table[class].capacity);
        }
}

TEST(carved_blocks_are_linked_and_carry_the_key_word)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct slab *const slab = start(class);
        uint32_t count = 0, length = 0;
        struct block *const first = slab_carve(slab, 16384, &count);
        for (struct block *block = first; block != NULL; block = slab_next(block), length++) {
            CHECK_EQ(slab_number_of(slab, block), length);
            CHECK_EQ(block->key, slab_key(block));
        }
        CHECK_EQ(length, count);
    }
}

TEST(carving_touches_nothing_beyond_what_it_carves)
{
    struct slab *const slab = start(20);
    uint32_t count = 0;

    memset(range, 0x5a, sizeof range);
    (void)slab_carve(slab, 4096, &count);
    for (size_t offset = 0; offset < sizeof range; offset++)
        if (offset < GRANULE_BYTES || offset >= GRANULE_BYTES + slab->carved)
            CHECK_EQ(range[offset], 0x5a);
}

/* ---- Freed blocks ------------------------------------------------------------------------------------------------- */

TEST(taking_what_was_freed_makes_all_of_it_used_again)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct slab *const slab = start(class);
        const uint32_t blocks = carve_all(slab, SIZE_MAX);
        for (uint32_t number = 0; number < blocks; number += 2)
            (void)give(slab, number);
        CHECK_EQ(slab_used(slab), blocks / 2);
        uint32_t count = 0;
        const struct block *const first = slab_take_freed(slab, &count);
        CHECK_EQ(count, (blocks + 1) / 2);
        CHECK_EQ(slab_used(slab), blocks);
        CHECK_EQ(slab->freed, NULL);
        CHECK_EQ(slab_number_of(slab, first), (blocks - 1) / 2 * 2); /* the newest */
    }
}

TEST(waking_a_slab_keeps_the_number_of_its_used_blocks)
{
    struct slab *const slab = start(3);
    const uint32_t blocks = carve_all(slab, SIZE_MAX);

    slab->needed = 1;
    slab->line.slack = (uint16_t)(blocks - 1);
    CHECK_EQ(slab_used(slab), blocks);
    slab_wake(slab);
    CHECK_EQ(slab->needed, blocks);
    CHECK_EQ(slab->line.slack, 0);
}

TEST(a_walk_reaches_every_block_of_a_whole_list)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct slab *const slab = start(class);
        const uint32_t blocks = carve_all(slab, SIZE_MAX);
        struct block *last = NULL;
        CHECK_EQ(slab_walk(slab, NULL, blocks, &last), 0);
        struct block *const oldest = give(slab, blocks - 1);
        for (uint32_t number = 0; number < blocks - 1; number++)
            (void)give(slab, number);
        CHECK_EQ(slab_walk(slab, slab->freed, blocks, &last), blocks);
        CHECK_EQ(last, oldest);
    }
}

/* Links that an overflow or a use after free may leave behind. */
static uint64_t damaged_link(const struct slab *slab, const struct block *block, int kind)
{
    switch (kind) {
    case 0:
        return 0; /* the program cleared its block */
    case 1:
        return slab_link((const struct block *)((const char *)block + 8)); /* misaligned */
    case 2:
        return slab_link(slab_block(slab, slab_carved_blocks(slab))); /* never carved */
    case 3:
        return slab_link((const struct block *)(slab_address(slab) - slab->block_bytes)); /* before the slab */
    case 4:
        return slab_link(block); /* a circle */
    case 5:
        return (uintptr_t)slab_block(slab, 0); /* an address in the clear: a forgery */
    default:
        return test_random() & ~UINT64_C(1);
    }
}

TEST(a_walk_stops_at_any_damaged_link)
{
    for (int kind = 0; kind <= 6; kind++) {
        struct slab *const slab = start(10);
        uint32_t count = 0;
        struct block *last = NULL;
        (void)slab_carve(slab, 4096, &count);
        for (uint32_t number = 0; number < 8; number++)
            (void)give(slab, number);
        struct block *const broken = slab_block(slab, 4);
        broken->link = damaged_link(slab, broken, kind);
        CHECK_EQ(slab_walk(slab, slab->freed, count, &last), -1);
        CHECK(slab_list_holds(slab, slab->freed, count, broken));
        CHECK(!slab_list_holds(slab, slab->freed, count, slab_block(slab, 3)));
    }
}

TEST(a_walk_does_not_take_a_list_that_is_longer_than_it_may_be)
{
    struct slab *const slab = start(0);
    struct block *last = NULL;

    (void)carve_all(slab, SIZE_MAX);
    for (uint32_t number = 0; number < 5; number++)
        (void)give(slab, number);
    CHECK_EQ(slab_walk(slab, slab->freed, 5, &last), 5);
    CHECK_EQ(slab_walk(slab, slab->freed, 4, &last), -1);
}

TEST(a_list_holds_what_was_freed_and_nothing_else)
{
    struct slab *const slab = start(7);
    const uint32_t blocks = carve_all(slab, SIZE_MAX);

    for (uint32_t number = 0; number < blocks; number += 3)
        (void)give(slab, number);
    for (uint32_t number = 0; number < blocks; number++)
        CHECK_EQ(slab_list_holds(slab, slab->freed, blocks, slab_block(slab, number)), number % 3 == 0);
    CHECK(!slab_list_holds(slab, slab->freed, blocks, slab)); /* not a block at all */
    CHECK(!slab_list_holds(slab, NULL, blocks, slab_block(slab, 0)));
}

/* ---- Released pages ----------------------------------------------------------------------------------------------- */

enum { CAPACITY_MAX = GRANULE_BYTES / BLOCK_ALIGN, PAGES_MAX = 16 };

/* A slab of `class`, fully carved, of which every block is used with a chance of 1 in `rarity`; its used blocks are
 * full of their numbers. */
static struct slab *start_thinly_used(int class, uint64_t rarity, bool used[CAPACITY_MAX])
{
    struct slab *const slab = start(class);
    const uint32_t blocks = carve_all(slab, SIZE_MAX);

    for (uint32_t number = 0; number < blocks; number++) {
        used[number] = test_random() % rarity == 0;
        if (used[number])
            memset(slab_block(slab, number), (int)number & 0xff, slab->block_bytes);
        else
            (void)give(slab, number);
    }
    return slab;
}

/* Whether a block that is used lies in page `page`; or the page is not carved to its end. */
static bool page_is_needed(const struct slab *slab, uint32_t page, const bool *used)
{
    for (uint32_t number = 0; number < slab_carved_blocks(slab); number++) {
        const size_t start = (size_t)number * slab->block_bytes;
        if (used[number] && start < (page + 1) * 4096u && start + slab->block_bytes > page * 4096u)
            return true;
    }
    return (page + 1) * 4096u > slab->carved;
}

static bool is_of_byte(const void *start, size_t count, int byte)
{
    const unsigned char *const bytes = start;

    return bytes[0] == byte && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static bool lies_in_released(const struct slab *slab, uint32_t number, const bool *needed)
{
    const size_t start = (size_t)number * slab->block_bytes;

    for (size_t page = start / 4096; page <= (start + slab->block_bytes - 1) / 4096; page++)
        if (!needed[page])
            return true;
    return false;
}

/* returns: the blocks released. */
static uint32_t check_release(struct slab *slab, const bool *used, bool needed[PAGES_MAX])
{
    const uint32_t before = slab_used(slab), carved = slab_carved_blocks(slab);
    uint32_t away = 0, listed = 0;

    for (uint32_t page = 0; page < PAGES_MAX; page++)
        needed[page] = page_is_needed(slab, page, used);
    const uint32_t released = slab_release_pages(slab);
    for (uint32_t page = 0; page < PAGES_MAX; page++) {
        CHECK_EQ(slab->line.released >> page & 1, !needed[page]);
        CHECK(needed[page] || is_of_byte((const char *)slab_address(slab) + page * 4096u, 4096, 0));
    }
    for (uint32_t number = 0; number < carved; number++) {
        const bool is_away = lies_in_released(slab, number, needed);
        CHECK_EQ(slab_has_block(slab, (uintptr_t)slab_block(slab, number)), !is_away);
        CHECK_EQ(slab_list_holds(slab, slab->freed, carved, slab_block(slab, number)), !used[number] && !is_away);
        CHECK(!used[number] || is_of_byte(slab_block(slab, number), slab->block_bytes, (int)number & 0xff));
        away += is_away;
    }
    for (const struct block *block = slab->freed; block != NULL; block = slab_next(block))
        listed++;
    CHECK_EQ(released, away);
    CHECK_EQ(slab_released_blocks(slab), away);
    CHECK_EQ(slab_used(slab), before);
    CHECK_EQ(slab_used(slab) + listed, slab_present_blocks(slab));
    return released;
}

/* Carve all that was released, and see each block come once. */
static void check_carve_released(struct slab *slab, const bool *needed)
{
    static bool seen[CAPACITY_MAX];
    const uint32_t used = slab_used(slab), released = slab_released_blocks(slab);
    uint32_t sum = 0;

    memset(seen, 0, sizeof seen);
    while (slab->line.released != 0) {
        uint32_t count = 0, length = 0;
        CHECK(!slab_is_fully_carved(slab));
        for (struct block *block = slab_carve_released(slab, &count); block != NULL; block = slab_next(block)) {
            const uint32_t number = slab_number_of(slab, block);
            CHECK(lies_in_released(slab, number, needed) && !seen[number]);
            CHECK_EQ(block->key, slab_key(block));
            seen[number] = true;
            length++;
        }
        CHECK_EQ(length, count);
        sum += count;
    }
    CHECK_EQ(sum, released);
    CHECK_EQ(slab_used(slab), used + released);
    CHECK(slab_is_fully_carved(slab));
}

TEST(exactly_the_pages_without_a_used_block_are_released_and_their_blocks_can_be_carved_again)
{
    static const uint64_t rarities[] = {2, 8, 30, 400};
    static bool used[CAPACITY_MAX], needed[PAGES_MAX];
    uint32_t released = 0;

    for (int class = 0; class < CLASS_COUNT && class_table[class].granules == 1; class ++)
        for (int i = 0; i < 4; i++) {
            struct slab *const slab = start_thinly_used(class, rarities[i], used);
            released += check_release(slab, used, needed);
            check_carve_released(slab, needed);
        }
    CHECK(released > 1000);
}

TEST(taking_what_was_freed_leaves_released_blocks_out)
{
    static bool used[CAPACITY_MAX], needed[PAGES_MAX];
    struct slab *const slab = start_thinly_used(3, 300, used);
    const uint32_t before = slab_used(slab), released = check_release(slab, used, needed);
    uint32_t count = 0;

    CHECK(released > 0);
    (void)slab_take_freed(slab, &count);
    CHECK_EQ(before + count + released, class_table[3].capacity);
    CHECK_EQ(slab_used(slab), before + count);
    check_carve_released(slab, needed);
    CHECK_EQ(slab_used(slab), class_table[3].capacity);
}

TEST(pages_of_a_damaged_list_are_not_released)
{
    static bool used[CAPACITY_MAX];
    struct slab *const slab = start_thinly_used(10, 100, used);

    slab->freed->link = slab_link(slab->freed);
    CHECK_EQ(slab_release_pages(slab), 0);
    CHECK_EQ(slab->line.released, 0);
}

TEST(the_key_word_of_one_block_never_marks_another_nor_passes_for_a_link)
{
    struct slab *const slab = start(0);
    const uint32_t blocks = carve_all(slab, SIZE_MAX);
    struct block *const block = slab_block(slab, 5);

    CHECK(slab_key(block) & 1);
    for (uint32_t number = 0; number < blocks; number++)
        CHECK_EQ(slab_key(slab_block(slab, number)) == slab_key(block), number == 5);
    CHECK_EQ(slab_next(&(struct block){slab_link(block), 0}), block);
    CHECK_EQ(slab_next(&(struct block){slab_link(NULL), 0}), NULL);
}
