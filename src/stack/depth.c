/* depth.c: how deep a stack went: by paint that is gone, or by the pages that the kernel has given.
 *
 *     lo ........ | painted, untouched | painted, used | the caller ... hi
 *                 ^ from               ^ first word that differs
 *
 * Paint is laid from the caller downwards, as the stack itself would grow. It begins below the painting function's own
 * frame, and in the main thread ends 64 KiB early, where the kernel may refuse pages. */
#include "stack/stack.h"

#include <fcntl.h>

/* A word that programs do not write: no small number, no address, no text. */
#define PAINT 0xa5c35a3c96f0e187u

/* What the painting function's frame may need, with the 128 bytes below it that are its own, too (AMD64 ABI). */
enum { OWN_BYTES = 1024 };

#define UNSURE_BYTES ((uintptr_t)64 << 10)

static _Thread_local struct {
    uintptr_t from, to;
} painted;

/* ---- Paint ------------------------------------------------------------------------------------------------------------- */

OUTSIDE_OF_OBJECTS static void lay_paint(uintptr_t from, uintptr_t to)
{
    for (volatile uint64_t *at = (volatile uint64_t *)to; at > (volatile uint64_t *)from;)
        *--at = PAINT;
}

/* Find the lowest word of the painted part that is no longer painted.
 * returns: whether there is paint of this stack below it; if not, it went deeper. */
OUTSIDE_OF_OBJECTS static bool find_by_paint(const struct stack_span *span, uintptr_t *lowest)
{
    const volatile uint64_t *at = (const volatile uint64_t *)painted.from;

    if (!span_has(span, painted.from))
        return false;
    while (at < (const volatile uint64_t *)painted.to && *at == PAINT)
        at++;
    *lowest = (uintptr_t)at;
    return *lowest > painted.from;
}

EXPORT NOINLINE int ashlar_stack_paint(size_t max_bytes)
{
    const uintptr_t at = round_down((uintptr_t)__builtin_frame_address(0), sizeof(uint64_t));
    struct stack_span span;

    if (!stack_span_at(at, &span))
        return ENOTSUP;
    const uintptr_t to = at - OWN_BYTES;
    const uintptr_t lowest = round_up(span.lo, sizeof(uint64_t)) + (span.kind == ASHLAR_STACK_MAIN ? UNSURE_BYTES : 0);

    if (to < lowest || max_bytes < sizeof(uint64_t)) {
        painted.from = painted.to = 0;
        return 0;
    }
    painted.to = to;
    painted.from = to - lowest > max_bytes ? to - round_down(max_bytes, sizeof(uint64_t)) : lowest;
    lay_paint(painted.from, painted.to);
    return 0;
}

/* ---- Pages ------------------------------------------------------------------------------------------------------------- */

/* source: Linux, pagemap.rst: one word for each page; bit 63: in memory, bit 62: in swap. */
static bool find_lowest_page(long file, const struct stack_span *span, uintptr_t *lowest)
{
    enum { WORDS = 64 };
    const size_t page = page_bytes();
    const uint64_t is_there = (uint64_t)3 << 62;
    uint64_t words[WORDS];

    for (uintptr_t at = round_down(span->lo, page); at < span->hi;) {
        const long got = syscall(SYS_pread64, file, words, sizeof words, (long)(at / page * sizeof words[0]));
        if (got < (long)sizeof words[0])
            return false;
        for (size_t i = 0; i < (size_t)got / sizeof words[0]; i++, at += page)
            if ((words[i] & is_there) != 0) {
                *lowest = at > span->lo ? at : span->lo;
                return true;
            }
    }
    return false;
}

static bool find_by_pages(const struct stack_span *span, uintptr_t *lowest)
{
    const int kept = errno;
    const long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    const bool found = file >= 0 && find_lowest_page(file, span, lowest);

    if (file >= 0)
        (void)syscall(SYS_close, file);
    errno = kept;
    return found;
}

/* ---- For the program --------------------------------------------------------------------------------------------------- */

/* Whether all that was used lies above the end of the paint. A large frame may be written at its lower end alone, and
 * so pass over all paint: then there is a page below it. Where the kernel does not tell, nothing may be below it. */
static bool is_clean_below(const struct stack_span *span, bool has_pages, uintptr_t by_pages)
{
    if (has_pages)
        return by_pages >= round_down(painted.from, page_bytes());
    return painted.from - span->lo < sizeof(uint64_t);
}

EXPORT NOINLINE int ashlar_stack_high_water(size_t *bytes, int *exact)
{
    struct stack_span span;
    uintptr_t by_paint, by_pages = 0;

    if (!stack_span_at((uintptr_t)__builtin_frame_address(0), &span))
        return ENOTSUP;
    const bool has_pages = find_by_pages(&span, &by_pages);
    const bool is_exact = find_by_paint(&span, &by_paint) && is_clean_below(&span, has_pages, by_pages);

    if (!is_exact && !has_pages)
        return ENOTSUP;
    *bytes = span.hi - (is_exact ? by_paint : by_pages);
    *exact = is_exact;
    return 0;
}
