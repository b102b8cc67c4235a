/* stats.c: the figures of all floors must agree with what a program knows of itself and with each other, and their JSON
 * must say the same. The text is read by a small strict reader of the test's own. */
#include "test.h"

#include "../lib/heap_walk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/format.h"
#include "prof/prof.h"

enum { BLOCKS = 500, TEXT_BYTES = 1 << 16 };

static void *blocks[BLOCKS];

static struct ashlar_stats figures(void)
{
    struct ashlar_stats stats;

    prof_stats(&stats);
    return stats;
}

/* Facts that hold whatever the program did, while it rests. */
static void check_sums(const struct ashlar_stats *stats)
{
    uint64_t allocations = stats->large_allocations + stats->huge_allocations;
    uint64_t live_blocks = stats->large_live_blocks + stats->huge_live_blocks;
    uint64_t live_bytes = stats->large_live_bytes + stats->huge_live_bytes;
    uint64_t slab_bytes = 0;

    for (int i = 0; i < ASHLAR_STATS_CLASSES; i++) {
        const struct ashlar_class_stats *const class = &stats->classes[i];
        CHECK_EQ(class->block_bytes, i < CLASS_COUNT ? class_table[i].bytes : 0);
        CHECK(class->live_blocks <= class->allocations);
        CHECK(class->live_blocks * class->block_bytes <= class->slab_bytes);
        allocations += class->allocations;
        live_blocks += class->live_blocks;
        live_bytes += class->live_blocks * class->block_bytes;
        slab_bytes += class->slab_bytes;
    }
    CHECK_EQ(stats->version, ASHLAR_STATS_VERSION);
    CHECK_EQ(stats->bytes, sizeof *stats);
    CHECK_EQ(stats->allocations, allocations);
    CHECK_EQ(stats->live_blocks, live_blocks);
    CHECK_EQ(stats->live_bytes, live_bytes);
    CHECK_EQ(stats->allocations - stats->frees, stats->live_blocks);
    CHECK_EQ(stats->active_bytes, slab_bytes + stats->large_live_bytes + stats->huge_live_bytes);
    CHECK(stats->peak_active_bytes >= stats->active_bytes);
    CHECK(stats->mapped_bytes >= stats->live_bytes + stats->dirty_bytes);
    CHECK(stats->middle_live_blocks <= stats->large_live_blocks);
    CHECK(stats->middle_live_bytes <= stats->large_live_bytes);
}

static void take_all(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = walk_get(test_random() % (i % 10 == 0 ? 300000 : 3000));
        CHECK(blocks[i] != NULL);
    }
}

TEST(before_the_first_block_everything_is_nothing)
{
    page_start();
    const struct ashlar_stats stats = figures();
    check_sums(&stats);
    CHECK_EQ(stats.allocations | stats.mapped_bytes | stats.metadata_bytes | stats.heaps, 0);
}

TEST(every_block_is_counted_once_and_taken_off_once)
{
    page_start();
    take_all();
    struct ashlar_stats stats = figures();
    check_sums(&stats);
    CHECK_EQ(stats.allocations, BLOCKS);
    CHECK_EQ(stats.live_blocks, BLOCKS);
    for (int i = 0; i < BLOCKS; i++) {
        walk_put_back(blocks[i]);
        if (i % 50 == 0) {
            stats = figures();
            check_sums(&stats);
            CHECK_EQ(stats.frees, i + 1);
        }
    }
    stats = figures();
    check_sums(&stats);
    CHECK_EQ(stats.live_blocks | stats.live_bytes, 0);
    CHECK_EQ(stats.frees, BLOCKS);
    CHECK_EQ(stats.remote_frees, 0);
    CHECK_EQ(stats.heaps, 1);
}

static void compare_row(const struct ashlar_class_stats *row, void *context)
{
    const struct ashlar_stats *const stats = context;
    int class = 0;

    while (stats->classes[class].block_bytes != row->block_bytes)
        class ++;
    CHECK(row->allocations != 0);
    CHECK_EQ(memcmp(row, &stats->classes[class], sizeof *row), 0);
}

TEST(the_small_ways_to_the_figures_say_what_the_whole_struct_says)
{
    struct prof_totals room;

    page_start();
    take_all();
    for (int i = 0; i < BLOCKS; i += 3)
        walk_put_back(blocks[i]);
    struct ashlar_stats stats = figures();
    CHECK_EQ(memcmp(prof_totals(&room), &stats, offsetof(struct ashlar_stats, classes)), 0);
    prof_each_class(compare_row, &stats);
}

TEST(middle_large_and_huge_blocks_have_their_own_figures)
{
    page_start();
    (void)walk_get(100000);
    (void)walk_get(1000000);
    void *const huge = walk_get(40 << 20);
    struct ashlar_stats stats = figures();
    check_sums(&stats);
    CHECK_EQ(stats.large_live_blocks, 2);
    CHECK_EQ(stats.middle_live_blocks, 1);
    CHECK_EQ(stats.middle_live_bytes, round_up(100000, page_ground.page_bytes));
    CHECK_EQ(stats.huge_live_bytes, 40 << 20);
    walk_put_back(huge);
    stats = figures();
    check_sums(&stats);
    CHECK_EQ(stats.huge_allocations, 1);
    CHECK_EQ(stats.huge_live_blocks, 0);
    CHECK(stats.peak_active_bytes >= 40 << 20);
}

