/* ashlar.h: first-class heaps, which any thread may use and which can be destroyed at once. */
#include "../lib/blocks.h"
#include "../lib/self.h"
#include "../lib/stats.h"

#include <stdatomic.h>

static ashlar_heap *new_heap(void)
{
    ashlar_heap *heap = ashlar_heap_new();
    CHECK(heap != NULL);
    return heap;
}

TEST(destroying_no_heap_is_nothing)
{
    errno = 4711;
    ashlar_heap_destroy(NULL);
    CHECK_EQ(errno, 4711);
}

TEST(an_empty_heap_comes_and_goes)
{
    struct ashlar_stats before = stats_now();
    for (int i = 0; i < 20000; i++)
        ashlar_heap_destroy(new_heap());
    struct ashlar_stats after = stats_now();
    CHECK_EQ(after.heaps, before.heaps);
    CHECK(after.mapped_bytes + after.metadata_bytes < before.mapped_bytes + before.metadata_bytes + 8 * MIB);
}

TEST(blocks_of_a_heap_are_blocks)
{
    ashlar_heap *heap = new_heap();
    for (EACH_SIZE(bytes, 64 * MIB)) {
        if (bytes > 1000 && bytes % 5)
            continue;
        errno = 4711;
        void *plain = ashlar_heap_malloc(heap, bytes), *zeroed = ashlar_heap_calloc(heap, bytes, 1);
        void *aligned = ashlar_heap_aligned_alloc(heap, 256, bytes);
        CHECK(plain != NULL && zeroed != NULL && aligned != NULL);
        CHECK_EQ(errno, 4711);
        CHECK(is_aligned(plain, 16) && is_aligned(zeroed, 16) && is_aligned(aligned, 256));
        CHECK(malloc_usable_size(plain) >= bytes && malloc_usable_size(aligned) >= bytes);
        size_t some = bytes < 100000 ? malloc_usable_size(plain) : 100000;
        CHECK(is_zero(zeroed, bytes < 100000 ? bytes : 100000));
        fill(plain, some, 1);
        plain = realloc(plain, bytes * 2 + 1);
        CHECK(plain != NULL && is_filled(plain, some < bytes * 2 + 1 ? some : bytes * 2 + 1, 1));
        free(plain), ashlar_free(zeroed), free(aligned);
    }
    ashlar_heap_destroy(heap);
}

