/* budget.c: the options hard_limit and soft_limit.
 *
 *   hard_limit:64M   what would lead beyond gets NULL and ENOMEM; the heap serves again when enough has been freed
 *   soft_limit:32M   what leads beyond is served, but free memory is given back first
 *
 * The figure must be true in both directions: no more is taken, and nearly as much can be had, in blocks of any size.
 */
#include "../lib/test.h"

#include <pthread.h>

#include "../lib/self.h"

#include "../stress/oracle.h"

enum {
    HARD_LIMIT = 64 * MIB,
    ABOVE = 2 * MIB,  /* the process's own pages beside the heap's: libc, stacks, the tables of this test */
    BELOW = 10 * MIB, /* of the limit may be out of reach: the heap's books, ends of slabs, rounding */
};

static void *blocks[2 * HARD_LIMIT / 32];

/* A limit that does not hold must fail the test and not fill the machine. */
static void check_is_bounded(size_t bytes) { CHECK(bytes < 2 * HARD_LIMIT); }

struct supply {
    size_t count, bytes; /* usable */
};

/* Take blocks of `bytes` until there are no more. Every page of them is touched. */
static struct supply take_all(size_t bytes)
{
    struct supply supply = {0};
    for (;;) {
        errno = ERRNO_MARK;
        void *block = malloc(bytes);
        CHECK_EQ(errno, block ? ERRNO_MARK : ENOMEM);
        if (!block)
            return supply;
        const size_t usable = malloc_usable_size(block);
        content_write(block, usable, supply.count);
        blocks[supply.count++] = block;
        supply.bytes += usable;
        check_is_bounded(supply.bytes);
    }
}

/* Check and free the blocks from `first` on. */
static void give_back(struct supply *supply, size_t first)
{
    for (size_t i = first; i < supply->count; i++) {
        const size_t usable = malloc_usable_size(blocks[i]);
        content_check(blocks[i], usable, blocks[i], usable, i);
        free(blocks[i]);
        supply->bytes -= usable;
    }
    supply->count = first;
}

static const size_t sizes[] = {48, 1000, 9000, 64 * KIB, 500 * KIB, 4 * MIB};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

static void check_supply(size_t bytes, const struct supply *supply)
{
    test_note("%zu KiB in blocks of %zu bytes", supply->bytes / KIB, bytes);
    CHECK(supply->bytes <= HARD_LIMIT);
    CHECK(supply->bytes >= HARD_LIMIT - BELOW);
}

static void hard_limit_holds(const void *argument)
{
    const size_t bytes = *(const size_t *)argument;
    test_restart("hard_limit:64M");
    memset(blocks, 1, sizeof blocks); /* resident before the count begins */
    const size_t base = self_status("VmRSS");
    struct supply supply = take_all(bytes);
    check_supply(bytes, &supply);
    const size_t resident = self_status("VmRSS") - base;
    test_note("%zu KiB resident", resident / KIB);
    CHECK(resident <= HARD_LIMIT + ABOVE);
    give_back(&supply, 0);
}

/* What was freed in one size can be had in every other. */
static void frees_restore_service(const void *argument)
{
    const size_t bytes = *(const size_t *)argument;
    test_restart("hard_limit:64M");
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct supply supply = take_all(bytes);
        check_supply(bytes, &supply);
        give_back(&supply, 0);
        supply = take_all(sizes[i]);
        check_supply(sizes[i], &supply);
        give_back(&supply, 0);
    }
}

TEST(hard_limit_refuses_what_alone_is_too_large)
{
    test_restart("hard_limit:64M");
    errno = ERRNO_MARK;
    CHECK(malloc(HARD_LIMIT + MIB) == NULL);
    CHECK_EQ(errno, ENOMEM);
    CHECK(calloc(HARD_LIMIT / 4, 5) == NULL);
    CHECK(memalign(MIB, HARD_LIMIT + PAGE) == NULL);
    void *block = malloc(50 * MIB);
    CHECK(block != NULL);
    CHECK(malloc(20 * MIB) == NULL);
    free(block);
    block = malloc(50 * MIB);
    CHECK(block != NULL);
    free(block);
}

