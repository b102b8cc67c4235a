/* class.h: the one table of size classes.
 *
 *   16 .. 256 by 16, then eight classes in each doubling up to 64 KiB, and one just above each power of two from 512:
 *   256 | 288 320 ... 512 | 528 576 640 ... 1024 | 1040 1152 ... 2048 | 2080 ...
 *
 * Programs cluster at "a power of two plus a small header" (1032, 4104, 4368 bytes): the class at 2^k + max(16, 2^k/64)
 * catches these; the one above 4096 is 4368, for sqlite3's pages. Without these classes sqlite3 wastes 7.3 % of its
 * heap inside blocks, with them 0.2 %. docs/design/002.
 *
 * Every class is a multiple of 16, so blocks in a granule-aligned slab are 16-byte aligned; a block of a class that is
 * a multiple of a larger alignment has that alignment too. */
#ifndef ASHLAR_SLAB_CLASS_H
#define ASHLAR_SLAB_CLASS_H

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"

/* Rows, which the formatter takes for one expression. */
/* clang-format off */
#define CLASS_EIGHT(C, low)                                                                                     \
    C((size_t)(low) * 9 / 8) C((size_t)(low) * 10 / 8) C((size_t)(low) * 11 / 8) C((size_t)(low) * 12 / 8)      \
    C((size_t)(low) * 13 / 8) C((size_t)(low) * 14 / 8) C((size_t)(low) * 15 / 8) C((size_t)(low) * 2)
#define CLASS_NINE(C, low) C((low) == 4096 ? 4368 : (low) + (low) / 64) CLASS_EIGHT(C, low)
#define CLASS_TABLE(C)                                                                                          \
    C(16) C(32) C(48) C(64) C(80) C(96) C(112) C(128) C(144) C(160) C(176) C(192) C(208) C(224) C(240) C(256)   \
    CLASS_EIGHT(C, 256) C(528) CLASS_EIGHT(C, 512) CLASS_NINE(C, 1024) CLASS_NINE(C, 2048) CLASS_NINE(C, 4096)  \
    CLASS_NINE(C, 8192) CLASS_NINE(C, 16384) CLASS_NINE(C, 32768)
/* clang-format on */

#define CLASS_ONE(bytes) +1
enum { CLASS_COUNT = 0 CLASS_TABLE(CLASS_ONE) };
#undef CLASS_ONE

/* Sizes up to here find their class in a table, larger ones by arithmetic. */
#define CLASS_SMALL_MAX ((size_t)1024)

/* The first class above these: 1040. */
enum { CLASS_MEDIUM = 33 };

struct class_info {
    uint64_t reciprocal; /* ceil(2^64 / bytes): see slab_is_start() */
    uint32_t bytes;
    uint16_t granules; /* of a slab */
    uint16_t capacity; /* blocks in a slab */
};

extern const struct class_info class_table[CLASS_COUNT] __attribute__((visibility("hidden")));
extern const uint8_t class_small[CLASS_SMALL_MAX / 16 + 1] __attribute__((visibility("hidden")));

static inline size_t class_bytes(class_id class) { return class_table[class.i].bytes; }

/* Smallest class that holds `bytes` <= CLASS_SMALL_MAX. */
ALWAYS_INLINE class_id class_of_small(size_t bytes) { return (class_id){class_small[(bytes + 15) >> 4]}; }

/* Smallest class that holds `bytes`, CLASS_SMALL_MAX < bytes <= CLASS_BYTES_MAX. */
static inline class_id class_of_medium(size_t bytes)
{
    enum { FIRST_LOG2 = 10, IN_DOUBLING = 9 };
    const unsigned log2 = log2_floor(bytes - 1);
    const unsigned first = CLASS_MEDIUM + IN_DOUBLING * (log2 - FIRST_LOG2); /* just above the power of two */
    const unsigned eighth = (unsigned)((bytes - 1) >> (log2 - 3)) - 8;

    return (class_id){(uint8_t)(first + eighth + (bytes > class_table[first].bytes))};
}

/* Smallest class that holds `bytes` <= CLASS_BYTES_MAX. */
static inline class_id class_of(size_t bytes)
{
    return bytes <= CLASS_SMALL_MAX ? class_of_small(bytes) : class_of_medium(bytes);
}

/* Smallest class that holds `bytes` and is a multiple of `alignment`; both at most CLASS_BYTES_MAX, which is a class.
 */
static inline class_id class_of_aligned(size_t bytes, size_t alignment)
{
    class_id class = class_of(bytes > alignment ? bytes : alignment);

    while (class_bytes(class) % alignment != 0)
        class.i++;
    return class;
}

#endif
