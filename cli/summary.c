/* summary.c: what the renderings of a run have in common. */
#include "summary.h"

#include <stdlib.h>

static int by_bytes(const void *a, const void *b)
{
    const struct summary_class *const left = a;
    const struct summary_class *const right = b;

    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? 1 : -1;
    return (left->block_bytes > right->block_bytes) - (left->block_bytes < right->block_bytes);
}

size_t summary_classes(const struct totals *totals, struct summary_class classes[ASHLAR_STATS_CLASSES])
{
    size_t count = 0;

    for (size_t i = 0; i < ASHLAR_STATS_CLASSES; i++) {
        const struct ashlar_class_stats *const row = &totals->classes[i];

        if (row->block_bytes > 0 && row->allocations > 0)
            classes[count++] =
                (struct summary_class){row->block_bytes, row->allocations, row->block_bytes * row->allocations};
    }
    qsort(classes, count, sizeof *classes, by_bytes);
    return count;
}
