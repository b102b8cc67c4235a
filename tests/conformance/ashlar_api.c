/* ashlar_api.c: what ashlar.h adds to the standard names: good size, statistics, purging, options, heaps of one's own.
 */
#include "../lib/blocks.h"

#include <stdatomic.h>

/* ---- Version, blocks --------------------------------------------------------------------------------------------- */

TEST(the_library_is_the_one_of_the_header) { CHECK_EQ(strcmp(ashlar_version(), ASHLAR_VERSION), 0); }

/* For the compiler ashlar_malloc and friends are functions it knows nothing of, but the attributes of the header. */
static void *by_own_posix_memalign(size_t bytes)
{
    void *block = NULL;
    CHECK(ashlar_posix_memalign(&block, 64, TEST_HIDDEN(bytes)) == 0 || block == NULL);
    return block;
}

static void *by_own_calloc(size_t bytes) { return ashlar_calloc(1, TEST_HIDDEN(bytes)); }
static void *by_own_realloc(size_t bytes) { return ashlar_realloc(NULL, TEST_HIDDEN(bytes)); }
static void *by_own_reallocarray(size_t bytes) { return ashlar_reallocarray(NULL, TEST_HIDDEN(bytes), 1); }
static void *by_own_memalign(size_t bytes) { return ashlar_memalign(64, TEST_HIDDEN(bytes)); }
static void *by_own_aligned_alloc(size_t bytes) { return ashlar_aligned_alloc(64, TEST_HIDDEN(bytes)); }

static const struct allocator own_allocators[] = {
    {"ashlar_malloc", ashlar_malloc, 16},
    {"ashlar_calloc", by_own_calloc, 16},
    {"ashlar_realloc", by_own_realloc, 16},
    {"ashlar_reallocarray", by_own_reallocarray, 16},
    {"ashlar_memalign", by_own_memalign, 64},
    {"ashlar_posix_memalign", by_own_posix_memalign, 64},
    {"ashlar_aligned_alloc", by_own_aligned_alloc, 64},
    {"ashlar_valloc", ashlar_valloc, 4096},
    {"ashlar_pvalloc", ashlar_pvalloc, 4096},
};

TEST(both_sets_of_names_share_one_heap)
{
    for (size_t a = 0; a < COUNT(own_allocators); a++)
        for (EACH_SIZE(bytes, 64 * MIB)) {
            if (bytes > 1000 && bytes % 7)
                continue;
            errno = 4711;
            void *block = own_allocators[a].allocate(bytes);
            CHECK(block != NULL && is_aligned(block, own_allocators[a].alignment));
            CHECK_EQ(ashlar_usable_size(block), malloc_usable_size(block));
            CHECK(ashlar_usable_size(block) >= bytes);
            switch (bytes % 3) {
            case 0:
                free(block);
                break;
            case 1:
                ashlar_free(realloc(block, bytes + 1));
                break;
            default:
                ashlar_free(block);
                ashlar_free_sized(malloc(bytes), bytes);
            }
            CHECK_EQ(errno, 4711);
        }
}

TEST(the_own_names_refuse_what_the_standard_ones_refuse)
{
    for (size_t a = 0; a < COUNT(own_allocators); a++)
        for (size_t less = 0; less < 5000; less++) {
            errno = 0;
            CHECK_EQ(own_allocators[a].allocate(SIZE_MAX - less), NULL);
            CHECK_EQ(errno, ENOMEM);
            errno = 0;
            CHECK_EQ(own_allocators[a].allocate((size_t)PTRDIFF_MAX + 1 + less), NULL);
            CHECK_EQ(errno, ENOMEM);
        }
    errno = 0;
    CHECK_EQ(ashlar_aligned_alloc(TEST_HIDDEN((size_t)65), 100), NULL);
    CHECK_EQ(errno, EINVAL);
}

/* ---- Good size --------------------------------------------------------------------------------------------------- */