TEST(hard_limit_holds_for_realloc)
{
    struct block block;
    test_restart("hard_limit:64M");
    CHECK(block_take(&block, FROM_MALLOC, 0, 1000, 1));
    size_t bytes = 2000;
    while (block_resize(&block, bytes, false, bytes)) { /* checks the content when it fails */
        bytes += bytes / 4;
        check_is_bounded(bytes);
    }
    test_note("refused at %zu KiB", bytes / KIB);
    CHECK(bytes >= 24 * MIB); /* a copy may need both blocks at once */
    CHECK(block.usable <= HARD_LIMIT);
    CHECK(block_resize(&block, 100, false, 2));
    block_release(&block, 1);
}

TEST(hard_limit_keeps_half_of_the_blocks_and_serves_the_other_half_again)
{
    test_restart("hard_limit:64M");
    struct supply all = take_all(20000);
    const size_t total = all.bytes;
    give_back(&all, all.count / 2);
    size_t again = 0;
    for (void *block; (block = malloc(1000)) != NULL;) {
        again += malloc_usable_size(block);
        check_is_bounded(all.bytes + again);
        blocks[all.count++] = block;
        content_write(block, malloc_usable_size(block), all.count - 1);
    }
    test_note("%zu KiB at first, %zu KiB for the half that was freed", total / KIB, again / KIB);
    CHECK(again + BELOW >= total / 2);
    CHECK(all.bytes + again <= HARD_LIMIT);
    give_back(&all, 0);
}

static _Atomic size_t taken_by_threads;
static pthread_barrier_t gate;

static void *take_in_thread(void *argument)
{
    void *top = NULL;
    (void)argument;
    for (void **block; (block = malloc(3000)) != NULL; top = block) {
        *block = top;
        taken_by_threads += malloc_usable_size(block);
        check_is_bounded(taken_by_threads);
    }
    pthread_barrier_wait(&gate);
    while (top) {
        void *next = *(void **)top;
        free(top);
        top = next;
    }
    return NULL;
}

TEST(hard_limit_holds_for_threads_together)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    test_restart("hard_limit:64M");
    CHECK_EQ(pthread_barrier_init(&gate, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, take_in_thread, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    test_note("%zu KiB", taken_by_threads / KIB);
    CHECK(taken_by_threads <= HARD_LIMIT && taken_by_threads >= HARD_LIMIT - BELOW);
    struct supply supply = take_all(500 * KIB);
    check_supply(500 * KIB, &supply);
    give_back(&supply, 0);
}

/* ---- The soft limit ------------------------------------------------------------------------------------------------------- */

enum { SOFT_LIMIT = 32 * MIB, MUCH = 100 * MIB };

/* Take much, which is never refused, and free it all. returns: what is resident then. */
static size_t resident_after_much(void)
{
    memset(blocks, 1, sizeof blocks);
    const size_t base = self_status("VmRSS");
    struct supply supply = {0};
    while (supply.bytes < MUCH) {
        void *block = malloc(50000);
        CHECK(block != NULL);
        blocks[supply.count] = block;
        supply.bytes += malloc_usable_size(block);
        content_write(block, malloc_usable_size(block), supply.count++);
    }
    CHECK(self_status("VmRSS") - base >= MUCH);
    give_back(&supply, 0);
    return self_status("VmRSS") - base;
}

/* The control: without a soft limit these options keep everything. */
TEST(free_memory_is_kept_where_nothing_limits_it)
{
    test_restart("dirty:1G,purge_delay:600s");
    const size_t resident = resident_after_much();
    test_note("%zu KiB resident when all is free", resident / KIB);
    CHECK(resident >= MUCH / 2);
}

TEST(soft_limit_gives_free_memory_back)
{
    test_restart("soft_limit:32M,dirty:1G,purge_delay:600s");
    const size_t resident = resident_after_much();
    test_note("%zu KiB resident when all is free", resident / KIB);
    CHECK(resident <= SOFT_LIMIT + ABOVE);
}

TESTS(hard_limit)
{
    for (size_t i = 0; i < SIZE_COUNT; i++)
        test_add(hard_limit_holds, &sizes[i], "hard_limit_holds: blocks of %zu bytes", sizes[i]);
    for (size_t i = 0; i < SIZE_COUNT; i++)
        test_add(frees_restore_service, &sizes[i], "frees_restore_service: blocks of %zu bytes", sizes[i]);
}
