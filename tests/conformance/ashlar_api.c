/* ashlar_api.c: what ashlar.h adds to the standard names: good size, statistics, purging, options, heaps of one's own.
 */
#include "../lib/blocks.h"
#include "../lib/self.h"
#include "../lib/stats.h"

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
    struct ashlar_stats stats = stats_now();
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
        struct ashlar_stats before = stats_now();
        void *one = malloc(bytes), *two = calloc(1, bytes), *three = malloc(bytes);
        CHECK(one != NULL && two != NULL && three != NULL);
        free(two);
        struct ashlar_stats after = stats_now();
        CHECK_EQ(after.allocations - before.allocations, 3);
        CHECK_EQ(after.frees - before.frees, 1);
        CHECK_EQ(after.live_blocks - before.live_blocks, 2);
        CHECK_EQ(after.live_bytes - before.live_bytes, 2 * usable);
        CHECK_EQ(class_live(&after, usable) - class_live(&before, usable), 2);
        CHECK_EQ(class_allocations(&after, usable) - class_allocations(&before, usable), 3);
        CHECK_EQ(after.large_live_blocks, before.large_live_blocks);
        CHECK_EQ(after.huge_live_blocks, before.huge_live_blocks);
        free(one), free(three);
        after = stats_now();
        CHECK_EQ(after.live_blocks, before.live_blocks);
        CHECK_EQ(after.live_bytes, before.live_bytes);
    }
}

TEST(stats_count_large_and_huge_blocks_exactly)
{
    struct ashlar_stats before = stats_now();
    void *large = malloc(1 * MIB), *huge = malloc(64 * MIB);
    CHECK(large != NULL && huge != NULL);
    struct ashlar_stats during = stats_now();
    CHECK_EQ(during.large_allocations - before.large_allocations, 1);
    CHECK_EQ(during.large_live_blocks - before.large_live_blocks, 1);
    CHECK_EQ(during.large_live_bytes - before.large_live_bytes, malloc_usable_size(large));
    CHECK_EQ(during.huge_allocations - before.huge_allocations, 1);
    CHECK_EQ(during.huge_live_blocks - before.huge_live_blocks, 1);
    CHECK_EQ(during.huge_live_bytes - before.huge_live_bytes, malloc_usable_size(huge));
    CHECK_EQ(during.live_blocks - before.live_blocks, 2);
    CHECK_EQ(during.live_bytes - before.live_bytes, malloc_usable_size(large) + malloc_usable_size(huge));
    free(large), free(huge);
    struct ashlar_stats after = stats_now();
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
    struct ashlar_stats stats = stats_now();
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
    struct ashlar_stats before = stats_now();
    for (int i = 0; i < 100; i++)
        in_thread(free_in_thread, malloc(100));
    struct ashlar_stats after = stats_now();
    CHECK_EQ(after.remote_frees - before.remote_frees, 100);
    CHECK(after.frees - before.frees >= 100);
}

TEST(stats_count_foreign_frees)
{
    test_restart("foreign:ignore");
    static _Alignas(16) char foreign[32];
    struct ashlar_stats before = stats_now();
    for (int i = 0; i < 5; i++)
        free(foreign);
    CHECK_EQ(stats_now().foreign_frees - before.foreign_frees, 5);
}

TEST(stats_count_refused_mappings)
{
    struct ashlar_stats before = stats_now();
    CHECK_EQ(malloc((size_t)1 << 50), NULL);
    CHECK(stats_now().refused_mappings > before.refused_mappings);
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
    struct ashlar_stats full = stats_now();
    CHECK(full.active_bytes >= COUNT(blocks) * 1000);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
    struct ashlar_stats empty = stats_now();
    CHECK(empty.active_bytes + 7 * MIB < full.active_bytes);
    CHECK(empty.dirty_bytes + empty.purged_bytes >= full.dirty_bytes + full.purged_bytes + 6 * MIB);
    errno = 4711;
    size_t purged = ashlar_purge();
    CHECK_EQ(errno, 4711);
    struct ashlar_stats after = stats_now();
    CHECK(after.dirty_bytes < 1 * MIB);
    CHECK_EQ(after.purged_bytes - empty.purged_bytes, purged);
    CHECK(purged == 0 || after.purge_calls > empty.purge_calls);
    CHECK_EQ(after.peak_active_bytes, full.peak_active_bytes);
}

/* ---- JSON: the form is checked here, the words in stats_json.py -------------------------------------------------- */

TEST(json_is_written_as_snprintf_writes)
{
    static char whole[1 << 16], part[1 << 16];
    struct ashlar_stats before = stats_now();
    size_t length = ashlar_stats_json(whole, sizeof whole);
    CHECK_EQ(length, strlen(whole));
    CHECK_EQ(stats_now().allocations, before.allocations); /* it allocates nothing */
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

TEST(purge_gives_back_what_is_free)
{
    self_needs_true_sizes();
    ashlar_purge();
    size_t before = self_status("VmRSS");
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
    CHECK(self_status("VmRSS") < before + 6 * MIB); /* the table above is 4 of them */
}
