/* stats.c: the counters of all floors, added up into the public struct. */
#include "prof/prof.h"
#include "base/format.h"
#include "heap/heap.h"

static_assert((int)CLASS_COUNT <= (int)ASHLAR_STATS_CLASSES, "every class has a row");

static _Atomic uint64_t foreign;

void prof_count_foreign(void)
{
    add_relaxed(&foreign, 1);
}

static void add_class(struct ashlar_stats *stats, class_id class, const struct heap_class_stats *from)
{
    stats->classes[class.i] = (struct ashlar_class_stats){
        .block_bytes = class_bytes(class),
        .allocations = from->handed,
        .live_blocks = from->live,
        .slab_bytes = from->carved,
    };
    stats->allocations += from->handed;
    stats->live_blocks += from->live;
    stats->live_bytes += from->live * class_bytes(class);
}

static void add_page(struct ashlar_stats *stats)
{
    struct page_stats page = {0};

    page_stats_read(&page);
    stats->dirty_bytes = page.dirty;
    stats->mapped_bytes = page.mapped;
    stats->metadata_bytes = page.metadata;
    stats->purged_bytes = page.purged;
    stats->purge_calls = page.purge_calls;
    stats->refused_mappings = page.refused;
    stats->huge_allocations = page.huge_taken;
    stats->huge_live_blocks = page.huge_live;
    stats->huge_live_bytes = page.huge_live_bytes;
}

void prof_stats(struct ashlar_stats *stats)
{
    struct heap_stats heap;

    heap_stats_read(&heap);
    __builtin_memset(stats, 0, sizeof *stats);
    stats->version = ASHLAR_STATS_VERSION;
    stats->bytes = sizeof *stats;
    for (class_id class = {0}; class.i < CLASS_COUNT; class.i++)
        add_class(stats, class, &heap.classes[class.i]);
    add_page(stats);
    stats->remote_frees = heap.remote_frees;
    stats->active_bytes = heap.active;
    stats->peak_active_bytes = heap.active_most;
    stats->large_allocations = heap.large_taken;
    stats->large_live_blocks = heap.large_live;
    stats->large_live_bytes = heap.large_live_bytes;
    stats->middle_live_blocks = heap.middle_live;
    stats->middle_live_bytes = heap.middle_live_bytes;
    stats->foreign_frees = load_relaxed(&foreign);
    stats->dropped_frees = heap.dropped;
    stats->unproved_frees = heap.unproved;
    stats->heaps = heap.heaps;
    stats->allocations += stats->large_allocations + stats->huge_allocations;
    stats->live_blocks += stats->large_live_blocks + stats->huge_live_blocks;
    stats->live_bytes += stats->large_live_bytes + stats->huge_live_bytes;
    stats->frees = stats->allocations - stats->live_blocks;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------ */

static void put_member(struct text *text, const char *name, uint64_t value)
{
    text_put(text, ",\"");
    text_put(text, name);
    text_put(text, "\":");
    text_put_decimal(text, value);
}

static void put_classes(struct text *text, const struct ashlar_stats *stats)
{
    const char *separator = "";

    text_put(text, ",\"classes\":[");
    for (int i = 0; i < CLASS_COUNT; i++) {
        const struct ashlar_class_stats *const class = &stats->classes[i];
        if (class->allocations == 0)
            continue;
        text_put(text, separator);
        text_put(text, "{\"block_bytes\":");
        text_put_decimal(text, class->block_bytes);
        put_member(text, "allocations", class->allocations);
        put_member(text, "live_blocks", class->live_blocks);
        put_member(text, "slab_bytes", class->slab_bytes);
        text_put_char(text, '}');
        separator = ",";
    }
    text_put_char(text, ']');
}

void prof_stats_json(struct text *text, const struct ashlar_stats *stats)
{
#define MEMBER(name) {#name, offsetof(struct ashlar_stats, name)}
    static const struct {
        const char *name;
        size_t offset;
    } members[] = {
        MEMBER(allocations),       MEMBER(frees),            MEMBER(remote_frees),      MEMBER(live_blocks),
        MEMBER(live_bytes),        MEMBER(active_bytes),     MEMBER(peak_active_bytes), MEMBER(dirty_bytes),
        MEMBER(mapped_bytes),      MEMBER(metadata_bytes),   MEMBER(purged_bytes),      MEMBER(purge_calls),
        MEMBER(large_allocations), MEMBER(large_live_blocks), MEMBER(large_live_bytes), MEMBER(middle_live_blocks),
        MEMBER(middle_live_bytes), MEMBER(huge_allocations), MEMBER(huge_live_blocks),  MEMBER(huge_live_bytes),
        MEMBER(foreign_frees),     MEMBER(dropped_frees),    MEMBER(unproved_frees),    MEMBER(refused_mappings),
        MEMBER(heaps),
    };
#undef MEMBER

    text_put(text, "{\"schema\":\"ashlar.stats/1\"");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        put_member(text, members[i].name, *(const uint64_t *)((const char *)stats + members[i].offset));
    put_classes(text, stats);
    text_put_char(text, '}');
}
