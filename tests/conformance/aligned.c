/* aligned.c: memalign, posix_memalign, aligned_alloc, valloc, pvalloc. */
#include "../lib/blocks.h"

static const size_t top = (size_t)1 << 63;

/* ---- memalign ---------------------------------------------------------------------------------------------------- */

TEST(memalign_rounds_the_alignment_up)
{
    static const size_t cases[][2] = {{0, 16},           {1, 16},         {2, 16},         {3, 16},
                                      {5, 16},           {16, 16},        {17, 32},        {24, 32},
                                      {32, 32},          {33, 64},        {48, 64},        {65, 128},
                                      {100, 128},        {1000, 1024},    {4095, 4096},    {4097, 8192},
                                      {6000, 8192},      {65537, 131072}, {70000, 131072}, {MIB + 1, 2 * MIB},
                                      {3 * MIB, 4 * MIB}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int round = 0; round < 50; round++) {
            void *block = memalign(cases[i][0], 100);
            CHECK(block != NULL);
            if (!is_aligned(block, cases[i][1]))
                test_fail(__FILE__, __LINE__, "memalign(%zu) gave %p", cases[i][0], block);
            CHECK(malloc_usable_size(block) >= 100);
            if (round % 2)
                free(block);
        }
}

TEST(memalign_refuses_alignments_above_two_to_the_63)
{
    const size_t alignments[] = {top + 1, top + 4096, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT(alignments); i++)
        for (size_t bytes = 0; bytes <= 4096; bytes += 1024) {
            errno = 0;
            CHECK_EQ(memalign(alignments[i], bytes), NULL);
            CHECK_EQ(errno, EINVAL);
        }
}

TEST(memalign_has_no_memory_for_two_to_the_63)
{
    const size_t alignments[] = {top, top - 1, top / 2 + 1, top / 2 + 4096, top / 2};
    for (size_t i = 0; i < COUNT(alignments); i++)
        for (size_t bytes = 0; bytes <= 4096; bytes += 1024) {
            errno = 0;
            CHECK_EQ(memalign(alignments[i], bytes), NULL);
            CHECK_EQ(errno, ENOMEM);
        }
}

/* ---- posix_memalign ---------------------------------------------------------------------------------------------- */

TEST(posix_memalign_refuses_bad_alignments_and_touches_nothing)
{
    const size_t alignments[] = {0,  1,   2,     3,    4,     7,       9,       12,       24,
                                 48, 100, 0x300, 4097, 12288, top + 1, top + 8, SIZE_MAX, SIZE_MAX - 7};
    const size_t sizes[] = {0, 1, 100, 5000, MIB, SIZE_MAX};
    for (size_t a = 0; a < COUNT(alignments); a++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            void *block = &block;
            errno = 4711;
            CHECK_EQ(posix_memalign(&block, alignments[a], sizes[s]), EINVAL);
            CHECK_EQ(block, &block);
            CHECK_EQ(errno, 4711);
        }
}

TEST(posix_memalign_without_memory_returns_and_sets_enomem_and_touches_nothing)
{
    const size_t requests[][2] = {{8, SIZE_MAX},
                                  {16, (size_t)PTRDIFF_MAX + 1},
                                  {4096, SIZE_MAX - 4095},
                                  {top, 1},
                                  {top, 0},
                                  {top / 2, 1},
                                  {4096, PTRDIFF_MAX},
                                  {64, (size_t)1 << 60},
                                  {top / 4, top / 4},
                                  {(size_t)1 << 50, 10},
                                  {MIB, SIZE_MAX - MIB}};
    for (size_t i = 0; i < COUNT(requests); i++) {
        void *block = &block;
        errno = 0;
        CHECK_EQ(posix_memalign(&block, requests[i][0], requests[i][1]), ENOMEM);
        CHECK_EQ(block, &block);
        CHECK_EQ(errno, ENOMEM);
    }
}

TEST(posix_memalign_keeps_errno_on_success)
{
    for (size_t alignment = 8; alignment <= 16 * MIB; alignment *= 2) {
        void *block = NULL;
        errno = 4711;
        CHECK_EQ(posix_memalign(&block, alignment, 1000), 0);
        CHECK(block != NULL && is_aligned(block, alignment) && is_aligned(block, 16));
        CHECK_EQ(errno, 4711);
        free(block);
    }
}

/* ---- aligned_alloc ----------------------------------------------------------------------------------------------- */

TEST(aligned_alloc_refuses_all_but_powers_of_two)
{
    const size_t alignments[] = {0,  3,  5,  6,  7,   9,    10,   12,    15,      17,
                                 24, 48, 63, 65, 100, 4095, 4097, 12288, top + 1, SIZE_MAX};
    const size_t sizes[] = {0, 1, 65, 100, 5000, MIB, SIZE_MAX};
    for (size_t a = 0; a < COUNT(alignments); a++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            errno = 0;
            CHECK_EQ(aligned_alloc(alignments[a], sizes[s]), NULL);
            CHECK_EQ(errno, EINVAL);
        }
}

