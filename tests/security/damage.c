/* damage.c: rows 1 and 7, free lists that the program wrote over. The damage is found when the block is taken from the
 * list, before its link is followed: R8 names the block whose link is bad. */
#include "misuse.h"

struct words {
    uint64_t link, key;
};

/* Free `count` blocks of the class in a row, then overwrite the link of one, then take them all. */
enum { BLOCKS = 20 };

static void take_many(size_t bytes) {
    for (int i = 0; i < 3 * BLOCKS; i++) {
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

static uint64_t some_data(const struct words *block) {
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

static void write_after_free(const struct scene *scene) {
    char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(scene->bytes);
        CHECK(blocks[i] != NULL);
    }
    struct words *target = (struct words *)(void *)blocks[BLOCKS / 2];
    *facts() = (struct facts){(uintptr_t)target, (uintptr_t)target, malloc_usable_size(target)};
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    target->link = scene->forgery->link(target);
    take_many(scene->bytes);
}

static void damage_is_found(const void *argument) {
    const struct scene *scene = argument;
    if (test_restarted()) {
        write_after_free(scene);
        _exit(0);
    }
    DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", facts()->pointer, facts()->usable) {
        test_restart(NULL);
    }
}

TESTS(links) {
    struct scene *scene = scenes;
    for (size_t f = 0; f < COUNT(forgeries); f++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            *scene = (struct scene){&forgeries[f], sizes[s]};
            test_add(damage_is_found, scene, "link := %s, %zu bytes", forgeries[f].name, sizes[s]);
            scene++;
        }
}

TEST(the_entry_point_that_meets_the_damage_is_named) {
    test_restart(NULL);
    void *(*const takers[])(size_t) = {by_calloc_one,     by_realloc,   by_memalign,        by_aligned_alloc,
                                       by_posix_memalign, operator_new, operator_new_array, by_reallocarray};
    static const char *const names[] = {"calloc",         "realloc",      "memalign",       "aligned_alloc",
                                        "posix_memalign", "operator new", "operator new[]", "reallocarray"};
    for (size_t t = 0; t < COUNT(takers); t++) {
        char *one = malloc(900), *other = malloc(900);
        CHECK(one != NULL && other != NULL);
        size_t usable = malloc_usable_size(other);
        DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in %s)", (uintptr_t)other, usable, names[t]) {
            free(one);
            free(other);
            ((struct words *)(void *)other)->link = 7;
            for (int i = 0; i < 200; i++)
                CHECK(takers[t](900) != NULL);
        }
    }
}

TEST(a_link_changed_within_the_slab_gives_no_block_twice) {
    /* Flipping a bit that keeps the link in the slab and on a block: the one forgery that cannot be told at once. It
     * must not hand out what is live. */
    char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(64);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    EXITS(0) {
        ((struct words *)(void *)blocks[0])->key = 0; /* the key alone: no harm */
        take_many(64);
    }
}

/* ---- Row 1: a write past the end of a live block into a free one ------------------------------------------------------------------- */

TEST(an_overflow_into_a_free_block_is_found) {
    test_restart(NULL);
    for (size_t bytes = 16; bytes <= 4096; bytes *= 4) {
        size_t usable = ashlar_good_size(bytes);
        char *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = malloc(bytes);
        int low = -1;
        for (int i = 0; i < BLOCKS; i++)
            for (int j = 0; j < BLOCKS; j++)
                if (blocks[j] == blocks[i] + usable)
                    low = i;
        CHECK(low >= 0); /* two of them are neighbours */
        char *high = blocks[low] + usable;
        DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", (uintptr_t)high, usable) {
            for (int i = 0; i < BLOCKS; i++)
                if (blocks[i] != blocks[low])
                    free(blocks[i]);
            memset(TEST_HIDDEN(blocks[low]), 'A', usable + 8);
            take_many(bytes);
        }
    }
}

/* ---- Blocks on their way home ------------------------------------------------------------------------------------------------------- */

static void *free_all(void *blocks) {
    for (int i = 0; i < BLOCKS; i++)
        free(((void **)blocks)[i]);
    return NULL;
}

TEST(damage_to_blocks_that_another_thread_freed_is_found) {
    test_restart(NULL);
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(200);
    struct words *target = blocks[BLOCKS / 2];
    DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", (uintptr_t)target,
         malloc_usable_size(target)) {
        in_thread(free_all, blocks);
        target->link = UINT64_C(0x4242424242424242);
        for (int i = 0; i < 2000; i++)
            CHECK(malloc(200) != NULL);
    }
}

static void *allocate_and_free(void *target) {
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(200);
    *(void **)target = blocks[BLOCKS / 2];
    for (int i = 1; i < BLOCKS; i++) /* one stays, so that the slab does */
        free(blocks[i]);
    return NULL;
}

TEST(damage_to_blocks_of_a_thread_that_has_ended_is_found) {
    test_restart(NULL);
    struct words *target;
    in_thread(allocate_and_free, &target);
    DIES("ashlar: damaged free list at 0x%lx (%zu-byte blocks, in malloc)", (uintptr_t)target, ashlar_good_size(200)) {
        target->link = UINT64_C(0x4242424242424242);
        for (int i = 0; i < 5000; i++)
            CHECK(malloc(200) != NULL);
    }
}

/* ---- Row 18: forgeries by one who has read nothing -------------------------------------------------------------------------- */

TEST(no_random_link_passes) {
    test_restart(NULL);
    for (int round = 0; round < 200; round++) {
        char *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = malloc(16);
        struct words *last = (struct words *)(void *)blocks[BLOCKS - 1];
        DIES("ashlar: damaged free list at 0x%lx (16-byte blocks, in malloc)", (uintptr_t)last) {
            for (int i = 0; i < BLOCKS; i++)
                free(blocks[i]);
            last->link = test_random();
            take_many(16);
        }
        for (int i = 0; i < BLOCKS; i++)
            free(blocks[i]);
    }
}