TEST(good_size_is_enough_and_costs_no_more)
{
    size_t last = 0;
    for (EACH_SIZE(bytes, 256 * MIB)) {
        size_t good = ashlar_good_size(bytes);
        CHECK(good >= bytes && good >= last);
        CHECK_EQ(ashlar_good_size(good), good);
        last = good;
    }
    CHECK_EQ(ashlar_good_size(0), 16);
}

TEST(good_size_leaves_impossible_sizes_unchanged)
{
    const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
                                 (size_t)PTRDIFF_MAX + 5000};
    for (size_t i = 0; i < COUNT(impossible); i++)
        CHECK_EQ(ashlar_good_size(impossible[i]), impossible[i]);
}

/* ---- Statistics -------------------------------------------------------------------------------------------------- */

static struct ashlar_stats read_stats(void)
{
    struct ashlar_stats stats;
    errno = 4711;
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    CHECK_EQ(errno, 4711);
    return stats;
}

static uint64_t class_live(const struct ashlar_stats *stats, size_t bytes)
{
    for (int i = 0; i < ASHLAR_STATS_CLASSES; i++)
        if (stats->classes[i].block_bytes == bytes)
            return stats->classes[i].live_blocks;
    test_fail(__FILE__, __LINE__, "no class of %zu bytes", bytes);
}

static uint64_t class_allocations(const struct ashlar_stats *stats, size_t bytes)
{
    for (int i = 0; i < ASHLAR_STATS_CLASSES; i++)
        if (stats->classes[i].block_bytes == bytes)
            return stats->classes[i].allocations;
    test_fail(__FILE__, __LINE__, "no class of %zu bytes", bytes);
}

TEST(stats_carry_their_version_and_length)
{
    struct ashlar_stats stats = read_stats();
    CHECK_EQ(stats.version, ASHLAR_STATS_VERSION);
    CHECK_EQ(stats.bytes, sizeof stats);
}

TEST(stats_refuse_what_they_cannot_fill)
{
    struct ashlar_stats stats;
    errno = 4711;
    CHECK_EQ(ashlar_stats_read(NULL, sizeof stats), EINVAL);
    CHECK_EQ(ashlar_stats_read(&stats, 0), EINVAL);
    CHECK_EQ(ashlar_stats_read(&stats, 7), EINVAL);
    CHECK_EQ(errno, 4711);
}

TEST(stats_write_no_more_than_they_may)
{
    const size_t lengths[] = {8, 16, 24, 100, offsetof(struct ashlar_stats, classes), sizeof(struct ashlar_stats) - 8};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        static unsigned char room[sizeof(struct ashlar_stats) + 64];
        memset(room, 0xee, sizeof room);
        CHECK_EQ(ashlar_stats_read((struct ashlar_stats *)(void *)room, lengths[i]), 0);
        const struct ashlar_stats *stats = (const struct ashlar_stats *)(const void *)room;
        CHECK_EQ(stats->version, ASHLAR_STATS_VERSION);
        CHECK(stats->bytes >= 8 && stats->bytes <= lengths[i]);
        for (size_t offset = lengths[i]; offset < sizeof room; offset++)
            CHECK_EQ(room[offset], 0xee);
    }
}

TEST(a_larger_struct_of_a_later_header_is_filled_as_far_as_known)
{
    static unsigned char room[sizeof(struct ashlar_stats) + 1024];
    CHECK_EQ(ashlar_stats_read((struct ashlar_stats *)(void *)room, sizeof room), 0);
    CHECK_EQ(((const struct ashlar_stats *)(const void *)room)->bytes, sizeof(struct ashlar_stats));
}

