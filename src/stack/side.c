/* side.c: tool C, a second stack for each thread, which lasts beyond the return of a function.
 *
 *     | guard | mark | block | block | mark | block |        |  ready --> |  committed --> |  no access ...  | guard |
 *     base ---^                             ^ last    top ---^                                               ^ end
 *
 * A mark on the side stack is a header: its serial, and where the mark before it is. The program's copy names place and
 * serial; a mark is live if the chain from the last one leads to it. Walking there costs no more than pushing what is
 * popped did. The usual case of push, alloc and pop is inline in ashlar_stack.h and works on the same state; what needs
 * memory, a look at more than the last header, or a word to the sanitizer comes here.
 *
 * Invariant: no mark, or base <= last < top; top <= ready <= committed <= end; top is a multiple of 16; pages from
 * `ready` on are not resident; `highest` is right up to the present top, which counts before it is lowered; under the
 * address sanitizer all from `top` to `committed` is poisoned.
 * Not taken: the state in the reserved range itself, where a block that is overrun would destroy it. */
#include "stack/stack.h"

#include "base/atomics.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { UNIT = 16, ALIGN_MOST = 4096 };

#define STEP_LEAST ((size_t)64 << 10)
#define STEP_MOST ((size_t)1 << 20)

/* Unused memory that stays, and how much makes giving back worth its system call. */
#define KEPT_BYTES ((size_t)256 << 10)
#define UNUSED_MOST ((size_t)1 << 20)

static_assert(sizeof(struct ashlar_side_header_) == UNIT, "blocks behind a header stay aligned");
static_assert(sizeof(struct ashlar_side_state_) == 48, "programs are compiled for this layout");

EXPORT __thread struct ashlar_side_state_ ashlar_side_state_;

/* Addresses are numbers here: most of the range may not be touched. base 0: there is no side stack. */
static _Thread_local struct {
    uintptr_t base, end, committed;
    size_t step;                        /* bytes to commit next */
    struct ashlar_side_state_ poisoned; /* the state where the address sanitizer is, out of sight of the inline code */
} side;

/* Where the serials of the next side stack begin: it may be mapped where an ended one was, whose marks are not its. */
#define SERIALS_EACH ((uint64_t)1 << 40)
static _Atomic uint64_t next_serial;

/* ---- Sanitizer --------------------------------------------------------------------------------------------------------- */

/* Absent unless the program is built with the address sanitizer. source: sanitizer/asan_interface.h. */
extern void __asan_poison_memory_region(const volatile void *at, size_t bytes) __attribute__((weak));
extern void __asan_unpoison_memory_region(const volatile void *at, size_t bytes) __attribute__((weak));

static void poison(uintptr_t from, uintptr_t to)
{
    if (&__asan_poison_memory_region != NULL)
        __asan_poison_memory_region((void *)from, to - from);
}

