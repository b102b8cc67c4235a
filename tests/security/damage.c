/* damage.c: rows 1 and 7, free lists that the program wrote over. The damage is found when the block is taken from the
 * list, before its link is followed: R8 names the block whose link is bad. */
#include "misuse.h"

struct words {
    uint64_t link, key;
};

enum { BLOCKS = 30 };

static void *blocks[BLOCKS];

static void allocate_all(size_t bytes)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(bytes);
        CHECK(blocks[i] != NULL);
    }
}

/* All but every third: no slab becomes empty, or its blocks' links would mean nothing any more. */
static void free_most(void)
{
    for (int i = 0; i < BLOCKS; i++)
        if (i % 3)
            free(blocks[i]);
}

/* A block in the middle of what free_most() frees. */
static struct words *a_freed_block(void) { return blocks[BLOCKS / 2 / 3 * 3 + 1]; }

/* Take everything that is free in the slabs, and more. */
static void take_many(size_t bytes)
{
    for (size_t i = 0; i < 4 * BLOCKS + 128 * KIB / (bytes + 16); i++) {
        volatile char *block = malloc(bytes);
        CHECK(block != NULL);
        *block = 1;
    }
}

struct forgery {
    const char *name;
    uint64_t (*link)(const struct words *block);
};

static uint64_t zero(const struct words *block) { return (uint64_t)(uintptr_t)block & 0; }
static uint64_t all_ones(const struct words *block) { return ~zero(block); }
static uint64_t text(const struct words *block) { return zero(block) | UINT64_C(0x4141414141414141); }
static uint64_t itself(const struct words *block) { return (uintptr_t)block; }
static uint64_t neighbour(const struct words *block) { return (uintptr_t)block + 64; }
static uint64_t on_the_stack(const struct words *block) { return (uintptr_t)__builtin_frame_address(0) | zero(block); }

static uint64_t some_data(const struct words *block)
{
    static _Alignas(64) char data[4096];
    return (uintptr_t)data | zero(block);
}

static uint64_t one_bit_high(const struct words *block) { return block->link ^ ((uint64_t)1 << 40); }
static uint64_t low_bit(const struct words *block) { return block->link ^ 1; }
static uint64_t half_overwritten(const struct words *block) { return block->link & ~(uint64_t)0xffffffff; }

static const struct forgery forgeries[] = {
    {"0", zero},
    {"all ones", all_ones},
    {"text", text},
    {"its own address", itself},
    {"an address in the slab", neighbour},
    {"an address on the stack", on_the_stack},
    {"an address of data", some_data},
    {"a high bit flipped", one_bit_high},
    {"the lowest bit flipped", low_bit},
    {"its lower half cleared", half_overwritten},
};

static const size_t sizes[] = {16, 100, 1000, 4096, 5000, 30000};

static struct scene {
    const struct forgery *forgery;
    size_t bytes;
} scenes[COUNT(forgeries) * COUNT(sizes)];

static void write_after_free(const struct scene *scene)
{
    allocate_all(scene->bytes);
    struct words *target = a_freed_block();
    *facts() = (struct facts){(uintptr_t)target, (uintptr_t)target, malloc_usable_size(target)};
    free_most();
    target->link = scene->forgery->link(target);
    take_many(scene->bytes);
}

static void damage_is_found(const void *argument)
{
    const struct scene *scene = argument;
    if (test_restarted()) {
        write_after_free(scene);
        _exit(0);
    }
    DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", facts()->pointer, facts()->usable)
    {
        test_restart(NULL);
    }
}

TESTS(links)
{
    struct scene *scene = scenes;
    for (size_t f = 0; f < COUNT(forgeries); f++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            *scene = (struct scene){&forgeries[f], sizes[s]};
            test_add(damage_is_found, scene, "link := %s, %zu bytes", forgeries[f].name, sizes[s]);
            scene++;
        }
}

static void *by_growing(size_t bytes) { return realloc(malloc(10), bytes); }
static void *by_growing_an_array(size_t bytes) { return reallocarray(malloc(10), bytes, 1); }

TEST(the_entry_point_that_meets_the_damage_is_named)
{
    test_restart(NULL);
    static const struct {
        void *(*take)(size_t);
        const char *name;
    } takers[] = {
        {by_calloc_one, "calloc"},
        {by_growing, "realloc"},
        {by_memalign, "memalign"},
        {by_growing_an_array, "reallocarray"},
        {operator_new, "operator new"},
        {by_aligned_alloc, "aligned_alloc"},
        {by_malloc, "malloc"},
        {operator_new_array, "operator new[]"},
        {by_posix_memalign, "posix_memalign"},
    };
    for (size_t t = 0; t < COUNT(takers); t++) {
        allocate_all(900);
        struct words *target = a_freed_block();
        DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in %s)", (uintptr_t)target,
             malloc_usable_size(target), takers[t].name)
        {
            free_most();
            target->link = 7;
            for (int i = 0; i < 500; i++)
                CHECK(takers[t].take(900) != NULL);
        }
    }
}

TEST(a_key_word_overwritten_alone_does_no_harm)
{
    test_restart(NULL);
    allocate_all(64);
    EXITS(0)
    {
        free_most();
        a_freed_block()->key = 0;
        take_many(64);
    }
}

/* ---- Row 1: a write past the end of a live block into a free one ------------------------------------------------- */

TEST(an_overflow_into_a_free_block_is_found)
{
    test_restart(NULL);
    for (size_t bytes = 16; bytes <= 4096; bytes *= 4) {
        allocate_all(bytes);
        size_t usable = malloc_usable_size(blocks[0]);
        char *low = NULL, *high = NULL; /* a block that stays, and its upper neighbour that is freed */
        for (int i = 0; i < BLOCKS; i += 3)
            for (int j = 0; j < BLOCKS; j++)
                if (j % 3 && blocks[j] == (char *)blocks[i] + usable)
                    low = blocks[i], high = blocks[j];
        CHECK(low != NULL);
        DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", (uintptr_t)high, usable)
        {
            free_most();
            memset(TEST_HIDDEN(low), 'A', usable + 8);
            take_many(bytes);
        }
    }
}

/* ---- Blocks on their way home ------------------------------------------------------------------------------------ */

static void *free_most_in_thread(void *unused)
{
    free_most();
    return unused;
}

TEST(damage_to_blocks_that_another_thread_freed_is_found)
{
    test_restart(NULL);
    allocate_all(200);
    struct words *target = a_freed_block();
    DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", (uintptr_t)target,
         malloc_usable_size(target))
    {
        in_thread(free_most_in_thread, NULL);
        target->link = UINT64_C(0x4242424242424242);
        take_many(200);
    }
}

static void *allocate_and_free_most(void *unused)
{
    allocate_all(200);
    free_most();
    return unused;
}

TEST(damage_to_blocks_of_a_thread_that_has_ended_is_found)
{
    test_restart(NULL);
    in_thread(allocate_and_free_most, NULL);
    struct words *target = a_freed_block();
    DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", (uintptr_t)target, ashlar_good_size(200))
    {
        target->link = UINT64_C(0x4242424242424242);
        take_many(200);
    }
}

/* ---- Row 18: forgeries by one who has read nothing --------------------------------------------------------------- */

TEST(no_random_link_passes)
{
    test_restart(NULL);
    allocate_all(16);
    struct words *target = a_freed_block();
    for (int round = 0; round < 1000; round++) {
        uint64_t forged = test_random();
        DIES("ashlar: damaged free list at 0x%lx (16-byte blocks, in malloc)", (uintptr_t)target)
        {
            free_most();
            target->link = forged;
            take_many(16);
        }
    }
}
