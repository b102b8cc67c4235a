/* noise.c: no false positive. Programs may write anything into their blocks, the very words of the free lists included;
 * none of it may end in a report, and nothing that is live may be given away. */
#include "misuse.h"

/* ---- A million correct operations with random contents ----------------------------------------------------------- */

struct slot {
    unsigned char *block;
    size_t bytes;
    uint64_t tag;
    bool is_aligned; /* not for free_sized */
};

static size_t random_size(void)
{
    uint64_t kind = test_random() % 1000;
    return test_random() % (kind < 850 ? 400 : kind < 990 ? 20000 : kind < 999 ? 300000 : 2 * MIB);
}

/* Contents of all kinds: noise, addresses of blocks, words that free blocks hold just now. */
static void scribble(struct slot *slot, const struct slot *slots, size_t count)
{
    slot->tag = test_random();
    fill(slot->block, slot->bytes, slot->tag);
    if (slot->bytes < 16 || slot->tag % 4 == 0)
        return;
    const struct slot *other = &slots[test_random() % count];
    uint64_t words[2] = {(uintptr_t)other->block, test_random() % 2 ? (uintptr_t)slot->block : 0};
    memcpy(slot->block, words, sizeof words);
}

static bool is_intact(const struct slot *slot)
{
    return slot->bytes <= 16 || slot->block[slot->bytes - 1] == pattern_byte(slot->bytes - 1, slot->tag);
}

static void allocate(struct slot *slot, size_t bytes)
{
    slot->is_aligned = test_random() % 16 == 0;
    slot->block = slot->is_aligned         ? memalign((size_t)16 << test_random() % 9, bytes)
                  : test_random() % 8 == 0 ? calloc(1, bytes)
                                           : malloc(bytes);
    slot->bytes = bytes;
}

static void resize(struct slot *slot, size_t bytes)
{
    slot->block = realloc(slot->block, bytes + 1);
    slot->bytes = bytes + 1;
}

static void release(struct slot *slot)
{
    switch (test_random() % 3) {
    case 0:
        operator_delete(slot->block);
        break;
    case 1:
        slot->is_aligned ? free(slot->block) : free_sized(slot->block, slot->bytes);
        break;
    default:
        free(slot->block);
    }
    slot->block = NULL;
}

static void operate(struct slot *slot, const struct slot *slots, size_t count)
{
    if (slot->block == NULL)
        allocate(slot, random_size());
    else if (test_random() % 2)
        resize(slot, random_size());
    else {
        CHECK(malloc_usable_size(slot->block) >= slot->bytes);
        release(slot);
        return;
    }
    CHECK(slot->block != NULL);
    scribble(slot, slots, count);
}

static void *operate_at_random(void *unused)
{
    enum { SLOTS = 500, ROUNDS = 1000000 };
    struct slot *slots = calloc(SLOTS, sizeof *slots);
    CHECK(slots != NULL);
    for (int round = 0; round < ROUNDS; round++) {
        struct slot *slot = &slots[test_random() % SLOTS];
        CHECK(slot->block == NULL || is_intact(slot));
        operate(slot, slots, SLOTS);
    }
    for (int i = 0; i < SLOTS; i++)
        free(slots[i].block);
    free(slots);
    return unused;
}

TEST(a_million_correct_operations_report_nothing)
{
    EXITS(0) { operate_at_random(NULL); }
}

TEST(two_million_correct_operations_of_two_threads_report_nothing)
{
    EXITS(0)
    {
        pthread_t other = start_thread(operate_at_random, NULL);
        operate_at_random(NULL);
        join_thread(other);
    }
}

/* ---- The right words in a live block ----------------------------------------------------------------------------- */

enum { WORDS = 2 };

/* Read what a block of this size holds while it is free, get the same block again, and write that into it: a live block
 * that looks free. The program may: a copy of freed memory put back is the simplest way. */
