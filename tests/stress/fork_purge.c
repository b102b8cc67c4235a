/* fork_purge.c: fork while other threads give memory back to the kernel, generation after generation.
 *
 *   generation 0 --fork--> 1 --fork--> 2 --fork--> 3 --fork--> 4 --fork--> 5
 *   each: six threads free large blocks and purge; beside them blocks are cleared, dirtied, freed
 *
 * A run of pages that a thread was purging when the fork came is in the child neither free nor in use, or free and not
 * yet marked clean. It must not be handed out as zero when it is not, and it must not stay "dirty" for ever: what
 * remains after a purge would then grow from one generation to the next. */
#include "../lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "child.h"
#include "oracle.h"

enum { GENERATIONS = 5, PURGERS = 6, BLOCKS = 6, CHILD_SECONDS = 100 };

static atomic_bool stop;
static uint64_t left_dirty[GENERATIONS + 1]; /* each generation inherits what its ancestors wrote */

static size_t large_request(struct dice *dice)
{
    return MIB + dice_roll(dice, dice_once_in(dice, 40) ? 36 * MIB : 2 * MIB);
}

/* Take, look for anything that is not zero, write on every page, free. */
static void dirty_and_free(struct dice *dice)
{
    struct block blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK(block_take(&blocks[i], FROM_CALLOC, 0, large_request(dice), i));
    for (size_t i = 0; i < BLOCKS; i++)
        block_release(&blocks[i], dice_next(dice));
}

static void *free_and_purge(void *unused)
{
    struct dice dice = dice_new();
    while (!stop) {
        struct block block;
        for (size_t i = 0; i < 4; i++) {
            CHECK(block_take(&block, FROM_MALLOC, 0, dice_once_in(&dice, 2) ? 100 * KIB : 2 * MIB, i));
            block_release(&block, i);
        }
        ashlar_purge();
    }
    return unused;
}

static uint64_t dirty_bytes_after_purge(void)
{
    struct ashlar_stats stats;
    ashlar_purge();
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    CHECK(stats.active_bytes + stats.dirty_bytes <= stats.mapped_bytes);
    return stats.dirty_bytes;
}

/* The last of the line looks back. */
static void expect_no_growth(void)
{
    for (int i = 1; i <= GENERATIONS; i++)
        if (left_dirty[i] > left_dirty[0])
            VIOLATION("dirty after a purge: %llu bytes in the first process, %llu in generation %d",
                      (unsigned long long)left_dirty[0], (unsigned long long)left_dirty[i], i);
}

/* Alone in its process: the purgers of the generations before do not exist here. */
static void live(int generation)
{
    struct dice dice = dice_new();
    pthread_t purgers[PURGERS];
    dirty_and_free(&dice);
    left_dirty[generation] = dirty_bytes_after_purge();
    if (generation == GENERATIONS) {
        expect_no_growth();
        return;
    }
    stop = false;
    for (size_t i = 0; i < PURGERS; i++)
        CHECK_EQ(pthread_create(&purgers[i], NULL, free_and_purge, NULL), 0);
    dirty_and_free(&dice);
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        live(generation + 1);
        _exit(0);
    }
    child_wait_for(child);
    stop = true;
    for (size_t i = 0; i < PURGERS; i++)
        CHECK_EQ(pthread_join(purgers[i], NULL), 0);
}

TEST(generations_that_fork_while_threads_purge)
{
    if (TEST_NAMESPACED)
        SKIP("libc's own blocks come from a sanitizer's malloc, which does not survive a fork among threads");
    for (size_t i = 0; i < rounds(3, 500); i++)
        live(0);
}
