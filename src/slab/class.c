/* class.c: the tables of class.h, computed by the compiler from CLASS_TABLE alone. */
#include "slab/class.h"

/* A slab has room for four blocks or more; its tail beyond the last block is never touched. */
#define GRANULES(bytes) ((bytes) <= 16384 ? 1 : (bytes) <= 32768 ? 2 : 4)
#define CAPACITY(bytes) ((uint32_t)((size_t)GRANULES(bytes) * GRANULE_BYTES / (bytes)))
#define CLASS_ROW(bytes) {UINT64_MAX / (bytes) + 1, (bytes), GRANULES(bytes), CAPACITY(bytes)},

const struct class_info class_table[CLASS_COUNT] = {CLASS_TABLE(CLASS_ROW)};

/* Class of sixteenth `i`, the sizes 16 * i - 15 .. 16 * i. */
#define SMALL(i)                                                                                                       \
    (uint8_t)((i) <= 1    ? 0                                                                                          \
              : (i) <= 16 ? (i)-1                                                                                      \
              : (i) <= 32 ? 15 + ((i)-16 + 1) / 2                                                                      \
              : (i) == 33 ? 24                                                                                         \
                          : 24 + ((i)-32 + 3) / 4)
#define SMALL_FOUR(i) SMALL(i), SMALL(i + 1), SMALL(i + 2), SMALL(i + 3)
#define SMALL_SIXTEEN(i) SMALL_FOUR(i), SMALL_FOUR(i + 4), SMALL_FOUR(i + 8), SMALL_FOUR(i + 12)

const uint8_t class_small[CLASS_SMALL_MAX / 16 + 1] = {SMALL_SIXTEEN(0), SMALL_SIXTEEN(16), SMALL_SIXTEEN(32),
                                                       SMALL_SIXTEEN(48), SMALL(64)};
