/* The whole heap on kernels that this machine does not have: pages of 16 and 64 KiB, no fixed places, little memory,
 * any call refused. One thread lives a random life of blocks of all sizes, alignments and resizings; every block is
 * checked, and heap_walk() proves the invariants on the way. */
#include "test.h"

#include "../lib/fake_os.h"
#include "../lib/ground.h"
#include "../lib/heap_walk.h"

enum { BLOCKS = 200, STEPS = 4000 };

static const struct kernel {
    const char *name;
    size_t page_bytes;
    bool refuses_places;
    bool short_of_space;
    bool purge_keeps_content;
    size_t open_bytes_max;
} kernels[] = {
    {"pages_of_4_kib", 4 << 10, false, false, false, SIZE_MAX},
    {"pages_of_16_kib", 16 << 10, false, false, false, SIZE_MAX},
    {"pages_of_64_kib", 64 << 10, false, false, false, SIZE_MAX},
    {"no_fixed_places", 4 << 10, true, false, false, SIZE_MAX},
    {"no_fixed_places_and_pages_of_64_kib", 64 << 10, true, false, false, SIZE_MAX},
    {"little_address_space", 4 << 10, false, true, false, SIZE_MAX},
    {"purges_that_keep_the_content", 4 << 10, false, false, true, SIZE_MAX},
    {"little_memory", 4 << 10, false, false, false, 40 * MIB},
    {"little_memory_and_pages_of_64_kib", 64 << 10, false, false, false, 40 * MIB},
};

static struct {
    char *start;
    size_t bytes;
    uint64_t tag;
} blocks[BLOCKS];

static int reports;

static void note_misuse(const struct heap_misuse *misuse)
{
    test_note("misuse %d of 0x%lx", misuse->kind, (unsigned long)misuse->address);
    reports++;
}

/* Play `kernel`, before anything has happened. */
static void begin(const struct kernel *kernel)
{
    fake_os.page_bytes = kernel->page_bytes;
    fake_os.refuses_places = kernel->refuses_places;
    fake_os.short_of_space = kernel->short_of_space;
    fake_os.purge_keeps_content = kernel->purge_keeps_content;
    fake_os.open_bytes_max = kernel->open_bytes_max;
    heap_taps.misuse = note_misuse;
    page_start();
    store_relaxed(&page_bounds.purge_delay_ms, 300);
}

/* A word at each end and one in the middle. Also the second: memory that was used before may hold the key word of the
 * free block that began there, and resizing can bring the word back to that address; then the heap would rightly not
 * believe that the block is live (heap/suspect.c). */
static void mark(int i)
{
    uint64_t *const words = (uint64_t *)(void *)blocks[i].start;
    const size_t count = blocks[i].bytes / 8;

    blocks[i].tag = test_random();
    if (count > 0)
        words[0] = words[count / 2] = words[count - 1] = blocks[i].tag;
    if (count > 1)
        words[1] = blocks[i].tag;
}

static void check_mark(int i, size_t bytes)
{
    const uint64_t *const words = (uint64_t *)(void *)blocks[i].start;
    const size_t count = blocks[i].bytes / 8;

    if (count > 0 && bytes >= 8)
        CHECK_EQ(words[0], blocks[i].tag);
    if (count > 0 && bytes >= blocks[i].bytes)
        CHECK(words[count / 2] == blocks[i].tag && words[count - 1] == blocks[i].tag);
}

