/* config.h: the switches and sizes that every floor may read. No state, no system calls.
 *
 * Sizes that are a design choice carry the record that chose them. */
#ifndef ASHLAR_BASE_CONFIG_H
#define ASHLAR_BASE_CONFIG_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ASHLAR_DEBUG
#define ASHLAR_DEBUG 0
#endif

/* Whether the fast paths check blocks and links. 0 only in the library that `make bench-checks` compares with. */
#ifndef ASHLAR_CHECKS
#define ASHLAR_CHECKS 1
#endif

/* Whether the standard names (malloc, operator new, ...) are defined beside the ashlar_ ones. */
#ifndef ASHLAR_OVERRIDE
#define ASHLAR_OVERRIDE 1
#endif

/* The heap range is handed out in granules; one line of the slab table stands for each. docs/design/001. */
enum { GRANULE_SHIFT = 16 };
#define GRANULE_BYTES ((size_t)1 << GRANULE_SHIFT)

/* Every block starts at a multiple of this, whatever its size (C23 6.2.8 max_align_t on LP64). */
#define BLOCK_ALIGN ((size_t)16)

/* Largest size that a size class serves; larger blocks are runs of granules. */
#define CLASS_BYTES_MAX ((size_t)64 << 10)

/* Largest block that lies in the heap range; larger ones have mappings of their own. */
#define LARGE_BYTES_MAX ((size_t)32 << 20)

/* Largest size any entry point serves: C23 6.5.6, a larger object could not be indexed. */
#define REQUEST_BYTES_MAX ((size_t)PTRDIFF_MAX)

/* Address space for a thread's side stack: the bounds of option `side_stack`. */
#define SIDE_STACK_LEAST ((size_t)1 << 20)
#define SIDE_STACK_MOST ((size_t)4 << 30)

/* Whether the thread sanitizer looks on. gcc and clang say so in different ways. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#define UNDER_TSAN __has_feature(thread_sanitizer)
#else
#define UNDER_TSAN 0
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define COLD __attribute__((cold, noinline))
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

#endif