static uint64_t *block_that_looks_free(size_t bytes)
{
    uint64_t words[WORDS], *block = malloc(bytes);
    CHECK(block != NULL);
    free(block);
    memcpy(words, TEST_HIDDEN(block), sizeof words);
    for (int i = 0; i < 100000; i++) {
        uint64_t *other = malloc(bytes);
        CHECK(other != NULL);
        if (other == block) {
            memcpy(block, words, sizeof words);
            return block;
        }
    }
    test_fail(__FILE__, __LINE__, "the block of %zu bytes does not come back", bytes);
}

static const size_t small_sizes[] = {16, 24, 100, 500, 1000, 5000, 20000, 65536};

TEST(a_live_block_that_looks_free_may_be_freed)
{
    for (size_t s = 0; s < COUNT(small_sizes); s++)
        EXITS(0)
        {
            for (int i = 0; i < 200; i++) { /* more than there are records of suspicion */
                victim.bytes = small_sizes[s];
                uint64_t *block = block_that_looks_free(small_sizes[s]);
                free(block);
                settle();
            }
        }
}

static void *free_in_thread(void *block)
{
    free(block);
    return NULL;
}

/* Such a block may move where another would stay: its old place is then not trusted any more. returns: where it is now.
 */
static void *resize_it(void *block)
{
    void *const moved = realloc(block, malloc_usable_size(block));
    CHECK(moved != NULL);
    return moved;
}

static void *ask_its_size(void *block)
{
    CHECK(malloc_usable_size(block) >= 16);
    return block;
}

/* Suspicion must not outlive its reason: the block is looked at while it looks free, then used on and freed once. */
static void look_then_free_later(void *(*look)(void *), bool looked_at_by_other, bool freed_by_other, size_t bytes)
{
    victim.bytes = bytes;
    uint64_t *block = block_that_looks_free(bytes);
    block = looked_at_by_other ? in_thread(look, block) : look(block);
    memset(block, 7, bytes);
    if (freed_by_other)
        in_thread(free_in_thread, block);
    else
        free(block);
    settle();
    settle();
}

TEST(a_live_block_that_looked_free_to_realloc_is_freed_once)
{
    for (size_t s = 0; s < COUNT(small_sizes); s++)
        for (int who = 0; who < 4; who++)
            EXITS(0) { look_then_free_later(resize_it, who & 1, who & 2, small_sizes[s]); }
}

TEST(a_live_block_that_looked_free_to_usable_size_is_freed_once)
{
    for (size_t s = 0; s < COUNT(small_sizes); s++)
        for (int who = 0; who < 4; who++)
            EXITS(0) { look_then_free_later(ask_its_size, who & 1, who & 2, small_sizes[s]); }
}

TEST(another_thread_may_free_a_live_block_that_looks_free)
{
    for (size_t s = 0; s < COUNT(small_sizes); s++)
        EXITS(0)
        {
            victim.bytes = small_sizes[s];
            for (int i = 0; i < 100; i++)
                in_thread(free_in_thread, block_that_looks_free(small_sizes[s]));
            settle();
        }
}

TEST(a_live_block_that_looks_free_keeps_its_contents_when_resized)
{
    for (size_t s = 0; s < COUNT(small_sizes); s++)
        EXITS(0)
        {
            uint64_t *block = block_that_looks_free(small_sizes[s]), words[WORDS];
            memcpy(words, block, sizeof words);
            uint64_t *moved = realloc(block, small_sizes[s] * 3 + 100);
            CHECK(moved != NULL && memcmp(moved, words, sizeof words) == 0);
            free(moved);
        }
}

/* ---- A suspicion about one life of a block says nothing about the next ------------------------------------------- */

TEST(a_block_left_alone_is_not_given_out_again)
{
    EXITS(0)
    {
        victim.bytes = 48;
        uint64_t *block = block_that_looks_free(48);
        free(block); /* unproved: the block is lost, or free; it must not be both */
        static void *others[5000];
        for (size_t i = 0; i < COUNT(others); i++) {
            others[i] = malloc(48);
            for (size_t j = i; j-- > 0 && j + 300 > i;)
                CHECK(others[j] != others[i]);
        }
        for (size_t i = 0; i < COUNT(others); i++)
            free(others[i]);
        settle();
    }
}