TEST(blocks_in_parcels_and_inboxes_and_orphans_are_counted_as_free)
{
    page_start();
    take_all();
    const uintptr_t ann = heap_self;
    heap_own()->thread = 1;
    heap_self = 0; /* another thread: see heap/ownership.c */
    (void)walk_get(16);
    for (int i = 0; i < BLOCKS; i++) {
        walk_put_back(blocks[i]);
        if (i == BLOCKS / 2) {
            const uintptr_t bob = heap_self;
            heap_self = ann;
            heap_thread_exit();
            heap_self = bob;
        }
    }
    const struct ashlar_stats stats = figures();
    check_sums(&stats);
    CHECK_EQ(stats.live_blocks, 1);
    CHECK_EQ(stats.frees, BLOCKS);
    CHECK_EQ(stats.remote_frees, BLOCKS - stats.large_allocations);
    CHECK_EQ(stats.heaps, 1);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------- */

static char text[TEXT_BYTES];

static size_t write_json(size_t room)
{
    struct text json = {text, room, 0};

    memset(text, '#', sizeof text);
    prof_stats_json(&json);
    return json.length;
}

/* A strict reader of one value, for texts without blanks, signs, fractions and escapes. returns: what follows it. */
static const char *read_value(const char *at);

static const char *read_string(const char *at)
{
    CHECK_EQ(*at, '"');
    for (at++; *at != '"'; at++)
        CHECK(*at >= ' ' && *at <= '~' && *at != '\\');
    return at + 1;
}

/* Members or elements up to `end`. */
static const char *read_list(const char *at, char end, bool has_names)
{
    if (*at == end)
        return at + 1;
    for (;;) {
        if (has_names) {
            at = read_string(at);
            CHECK_EQ(*at++, ':');
        }
        at = read_value(at);
        if (*at == end)
            return at + 1;
        CHECK_EQ(*at++, ',');
    }
}

static const char *read_value(const char *at)
{
    if (*at == '{')
        return read_list(at + 1, '}', true);
    if (*at == '[')
        return read_list(at + 1, ']', false);
    if (*at == '"')
        return read_string(at);
    CHECK(*at >= '0' && *at <= '9');
    CHECK(at[0] != '0' || at[1] < '0' || at[1] > '9');
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The number of member `name`, which occurs once outside of the classes. */
static uint64_t member(const char *name)
{
    char key[64];

    CHECK(snprintf(key, sizeof key, "\"%s\":", name) < (int)sizeof key);
    const char *const found = strstr(text, key);
    CHECK(found != NULL);
    return strtoull(found + strlen(key), NULL, 10);
}

TEST(the_json_is_well_formed_and_says_what_the_struct_says)
{
    page_start();
    take_all();
    const struct ashlar_stats stats = figures();
    const size_t length = write_json(sizeof text);
    CHECK_EQ(strlen(text), length);
    CHECK_EQ(read_value(text), text + length);
    CHECK_EQ(strncmp(text, "{\"schema\":\"ashlar.stats/1\",", 27), 0);
    CHECK_EQ(member("allocations"), stats.allocations);
    CHECK_EQ(member("frees"), stats.frees);
    CHECK_EQ(member("live_blocks"), stats.live_blocks);
    CHECK_EQ(member("live_bytes"), stats.live_bytes);
    CHECK_EQ(member("active_bytes"), stats.active_bytes);
    CHECK_EQ(member("peak_active_bytes"), stats.peak_active_bytes);
    CHECK_EQ(member("mapped_bytes"), stats.mapped_bytes);
    CHECK_EQ(member("metadata_bytes"), stats.metadata_bytes);
    CHECK_EQ(member("large_live_bytes"), stats.large_live_bytes);
    CHECK_EQ(member("heaps"), stats.heaps);
}

/* Add up member `name` of all classes. */
static uint64_t sum_of_classes(const char *name)
{
    char key[64];
    uint64_t sum = 0;

    CHECK(snprintf(key, sizeof key, "\"%s\":", name) < (int)sizeof key);
    for (const char *at = strstr(text, "\"classes\":["); (at = strstr(at, key)) != NULL; at += strlen(key))
        sum += strtoull(at + strlen(key), NULL, 10);
    return sum;
}

TEST(the_classes_in_the_json_add_up_to_the_whole)
{
    page_start();
    take_all();
    (void)write_json(sizeof text);
    CHECK_EQ(sum_of_classes("allocations") + member("large_allocations") + member("huge_allocations"),
             member("allocations"));
    CHECK_EQ(sum_of_classes("live_blocks") + member("large_live_blocks") + member("huge_live_blocks"),
             member("live_blocks"));
    CHECK_EQ(sum_of_classes("slab_bytes") + member("large_live_bytes") + member("huge_live_bytes"),
             member("active_bytes"));
}

TEST(a_buffer_of_any_size_gets_the_beginning_and_the_whole_length)
{
    static char whole[TEXT_BYTES];

    page_start();
    take_all();
    const size_t length = write_json(sizeof text);
    memcpy(whole, text, length + 1);
    for (size_t room = 0; room <= length + 1; room += 1 + room / 16) {
        CHECK_EQ(write_json(room), length);
        CHECK_EQ(text[room], '#');
        CHECK(room == 0 || (text[room - 1] == '\0' && memcmp(text, whole, room - 1) == 0));
    }
}