TEST(a_heap_refuses_impossible_requests)
{
    ashlar_heap *heap = new_heap();
    for (size_t less = 0; less < 5000; less++) {
        free(ashlar_heap_malloc(heap, less % 200));
        errno = 0;
        CHECK_EQ(ashlar_heap_malloc(heap, TEST_HIDDEN(SIZE_MAX - less)), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(ashlar_heap_malloc(heap, TEST_HIDDEN((size_t)PTRDIFF_MAX + 1 + less)), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(ashlar_heap_calloc(heap, TEST_HIDDEN(SIZE_MAX / 2 + 1 + less), 2), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(ashlar_heap_aligned_alloc(heap, 4096, TEST_HIDDEN(SIZE_MAX - less)), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(ashlar_heap_aligned_alloc(heap, TEST_HIDDEN((size_t)48), 100), NULL);
        CHECK_EQ(errno, EINVAL);
    }
    ashlar_heap_destroy(heap);
}

static size_t heap_size_of(size_t i) { return i % 500 == 499 ? HUGE_BYTES + 1 : i % 100 == 99 ? 200000 : i % 3000; }

/* Ask a heap for a bit of everything and leave it there. */
static void *fill_heap(void *heap)
{
    for (size_t i = 0; i < 3000; i++) {
        size_t bytes = heap_size_of(i);
        unsigned char *block = i % 3 == 0   ? ashlar_heap_malloc(heap, bytes)
                               : i % 3 == 1 ? ashlar_heap_calloc(heap, 1, bytes)
                                            : ashlar_heap_aligned_alloc(heap, 64, bytes);
        CHECK(block != NULL);
        memset(block, 1, bytes < 10000 ? bytes : 10000);
    }
    return NULL;
}

TEST(destroying_a_heap_frees_every_block_in_it)
{
    ashlar_heap_destroy(new_heap());
    struct ashlar_stats before = stats_now();
    for (int round = 0; round < 50; round++) {
        ashlar_heap *heap = new_heap();
        fill_heap(heap);
        CHECK(stats_now().live_blocks >= before.live_blocks + 3000);
        ashlar_heap_destroy(heap);
        struct ashlar_stats after = stats_now();
        CHECK_EQ(after.live_blocks, before.live_blocks);
        CHECK_EQ(after.live_bytes, before.live_bytes);
        CHECK_EQ(after.huge_live_blocks, before.huge_live_blocks);
        CHECK_EQ(after.large_live_blocks, before.large_live_blocks);
        CHECK_EQ(after.heaps, before.heaps);
    }
    CHECK(stats_now().mapped_bytes < before.mapped_bytes + 512 * MIB); /* one round has 200 MiB */
}

TEST(destroying_a_heap_leaves_the_blocks_of_others)
{
    ashlar_heap *one = new_heap(), *other = new_heap();
    static void *kept[1000], *plain[1000];
    for (size_t i = 0; i < COUNT(kept); i++) {
        CHECK(ashlar_heap_malloc(one, i) != NULL);
        kept[i] = ashlar_heap_malloc(other, i);
        plain[i] = malloc(i);
        CHECK(kept[i] != NULL && plain[i] != NULL);
        fill(kept[i], i, i), fill(plain[i], i, i + 1);
    }
    ashlar_heap_destroy(one);
    fill_heap(new_heap()); /* takes the destroyed heap's memory, if anything does */
    for (size_t i = 0; i < COUNT(kept); i++) {
        CHECK(is_filled(kept[i], i, i) && is_filled(plain[i], i, i + 1));
        free(plain[i]);
    }
    ashlar_heap_destroy(other);
}

TEST(a_resized_block_stays_in_its_heap)
{
    struct ashlar_stats before = stats_now();
    ashlar_heap *heap = new_heap();
    for (size_t i = 0; i < 300; i++) {
        void *block = ashlar_heap_malloc(heap, i);
        CHECK(block != NULL);
        block = realloc(block, i * 100 + 1);
        CHECK(block != NULL);
        block = realloc(block, i * 10000 + 1);
        CHECK(block != NULL);
        block = realloc(block, i * 3 + 1);
        CHECK(block != NULL);
        block = realloc(block, i % 50 == 0 ? 2 * HUGE_BYTES : 300000);
        CHECK(block != NULL);
    }
    CHECK(stats_now().live_blocks >= before.live_blocks + 300);
    ashlar_heap_destroy(heap); /* ends them all, wherever they have moved */
    CHECK_EQ(stats_now().live_blocks, before.live_blocks);
    CHECK_EQ(stats_now().live_bytes, before.live_bytes);
}

TEST(many_threads_fill_one_heap)
{
    struct ashlar_stats before = stats_now();
    ashlar_heap *heap = new_heap();
    pthread_t threads[6];
    for (size_t t = 0; t < COUNT(threads); t++)
        threads[t] = start_thread(fill_heap, heap);
    fill_heap(heap);
    for (size_t t = 0; t < COUNT(threads); t++)
        join_thread(threads[t]);
    CHECK(stats_now().live_blocks >= before.live_blocks + 7 * 3000);
    ashlar_heap_destroy(heap);
    CHECK(stats_now().live_blocks < before.live_blocks + 100); /* libc keeps something for threads */
}

/* Blocks go from the threads that take them from the heap to threads that free them. */
static _Atomic(void *) exchange[512];

static void *take_and_free(void *heap)
{
    for (int i = 0; i < 50000; i++) {
        size_t bytes = 8 + test_random() % (i % 100 ? 600 : 100000);
        uint64_t *block = ashlar_heap_malloc(heap, bytes);
        CHECK(block != NULL);
        block[0] = bytes;
        fill(block + 1, bytes - 8, bytes);
        uint64_t *other = atomic_exchange(&exchange[test_random() % COUNT(exchange)], block);
        if (other) {
            CHECK(is_filled(other + 1, other[0] - 8, other[0]));
            free(other);
        }
    }
    return NULL;
}

TEST(blocks_of_a_heap_are_freed_one_by_one_by_other_threads)
{
    struct ashlar_stats before = stats_now();
    for (int round = 0; round < 3; round++) {
        ashlar_heap *heap = new_heap();
        pthread_t threads[4];
        for (size_t t = 0; t < COUNT(threads); t++)
            threads[t] = start_thread(take_and_free, heap);
        for (size_t t = 0; t < COUNT(threads); t++)
            join_thread(threads[t]);
        if (round % 2)
            for (size_t i = 0; i < COUNT(exchange); i++)
                free(atomic_exchange(&exchange[i], NULL));
        else
            memset((void *)exchange, 0, sizeof exchange); /* the rest ends with the heap */
        ashlar_heap_destroy(heap);
        CHECK(stats_now().live_blocks < before.live_blocks + 100);
    }
}

TEST(memory_of_a_heap_is_reused_after_its_end)
{
    self_needs_true_sizes();
    size_t before = 0;
    for (int round = 0; round < 200; round++) {
        ashlar_heap *heap = new_heap();
        for (int i = 0; i < 2000; i++) {
            void *block = ashlar_heap_malloc(heap, 1000);
            CHECK(block != NULL);
            memset(block, 1, 1000);
        }
        ashlar_heap_destroy(heap);
        if (round == 20)
            before = self_status("VmRSS");
    }
    CHECK(self_status("VmRSS") < before + 16 * MIB); /* without reuse: 360 MiB more */
}

TEST(a_thousand_heaps_at_once)
{
    static ashlar_heap *heaps[1000];
    struct ashlar_stats before = stats_now();
    for (size_t i = 0; i < COUNT(heaps); i++) {
        heaps[i] = new_heap();
        CHECK(ashlar_heap_malloc(heaps[i], 100 + i) != NULL);
    }
    CHECK_EQ(stats_now().heaps - before.heaps, COUNT(heaps));
    EXITS(0)
    { /* fork with a thousand locks */
        for (size_t i = 0; i < COUNT(heaps); i++) {
            CHECK(ashlar_heap_malloc(heaps[i], 100) != NULL);
            ashlar_heap_destroy(heaps[i]);
        }
    }
    for (size_t i = 0; i < COUNT(heaps); i++)
        ashlar_heap_destroy(heaps[i]);
    CHECK_EQ(stats_now().heaps, before.heaps);
    CHECK_EQ(stats_now().live_blocks, before.live_blocks);
}
