/* blocks.h: the sizes that tests try, contents that can be checked, and one table of all functions that allocate.
 * Everything is static inline: each test program compiles what it uses. Include it last; it includes names.h. */
#ifndef TEST_BLOCKS_H
#define TEST_BLOCKS_H

#include "test.h"

#include "names.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* From here on a block has its own mapping, and has none below (see docs/design.md). */
#define HUGE_BYTES (32 * MIB)

static inline size_t block_page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline bool is_aligned(const void *block, size_t alignment) { return (uintptr_t)block % alignment == 0; }

/* The size to try after `bytes`: every one up to 1100, then the eighths between powers of two, and a small header more
 * than a power of two, each with both neighbours. */
static inline size_t next_size(size_t bytes)
{
    if (bytes < 1100)
        return bytes + 1;
    size_t power = (size_t)1 << (63 - __builtin_clzll(bytes + 1));
    size_t best = 2 * power - 1;
    const size_t headers[] = {16, power / 64, power / 32};
    for (size_t eighth = 0; eighth < 8; eighth++)
        for (size_t around = 0; around < 3; around++) {
            size_t candidate = power + eighth * (power / 8) + around - 1;
            if (candidate > bytes && candidate < best)
                best = candidate;
        }
    for (size_t header = 0; header < COUNT(headers); header++)
        for (size_t around = 0; around < 3; around++) {
            size_t candidate = power + headers[header] + around - 1;
            if (candidate > bytes && candidate < best)
                best = candidate;
        }
    return best;
}

/* for (EACH_SIZE(bytes, 64 * KIB)) { ... }: 0 to the limit, the limit included if it is a power of two. */
#define EACH_SIZE(bytes, limit)                                                                                        \
    size_t bytes = 0;                                                                                                  \
    bytes <= (limit);                                                                                                  \
    bytes = next_size(bytes)

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

/* The byte that belongs at `offset` of a block with this tag. */
static inline unsigned char pattern_byte(size_t offset, uint64_t tag)
{
    uint64_t mixed = (offset / 8 + tag) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned char)(mixed >> (8 * (offset % 8)));
}

static inline void fill(void *block, size_t bytes, uint64_t tag)
{
    unsigned char *bytes_of = (unsigned char *)block;
    for (size_t word = 0; word < bytes / 8; word++) {
        uint64_t mixed = (word + tag) * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(bytes_of + 8 * word, &mixed, 8);
    }
    for (size_t offset = bytes / 8 * 8; offset < bytes; offset++)
        bytes_of[offset] = (unsigned char)(((offset / 8 + tag) * UINT64_C(0x9e3779b97f4a7c15)) >> (8 * (offset % 8)));
}

static inline bool is_filled(const void *block, size_t bytes, uint64_t tag)
{
    const unsigned char *bytes_of = (const unsigned char *)block;
    for (size_t word = 0; word < bytes / 8; word++) {
        uint64_t mixed = (word + tag) * UINT64_C(0x9e3779b97f4a7c15), found;
        memcpy(&found, bytes_of + 8 * word, 8);
        if (found != mixed)
            return false;
    }
    for (size_t offset = bytes / 8 * 8; offset < bytes; offset++)
        if (bytes_of[offset] != pattern_byte(offset, tag))
            return false;
    return true;
}

static inline bool is_zero(const void *block, size_t bytes)
{
    const unsigned char *bytes_of = (const unsigned char *)block;
    return bytes == 0 || (bytes_of[0] == 0 && memcmp(bytes_of, bytes_of + 1, bytes - 1) == 0);
}

/* ---- Everything that allocates ----------------------------------------------------------------------------------- */

static inline void *by_malloc(size_t bytes) { return malloc(bytes); }
static inline void *by_calloc_one(size_t bytes) { return calloc(1, bytes); }
static inline void *by_calloc_bytes(size_t bytes) { return calloc(bytes, 1); }
static inline void *by_realloc(size_t bytes) { return realloc(NULL, bytes); }
static inline void *by_reallocarray(size_t bytes) { return reallocarray(NULL, bytes, 1); }
static inline void *by_memalign(size_t bytes) { return memalign(8, bytes); }
static inline void *by_memalign_64(size_t bytes) { return memalign(64, bytes); }
static inline void *by_memalign_page(size_t bytes) { return memalign(4096, bytes); }
static inline void *by_memalign_mib(size_t bytes) { return memalign(MIB, bytes); }
static inline void *by_aligned_alloc(size_t bytes) { return aligned_alloc(1, bytes); }
static inline void *by_aligned_alloc_256(size_t bytes) { return aligned_alloc(256, bytes); }
static inline void *by_valloc(size_t bytes) { return valloc(bytes); }
static inline void *by_pvalloc(size_t bytes) { return pvalloc(bytes); }

static inline void *by_posix_memalign(size_t bytes)
{
    void *block = NULL;
    int error = posix_memalign(&block, 8, bytes);
    CHECK(error == 0 ? block != NULL : block == NULL);
    return block;
}

static inline void *by_posix_memalign_512(size_t bytes)
{
    void *block = NULL;
    int error = posix_memalign(&block, 512, bytes);
    CHECK(error == 0 ? block != NULL : block == NULL);
    return block;
}

static const struct allocator {
    const char *name;
    void *(*allocate)(size_t);
    size_t alignment; /* promised */
} allocators[] = {
    {"malloc", by_malloc, 16},
    {"calloc(1, n)", by_calloc_one, 16},
    {"calloc(n, 1)", by_calloc_bytes, 16},
    {"realloc(NULL)", by_realloc, 16},
    {"reallocarray(NULL)", by_reallocarray, 16},
    {"memalign(8)", by_memalign, 16},
    {"memalign(64)", by_memalign_64, 64},
    {"memalign(4096)", by_memalign_page, 4096},
    {"memalign(1 MiB)", by_memalign_mib, MIB},
    {"aligned_alloc(1)", by_aligned_alloc, 16},
    {"aligned_alloc(256)", by_aligned_alloc_256, 256},
    {"posix_memalign(8)", by_posix_memalign, 16},
    {"posix_memalign(512)", by_posix_memalign_512, 512},
    {"valloc", by_valloc, 4096},
    {"pvalloc", by_pvalloc, 4096},
};

/* ---- Threads and processes --------------------------------------------------------------------------------------- */

static inline pthread_t start_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

static inline void *join_thread(pthread_t thread)
{
    void *result = NULL;
    CHECK_EQ(pthread_join(thread, &result), 0);
    return result;
}

/* Run body(argument) in a thread of its own and wait for its end. */
static inline void *in_thread(void *(*body)(void *), void *argument)
{
    return join_thread(start_thread(body, argument));
}

#endif
