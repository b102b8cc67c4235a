/* malloc.c: malloc(n) gives a block of its own, 16-byte aligned, whose usable bytes all belong to the program. */
#include "../lib/blocks.h"
#include "../lib/self.h"

enum { LIVE = 64 };

/* Blocks of one size, all live at once, none touching another. */
static void check_many_of(size_t bytes)
{
    void *blocks[LIVE];
    for (size_t i = 0; i < LIVE; i++) {
        blocks[i] = malloc(bytes);
        CHECK(blocks[i] != NULL);
        CHECK(is_aligned(blocks[i], 16));
        CHECK(malloc_usable_size(blocks[i]) >= bytes);
        fill(blocks[i], malloc_usable_size(blocks[i]), i);
    }
    for (size_t i = 0; i < LIVE; i++) {
        CHECK(is_filled(blocks[i], malloc_usable_size(blocks[i]), i));
        free(blocks[i]);
    }
}

TEST(blocks_of_every_size_do_not_touch)
{
    for (EACH_SIZE(bytes, 128 * KIB))
        check_many_of(bytes);
}

TEST(large_and_huge_blocks_are_whole)
{
    for (size_t bytes = 128 * KIB; bytes <= 128 * MIB; bytes = bytes * 3 / 2) {
        void *one = malloc(bytes), *other = malloc(bytes + 1);
        CHECK(one != NULL && other != NULL);
        fill(one, malloc_usable_size(one), 1);
        fill(other, malloc_usable_size(other), 2);
        CHECK(is_filled(one, malloc_usable_size(one), 1));
        free(one);
        CHECK(is_filled(other, malloc_usable_size(other), 2));
        free(other);
    }
}

TEST(zero_bytes_give_unique_blocks)
{
    static void *blocks[1000];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(0);
        CHECK(blocks[i] != NULL);
        *(uint64_t *)blocks[i] = i; /* usable: at least 16 bytes in default mode */
    }
    for (size_t i = 0; i < COUNT(blocks); i++)
        CHECK_EQ(*(uint64_t *)blocks[i], i);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
}

TEST(four_gib_and_a_little_is_not_truncated)
{
    const size_t bytes = 4 * GIB + 16;
    unsigned char *block = malloc(bytes);
    if (block == NULL)
        SKIP("the kernel does not promise 4 GiB");
    CHECK(malloc_usable_size(block) >= bytes);
    block[0] = 1;
    block[bytes - 1] = 2; /* would be byte 15 if the size had lost its upper half */
    CHECK_EQ(block[15], 0);
    free(block);
}

/* ---- A table of random blocks ------------------------------------------------------------------------------------ */

struct slot {
    unsigned char *block;
    size_t usable;
    uint64_t tag;
};

static size_t random_size(void)
{
    uint64_t draw = test_random();
    size_t limit = draw % 100 < 80 ? 512 : draw % 100 < 97 ? 16 * KIB : draw % 1000 < 995 ? 256 * KIB : 4 * MIB;
    return test_random() % (limit + 1);
}

static void replace(struct slot *slot)
{
    if (slot->block) {
        CHECK_EQ(malloc_usable_size(slot->block), slot->usable);
        CHECK(is_filled(slot->block, slot->usable, slot->tag));
        free(slot->block);
    }
    size_t bytes = random_size();
    slot->block = malloc(bytes);
    CHECK(slot->block != NULL);
    slot->usable = malloc_usable_size(slot->block);
    CHECK(slot->usable >= bytes);
    slot->tag = test_random();
    fill(slot->block, slot->usable, slot->tag);
}

static void *random_replacement(void *unused)
{
    (void)unused;
    enum { SLOTS = 1000, ROUNDS = 100000 };
    struct slot *slots = calloc(SLOTS, sizeof *slots);
    CHECK(slots != NULL);
    for (int round = 0; round < ROUNDS; round++)
        replace(&slots[test_random() % SLOTS]);
    for (int i = 0; i < SLOTS; i++)
        free(slots[i].block);
    free(slots);
    return NULL;
}

TEST(contents_survive_random_replacement) { random_replacement(NULL); }

TEST(contents_survive_random_replacement_in_four_threads)
{
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        threads[i] = start_thread(random_replacement, NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
}

/* ---- Memory comes back ------------------------------------------------------------------------------------------- */

static void churn(size_t bytes, size_t blocks_live, int rounds)
{
    static unsigned char *blocks[256];
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < blocks_live; i++) {
            blocks[i] = malloc(bytes);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], 1, bytes);
        }
        for (size_t i = 0; i < blocks_live; i++)
            free(blocks[i]);
    }
}

TEST(freed_memory_is_used_again)
{
    const size_t sizes[] = {16, 100, 1000, 5000, 40000, 200 * KIB, 3 * MIB};
    for (size_t i = 0; i < COUNT(sizes); i++)
        churn(sizes[i], 16, 4);
    size_t before = self_status("VmRSS");
    for (size_t i = 0; i < COUNT(sizes); i++)
        churn(sizes[i], 16, 40); /* without reuse: 2.2 GB */
    CHECK(self_status("VmRSS") < before + 64 * MIB);
}

/* ---- Two threads free what one allocated ------------------------------------------------------------------------- */

enum { SHARED_BLOCKS = 4096, SHARED_BYTES = 1000, PINNED = 16 };
static void *shared_blocks[SHARED_BLOCKS]; /* every 16th stays, so that no slab becomes empty */

static uint64_t live_bytes(void)
{
    struct ashlar_stats stats;
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    return stats.live_bytes;
}

static void replace_shared(int i)
{
    if (i % PINNED == 0 && shared_blocks[i] != NULL)
        return;
    shared_blocks[i] = malloc(SHARED_BYTES);
    CHECK(shared_blocks[i] != NULL);
    memset(shared_blocks[i], i, SHARED_BYTES);
}

static void *free_odd(void *unused)
{
    for (int i = 1; i < SHARED_BLOCKS; i += 2)
        free(shared_blocks[i]);
    return unused;
}

/* The owner frees one half of its blocks before, beside or after the other half comes home from another thread. */
static void free_by_two(int round)
{
    pthread_t other = start_thread(free_odd, NULL);
    if (round % 3 == 0)
        join_thread(other);
    for (int i = 2; i < SHARED_BLOCKS; i += 2)
        if (i % PINNED)
            free(shared_blocks[i]);
    if (round % 3)
        join_thread(other);
}

TEST(blocks_freed_by_two_threads_all_come_home)
{
    in_thread(free_odd, NULL); /* what libc keeps for threads is there */
    uint64_t before = live_bytes();
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < SHARED_BLOCKS; i++)
            replace_shared(i);
        CHECK(live_bytes() >= before + (uint64_t)SHARED_BLOCKS * SHARED_BYTES);
        CHECK(live_bytes() < before + (uint64_t)SHARED_BLOCKS * (SHARED_BYTES + 64) + 4096);
        free_by_two(round);
    }
    for (int i = 0; i < SHARED_BLOCKS; i += PINNED)
        free(shared_blocks[i]);
    CHECK(live_bytes() < before + 4096);
}
