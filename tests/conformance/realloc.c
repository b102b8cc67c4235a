/* realloc.c: keeps min(old usable, new) bytes; stays in place if the new size fits and is at least half of the usable
 * size; realloc(p, 0) frees; a failure leaves the block as it was. */
#include "../lib/blocks.h"

static void *filled(size_t bytes, uint64_t tag)
{
    void *block = malloc(bytes);
    CHECK(block != NULL);
    fill(block, malloc_usable_size(block), tag);
    return block;
}

TEST(null_is_malloc)
{
    for (EACH_SIZE(bytes, 1 * MIB)) {
        void *block = realloc(NULL, bytes);
        CHECK(block != NULL && is_aligned(block, 16));
        CHECK(malloc_usable_size(block) >= bytes);
        memset(block, 1, malloc_usable_size(block));
        free(block);
    }
    void *one = realloc(NULL, 0), *other = reallocarray(NULL, 0, 7);
    CHECK(one != NULL && other != NULL && one != other);
    free(one), free(other);
}

/* Whether realloc(a block of `bytes`, wanted) stays where it is, content and all. */
static bool stays(size_t bytes, size_t wanted)
{
    void *block = filled(bytes, 3);
    size_t kept = malloc_usable_size(block) < wanted ? malloc_usable_size(block) : wanted;
    uintptr_t before = (uintptr_t)block;
    void *after = realloc(block, wanted);
    CHECK(after != NULL);
    CHECK(malloc_usable_size(after) >= wanted);
    CHECK(is_filled(after, kept, 3));
    fill(after, malloc_usable_size(after), 4);
    CHECK(is_filled(after, malloc_usable_size(after), 4));
    bool stayed = (uintptr_t)after == before;
    free(after);
    return stayed;
}

TEST(usable_size_stays_in_place)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        if (bytes > 1 * MIB && bytes % 3)
            continue;
        void *block = malloc(bytes);
        CHECK(block != NULL);
        uintptr_t before = (uintptr_t)block;
        size_t usable = malloc_usable_size(block);
        block = realloc(block, usable);
        CHECK_EQ(block, before);
        CHECK_EQ(malloc_usable_size(block), usable);
        free(block);
    }
}

TEST(at_least_half_stays_in_place)
{
    for (EACH_SIZE(bytes, 2 * MIB)) {
        size_t usable = ashlar_good_size(bytes);
        const size_t wanted[] = {usable,           usable - 1,          bytes, usable - usable / 3,
                                 (usable + 1) / 2, (usable + 1) / 2 + 1};
        for (size_t i = 0; i < COUNT(wanted); i++)
            if (wanted[i] > 0 && wanted[i] <= usable && wanted[i] >= (usable + 1) / 2)
                CHECK(stays(bytes, wanted[i]));
    }
}

TEST(at_least_half_of_a_huge_block_stays_in_place)
{
    const size_t sizes[] = {HUGE_BYTES - 4096, HUGE_BYTES, HUGE_BYTES + 1, 64 * MIB, 100 * MIB + 5};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        CHECK(stays(sizes[i], sizes[i] / 2 + 4096));
        CHECK(stays(sizes[i], sizes[i] - 1));
    }
}

TEST(same_class_stays_in_place)
{
    for (EACH_SIZE(bytes, 64 * KIB))
        for (size_t wanted = 1; wanted <= bytes; wanted = next_size(wanted + wanted / 4))
            if (ashlar_good_size(wanted) == ashlar_good_size(bytes))
                CHECK(stays(bytes, wanted));
}

TEST(content_is_kept_between_all_pairs_of_sizes)
{
    static const size_t sizes[] = {0,       1,       8,       16,      17,        24,       31,        33,
                                   64,      100,     128,     257,     500,       1000,     1024,      1025,
                                   2000,    4096,    4097,    5000,    8200,      16384,    20000,     32768,
                                   40000,   65536,   65537,   70000,   128 * KIB, 200000,   256 * KIB, 1000 * KIB,
                                   1 * MIB, 1500000, 4 * MIB, 5000001, 16 * MIB,  32 * MIB, 33 * MIB};
    for (size_t from = 0; from < COUNT(sizes); from++)
        for (size_t to = 0; to < COUNT(sizes); to++)
            if (sizes[to] > 0 && (sizes[from] < 2 * MIB || sizes[to] < 2 * MIB || (from + to) % 3 == 0))
                stays(sizes[from], sizes[to]);
}

TEST(all_usable_bytes_are_kept_not_only_those_requested)
{
    for (EACH_SIZE(bytes, 256 * KIB)) {
        void *block = filled(bytes, 5);
        size_t usable = malloc_usable_size(block);
        block = realloc(block, 2 * usable + 100000);
        CHECK(block != NULL);
        CHECK(is_filled(block, usable, 5));
        free(block);
    }
}

TEST(growth_by_doubling_and_back)
{
    size_t bytes = 16;
    uint64_t *block = filled(bytes, 7);
    for (; bytes < 256 * MIB; bytes *= 2) {
        block = realloc(block, 2 * bytes);
        CHECK(block != NULL && is_aligned(block, 16));
        CHECK(is_filled(block, bytes, 7));
        fill(block, 2 * bytes, 7);
    }
    for (; bytes > 16; bytes /= 3) {
        block = realloc(block, bytes);
        CHECK(block != NULL && is_aligned(block, 16));
        CHECK(is_filled(block, bytes, 7));
    }
    free(block);
}

TEST(growth_in_small_steps)
{
    size_t bytes = 1;
    void *block = filled(bytes, 9);
    while (bytes < 3 * MIB) {
        size_t more = bytes + 1 + bytes / 50;
        block = realloc(block, more);
        CHECK(block != NULL && is_filled(block, bytes, 9));
        bytes = more;
        fill(block, bytes, 9);
    }
    free(block);
}