TEST(stats_count_small_blocks_exactly)
{
    free(malloc(1));
    for (size_t bytes = 1; bytes <= 64 * KIB; bytes = bytes * 3 / 2 + 1) {
        size_t usable = ashlar_good_size(bytes);
        struct ashlar_stats before = read_stats();
        void *one = malloc(bytes), *two = calloc(1, bytes), *three = malloc(bytes);
        CHECK(one != NULL && two != NULL && three != NULL);
        free(two);
        struct ashlar_stats after = read_stats();
        CHECK_EQ(after.allocations - before.allocations, 3);
        CHECK_EQ(after.frees - before.frees, 1);
        CHECK_EQ(after.live_blocks - before.live_blocks, 2);
        CHECK_EQ(after.live_bytes - before.live_bytes, 2 * usable);
        CHECK_EQ(class_live(&after, usable) - class_live(&before, usable), 2);
        CHECK_EQ(class_allocations(&after, usable) - class_allocations(&before, usable), 3);
        CHECK_EQ(after.large_live_blocks, before.large_live_blocks);
        CHECK_EQ(after.huge_live_blocks, before.huge_live_blocks);
        free(one), free(three);
        after = read_stats();
        CHECK_EQ(after.live_blocks, before.live_blocks);
        CHECK_EQ(after.live_bytes, before.live_bytes);
    }
}

TEST(stats_count_large_and_huge_blocks_exactly)
{
    struct ashlar_stats before = read_stats();
    void *large = malloc(1 * MIB), *huge = malloc(64 * MIB);
    CHECK(large != NULL && huge != NULL);
    struct ashlar_stats during = read_stats();
    CHECK_EQ(during.large_allocations - before.large_allocations, 1);
    CHECK_EQ(during.large_live_blocks - before.large_live_blocks, 1);
    CHECK_EQ(during.large_live_bytes - before.large_live_bytes, malloc_usable_size(large));
    CHECK_EQ(during.huge_allocations - before.huge_allocations, 1);
    CHECK_EQ(during.huge_live_blocks - before.huge_live_blocks, 1);
    CHECK_EQ(during.huge_live_bytes - before.huge_live_bytes, malloc_usable_size(huge));
    CHECK_EQ(during.live_blocks - before.live_blocks, 2);
    CHECK_EQ(during.live_bytes - before.live_bytes, malloc_usable_size(large) + malloc_usable_size(huge));
    free(large), free(huge);
    struct ashlar_stats after = read_stats();
    CHECK_EQ(after.large_live_blocks, before.large_live_blocks);
    CHECK_EQ(after.huge_live_blocks, before.huge_live_blocks);
    CHECK_EQ(after.live_bytes, before.live_bytes);
    CHECK_EQ(after.frees - before.frees, 2);
}

TEST(stats_agree_among_themselves)
{
    void *blocks[200];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(i * i * 20);
        CHECK(blocks[i] != NULL);
    }
    for (size_t i = 0; i < COUNT(blocks); i += 3)
        free(blocks[i]);
    struct ashlar_stats stats = read_stats();
    uint64_t live_blocks = stats.large_live_blocks + stats.huge_live_blocks;
    uint64_t live_bytes = stats.large_live_bytes + stats.huge_live_bytes;
    uint64_t allocations = stats.large_allocations + stats.huge_allocations;
    for (int i = 0; i < ASHLAR_STATS_CLASSES; i++) {
        const struct ashlar_class_stats *class = &stats.classes[i];
        live_blocks += class->live_blocks;
        live_bytes += class->live_blocks * class->block_bytes;
        allocations += class->allocations;
        CHECK(class->live_blocks <= class->allocations);
        CHECK(class->live_blocks * class->block_bytes <= class->slab_bytes);
    }
    CHECK_EQ(stats.live_blocks, live_blocks);
    CHECK_EQ(stats.live_bytes, live_bytes);
    CHECK_EQ(stats.allocations, allocations);
    CHECK_EQ(stats.live_blocks, stats.allocations - stats.frees);
    CHECK(stats.live_bytes <= stats.active_bytes);
    CHECK(stats.active_bytes <= stats.peak_active_bytes);
    CHECK(stats.active_bytes <= stats.mapped_bytes);
    CHECK(stats.heaps >= 1);
    CHECK(stats.metadata_bytes > 0);
    for (size_t i = 0; i < COUNT(blocks); i++)
        if (i % 3)
            free(blocks[i]);
}

