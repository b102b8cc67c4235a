/* ashlar.h: the public face of the heap.
 *
 * The standard names (malloc, free, posix_memalign, operator new, ...) need no header of ours: libashlar.so.1 provides
 * them to every program that is linked with it or started with it in LD_PRELOAD. This header adds the same functions
 * under names of their own, for programs that want Ashlar beside another malloc (libashlar.a built with
 * ASHLAR_OVERRIDE=OFF), and what the standard has no name for: statistics, purging, options, and heaps that can be
 * destroyed at once.
 *
 * Unless a declaration says otherwise
 *   - a size is in bytes, and every non-NULL result is aligned to 16 bytes;
 *   - failure is NULL with errno = ENOMEM; success leaves errno alone; no function of the free family changes errno;
 *   - a size above PTRDIFF_MAX fails; a size of 0 gives a unique block that may be freed;
 *   - every function may be called from any thread, is no cancellation point, and is not async-signal-safe.
 *
 * Misuse that Ashlar can prove (double free, free of an interior or never allocated address, a wrong size in a sized
 * free) prints one line on descriptor 2 and calls abort(). */
#ifndef ASHLAR_H
#define ASHLAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ASHLAR_API __attribute__((visibility("default")))
#define ASHLAR_ALLOCATES(...) __attribute__((malloc, warn_unused_result, alloc_size(__VA_ARGS__)))
#define ASHLAR_ALIGNS(argument) __attribute__((alloc_align(argument)))
#else
#define ASHLAR_API
#define ASHLAR_ALLOCATES(...)
#define ASHLAR_ALIGNS(argument)
#endif

#define ASHLAR_VERSION_MAJOR 0
#define ASHLAR_VERSION_MINOR 1
#define ASHLAR_VERSION_PATCH 0
#define ASHLAR_VERSION "0.1.0"

/* Version of the library in use, for example "0.1.0"; compare with ASHLAR_VERSION, the version of this header.
 * returns: a string constant. signal: safe. */
ASHLAR_API const char *ashlar_version(void);

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

/* As malloc. source: C23 7.24.3.6. */
ASHLAR_API void *ashlar_malloc(size_t bytes) ASHLAR_ALLOCATES(1);

/* As calloc: all usable bytes of the block are zero. errors: ENOMEM also when count * bytes overflows.
 * source: C23 7.24.3.2. */
ASHLAR_API void *ashlar_calloc(size_t count, size_t bytes) ASHLAR_ALLOCATES(1, 2);

/* As realloc: keeps the first min(old usable, new) bytes; stays in place where `bytes` still fits and is at least half
 * of the usable size. `bytes` of 0 frees `block` and returns NULL (glibc's behaviour). On failure `block` stays as it
 * was. source: C17 7.22.3.5, malloc(3). */
ASHLAR_API void *ashlar_realloc(void *block, size_t bytes)
#if defined(__GNUC__)
    __attribute__((warn_unused_result, alloc_size(2)))
#endif
    ;

/* As reallocarray: ashlar_realloc(block, count * bytes). errors: ENOMEM also when the product overflows; `block` stays.
 * source: malloc(3), OpenBSD. */
ASHLAR_API void *ashlar_reallocarray(void *block, size_t count, size_t bytes)
#if defined(__GNUC__)
    __attribute__((warn_unused_result, alloc_size(2, 3)))
#endif
    ;

/* As free. `block`: NULL or live, from any function of this library, on any thread. source: C23 7.24.3.3. */
ASHLAR_API void ashlar_free(void *block);

/* As free_sized: `bytes` is what was asked for. A size that cannot have led to this block is misuse.
 * source: C23 7.24.3.4. */
ASHLAR_API void ashlar_free_sized(void *block, size_t bytes);

/* As free_aligned_sized, for blocks from ashlar_aligned_alloc(alignment, bytes). source: C23 7.24.3.5. */
ASHLAR_API void ashlar_free_aligned_sized(void *block, size_t alignment, size_t bytes);