static bool is_zero(const char *bytes, size_t count)
{
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* Mostly small, now and then large, rarely huge. */
static size_t any_size(void)
{
    const uint64_t kind = test_random() % 256;
    const size_t most = kind == 0 ? 80 * MIB : kind < 16 ? 4 * MIB : kind < 96 ? 200000 : 2000;

    return test_random() % most;
}

static void take_one(int i)
{
    const struct heap_request request = {any_size(), BLOCK_ALIGN << (test_random() % 16 == 0 ? test_random() % 17 : 0),
                                         test_random() % 4 == 0, "malloc"};
    char *const block = heap_alloc(NULL, &request);

    if (block == NULL) {
        CHECK(fake_os.refusals > 0);
        return;
    }
    const struct heap_block found = heap_find(block, "malloc");
    CHECK_EQ((uintptr_t)block % request.alignment, 0);
    CHECK(found.bytes >= request.bytes);
    CHECK(heap_may_serve(&found, request.bytes, request.alignment));
    if (found.kind == BLOCK_LARGE || found.kind == BLOCK_HUGE)
        CHECK_EQ(found.bytes % fake_os.page_bytes, 0);
    if (request.zeroed)
        CHECK(is_zero(block, found.bytes));
    blocks[i].start = block;
    blocks[i].bytes = found.bytes; /* all that may be used is used */
    mark(i);
}

static void resize_one(int i)
{
    const struct heap_block found = heap_find(blocks[i].start, "realloc");
    const size_t wanted = 1 + any_size();
    char *const moved = heap_realloc(blocks[i].start, &found, wanted, "realloc");

    CHECK_EQ(found.bytes, blocks[i].bytes);
    if (moved == NULL) {
        CHECK(fake_os.refusals > 0);
        check_mark(i, SIZE_MAX);
        return;
    }
    blocks[i].start = moved;
    check_mark(i, wanted);
    blocks[i].bytes = heap_find(moved, "realloc").bytes;
    CHECK(blocks[i].bytes >= wanted);
    mark(i);
}

static void free_one(int i)
{
    check_mark(i, SIZE_MAX);
    walk_put_back(blocks[i].start);
    blocks[i].start = NULL;
}

static uint64_t small_blocks(void)
{
    uint64_t count = 0;

    for (int i = 0; i < BLOCKS; i++)
        count += blocks[i].start != NULL && heap_find(blocks[i].start, "free").kind == BLOCK_SMALL;
    return count;
}

static void live(int steps)
{
    for (int step = 0; step < steps; step++) {
        const int i = (int)(test_random() % BLOCKS);
        fake_os.now_ms += 1;
        if (blocks[i].start == NULL)
            take_one(i);
        else if (test_random() % 3 == 0)
            resize_one(i);
        else
            free_one(i);
        if (step % 256 == 0) {
            heap_walk();
            CHECK_EQ(walk_held(), small_blocks());
        }
    }
}

static void free_all(void)
{
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].start != NULL)
            free_one(i);
    heap_settle();
    heap_walk();
    CHECK_EQ(walk_held(), 0);
    CHECK_EQ(ground_stats().huge_live, 0);
    CHECK_EQ(reports, 0);
}

static void random_life(const void *argument)
{
    begin(argument);
    live(STEPS);
    free_all();
    CHECK_EQ(walk.slabs, 0);
    CHECK_EQ(ground_walk().live, 0);
}

TESTS(random_lives)
{
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
        test_add(random_life, &kernels[i], "a_random_life_with_%s", kernels[i].name);
}

/* ---- Refusals ------------------------------------------------------------------------------------------------------- */

/* A life that needs every kind of call. */
static void short_life(void)
{
    static const size_t sizes[] = {16,    100,    1000,    5000,    40000,    65536,
                                   70000, 300000, 2000000, 5000000, 33 << 20, 70 << 20};

    for (int i = 0; i < 60; i++) {
        const struct heap_request request = {sizes[i % 12], i % 7 == 0 ? 4096 : BLOCK_ALIGN, i % 2 == 0, "malloc"};
        blocks[i].start = heap_alloc(NULL, &request);
        if (blocks[i].start == NULL)
            continue;
        blocks[i].bytes = heap_find(blocks[i].start, "malloc").bytes;
        mark(i);
        if (i % 3 == 0) {
            const struct heap_block found = heap_find(blocks[i].start, "realloc");
            char *const moved = heap_realloc(blocks[i].start, &found, 2 * sizes[i % 12], "realloc");
            blocks[i].start = moved != NULL ? moved : blocks[i].start;
            blocks[i].bytes = heap_find(blocks[i].start, "realloc").bytes;
            mark(i);
        }
        if (i % 4 == 0)
            free_one(i);
    }
    heap_walk();
}

static bool refuse_and_recover(uint64_t call, bool from_there, bool refuses_places)
{
    const struct kernel kernel = {"refusals", 4096, refuses_places, false, false, SIZE_MAX};

    EXITS(0)
    {
        begin(&kernel);
        fake_os.refused_call = call;
        fake_os.refuses_from_there = from_there;
        short_life();
        *(bool *)test_shared() = fake_os.refusals != 0;
        fake_os.refused_call = 0;
        free_all();
        CHECK(walk_get(100) != NULL && walk_get(1000000) != NULL && walk_get(40 * MIB) != NULL);
    }
    return *(bool *)test_shared();
}

static void every_refusal_is_survived(bool from_there, bool refuses_places)
{
    uint64_t call = 1;

    while (refuse_and_recover(call, from_there, refuses_places))
        call++;
    CHECK(call > 20);
}

TEST(any_one_call_may_be_refused) { every_refusal_is_survived(false, false); }
TEST(all_calls_from_any_one_on_may_be_refused) { every_refusal_is_survived(true, false); }
TEST(any_one_call_may_be_refused_in_a_reservation) { every_refusal_is_survived(false, true); }
TEST(all_calls_from_any_one_on_may_be_refused_in_a_reservation) { every_refusal_is_survived(true, true); }
