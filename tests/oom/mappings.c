/* mappings.c: the kernel's limit on the number of mappings of a process (vm.max_map_count, 65,530 by default).
 *
 * At that limit mmap fails, and so does every munmap, mprotect or madvise that would have to split a mapping. A release
 * that fails is no error: the pages stay the heap's. And the heap itself takes so few mappings that it never comes
 * near. */
#include "../lib/test.h"

#include <sys/mman.h>

#include "../lib/self.h"

#include "../stress/oracle.h"

static struct shelf shelf;

static void work(struct dice *dice, struct shelf limits, size_t steps)
{
    shelf = limits;
    shelf_steps(&shelf, dice, steps);
    shelf_check(&shelf);
    shelf_clear(&shelf, dice);
}

/* ---- At the limit --------------------------------------------------------------------------------------------------------- */

struct wall {
    unsigned char *start;
    size_t bytes;
};

/* Cut a region into single pages of alternating rights until the kernel refuses one mapping more. */
static struct wall use_up_mappings(void)
{
    char text[32] = "";
    const int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0)
        SKIP("vm.max_map_count is unknown");
    close(file);
    const size_t most = strtoul(text, NULL, 10), page = (size_t)sysconf(_SC_PAGESIZE);
    if (most > 300000)
        SKIP("vm.max_map_count is too large to be used up here");
    struct wall wall = {.bytes = (most + 100) * page};
    wall.start = mmap(NULL, wall.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(wall.start != MAP_FAILED);
    size_t offset = page;
    while (offset < wall.bytes && mprotect(wall.start + offset, page, PROT_READ) == 0)
        offset += 2 * page;
    CHECK(offset < wall.bytes);
    CHECK_EQ(errno, ENOMEM);
    while (mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        ;
    test_note("%zu mappings of %zu are in use", self_mapping_count(), most);
    return wall;
}

static void pairs_are_served(struct dice *dice)
{
    for (size_t i = 0; i < 100000; i++) {
        struct block block;
        CHECK(block_take(&block, (enum entry)dice_roll(dice, FROM_MEMALIGN), 0, dice_roll(dice, 8 * KIB), i));
        block_release(&block, i);
    }
}

static void release_keeps_errno(void)
{
    errno = ERRNO_MARK;
#if TEST_NAMESPACED
    ashlar_purge();
#else
    (void)malloc_trim(0);
#endif
    CHECK_EQ(errno, ERRNO_MARK);
}

TEST(heap_serves_when_all_mappings_are_used_up)
{
    struct dice dice = dice_new();
    struct block large[40], huge[4];
    test_restart(NULL);
    work(&dice, (struct shelf){.live_limit = 16 * MIB, .largest = 64 * KIB}, 20000);
    for (size_t i = 0; i < 40; i++)
        CHECK(block_take(&large[i], FROM_MALLOC, 0, 300 * KIB + i * 70 * KIB, i));
    for (size_t i = 0; i < 4; i++)
        CHECK(block_take(&huge[i], FROM_MALLOC, 0, 40 * MIB + i * MIB, i));

    const struct wall wall = use_up_mappings();
    pairs_are_served(&dice);
    release_keeps_errno();
    for (size_t i = 0; i < 40; i += 2)
        block_release(&large[i], 1);
    for (size_t i = 0; i < 4; i += 2)
        block_release(&huge[i], 1);
    release_keeps_errno();
    for (size_t i = 1; i < 40; i += 2)
        (void)block_resize(&large[i], large[i].usable * 2, false, i); /* may fail, then the content stays */
    for (size_t i = 1; i < 4; i += 2)
        (void)block_resize(&huge[i], i * 60 * MIB, false, i);
    work(&dice, (struct shelf){.live_limit = 32 * MIB, .largest = 2 * MIB, .memory_may_end = true}, 5000);
    pairs_are_served(&dice);
    for (size_t i = 1; i < 40; i += 2)
        block_release(&large[i], 1);
    for (size_t i = 1; i < 4; i += 2)
        block_release(&huge[i], 1);
    release_keeps_errno();
    pairs_are_served(&dice);

    CHECK_EQ(munmap(wall.start, wall.bytes), 0); /* the fault clears */
    work(&dice, (struct shelf){.live_limit = 200 * (size_t)MIB, .largest = 40 * MIB}, 2000);
}

/* ---- The heap's own share ------------------------------------------------------------------------------------------------- */

enum { MOST_BLOCKS = 1 << 20, SMALL_HEAP_MAPPINGS = 10 };

static void *blocks[MOST_BLOCKS];

/* Allocate until `goal` bytes are live. returns: the number of blocks. */
static size_t fill(struct dice *dice, size_t least, size_t most, size_t goal)
{
    size_t count = 0;
    for (size_t live = 0; live < goal; count++) {
        CHECK(count < MOST_BLOCKS);
        blocks[count] = malloc(least + dice_roll(dice, most - least));
        CHECK(blocks[count] != NULL);
        memset(blocks[count], 1, least);
        live += malloc_usable_size(blocks[count]);
    }
    return count;
}

/* Free all blocks but one in `keep_one_in`; 0 keeps none. */
static void thin_out(size_t count, size_t keep_one_in)
{
    for (size_t i = 0; i < count; i++) {
        if (keep_one_in && i % keep_one_in == 0)
            continue;
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

TEST(the_small_heap_has_few_mappings)
{
    struct dice dice = dice_new();
    test_restart(NULL);
    const size_t base = self_mapping_count();
    const size_t count = fill(&dice, 100, 1000, 256 * MIB);
    test_note("256 MiB of small blocks: %zu mappings more", self_mapping_count() - base);
    CHECK(self_mapping_count() - base < SMALL_HEAP_MAPPINGS);
    thin_out(count, 50);
    release_keeps_errno();
    test_note("one block in 50 left, and trimmed: %zu mappings more", self_mapping_count() - base);
    CHECK(self_mapping_count() - base < SMALL_HEAP_MAPPINGS);
}

TEST(large_and_huge_blocks_have_few_mappings)
{
    static const struct {
        size_t least, most;
    } rows[] = {{4 * KIB, 64 * KIB}, {64 * KIB, 512 * KIB}, {MIB, 8 * MIB}, {33 * MIB, 60 * MIB}};
    struct dice dice = dice_new();
    test_restart(NULL);
    const size_t base = self_mapping_count();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t count = fill(&dice, rows[i].least, rows[i].most, 512 * (size_t)MIB);
        const size_t full = self_mapping_count() - base;
        thin_out(count, 3);
        release_keeps_errno();
        const size_t thin = self_mapping_count() - base;
        test_note("blocks of %zu to %zu KiB: %zu mappings more at 512 MiB, %zu at a third of it", rows[i].least / KIB,
                  rows[i].most / KIB, full, thin);
        CHECK(full <= SMALL_HEAP_MAPPINGS + 512 * 4);
        CHECK(thin <= SMALL_HEAP_MAPPINGS + 170 * 4); /* one for each 256 KiB live */
        thin_out(count, 0);
    }
}