/* As aligned_alloc: `alignment` is a power of two, `bytes` any size. errors: EINVAL for another alignment.
 * source: C23 7.24.3.1. */
ASHLAR_API void *ashlar_aligned_alloc(size_t alignment, size_t bytes) ASHLAR_ALLOCATES(2) ASHLAR_ALIGNS(1);

/* As memalign: any alignment, rounded up to a power of two. errors: EINVAL above 2^63. source: memalign(3). */
ASHLAR_API void *ashlar_memalign(size_t alignment, size_t bytes) ASHLAR_ALLOCATES(2);

/* As posix_memalign: returns 0, or EINVAL (alignment no power of two or no multiple of sizeof(void *)), or ENOMEM; on
 * both failures *block stays as it was. source: POSIX.1-2017 posix_memalign. */
ASHLAR_API int ashlar_posix_memalign(void **block, size_t alignment, size_t bytes)
#if defined(__GNUC__)
    __attribute__((nonnull(1), warn_unused_result))
#endif
    ;

/* As valloc: aligned to a page. source: valloc(3). */
ASHLAR_API void *ashlar_valloc(size_t bytes) ASHLAR_ALLOCATES(1);

/* As pvalloc: aligned to a page and rounded up to whole pages. source: valloc(3). */
ASHLAR_API void *ashlar_pvalloc(size_t bytes)
#if defined(__GNUC__)
    __attribute__((malloc, warn_unused_result))
#endif
    ;

/* Bytes of `block` that may be used: at least what was asked for, constant while the block lives. NULL gives 0.
 * source: malloc_usable_size(3). */
ASHLAR_API size_t ashlar_usable_size(const void *block);

/* The usable size that a block of `bytes` bytes gets at least (above 1 KiB it may be lent a larger one that lies idle):
 * asking for it costs no more memory. Sizes that cannot be served are returned unchanged. signal: safe. */
ASHLAR_API size_t ashlar_good_size(size_t bytes);

/* ---- Heaps: allocate from many threads, free one by one or all at once --------------------------------------------- */

/* A heap of its own. Its blocks are freed by the ordinary free functions, by any thread, or all together by
 * ashlar_heap_destroy(). ashlar_realloc() of such a block takes the new block from the same heap. */
typedef struct ashlar_heap ashlar_heap;

/* Make an empty heap. returns: NULL with ENOMEM when there is no memory for it. */
ASHLAR_API ashlar_heap *ashlar_heap_new(void)
#if defined(__GNUC__)
    __attribute__((warn_unused_result))
#endif
    ;

/* As ashlar_malloc, ashlar_calloc and ashlar_aligned_alloc, from `heap`. thread: any, also many at once. */
ASHLAR_API void *ashlar_heap_malloc(ashlar_heap *heap, size_t bytes) ASHLAR_ALLOCATES(2);
ASHLAR_API void *ashlar_heap_calloc(ashlar_heap *heap, size_t count, size_t bytes) ASHLAR_ALLOCATES(2, 3);
ASHLAR_API void *ashlar_heap_aligned_alloc(ashlar_heap *heap, size_t alignment, size_t bytes) ASHLAR_ALLOCATES(3)
    ASHLAR_ALIGNS(2);

/* End `heap` and every block still in it. No thread may be using the heap or any of its blocks. NULL is fine. */
ASHLAR_API void ashlar_heap_destroy(ashlar_heap *heap);

/* ---- Purging ------------------------------------------------------------------------------------------------------ */

/* Give free memory back to the kernel now: the whole process's free pages, what the calling thread holds, and what
 * others have freed in the heaps of threads that sleep. Not from a signal handler. returns: bytes given back. */
ASHLAR_API size_t ashlar_purge(void);

/* ---- Statistics ----------------------------------------------------------------------------------------------------- */

enum { ASHLAR_STATS_VERSION = 1, ASHLAR_STATS_CLASSES = 128 };

