/* units.h: counts that are no bytes have types of their own, so that mixing them does not compile.
 * A bare size_t means bytes. */
#ifndef ASHLAR_BASE_UNITS_H
#define ASHLAR_BASE_UNITS_H

#include "base/config.h"

typedef struct {
    uint32_t n;
} granule_count;

/* Position of a granule in the heap range. 0 stands for none: the first granule is never handed out. */
typedef struct {
    uint32_t i;
} granule_index;

typedef struct {
    uint8_t i;
} class_id;

#define NO_GRANULE ((granule_index){0})

static inline size_t granule_bytes(granule_count count) { return (size_t)count.n << GRANULE_SHIFT; }

/* Granules that hold `bytes` bytes. `bytes` is at most LARGE_BYTES_MAX and a few alignments: no overflow. */
static inline granule_count granules_for(size_t bytes)
{
    return (granule_count){(uint32_t)((bytes + GRANULE_BYTES - 1) >> GRANULE_SHIFT)};
}

static inline granule_index granule_after(granule_index first, granule_count count)
{
    return (granule_index){first.i + count.n};
}

#endif
