/* locked.c: memory that the program has locked. The kernel then populates every mapping that may be written, and
 * refuses MADV_DONTNEED: what was "given back" keeps its old content, and must not pass for zero. */
#include "../lib/test.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "../lib/self.h"

#include "../stress/oracle.h"

static struct shelf shelf;

static void lock_everything(void)
{
    const struct rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_MEMLOCK, &no_limit);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        SKIP("mlockall is not permitted");
}

/* Dirty blocks, give them back, and ask calloc for the same sizes. block_take() looks at every byte of them. */
static void calloc_is_zero_again(void)
{
    static const size_t sizes[] = {100, 3000, 20000, 70000, 300 * KIB, MIB, 5 * MIB, 34 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct block blocks[8];
        for (size_t round = 0; round < 3; round++) {
            for (size_t k = 0; k < 8; k++) {
                CHECK(block_take(&blocks[k], FROM_CALLOC, 0, sizes[i], k));
                memset(blocks[k].start, 0xee, blocks[k].usable);
            }
            for (size_t k = 0; k < 8; k++)
                free(blocks[k].start);
            ashlar_purge();
        }
    }
}

static void work(void)
{
    struct dice dice = dice_new();
    shelf = (struct shelf){.live_limit = 32 * MIB, .largest = 4 * MIB};
    shelf_steps(&shelf, &dice, 2000);
    ashlar_purge();
    shelf_steps(&shelf, &dice, 2000);
    shelf_clear(&shelf, &dice);
}

TEST(locking_at_start_populates_little)
{
    test_restart(NULL);
    const size_t before = self_status("VmRSS");
    lock_everything();
    free(malloc(100));
    test_note("%zu KiB resident before, %zu KiB after mlockall", before / KIB, self_status("VmRSS") / KIB);
    CHECK(self_status("VmRSS") <= before + 16 * MIB);
    calloc_is_zero_again();
    work();
}

TEST(calloc_is_zero_when_what_was_used_is_locked)
{
    test_restart(NULL);
    work();
    lock_everything();
    calloc_is_zero_again();
    work();
    CHECK_EQ(munlockall(), 0);
    calloc_is_zero_again();
    work();
}

/* A program that locks its secrets and forgets to unlock them before free. */
TEST(calloc_is_zero_where_single_blocks_were_freed_locked)
{
    static const size_t sizes[] = {64, 5000, 65536, 300 * KIB, 3 * MIB, 40 * MIB};
    test_restart(NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct block block;
        CHECK(block_take(&block, FROM_MALLOC, 0, sizes[i], 1));
        if (mlock(block.start, sizes[i]) != 0)
            SKIP("mlock is not permitted");
        memset(block.start, 0xee, block.usable);
        free(block.start);
        ashlar_purge();
        CHECK(block_take(&block, FROM_CALLOC, 0, sizes[i], 2));
        block_release(&block, 1);
    }
    work();
}

/* The lock cuts the block's mapping in two, and the kernel remaps no range of two mappings. */
TEST(a_huge_block_that_is_locked_in_part_is_resized)
{
    struct block block;
    test_restart(NULL);
    CHECK(block_take(&block, FROM_MALLOC, 0, 40 * MIB, 1));
    if (mlock(block.start, 64 * KIB) != 0)
        SKIP("mlock is not permitted");
    CHECK(block_resize(&block, 80 * MIB, false, 2));
    CHECK(block_resize(&block, 50 * MIB, false, 3));
    CHECK(block_resize(&block, 10 * MIB, false, 4));
    CHECK(block_resize(&block, KIB, false, 5));
    block_release(&block, 1);
}

TEST(locking_and_unlocking_in_turn)
{
    test_restart(NULL);
    for (int i = 0; i < 10; i++) {
        lock_everything();
        work();
        CHECK_EQ(munlockall(), 0);
        work();
    }
}
