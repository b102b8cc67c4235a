/* own.c: where the caller's stack ends.
 *
 *   the thread's own    remembered since its first call
 *       main            hi = end of its mapping, lo = hi - RLIMIT_STACK as it is now, never below the floor (maps.c)
 *       others          what pthread_getattr_np(3) says: it never changes
 *   an alternate one    asked of the kernel, whenever the frame is not on the thread's own
 *   any other           not known; nothing is guessed
 *
 * Which stack a thread has is asked of libc, not of the thread's id: the child that a thread forks is alone in its
 * process, and goes on where the thread was. */
#include "stack/stack.h"

#include "base/atomics.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

/* What an unlimited stack may be taken to have: the limit that Linux gives by default (setrlimit(2), _STK_LIM). */
#define UNLIMITED_BYTES ((size_t)8 << 20)

enum state { UNKNOWN, BEING_ASKED, KNOWN };

/* What is remembered of a thread. A signal handler that interrupts the first call finds BEING_ASKED, and no stack. */
struct own_stack {
    _Atomic enum state state;
    struct stack_span span;
    struct main_stack main;          /* of the main thread */
    uintptr_t inner_lo, inner_bytes; /* an alternate stack inside of `span`; 0 bytes: none was seen */
};

static _Thread_local struct own_stack own;
static size_t limit_at_start; /* 0: this library was not there yet */

/* ---- The main thread's limit ----------------------------------------------------------------------------------------- */

static size_t soft_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_STACK, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

__attribute__((constructor(101))) static void remember_limit(void) { limit_at_start = soft_limit(); }

/* The lower end for a soft limit of `limit` bytes; RLIM_INFINITY: none. */
static uintptr_t main_lo(const struct main_stack *stack, size_t limit)
{
    const uintptr_t by_limit = limit < stack->hi ? round_up(stack->hi - limit, page_bytes()) : 0;

    return by_limit > stack->floor ? by_limit : stack->floor;
}

/* The kernel lays out other mappings below a stack by the limit at the start of the program. One that was raised since,
 * or none, promises nothing. source: Linux, mm/util.c, mmap_base(). */
static void follow_limit(struct own_stack *stack)
{
    const size_t now = soft_limit();
    const size_t then = limit_at_start != 0 ? limit_at_start : now;
    const bool is_estimate = now == RLIM_INFINITY || now > then;
    const size_t trusted = then != RLIM_INFINITY ? then : UNLIMITED_BYTES;

    stack->span.lo = main_lo(&stack->main, is_estimate ? trusted : now);
    stack->span.estimate = is_estimate;
}

/* ---- The thread's own ------------------------------------------------------------------------------------------------- */

static bool ask_main(struct own_stack *stack)
{
    if (!stack_find_main(&stack->main))
        return false;
    stack->span = (struct stack_span){0, stack->main.hi, stack_gap_bytes(), ASHLAR_STACK_MAIN, 0};
    follow_limit(stack);
    return true;
}

static bool ask_libc(struct stack_span *span)
{
    pthread_attr_t attributes;
    void *lo;
    size_t bytes, guard;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return false;
    const bool is_told =
        pthread_attr_getstack(&attributes, &lo, &bytes) == 0 && pthread_attr_getguardsize(&attributes, &guard) == 0;
    (void)pthread_attr_destroy(&attributes);
    if (is_told)
        *span = (struct stack_span){(uintptr_t)lo, (uintptr_t)lo + bytes, guard, ASHLAR_STACK_THREAD, 0};
    return is_told;
}

/* For the main thread libc says something else, by stdio: the stack without arguments and environment. It is asked only
 * when the frame lies elsewhere, on the stack of a thread that forked or of a coroutine. */
static bool ask(uintptr_t at, struct own_stack *stack)
{
    const bool may_be_main = getpid() == gettid() && ask_main(stack);
    const struct stack_span of_main = stack->span;

    if (may_be_main && span_has(&of_main, at))
        return true;
    if (!ask_libc(&stack->span))
        return false;
    if (may_be_main && span_has(&of_main, stack->span.hi - 1))
        stack->span = of_main;
    return true;
}