TEST(two_vectors_growing_by_turns)
{
    void *one = filled(64 * KIB, 1), *other = filled(64 * KIB, 2);
    for (size_t bytes = 64 * KIB; bytes < 48 * MIB; bytes += 1 * MIB + 4096) {
        one = realloc(one, bytes + 1 * MIB + 4096);
        CHECK(one != NULL && is_filled(one, bytes, 1));
        fill(one, bytes + 1 * MIB + 4096, 1);
        other = realloc(other, bytes + 1 * MIB + 4096);
        CHECK(other != NULL && is_filled(other, bytes, 2));
        fill(other, bytes + 1 * MIB + 4096, 2);
    }
    free(one), free(other);
}

TEST(a_grown_block_of_calloc_keeps_its_zeros)
{
    for (size_t bytes = 1; bytes < 128 * MIB; bytes = bytes * 7 / 2) {
        unsigned char *block = calloc(1, bytes);
        CHECK(block != NULL);
        block = realloc(block, bytes * 3);
        CHECK(block != NULL && is_zero(block, bytes));
        free(block);
    }
}

TEST(an_aligned_block_may_be_resized)
{
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 2)
        for (size_t wanted = 10; wanted < 10 * MIB; wanted *= 11) {
            void *block = memalign(alignment, 1000);
            CHECK(block != NULL);
            fill(block, malloc_usable_size(block), 1);
            size_t kept = malloc_usable_size(block) < wanted ? malloc_usable_size(block) : wanted;
            block = realloc(block, wanted);
            CHECK(block != NULL && is_aligned(block, 16));
            CHECK(is_filled(block, kept, 1));
            free(block);
        }
}

/* ---- Zero -------------------------------------------------------------------------------------------------------- */

TEST(zero_frees_and_returns_null_and_keeps_errno)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        if (bytes > 1 * MIB && bytes % 3)
            continue;
        void *one = malloc(bytes), *other = malloc(bytes);
        CHECK(one != NULL && other != NULL);
        errno = 4711;
        CHECK_EQ(realloc(one, 0), NULL);
        CHECK_EQ(errno, 4711);
        CHECK_EQ(reallocarray(other, 0, 5), NULL);
        CHECK_EQ(errno, 4711);
    }
}

#if !TEST_NAMESPACED
TEST(zero_really_frees)
{
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 100000; i++) {
        CHECK_EQ(realloc(malloc(1000), 0), NULL);
        CHECK_EQ(reallocarray(malloc(300 * KIB), 7, 0), NULL);
    }
    struct mallinfo2 after = mallinfo2();
    CHECK(after.uordblks < before.uordblks + 100000);
    CHECK(after.hblkhd < before.hblkhd + 1 * MIB);
}
#endif

/* ---- Failure ----------------------------------------------------------------------------------------------------- */

TEST(failure_leaves_the_block_as_it_was)
{
    const size_t impossible[] = {SIZE_MAX,    SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
                                 PTRDIFF_MAX, (size_t)1 << 60, (size_t)1 << 50};
    for (EACH_SIZE(bytes, 4 * MIB)) {
        if (bytes > 2000 && bytes % 3)
            continue;
        void *block = filled(bytes, 11);
        size_t usable = malloc_usable_size(block);
        for (size_t i = 0; i < COUNT(impossible); i++) {
            errno = 0;
            CHECK_EQ(realloc(block, impossible[i]), NULL);
            CHECK_EQ(errno, ENOMEM);
            errno = 0;
            CHECK_EQ(reallocarray(block, impossible[i] / 2 + 1, 2), NULL);
            CHECK_EQ(errno, ENOMEM);
        }
        CHECK_EQ(malloc_usable_size(block), usable);
        CHECK(is_filled(block, usable, 11));
        free(block);
    }
}

TEST(an_array_that_overflows_is_refused_and_the_block_stays)
{
    const size_t half = SIZE_MAX / 2 + 1, root = (size_t)1 << 32;
    const size_t pairs[][2] = {{half, 2}, {2, half}, {root, root}, {SIZE_MAX, SIZE_MAX}, {half / 8 + 1, 16}, {3, half}};
    void *block = filled(1000, 12);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        errno = 0;
        CHECK_EQ(reallocarray(block, pairs[i][0], pairs[i][1]), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(reallocarray(NULL, pairs[i][0], pairs[i][1]), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
    CHECK(is_filled(block, 1000, 12));
    free(block);
}

TEST(an_array_is_its_product)
{
    unsigned char *block = reallocarray(NULL, 30, 100);
    CHECK(block != NULL && malloc_usable_size(block) >= 3000);
    fill(block, 3000, 13);
    block = reallocarray(block, 3000, 100);
    CHECK(block != NULL && malloc_usable_size(block) >= 300000);
    CHECK(is_filled(block, 3000, 13));
    block = reallocarray(block, 10, 10);
    CHECK(block != NULL && is_filled(block, 100, 13));
    free(block);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

static void *grow_tenfold(void *block) { return realloc(block, 10 * malloc_usable_size(block)); }

TEST(another_thread_may_resize)
{
    for (size_t bytes = 1; bytes < 64 * MIB; bytes = 3 * bytes + 1) {
        void *block = filled(bytes, 14);
        size_t usable = malloc_usable_size(block);
        block = in_thread(grow_tenfold, block); /* the thread ends: its heap is orphaned with the block in it */
        CHECK(block != NULL && is_filled(block, usable, 14));
        block = realloc(block, usable);
        CHECK(block != NULL && is_filled(block, usable, 14));
        free(block);
    }
}