static void unpoison(uintptr_t from, size_t bytes)
{
    if (&__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region((void *)from, bytes);
}

static struct ashlar_side_state_ *state_now(void)
{
    return &__asan_poison_memory_region != NULL ? &side.poisoned : &ashlar_side_state_;
}

static void set_ready(struct ashlar_side_state_ *state, uintptr_t ready)
{
    state->ready = ready;
    state->low = ready - UNUSED_MOST;
}

/* ---- The reserved range ------------------------------------------------------------------------------------------------ */

/* Reserve `bytes` and two guard pages. MAP_NORESERVE: what has no access is not accounted anyway. */
static void *reserve(size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    return mmap(NULL, bytes + 2 * page_bytes(), PROT_NONE, flags, -1, 0);
}

static COLD bool open_side(void)
{
    size_t bytes = round_up(stack_side_bytes(), page_bytes());
    void *range = reserve(bytes);

    while (range == MAP_FAILED && bytes / 2 >= SIDE_STACK_LEAST) {
        bytes = round_up(bytes / 2, page_bytes());
        range = reserve(bytes);
    }
    if (range == MAP_FAILED)
        return false;
    if (!stack_watch_end()) {
        (void)munmap(range, bytes + 2 * page_bytes());
        return false;
    }
    side.base = side.committed = (uintptr_t)range + page_bytes();
    side.end = side.base + bytes;
    side.step = STEP_LEAST;
    const uint64_t serial = add_relaxed(&next_serial, SERIALS_EACH); /* relaxed: only to be different */
    *state_now() = (struct ashlar_side_state_){.top = side.base, .highest = side.base, .serial = serial};
    set_ready(state_now(), side.base);
    return true;
}

void stack_side_end(void)
{
    const int kept = errno;

    if (side.base == 0)
        return;
    unpoison(side.base, side.committed - side.base);
    (void)munmap((void *)(side.base - page_bytes()), side.end - side.base + 2 * page_bytes());
    side.base = 0;
    *state_now() = (struct ashlar_side_state_){0};
    errno = kept;
}

/* ---- Memory for it ----------------------------------------------------------------------------------------------------- */

static bool commit_to(uintptr_t to)
{
    if (mprotect((void *)side.committed, to - side.committed, PROT_READ | PROT_WRITE) != 0)
        return false;
    poison(side.committed, to);
    side.committed = to;
    return true;
}

/* Commit up to `to`, which is at most side.end, and ahead of it; where that is refused, no more than is needed. */
static COLD bool commit(uintptr_t to)
{
    const uintptr_t needed = round_up(to, page_bytes());
    const uintptr_t ahead = side.end - side.committed > side.step ? side.committed + side.step : side.end;

    if (!(ahead > needed && commit_to(ahead)) && !commit_to(needed))
        return false;
    if (side.step < STEP_MOST)
        side.step *= 2;
    return true;
}

/* Give the pages back that lie more than KEPT_BYTES above the top. Only advice: refused, they stay resident. */
static void give_back(void)
{
    struct ashlar_side_state_ *const state = state_now();
    const uintptr_t from = round_up(state->top + KEPT_BYTES, page_bytes());

    if (side.base == 0 || from >= state->ready)
        return;
    const int kept = errno;

    (void)madvise((void *)from, state->ready - from, MADV_DONTNEED);
    set_ready(state, from);
    errno = kept;
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------------ */

/* Raise the top over `n` bytes at a multiple of `align`. returns: their address, 0 when there is no room or memory. */
static uintptr_t raise_top(size_t n, size_t align)
{
    if (side.base == 0 && !open_side())
        return 0;
    struct ashlar_side_state_ *const state = state_now();
    const uintptr_t at = round_up(state->top, align);

    if (at > side.end || n > side.end - at)
        return 0;
    const uintptr_t top = at + round_up(n, UNIT); /* the end is a multiple of a page */

    if (top > side.committed && !commit(top))
        return 0;
    unpoison(at, n);
    state->top = top;
    if (top > state->ready)
        set_ready(state, round_up(top, page_bytes()));
    ASSERT(side.base < top && top <= state->ready && state->ready <= side.committed && side.committed <= side.end);
    ASSERT(top % UNIT == 0);
    return at;
}

static void *allocate(size_t n, size_t align)
{
    const int kept = errno;
    const uintptr_t at = raise_top(n != 0 ? n : 1, align);

    if (at == 0)
        return no_memory();
    errno = kept;
    return (void *)at;
}

EXPORT void *(ashlar_side_alloc)(size_t n) { return allocate(n, UNIT); }

EXPORT void *ashlar_side_alloc_aligned(size_t n, size_t align)
{
    if (!is_power_of_two(align) || align > ALIGN_MOST) {
        errno = EINVAL;
        return NULL;
    }
    return allocate(n, align > UNIT ? align : UNIT);
}

/* ---- Marks ------------------------------------------------------------------------------------------------------------- */

EXPORT ashlar_mark(ashlar_side_push)(void)
{
    struct ashlar_side_header_ *const header = allocate(sizeof *header, UNIT);
    struct ashlar_side_state_ *const state = state_now();

    if (header == NULL)
        return (ashlar_mark){0};
    *header = (struct ashlar_side_header_){++state->serial, state->last};
    ASHLAR_SIDE_ORDER_(state->top, *header);
    ASHLAR_SIDE_ORDER_(*header, state->last);
    ASHLAR_SIDE_ORDER_(state->serial, state->last);
    state->last = (uintptr_t)header;
    return (ashlar_mark){state->last, header->serial, header->before};
}

static COLD __attribute__((noreturn)) void stop(const char *what, const char *in)
{
    char line[128];
    struct text text = {line, sizeof line, 0};

    text_put(&text, what);
    text_put(&text, " (in ");
    text_put(&text, in);
    text_put_char(&text, ')');
    stack_print(&text);
    abort();
}

static const struct ashlar_side_header_ *header_at(uintptr_t pos) { return (const struct ashlar_side_header_ *)pos; }

/* Whether the header at `pos` may still be what was pushed: an overrun of the block below it leads the walk astray. */
static bool is_sound(uintptr_t pos)
{
    const struct ashlar_side_header_ header = *header_at(pos);

    if (header.serial == 0 || header.serial > state_now()->serial)
        return false;
    return header.before == 0 || (header.before >= side.base && header.before % UNIT == 0 && header.before < pos &&
                                  header_at(header.before)->serial < header.serial);
}

/* The live header of the mark of these words. Does not return when there is none. */
static const struct ashlar_side_header_ *find_live(uintptr_t pos, uint64_t serial, const char *in)
{
    for (uintptr_t at = state_now()->last; at != 0 && at >= pos; at = header_at(at)->before) {
        if (!is_sound(at))
            stop("side stack mark overwritten", in);
        if (at == pos && header_at(at)->serial == serial)
            return header_at(at);
    }
    stop("side stack popped out of order", in);
}

/* The top, if it is the highest so far, is so from now on. */
static void note_highest(struct ashlar_side_state_ *state)
{
    state->highest = state->top > state->highest ? state->top : state->highest;
}

EXPORT void ashlar_side_pop_(uintptr_t pos, uint64_t serial, const char *in)
{
    if (serial == 0)
        return;
    const struct ashlar_side_header_ *const header = find_live(pos, serial, in);
    struct ashlar_side_state_ *const state = state_now();
    const uintptr_t top = state->top;

    note_highest(state);
    state->last = header->before;
    ASHLAR_SIDE_ORDER_(state->last, state->top);
    state->top = pos;
    poison(state->top, top);
    if (state->top <= state->low)
        give_back();
}

EXPORT void(ashlar_side_pop)(ashlar_mark m) { ashlar_side_pop_(m.pos, m.serial, "ashlar_side_pop"); }

/* ---- Looking at it ----------------------------------------------------------------------------------------------------- */

EXPORT int ashlar_side_stat(struct ashlar_side_info *out)
{
    struct ashlar_side_state_ *const state = state_now();

    *out = (struct ashlar_side_info){0};
    if (side.base == 0)
        return 0;
    note_highest(state);
    *out = (struct ashlar_side_info){side.end - side.base, side.committed - side.base, state->top - side.base,
                                     state->highest - side.base};
    return 0;
}

EXPORT void ashlar_side_trim(void) { give_back(); }