static void *free_in_thread(void *block)
{
    free(block);
    return NULL;
}

TEST(stats_count_frees_from_other_threads)
{
    struct ashlar_stats before = read_stats();
    for (int i = 0; i < 100; i++)
        in_thread(free_in_thread, malloc(100));
    struct ashlar_stats after = read_stats();
    CHECK_EQ(after.remote_frees - before.remote_frees, 100);
    CHECK(after.frees - before.frees >= 100);
}

TEST(stats_count_foreign_frees)
{
    test_restart("foreign:ignore");
    static _Alignas(16) char foreign[32];
    struct ashlar_stats before = read_stats();
    for (int i = 0; i < 5; i++)
        free(foreign);
    CHECK_EQ(read_stats().foreign_frees - before.foreign_frees, 5);
}

TEST(stats_count_refused_mappings)
{
    struct ashlar_stats before = read_stats();
    CHECK_EQ(malloc((size_t)1 << 50), NULL);
    CHECK(read_stats().refused_mappings > before.refused_mappings);
}

TEST(stats_show_what_purging_does)
{
    static void *blocks[8192];
    ashlar_purge();
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(1000);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, 1000);
    }
    struct ashlar_stats full = read_stats();
    CHECK(full.active_bytes >= COUNT(blocks) * 1000);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
    struct ashlar_stats empty = read_stats();
    CHECK(empty.active_bytes + 7 * MIB < full.active_bytes);
    CHECK(empty.dirty_bytes + empty.purged_bytes >= full.dirty_bytes + full.purged_bytes + 6 * MIB);
    errno = 4711;
    size_t purged = ashlar_purge();
    CHECK_EQ(errno, 4711);
    struct ashlar_stats after = read_stats();
    CHECK(after.dirty_bytes < 1 * MIB);
    CHECK_EQ(after.purged_bytes - empty.purged_bytes, purged);
    CHECK(purged == 0 || after.purge_calls > empty.purge_calls);
    CHECK_EQ(after.peak_active_bytes, full.peak_active_bytes);
}

/* ---- JSON: the form is checked here, the words in stats_json.py -------------------------------------------------- */

