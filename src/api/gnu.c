/* gnu.c: the GNU functions that look at the heap or tune it. source: malloc_usable_size(3), mallinfo(3), mallopt(3),
 * malloc_trim(3), malloc_stats(3), malloc_info(3). */
#include "api/api.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>

static NOINLINE size_t find_usable_size(const void *address)
{
    if (address == NULL)
        return 0;
    api_ready();
    const struct heap_block block = heap_find(address, "malloc_usable_size");

    return block.kind != BLOCK_FOREIGN ? block.bytes : foreign_usable_size(address);
}

EXPORT size_t ashlar_usable_size(const void *address)
{
    const struct slab *const slab = heap_live_slab(address);

    return likely(slab != NULL) ? slab->block_bytes : find_usable_size(address);
}

EXPORT size_t ashlar_good_size(size_t bytes)
{
    api_ready();
    return heap_good_size(bytes, BLOCK_ALIGN);
}

EXPORT size_t ashlar_purge(void)
{
    api_ready();
    heap_settle();
    heap_visit_all();
    return page_purge_all();
}

#if ASHLAR_OVERRIDE

/* glibc's declaration takes a pointer to non-const. */
EXPORT size_t malloc_usable_size(void *address) { return ashlar_usable_size(address); }

/* Counts that were read one after another, while other threads went on: never less than nothing. */
static size_t beyond(size_t whole, size_t part) { return whole > part ? whole - part : 0; }

/* "Ordinary" blocks are those below 128 KiB, as with glibc's default threshold; larger ones count as mapped. */
EXPORT struct mallinfo2 mallinfo2(void)
{
    struct prof_totals room;

    api_ready();
    const struct ashlar_stats *const stats = prof_totals(&room);
    const size_t large_bytes = beyond(stats->large_live_bytes + stats->huge_live_bytes, stats->middle_live_bytes);

    return (struct mallinfo2){
        .arena = beyond(stats->mapped_bytes, stats->huge_live_bytes),
        .ordblks = stats->frees,
        .hblks = beyond(stats->large_live_blocks + stats->huge_live_blocks, stats->middle_live_blocks),
        .hblkhd = large_bytes,
        .uordblks = beyond(stats->live_bytes, large_bytes),
        .fordblks = beyond(stats->active_bytes + stats->dirty_bytes, stats->live_bytes),
        .keepcost = stats->dirty_bytes,
    };
}

static int saturated(size_t value) { return value < INT_MAX ? (int)value : INT_MAX; }

EXPORT struct mallinfo mallinfo(void)
{
    const struct mallinfo2 info = mallinfo2();

    return (struct mallinfo){
        .arena = saturated(info.arena),
        .ordblks = saturated(info.ordblks),
        .hblks = saturated(info.hblks),
        .hblkhd = saturated(info.hblkhd),
        .uordblks = saturated(info.uordblks),
        .fordblks = saturated(info.fordblks),
        .keepcost = saturated(info.keepcost),
    };
}

EXPORT int mallopt(int parameter, int value)
{
    (void)value;
    switch (parameter) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1; /* accepted, without effect */
    default:
        return 0;
    }
}

EXPORT int malloc_trim(size_t pad)
{
    (void)pad;
    return ashlar_purge() > 0;
}

/* ---- Text ------------------------------------------------------------------------------------------------------------------------------- */

static void put_figure(struct text *text, const char *name, uint64_t value)
{
    text_put(text, name);
    text_put_decimal(text, value);
    text_put_char(text, '\n');
}

EXPORT void malloc_stats(void)
{
    char buffer[1024];
    struct text text = {buffer, sizeof buffer, 0};
    struct prof_totals room;

    api_ready();
    const struct ashlar_stats *const stats = prof_totals(&room);
    put_figure(&text, "ashlar: live bytes         ", stats->live_bytes);
    put_figure(&text, "ashlar: live blocks        ", stats->live_blocks);
    put_figure(&text, "ashlar: allocations        ", stats->allocations);
    put_figure(&text, "ashlar: active bytes       ", stats->active_bytes);
    put_figure(&text, "ashlar: peak active bytes  ", stats->peak_active_bytes);
    put_figure(&text, "ashlar: dirty bytes        ", stats->dirty_bytes);
    put_figure(&text, "ashlar: mapped bytes       ", stats->mapped_bytes);
    put_figure(&text, "ashlar: metadata bytes     ", stats->metadata_bytes);
    put_figure(&text, "ashlar: purged bytes       ", stats->purged_bytes);
    put_figure(&text, "ashlar: heaps              ", stats->heaps);
    put_figure(&text, "ashlar: foreign frees      ", stats->foreign_frees);
    put_figure(&text, "ashlar: dropped frees      ", stats->dropped_frees);
    put_figure(&text, "ashlar: unproved frees     ", stats->unproved_frees);
    os_write(2, text.at, text_written(&text));
}

static void put_attribute(struct text *text, const char *name, uint64_t value)
{
    text_put_char(text, ' ');
    text_put(text, name);
    text_put(text, "=\"");
    text_put_decimal(text, value);
    text_put_char(text, '"');
}

/* malloc_info() in the making: written piece by piece, since all of it is too much for a stack of ours. */
struct info {
    FILE *stream;
    bool failed;
    struct text text;
    char room[256];
};

static void info_write(struct info *info)
{
    const size_t length = text_written(&info->text);

    info->failed |= fwrite(info->text.at, 1, length, info->stream) != length;
    info->text.length = 0;
}

static void info_class(const struct ashlar_class_stats *row, void *context)
{
    struct info *const info = context;

    text_put(&info->text, "<class");
    put_attribute(&info->text, "size", row->block_bytes);
    put_attribute(&info->text, "allocations", row->allocations);
    put_attribute(&info->text, "live", row->live_blocks);
    put_attribute(&info->text, "slabs", row->slab_bytes);
    text_put(&info->text, "/>\n");
    info_write(info);
}

EXPORT int malloc_info(int options, FILE *stream)
{
    struct info info = {.stream = stream};
    struct prof_totals room;

    if (options != 0)
        return EINVAL;
    api_ready();
    info.text = (struct text){info.room, sizeof info.room, 0};
    text_put(&info.text, "<malloc version=\"ashlar-1\">\n");
    info_write(&info);
    prof_each_class(info_class, &info);

    const struct ashlar_stats *const stats = prof_totals(&room);

    text_put(&info.text, "<total type=\"live\"");
    put_attribute(&info.text, "count", stats->live_blocks);
    put_attribute(&info.text, "size", stats->live_bytes);
    text_put(&info.text, "/>\n<total type=\"dirty\"");
    put_attribute(&info.text, "size", stats->dirty_bytes);
    text_put(&info.text, "/>\n<system type=\"current\"");
    put_attribute(&info.text, "size", stats->mapped_bytes);
    text_put(&info.text, "/>\n</malloc>\n");
    info_write(&info);
    return info.failed ? -1 : 0;
}

#endif
