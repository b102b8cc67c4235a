/* shadow.c: random operations over every entry point, against a second book of what is live.
 *
 *   shelf (oracle.h)   each block's size, usable size, alignment and content
 *   ranges             the same blocks as [start, start + usable), sorted by address: no two may overlap
 *
 * One thread; threads.c has the same shelf without the sorted book, because a lock around it would hide races. */
#include "oracle.h"

struct range {
    uintptr_t start, end;
};

static struct range ranges[SHELF_PLACES];
static size_t range_count;
static struct shelf shelf;

/* ---- The sorted book ------------------------------------------------------------------------------------------------ */

/* returns: index of the first range that ends above `address`. */
static size_t range_after(uintptr_t address)
{
    size_t low = 0, high = range_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (ranges[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void range_insert(const struct block *block)
{
    const struct range added = {(uintptr_t)block->start, (uintptr_t)block->start + block->usable};
    const size_t index = range_after(added.start);
    if (index < range_count && ranges[index].start < added.end)
        VIOLATION("%s gave %p of %zu bytes, which overlaps the live block %p of %zu bytes", entry_name(block->origin),
                  (void *)block->start, block->usable, (void *)ranges[index].start,
                  ranges[index].end - ranges[index].start);
    memmove(&ranges[index + 1], &ranges[index], (range_count - index) * sizeof *ranges);
    ranges[index] = added;
    range_count++;
}

static void range_remove(const struct block *block)
{
    const size_t index = range_after((uintptr_t)block->start);
    CHECK(index < range_count && ranges[index].start == (uintptr_t)block->start);
    range_count--;
    memmove(&ranges[index], &ranges[index + 1], (range_count - index) * sizeof *ranges);
}

/* Bring the book up to date after an operation on one place. */
static void range_follow(const struct block *before, const struct block *after)
{
    if (before->start)
        range_remove(before);
    if (after->start)
        range_insert(after);
}

/* ---- Requests that cannot be served --------------------------------------------------------------------------------- */

/* The errno value that the contract demands for an alignment that cannot be had. */
static int alignment_error(enum entry entry, size_t alignment)
{
    const bool power_of_two = alignment != 0 && (alignment & (alignment - 1)) == 0;
    if (entry == FROM_MEMALIGN)
        return alignment > SIZE_MAX / 2 + 1 ? EINVAL : ENOMEM;
    if (!power_of_two || (entry == FROM_POSIX_MEMALIGN && alignment % sizeof(void *) != 0))
        return EINVAL;
    return ENOMEM;
}

static void must_fail(enum entry entry, size_t alignment, size_t bytes, int error)
{
    errno = ERRNO_MARK;
    void *start = entry_call(entry, alignment, bytes);
    if (start || errno != error)
        VIOLATION("%s(%zu, alignment %zu) returned %p with errno %d instead of NULL with %d", entry_name(entry), bytes,
                  alignment, start, errno, error);
}

/* Near SIZE_MAX, and just above PTRDIFF_MAX. */
static size_t impossible_size(struct dice *dice)
{
    const size_t distance = dice_roll(dice, 1 << 14);
    return dice_once_in(dice, 2) ? SIZE_MAX - distance : (size_t)PTRDIFF_MAX + 1 + distance;
}

static void ask_for_impossible_size(struct dice *dice)
{
    const enum entry entry = (enum entry)dice_roll(dice, ENTRY_COUNT);
    must_fail(entry, random_alignment(dice, entry, 0), impossible_size(dice), ENOMEM);
}

static void ask_for_impossible_alignment(struct dice *dice)
{
    static const size_t alignments[] = {0, 3, 7, 24, 65, 0x300, ((size_t)1 << 24) + 8, (size_t)1 << 63, SIZE_MAX};
    const size_t alignment = alignments[dice_roll(dice, sizeof alignments / sizeof *alignments)];
    const enum entry entry = (enum entry)(FROM_MEMALIGN + dice_roll(dice, 3));
    if (entry != FROM_MEMALIGN || alignment > SIZE_MAX / 2) /* memalign rounds the others up */
        must_fail(entry, alignment, random_request(dice, 64 * KIB), alignment_error(entry, alignment));
}

/* A count and a size whose product wraps round to a small number. */
static void ask_for_overflowing_product(struct dice *dice)
{
    const size_t size = ((size_t)1 << (33 + dice_roll(dice, 20))) + dice_roll(dice, 100);
    const size_t count = SIZE_MAX / size + 1 + dice_roll(dice, 3);
    errno = ERRNO_MARK;
    CHECK(calloc(count, size) == NULL);
    CHECK_EQ(errno, ENOMEM);
    errno = ERRNO_MARK;
    CHECK(reallocarray(NULL, count, size) == NULL);
    CHECK_EQ(errno, ENOMEM);
}

/* A realloc that must fail, of a block that must survive it. */
static void fail_to_resize(const struct block *block, struct dice *dice)
{
    errno = ERRNO_MARK;
    void *start = dice_once_in(dice, 2) ? realloc(block->start, impossible_size(dice))
                                        : reallocarray(block->start, SIZE_MAX / 8, 9 + dice_roll(dice, 100));
    CHECK(start == NULL);
    CHECK_EQ(errno, ENOMEM);
    block_check(block);
}

static void ask_for_nothing(void)
{
    errno = ERRNO_MARK;
    free(NULL);
    free_sized(NULL, 8);
    free_aligned_sized(NULL, 64, 8);
    CHECK_EQ(malloc_usable_size(NULL), 0);
    CHECK_EQ(errno, ERRNO_MARK);
}

/* Sizes about 4 GiB, where a 32-bit count would wrap. The machine may refuse them; served ones are touched at their
 * ends. */
static void ask_for_four_gib(struct dice *dice)
{
    static const size_t sizes[] = {((size_t)1 << 32) - 1, (size_t)1 << 32, ((size_t)1 << 32) + 1, (size_t)5 << 30};
    struct block block = {0};
    if (!block_take(&block, FROM_MALLOC, LEAST_ALIGNMENT, sizes[dice_roll(dice, 4)], dice_next(dice)))
        return;
    range_insert(&block);
    range_remove(&block); /* it overlaps no live one */
    if (block_resize(&block, block.usable + 100 * (size_t)MIB, false, dice_next(dice)))
        CHECK(block.usable > 4 * (size_t)1024 * MIB);
    block_release(&block, 1);
}

static void give_memory_back(struct dice *dice)
{
    const size_t pad = dice_roll(dice, MIB);
    errno = ERRNO_MARK;
#if !TEST_NAMESPACED
    CHECK((unsigned)malloc_trim(pad) <= 1);
#endif
    if (pad % 2 == 0)
        ashlar_purge();
    CHECK_EQ(errno, ERRNO_MARK);
}

static void rare_operation(struct dice *dice)
{
    switch (dice_roll(dice, 64)) {
    case 0:
        return give_memory_back(dice);
    case 1 ... 15:
        return ask_for_impossible_size(dice);
    case 16 ... 31:
        return ask_for_impossible_alignment(dice);
    case 32 ... 40:
        return ask_for_overflowing_product(dice);
    case 41:
        return ask_for_nothing();
    default: {
        const struct block *block = &shelf.places[dice_roll(dice, SHELF_PLACES)];
        if (block->start)
            fail_to_resize(block, dice);
    }
    }
}

/* ---- The tests ------------------------------------------------------------------------------------------------------ */

/* shelf_step() with the sorted book kept. */
static void follow_step(struct dice *dice)
{
    struct dice ahead = *dice;
    const struct block before = shelf.places[dice_roll(&ahead, SHELF_PLACES)];
    const size_t index = shelf_step(&shelf, dice);
    range_follow(&before, &shelf.places[index]);
}

static void run_operations(struct shelf limits, size_t operations)
{
    struct dice dice = dice_new();
    shelf = limits;
    for (size_t i = 0; i < operations; i++) {
        follow_step(&dice);
        if (dice_once_in(&dice, 32))
            rare_operation(&dice);
        if (i % 65536 == 0)
            shelf_check(&shelf);
    }
    shelf_check(&shelf);
    shelf_clear(&shelf, &dice);
}

TEST(random_operations_on_small_blocks)
{
    run_operations((struct shelf){.live_limit = 64 * MIB, .largest = 2 * KIB}, rounds(1000000, 30000000));
}

TEST(random_operations_on_blocks_up_to_128_kib)
{
    run_operations((struct shelf){.live_limit = 64 * MIB, .largest = 128 * KIB}, rounds(250000, 8000000));
}

TEST(random_operations_on_blocks_up_to_40_mib)
{
    run_operations((struct shelf){.live_limit = 256 * MIB, .largest = 40 * MIB}, rounds(40000, 1000000));
}

TEST(sizes_about_four_gib_do_not_wrap)
{
    struct dice dice = dice_new();
    for (int i = 0; i < 20; i++)
        ask_for_four_gib(&dice);
}