TEST(json_is_written_as_snprintf_writes)
{
    static char whole[1 << 16], part[1 << 16];
    struct ashlar_stats before = read_stats();
    size_t length = ashlar_stats_json(whole, sizeof whole);
    CHECK_EQ(length, strlen(whole));
    CHECK_EQ(read_stats().allocations, before.allocations); /* it allocates nothing */
    const char *begin = "{\"schema\":\"ashlar.stats/1\"";
    CHECK_EQ(strncmp(whole, begin, strlen(begin)), 0);
    CHECK_EQ(ashlar_stats_json(NULL, 0), length);
    for (size_t room = 1; room < length + 10; room += 7) {
        memset(part, 'x', sizeof part);
        CHECK_EQ(ashlar_stats_json(part, room), length);
        size_t written = room <= length ? room - 1 : length;
        CHECK_EQ(strlen(part), written);
        CHECK_EQ(memcmp(part, whole, written), 0);
        CHECK_EQ(part[written + 1], 'x');
    }
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static bool option_is(const char *key, const char *expected)
{
    char value[64] = "untouched";
    errno = 4711;
    int length = ashlar_option(key, value, sizeof value);
    CHECK_EQ(errno, 4711);
    return length == (int)strlen(expected) && strcmp(value, expected) == 0;
}

TEST(options_have_their_defaults)
{
    test_restart(NULL);
    CHECK(option_is("confirm", "off"));
    CHECK(option_is("foreign", "auto"));
    CHECK(option_is("sized", "abort"));
    CHECK(option_is("warn", "off"));
    CHECK(option_is("purge_delay", "500ms"));
    CHECK(option_is("dirty", "8M"));
    CHECK(option_is("soft_limit", "none"));
    CHECK(option_is("hard_limit", "none"));
    CHECK(option_is("status", "off"));
}

TEST(options_have_what_was_set_at_start)
{
    test_restart("foreign:ignore,sized:warn,purge_delay:2s,dirty:16M,soft_limit:1G,hard_limit:2G");
    CHECK(option_is("foreign", "ignore"));
    CHECK(option_is("sized", "warn"));
    CHECK(option_is("purge_delay", "2s") || option_is("purge_delay", "2000ms"));
    CHECK(option_is("dirty", "16M"));
    CHECK(option_is("soft_limit", "1G"));
    CHECK(option_is("hard_limit", "2G"));
    CHECK(option_is("warn", "off"));
}

TEST(an_option_is_written_as_snprintf_writes)
{
    test_restart(NULL);
    char value[8] = "xxxxxxx";
    CHECK_EQ(ashlar_option("purge_delay", value, 4), 5);
    CHECK_EQ(strcmp(value, "500"), 0);
    CHECK_EQ(value[4], 'x');
    CHECK_EQ(ashlar_option("purge_delay", NULL, 0), 5);
    CHECK_EQ(ashlar_option("purge_dela", value, sizeof value), -1);
    CHECK_EQ(ashlar_option("purge_delayy", value, sizeof value), -1);
    CHECK_EQ(ashlar_option("", value, sizeof value), -1);
    CHECK_EQ(strcmp(value, "500"), 0); /* untouched */
}

TEST(options_may_change_while_the_program_runs)
{
    test_restart(NULL);
    errno = 4711;
    CHECK_EQ(ashlar_option_set("purge_delay", "100ms"), 0);
    CHECK(option_is("purge_delay", "100ms"));
    CHECK_EQ(ashlar_option_set("dirty", "1M"), 0);
    CHECK(option_is("dirty", "1M"));
    CHECK_EQ(errno, 4711);
}

TEST(bad_changes_of_options_change_nothing)
{
    test_restart(NULL);
    static const char *const bad[][2] = {
        {"purge_delay", ""},     {"purge_delay", "100"},  {"purge_delay", "-1ms"},
        {"purge_delay", "1ms "}, {"purge_delay", "fast"}, {"purge_delay", "99999999999999999999s"},
        {"dirty", "1X"},         {"dirty", "+1M"},        {"dirty", "99999999999999999999"},
        {"dirty", "16777216T"},  {"purge_dela", "1s"},    {"", "1s"},
        {"purge_delay ", "1s"},  {"proflie", "on"},
    };
    errno = 4711;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (ashlar_option_set(bad[i][0], bad[i][1]) != EINVAL)
            test_fail(__FILE__, __LINE__, "\"%s\" for \"%s\" was not refused", bad[i][1], bad[i][0]);
    CHECK_EQ(errno, 4711);
    CHECK(option_is("purge_delay", "500ms"));
    CHECK(option_is("dirty", "8M"));
}

TEST(options_of_the_start_cannot_change_later)
{
    test_restart(NULL);
    CHECK_EQ(ashlar_option_set("confirm", "on"), EPERM);
    CHECK_EQ(ashlar_option_set("status", "/tmp"), EPERM);
    CHECK(option_is("confirm", "off"));
    CHECK(option_is("status", "off"));
}

/* ---- Purging ----------------------------------------------------------------------------------------------------- */

static void need_true_resident_size(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer's shadow is resident too");
}

static size_t resident_bytes(void)
{
    char text[128] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fgets(text, sizeof text, file));
    fclose(file);
    return strtoul(strchr(text, ' '), NULL, 10) * block_page_bytes();
}