/* One size class. */
struct ashlar_class_stats {
    uint64_t block_bytes; /* usable size of a block; 0 marks an unused row */
    uint64_t allocations; /* blocks handed out since the start, reused ones counted each time */
    uint64_t live_blocks; /* blocks the program holds */
    uint64_t slab_bytes;  /* bytes of slabs cut for this class that are in use, carved part */
};

/* What the heap holds. A version only gains fields at the end; `bytes` says how much was filled in. Exact while other
 * threads rest; otherwise each figure is true of some moment during the call. */
struct ashlar_stats {
    uint32_t version;           /* ASHLAR_STATS_VERSION of the library */
    uint32_t bytes;             /* bytes of this struct that the library filled in */
    uint64_t allocations;       /* blocks handed out since the start, all sizes */
    uint64_t frees;             /* blocks given back */
    uint64_t remote_frees;      /* of these, small blocks freed by another thread than the one that owns their slab */
    uint64_t live_blocks;       /* allocations - frees */
    uint64_t live_bytes;        /* usable bytes of live blocks */
    uint64_t active_bytes;      /* carved bytes of slabs with live blocks, and live large and huge blocks */
    uint64_t peak_active_bytes; /* the most `active_bytes` has been */
    uint64_t dirty_bytes;       /* free, not yet given back to the kernel */
    uint64_t mapped_bytes;      /* address space of ours that may hold blocks, readable and writable */
    uint64_t metadata_bytes;    /* address space of ours that holds no blocks */
    uint64_t purged_bytes;      /* given back to the kernel since the start */
    uint64_t purge_calls;       /* in so many system calls */
    uint64_t large_allocations; /* blocks in runs of their own, above the largest size class */
    uint64_t large_live_blocks;
    uint64_t large_live_bytes;
    uint64_t middle_live_blocks; /* of these, the ones below 128 KiB */
    uint64_t middle_live_bytes;
    uint64_t huge_allocations; /* blocks in mappings of their own */
    uint64_t huge_live_blocks;
    uint64_t huge_live_bytes;
    uint64_t foreign_frees;  /* pointers that were not ours: ignored or forwarded */
    uint64_t dropped_frees;  /* frees that could not be carried out (inside a signal handler that interrupted us) */
    uint64_t unproved_frees; /* frees that looked like a second one and could not be proved: the block is left alone */
    uint64_t refused_mappings; /* times the kernel or a limit refused memory */
    uint64_t heaps;            /* heaps in use: threads that allocate, and heaps made by ashlar_heap_new() */
    struct ashlar_class_stats classes[ASHLAR_STATS_CLASSES];
};

/* Fill in `stats`. `bytes` is sizeof *stats as the caller knows it; no more is written.
 * returns: 0, or EINVAL when `stats` is NULL or `bytes` is below the first two fields. errno untouched. */
ASHLAR_API int ashlar_stats_read(struct ashlar_stats *stats, size_t bytes);

/* The same as JSON (schema "ashlar.stats/1"), written as snprintf does: at most `bytes` bytes with the closing NUL.
 * returns: the length the whole text has, without the NUL. Allocates nothing. */
ASHLAR_API size_t ashlar_stats_json(char *text, size_t bytes);

/* ---- Options ------------------------------------------------------------------------------------------------------ */

/* The effective value of option `key` of ASHLAR_CONF as text, written as snprintf does.
 * returns: the length of the value, or -1 when there is no such option. errno untouched. */
ASHLAR_API int ashlar_option(const char *key, char *value, size_t bytes);

/* Change an option that may change while the program runs (`ashlar_option_set("purge_delay", "100ms")`).
 * returns: 0, EINVAL (no such key, or no such value), EPERM (can only be set at start). errno untouched. */
ASHLAR_API int ashlar_option_set(const char *key, const char *value);

#ifdef __cplusplus
}
#endif

#endif
