/* api.h: what the files of the top floor share. Every promise of C, POSIX and GNU is kept in this floor; see
 * docs/design.md. */
#ifndef ASHLAR_API_API_H
#define ASHLAR_API_API_H

#include "base/options.h"
#include "heap/heap.h"
#include "prof/prof.h"

#include <errno.h>

/* A function that the library exports; everything else is hidden. */
#define EXPORT __attribute__((visibility("default")))

/* A declaration that repeats the attributes of `target`, where the compiler can. */
#if defined(__GNUC__) && !defined(__clang__)
#define LIKE(target) __attribute__((copy(target)))
#else
#define LIKE(target)
#endif

/* `name` is another name of `target`, exported when the library takes the standard names. */
#if ASHLAR_OVERRIDE
#define STANDARD_NAME(name, target)                                                                                    \
    extern __typeof__(target) name __attribute__((alias(#target), visibility("default"))) LIKE(target);
#else
#define STANDARD_NAME(name, target)
#endif

/* ---- init.c ------------------------------------------------------------------------------------------------------------------------ */

extern _Atomic bool api_started;

/* Start the library: ground, options, taps. Harmless when called again or from within itself. */
void api_start(void);

/* Every slow path calls this first: the first call of the process may be any of them. */
static inline void api_ready(void)
{
    if (unlikely(!load_acquire(&api_started)))
        api_start();
}

/* ---- options.c ------------------------------------------------------------------------------------------------------------------------ */

enum { FOREIGN_AUTO, FOREIGN_FORWARD, FOREIGN_IGNORE, FOREIGN_ABORT };
enum { SIZED_ABORT, SIZED_WARN, SIZED_OFF };
enum { RESPONDER_OFF, RESPONDER_ON };

/* Read ASHLAR_CONF as far as libc has set the environment block; again later if it has not. */
void option_read_all(void);

/* The value: position of the choice, bytes, or milliseconds. */
uint64_t option_value(enum option_id id);

/* All options as they were read. */
const struct option_settings *option_settings(void);

/* The path of a FOLDER option, NULL when it is off. */
const char *option_folder(enum option_id id);

/* ---- responder.c ------------------------------------------------------------------------------------------------------------------- */

/* Start the thread, in this process, if option `responder` asks for it. */
void responder_start(void);

/* ---- report.c: see safety rules in docs/design.md ----------------------------------------------------------------------------------------- */

/* Print `line` (it gets "ashlar: " and a newline) on descriptor 2. */
void report_line(const char *line);

/* As report_line(), then let this thread allocate from a reserve only, and abort(). */
__attribute__((noreturn)) void report_and_abort(const char *line);

/* Tap of the heap: prints the line for `misuse`, then aborts. */
void report_misuse(const struct heap_misuse *misuse);

/* A sized free named another size or alignment than the block's. Acts as option `sized` says. */
void report_wrong_size(const void *address, size_t usable, size_t bytes, const char *in);
void report_wrong_alignment(const void *address, size_t usable, size_t alignment, const char *in);

/* ---- foreign.c: pointers that are not ours -------------------------------------------------------------------------------------------------- */

/* Find the next allocator, once, when dlsym may be called. */
void foreign_start(void);

void foreign_free(void *address, const char *in);
void *foreign_realloc(void *address, size_t bytes, const char *in);
size_t foreign_usable_size(const void *address);

/* ---- malloc.c ------------------------------------------------------------------------------------------------------------------------------ */

/* A block of `bytes` bytes, aligned to `alignment`, a power of two. NULL: errno is ENOMEM. */
void *api_aligned(size_t alignment, size_t bytes, const char *in);

/* The slow halves, for whoever has tried the fast one. */
void *api_malloc_slow(size_t bytes, const char *in);
void api_free_slow(void *address, const char *in);

/* A small block from the calling thread's list; NULL when the slow half must be tried. */
ALWAYS_INLINE void *api_malloc_fast(size_t bytes)
{
    return likely(bytes <= CLASS_SMALL_MAX) ? heap_pop(heap_mine(), class_of_small(bytes)) : NULL;
}

/* Free a block; all but the name of the entry point is the same for every function of the family. */
ALWAYS_INLINE void api_free(void *address, const char *in)
{
    struct slab *slab;

    switch (heap_push(address, &slab)) {
    case HEAP_PUSHED:
        return;
    case HEAP_PUSHED_EVENT:
        heap_event(slab);
        return;
    case HEAP_NOT_PUSHED:
        api_free_slow(address, in);
    }
}

/* Check the alignment that a free names. NULL and foreign pointers pass. */
void api_check_alignment(const void *address, size_t alignment, const char *in);

/* Check the size that a free names for a block requested at `alignment`: `is_exact`, it must lead to a block of the
 * very same size; else it may also be one that realloc would leave in place. NULL and foreign pointers pass. */
void api_check_size(const void *address, size_t alignment, size_t bytes, bool is_exact, const char *in);

#endif