TEST(purge_gives_back_what_is_free)
{
    need_true_resident_size();
    ashlar_purge();
    size_t before = resident_bytes();
    for (size_t bytes = 64; bytes < 64 * MIB; bytes *= 8) {
        static void *blocks[500000];
        size_t count = 32 * MIB / bytes + 1;
        if (count > COUNT(blocks))
            continue;
        for (size_t i = 0; i < count; i++) {
            blocks[i] = malloc(bytes);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], 1, bytes);
        }
        for (size_t i = 0; i < count; i++)
            free(blocks[i]);
        memset(blocks, 0, count * sizeof blocks[0]);
        ashlar_purge();
    }
    CHECK(resident_bytes() < before + 6 * MIB); /* the table above is 4 of them */
}

/* ---- Heaps ------------------------------------------------------------------------------------------------------- */

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
    struct ashlar_stats before = read_stats();
    for (int i = 0; i < 20000; i++)
        ashlar_heap_destroy(new_heap());
    struct ashlar_stats after = read_stats();
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
    struct ashlar_stats before = read_stats();
    for (int round = 0; round < 50; round++) {
        ashlar_heap *heap = new_heap();
        fill_heap(heap);
        CHECK(read_stats().live_blocks >= before.live_blocks + 3000);
        ashlar_heap_destroy(heap);
        struct ashlar_stats after = read_stats();
        CHECK_EQ(after.live_blocks, before.live_blocks);
        CHECK_EQ(after.live_bytes, before.live_bytes);
        CHECK_EQ(after.huge_live_blocks, before.huge_live_blocks);
        CHECK_EQ(after.large_live_blocks, before.large_live_blocks);
        CHECK_EQ(after.heaps, before.heaps);
    }
    CHECK(read_stats().mapped_bytes < before.mapped_bytes + 512 * MIB); /* one round has 200 MiB */
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
    struct ashlar_stats before = read_stats();
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
    CHECK(read_stats().live_blocks >= before.live_blocks + 300);
    ashlar_heap_destroy(heap); /* ends them all, wherever they have moved */
    CHECK_EQ(read_stats().live_blocks, before.live_blocks);
    CHECK_EQ(read_stats().live_bytes, before.live_bytes);
}

TEST(many_threads_fill_one_heap)
{
    struct ashlar_stats before = read_stats();
    ashlar_heap *heap = new_heap();
    pthread_t threads[6];
    for (size_t t = 0; t < COUNT(threads); t++)
        threads[t] = start_thread(fill_heap, heap);
    fill_heap(heap);
    for (size_t t = 0; t < COUNT(threads); t++)
        join_thread(threads[t]);
    CHECK(read_stats().live_blocks >= before.live_blocks + 7 * 3000);
    ashlar_heap_destroy(heap);
    CHECK(read_stats().live_blocks < before.live_blocks + 100); /* libc keeps something for threads */
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
    struct ashlar_stats before = read_stats();
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
        CHECK(read_stats().live_blocks < before.live_blocks + 100);
    }
}

TEST(memory_of_a_heap_is_reused_after_its_end)
{
    need_true_resident_size();
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
            before = resident_bytes();
    }
    CHECK(resident_bytes() < before + 16 * MIB); /* without reuse: 360 MiB more */
}

TEST(a_thousand_heaps_at_once)
{
    static ashlar_heap *heaps[1000];
    struct ashlar_stats before = read_stats();
    for (size_t i = 0; i < COUNT(heaps); i++) {
        heaps[i] = new_heap();
        CHECK(ashlar_heap_malloc(heaps[i], 100 + i) != NULL);
    }
    CHECK_EQ(read_stats().heaps - before.heaps, COUNT(heaps));
    EXITS(0)
    { /* fork with a thousand locks */
        for (size_t i = 0; i < COUNT(heaps); i++) {
            CHECK(ashlar_heap_malloc(heaps[i], 100) != NULL);
            ashlar_heap_destroy(heaps[i]);
        }
    }
    for (size_t i = 0; i < COUNT(heaps); i++)
        ashlar_heap_destroy(heaps[i]);
    CHECK_EQ(read_stats().heaps, before.heaps);
    CHECK_EQ(read_stats().live_blocks, before.live_blocks);
}
