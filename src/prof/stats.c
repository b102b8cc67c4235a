/* stats.c: the counters of all floors, added up into the public struct. */
#include "prof/prof.h"
#include "base/format.h"
#include "heap/heap.h"

static_assert((int)CLASS_COUNT <= (int)ASHLAR_STATS_CLASSES, "every class has a row");

static _Atomic uint64_t foreign;

void prof_count_foreign(void) { add_relaxed(&foreign, 1); }

static struct ashlar_class_stats row_of(int class, const struct heap_class_stats *from)
{
    return (struct ashlar_class_stats){
        .block_bytes = class_table[class].bytes,
        .allocations = from->handed,
        .live_blocks = from->live,
        .slab_bytes = from->carved,
    };
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

/* Fill in everything before the classes. */
static void fill_totals(struct ashlar_stats *stats, const struct heap_stats *heap)
{
    __builtin_memset(stats, 0, sizeof(struct prof_totals));
    stats->version = ASHLAR_STATS_VERSION;
    stats->bytes = sizeof *stats;
    add_page(stats);
    stats->remote_frees = heap->remote_frees;
    stats->active_bytes = heap->active;
    stats->peak_active_bytes = heap->active_most;
    stats->large_allocations = heap->large_taken;
    stats->large_live_blocks = heap->large_live;
    stats->large_live_bytes = heap->large_live_bytes;
    stats->middle_live_blocks = heap->middle_live;
    stats->middle_live_bytes = heap->middle_live_bytes;
    stats->foreign_frees = load_relaxed(&foreign);
    stats->dropped_frees = heap->dropped;
    stats->unproved_frees = heap->unproved;
    stats->heaps = heap->heaps;
    stats->allocations = heap->handed + stats->large_allocations + stats->huge_allocations;
    stats->live_blocks = heap->live + stats->large_live_blocks + stats->huge_live_blocks;
    stats->live_bytes = heap->live_bytes + stats->large_live_bytes + stats->huge_live_bytes;
    stats->frees = stats->allocations - stats->live_blocks;
}

const struct ashlar_stats *prof_totals(struct prof_totals *totals)
{
    struct ashlar_stats *stats = (struct ashlar_stats *)(void *)totals;
    struct heap_stats heap;

    __asm__("" : "+r"(stats)); /* from here on the compiler does not know that there is no room for the classes */
    heap_stats_read(&heap, NULL);
    fill_totals(stats, &heap);
    return stats;
}

void prof_stats(struct ashlar_stats *stats)
{
    struct heap_class_stats classes[CLASS_COUNT];
    struct heap_stats heap;

    heap_stats_read(&heap, classes);
    fill_totals(stats, &heap);
    __builtin_memset(stats->classes, 0, sizeof stats->classes);
    for (int i = 0; i < CLASS_COUNT; i++)
        stats->classes[i] = row_of(i, &classes[i]);
}

void prof_each_class(void (*visit)(const struct ashlar_class_stats *row, void *context), void *context)
{
    struct heap_class_stats classes[CLASS_COUNT];
    struct heap_stats heap;

    heap_stats_read(&heap, classes);
    for (int i = 0; i < CLASS_COUNT; i++) {
        const struct ashlar_class_stats row = row_of(i, &classes[i]);
        if (row.allocations != 0)
            visit(&row, context);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------ */

static void put_member(struct text *text, const char *name, uint64_t value)
{
    text_put(text, ",\"");
    text_put(text, name);
    text_put(text, "\":");
    text_put_decimal(text, value);
}

struct row_list {
    struct text *text;
    const char *separator;
};

static void put_class(const struct ashlar_class_stats *row, void *context)
{
    struct row_list *const list = context;

    text_put(list->text, list->separator);
    text_put(list->text, "{\"block_bytes\":");
    text_put_decimal(list->text, row->block_bytes);
    put_member(list->text, "allocations", row->allocations);
    put_member(list->text, "live_blocks", row->live_blocks);
    put_member(list->text, "slab_bytes", row->slab_bytes);
    text_put_char(list->text, '}');
    list->separator = ",";
}

void prof_stats_json(struct text *text)
{
#define MEMBER(name)                                                                                                   \
    {                                                                                                                  \
#name, offsetof(struct ashlar_stats, name)                                                                     \
    }
    static const struct {
        const char *name;
        size_t offset;
    } members[] = {
        MEMBER(allocations),
        MEMBER(frees),
        MEMBER(remote_frees),
        MEMBER(live_blocks),
        MEMBER(live_bytes),
        MEMBER(active_bytes),
        MEMBER(peak_active_bytes),
        MEMBER(dirty_bytes),
        MEMBER(mapped_bytes),
        MEMBER(metadata_bytes),
        MEMBER(purged_bytes),
        MEMBER(purge_calls),
        MEMBER(large_allocations),
        MEMBER(large_live_blocks),
        MEMBER(large_live_bytes),
        MEMBER(middle_live_blocks),
        MEMBER(middle_live_bytes),
        MEMBER(huge_allocations),
        MEMBER(huge_live_blocks),
        MEMBER(huge_live_bytes),
        MEMBER(foreign_frees),
        MEMBER(dropped_frees),
        MEMBER(unproved_frees),
        MEMBER(refused_mappings),
        MEMBER(heaps),
    };
#undef MEMBER
    struct prof_totals room;
    const struct ashlar_stats *const stats = prof_totals(&room);

    text_put(text, "{\"schema\":\"ashlar.stats/1\"");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        put_member(text, members[i].name, *(const uint64_t *)((const char *)stats + members[i].offset));
    text_put(text, ",\"classes\":[");
    prof_each_class(put_class, &(struct row_list){text, ""});
    text_put(text, "]}");
}