/* An array on the thread's own stack may be its alternate one. Seen now, it costs checked alloca no system call. */
static void look_inside(struct own_stack *stack)
{
    stack_t inner;

    if (sigaltstack(NULL, &inner) != 0 || (inner.ss_flags & SS_DISABLE) != 0)
        return;
    if (span_has(&stack->span, (uintptr_t)inner.ss_sp)) {
        stack->inner_lo = (uintptr_t)inner.ss_sp;
        stack->inner_bytes = inner.ss_size;
    }
}

static COLD bool learn(uintptr_t at)
{
    const int kept = errno;
    struct own_stack stack = {0};

    if (load_relaxed(&own.state) == BEING_ASKED)
        return false;
    store_relaxed(&own.state, BEING_ASKED);
    const bool found = ask(at, &stack);

    if (found)
        look_inside(&stack);
    own.span = stack.span;
    own.main = stack.main;
    own.inner_lo = stack.inner_lo;
    own.inner_bytes = stack.inner_bytes;
    /* release: a signal handler in this thread that sees KNOWN sees the span, too; pairs with the acquire in
     * is_known(). UNKNOWN asks again next time: a refusal for lack of memory may pass. */
    store_release(&own.state, found ? KNOWN : UNKNOWN);
    errno = kept;
    return found;
}

/* Whether the thread's own stack is known now. */
static inline bool is_known(uintptr_t at) { return likely(load_acquire(&own.state) == KNOWN) || learn(at); }

/* ---- The caller's ----------------------------------------------------------------------------------------------------- */

/* source: sigaltstack(2). A stack with SS_AUTODISARM says SS_DISABLE while it is in use. */
static bool find_alternate(uintptr_t at, struct stack_span *span)
{
    const int kept = errno;
    stack_t stack;
    const bool is_told = sigaltstack(NULL, &stack) == 0;

    errno = kept;
    if (!is_told || (stack.ss_flags & SS_ONSTACK) == 0)
        return false;
    const uintptr_t lo = (uintptr_t)stack.ss_sp;
    const struct stack_span found = {lo, lo + stack.ss_size, 0, ASHLAR_STACK_SIGNAL, 0};

    if (!span_has(&found, at))
        return false;
    *span = found;
    return true;
}

/* An alternate stack may lie in an array on the thread's own: it comes first. */
bool stack_span_at(uintptr_t at, struct stack_span *span)
{
    const bool has_own = is_known(at);

    if (find_alternate(at, span))
        return true;
    if (!has_own)
        return false;
    if (own.span.kind == ASHLAR_STACK_MAIN)
        follow_limit(&own);
    if (!span_has(&own.span, at))
        return false;
    *span = own.span;
    return true;
}

bool stack_own_span(struct stack_span *span)
{
    if (load_acquire(&own.state) != KNOWN)
        return false;
    *span = own.span;
    if (span->kind != ASHLAR_STACK_MAIN)
        return true;
    struct main_stack now = own.main;

    (void)stack_find_main(&now); /* where /proc is closed, or no descriptor is left: as it was remembered */
    span->lo = main_lo(&now, soft_limit());
    return true;
}

size_t stack_left_below(uintptr_t at)
{
    struct stack_span span;

    if (likely(is_known(at) && span_has(&own.span, at) && at - own.inner_lo >= own.inner_bytes))
        return at - own.span.lo;
    return find_alternate(at, &span) ? at - span.lo : 0;
}

/* ---- For the program -------------------------------------------------------------------------------------------------- */

EXPORT NOINLINE int ashlar_stack_bounds(struct ashlar_stack_info *out)
{
    struct stack_span span;

    if (!stack_span_at((uintptr_t)__builtin_frame_address(0), &span))
        return ENOTSUP;
    *out = (struct ashlar_stack_info){(void *)span.lo, (void *)span.hi, span.guard, span.kind, span.estimate};
    return 0;
}

EXPORT NOINLINE size_t ashlar_stack_left(void)
{
    const uintptr_t at = (uintptr_t)__builtin_frame_address(0);
    struct stack_span span;

    return stack_span_at(at, &span) ? at - span.lo : 0;
}

EXPORT NOINLINE void ashlar_stack_refresh(void) { (void)learn((uintptr_t)__builtin_frame_address(0)); }
