/* ashlar.c: what the standard has no name for: heaps of their own, statistics, options. See include/ashlar.h. */
#include "api/api.h"

EXPORT const char *ashlar_version(void) { return ASHLAR_VERSION; }

/* ---- Heaps: struct ashlar_heap is struct heap, under the name that users see -------------------------------------------------- */

static void *checked(void *block)
{
    if (block == NULL)
        errno = ENOMEM;
    return block;
}

EXPORT ashlar_heap *ashlar_heap_new(void)
{
    api_ready();
    return checked(heap_shared_new());
}

EXPORT void *ashlar_heap_malloc(ashlar_heap *heap, size_t bytes)
{
    const struct heap_request request = {bytes, BLOCK_ALIGN, false, "ashlar_heap_malloc"};

    return checked(heap_alloc((struct heap *)heap, &request));
}

EXPORT void *ashlar_heap_calloc(ashlar_heap *heap, size_t count, size_t bytes)
{
    struct heap_request request = {0, BLOCK_ALIGN, true, "ashlar_heap_calloc"};

    if (__builtin_mul_overflow(count, bytes, &request.bytes))
        return checked(NULL);
    return checked(heap_alloc((struct heap *)heap, &request));
}

EXPORT void *ashlar_heap_aligned_alloc(ashlar_heap *heap, size_t alignment, size_t bytes)
{
    const struct heap_request request = {bytes, alignment > BLOCK_ALIGN ? alignment : BLOCK_ALIGN, false,
                                         "ashlar_heap_aligned_alloc"};

    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return checked(heap_alloc((struct heap *)heap, &request));
}

EXPORT void ashlar_heap_destroy(ashlar_heap *heap)
{
    if (heap != NULL)
        heap_shared_destroy((struct heap *)heap);
}

/* ---- Statistics --------------------------------------------------------------------------------------------------------------------- */

EXPORT int ashlar_stats_read(struct ashlar_stats *stats, size_t bytes)
{
    struct prof_totals room;

    if (stats == NULL || bytes < offsetof(struct ashlar_stats, allocations))
        return EINVAL;
    api_ready();
    if (bytes >= sizeof *stats) {
        prof_stats(stats);
        return 0;
    }
    /* A caller that knows fewer fields: as many as fit, the classes not at all. */
    const size_t known = bytes < sizeof room ? bytes : sizeof room;

    __builtin_memcpy(stats, prof_totals(&room), known);
    stats->bytes = (uint32_t)known;
    return 0;
}

EXPORT size_t ashlar_stats_json(char *text, size_t bytes)
{
    struct text out = {text, bytes, 0};

    api_ready();
    prof_stats_json(&out);
    return out.length;
}

/* For libashlar-status.so: write the last figures of this process into its status page, if it has one. */
EXPORT void ashlar_status_publish(void);

EXPORT void ashlar_status_publish(void) { prof_status_publish(true); }