TEST(aligned_alloc_has_no_memory_for_two_to_the_63)
{
    for (size_t bytes = 0; bytes <= 4096; bytes += 1024) {
        errno = 0;
        CHECK_EQ(aligned_alloc(top, bytes), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
}

TEST(aligned_alloc_takes_sizes_that_are_no_multiple)
{
    for (size_t alignment = 1; alignment <= 1 * MIB; alignment *= 2)
        for (EACH_SIZE(bytes, 5000)) {
            if (bytes % 13)
                continue;
            errno = 4711;
            void *block = aligned_alloc(alignment, bytes);
            CHECK(block != NULL && is_aligned(block, alignment) && is_aligned(block, 16));
            CHECK(malloc_usable_size(block) >= bytes);
            CHECK_EQ(errno, 4711);
            free(block);
        }
}

/* ---- All together ------------------------------------------------------------------------------------------------ */

/* Live aligned blocks of mixed sizes do not touch; a zero size is unique. */
TEST(aligned_blocks_do_not_touch)
{
    enum { SLOTS = 512 };
    static struct {
        void *block;
        size_t usable;
    } slots[SLOTS];
    for (int round = 0; round < 20000; round++) {
        size_t i = test_random() % SLOTS;
        if (slots[i].block) {
            CHECK_EQ(malloc_usable_size(slots[i].block), slots[i].usable);
            CHECK(is_filled(slots[i].block, slots[i].usable, i));
            free(slots[i].block);
        }
        size_t alignment = (size_t)16 << test_random() % (round % 64 ? 9 : 17);
        size_t bytes = test_random() % (round % 32 ? 3000 : 200000);
        slots[i].block = memalign(alignment, bytes);
        CHECK(slots[i].block != NULL && is_aligned(slots[i].block, alignment));
        slots[i].usable = malloc_usable_size(slots[i].block);
        CHECK(slots[i].usable >= bytes);
        fill(slots[i].block, slots[i].usable, i);
    }
}

TEST(every_alignment_up_to_256_mib)
{
    for (size_t alignment = 16; alignment <= 256 * MIB; alignment *= 2) {
        const size_t sizes[] = {0, 1, alignment - 1, alignment, alignment + 1, 100, 70000, 3 * MIB, 33 * MIB};
        for (size_t s = 0; s < COUNT(sizes); s++) {
            void *one = memalign(alignment, sizes[s]), *other = memalign(alignment, sizes[s]);
            CHECK(one != NULL && other != NULL && one != other);
            CHECK(is_aligned(one, alignment) && is_aligned(other, alignment));
            CHECK(malloc_usable_size(one) >= sizes[s]);
            ((char *)one)[sizes[s] ? sizes[s] - 1 : 0] = 1;
            ((char *)other)[0] = 2;
            free(one), free(other);
        }
    }
}

TEST(small_aligned_blocks_cost_no_pages_each)
{
    /* 64 Ki blocks of 64 aligned bytes are 4 MiB; a page each would be 256 MiB. */
    enum { BLOCKS = 65536 };
    static void *blocks[BLOCKS];
    uintptr_t lowest = UINTPTR_MAX, highest = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = aligned_alloc(64, 64);
        CHECK(blocks[i] != NULL && is_aligned(blocks[i], 64));
        lowest = (uintptr_t)blocks[i] < lowest ? (uintptr_t)blocks[i] : lowest;
        highest = (uintptr_t)blocks[i] > highest ? (uintptr_t)blocks[i] : highest;
    }
    CHECK(highest - lowest < 64 * MIB);
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

/* ---- valloc, pvalloc --------------------------------------------------------------------------------------------- */

TEST(valloc_is_page_aligned)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        if (bytes % 5)
            continue;
        errno = 4711;
        void *one = valloc(bytes), *other = valloc(bytes);
        CHECK(one != NULL && other != NULL && one != other);
        CHECK(is_aligned(one, block_page_bytes()) && is_aligned(other, block_page_bytes()));
        CHECK(malloc_usable_size(one) >= bytes);
        CHECK_EQ(errno, 4711);
        free(one), free(other);
    }
}

TEST(pvalloc_gives_whole_pages)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        if (bytes % 5)
            continue;
        size_t page = block_page_bytes();
        size_t pages = bytes ? (bytes + page - 1) / page * page : page; /* zero bytes: one page */
        errno = 4711;
        void *block = pvalloc(bytes);
        CHECK(block != NULL && is_aligned(block, page));
        CHECK(malloc_usable_size(block) >= pages);
        CHECK_EQ(errno, 4711);
        if (pages <= 1 * MIB)
            memset(block, 1, pages);
        free(block);
    }
}

TEST(pvalloc_zero_is_one_page_not_two)
{
    void *block = pvalloc(0);
    CHECK(block != NULL);
    CHECK_EQ(malloc_usable_size(block), block_page_bytes());
    free(block);
}

TEST(pvalloc_refuses_sizes_that_overflow_when_rounded)
{
    for (size_t bytes = SIZE_MAX; bytes > SIZE_MAX - 3 * block_page_bytes(); bytes--) {
        errno = 0;
        CHECK_EQ(pvalloc(bytes), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(valloc(bytes), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
    errno = 0;
    CHECK_EQ(pvalloc(PTRDIFF_MAX), NULL); /* fits before rounding, not after */
    CHECK_EQ(errno, ENOMEM);
}
