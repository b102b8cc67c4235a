/* ashlar_stack.h: memory that goes away by itself, without trusting the stack to be large enough.
 *
 *   need                                      tool                 where it lies              it ends with
 *   usually small, sometimes large            A  scratch buffer    in the frame, else heap    the block
 *   size known at run time, speed matters     B  checked alloca    the stack, else heap       the function; the block
 *   must survive the return; parsers          C  side stack        a stack of its own         pop
 *
 * Take A where it does, then C, then B. None of them overflows a stack silently or stops the program for lack of
 * memory: what cannot be had is NULL with errno = ENOMEM. The rest of the header tells where a stack ends, and how deep
 * it went.
 *
 * It belongs to libashlar-stack.so.1 and libashlar-stack.a, which work with every malloc. It needs the attribute
 * `cleanup` of gcc and clang, in C17 or C++17 with or without GNU extensions. A thread that used C, or
 * ashlar_stack_diagnose(), comes back to the library when it ends: the shared one is never unloaded, and a plugin that
 * is linked with the static one must not be either (ld -z nodelete).
 *
 * Unless a declaration says otherwise
 *   - a size is in bytes, contents are undefined, and every non-NULL result is aligned to 16 bytes;
 *   - success leaves errno alone, and so does everything that frees;
 *   - a function may be called from any thread, on memory of that thread; it is no cancellation point and not
 *     async-signal-safe;
 *   - pointers that are arguments are not NULL.
 *
 * What is on the heap is freed when a scope ends: by running off its end, return, break, goto out of it, or a C++
 * exception. longjmp() past it, and cancellation of a thread in code built without -fexceptions, leak it; only C mends
 * that, by the next pop. Never goto or switch past one of the declaring macros into its scope: the end of the scope
 * would free garbage (gcc says -Wjump-misses-init, C++ refuses). Never pass memory of these tools to free(). */
#ifndef ASHLAR_STACK_H
#define ASHLAR_STACK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ASHLAR_API __attribute__((visibility("default")))
#define ASHLAR_STACK_GIVES __attribute__((nonnull, warn_unused_result))
#define ASHLAR_STACK_AT_END(function) __attribute__((cleanup(function), unused)) /* to clang a cleanup is no use */

/* ---- A: scratch buffer: room in the frame for the usual case -------------------------------------------------------
 *
 *     ASHLAR_SCRATCH(path, 256);
 *     char *text = (char *)ashlar_scratch_get(&path, length + 1);
 *     if (!text)
 *         return ENOMEM;
 */

/* The present buffer and its capacity, and the one in the frame. Read `buf` and `cap`; write nothing. */
typedef struct ashlar_scratch {
    void *buf;
    size_t cap;
    void *inl;
    size_t inl_cap;
} ashlar_scratch;

/* The largest room in the frame: with one such buffer a frame stays below the one guard page of a thread. Code that is
 * built with -fstack-clash-protection touches every page of a frame, and may define a larger one before this header. */
#ifndef ASHLAR_SCRATCH_MAX
#define ASHLAR_SCRATCH_MAX 2048
#endif

#ifdef __cplusplus
#define ASHLAR_STACK_ASSERT static_assert
#define ASHLAR_STACK_ALIGNED alignas(max_align_t)
#else
#define ASHLAR_STACK_ASSERT _Static_assert
#define ASHLAR_STACK_ALIGNED _Alignas(max_align_t)
#endif

/* Declare the scratch buffer `name` with room for `bytes` in the frame: a constant, 1 to ASHLAR_SCRATCH_MAX. It lives
 * to the end of the block, so it may stand in a loop. */
#define ASHLAR_SCRATCH(name, bytes)                                                                                    \
    ASHLAR_STACK_ASSERT((bytes) > 0 && (bytes) <= ASHLAR_SCRATCH_MAX, "scratch size");                                 \
    ASHLAR_STACK_ALIGNED unsigned char name##_store_[bytes];                                                           \
    ASHLAR_STACK_AT_END(ashlar_scratch_drop)                                                                           \
    ashlar_scratch name = {name##_store_, sizeof name##_store_, name##_store_, sizeof name##_store_}

/* At least `n` bytes, old contents lost. Up to the present capacity (also for 0) the present buffer; beyond it a new
 * one from malloc. returns: `s->buf`, valid until the next call with this `s` that asks for more than `s->cap`; on
 * failure NULL with ENOMEM, and the room in the frame is the present buffer again. */
ASHLAR_API void *ashlar_scratch_get(ashlar_scratch *s, size_t n) ASHLAR_STACK_GIVES;

/* The same for `count` elements of `size` bytes. errors: ENOMEM also when the product overflows. */
ASHLAR_API void *ashlar_scratch_array(ashlar_scratch *s, size_t count, size_t size) ASHLAR_STACK_GIVES;

/* At least `n` bytes, contents kept: all of the old capacity. Grows to `n` exactly: ask for twice `s->cap` to append.
 * returns: `s->buf`; on failure NULL with ENOMEM, and nothing has changed. */
ASHLAR_API void *ashlar_scratch_grow(ashlar_scratch *s, size_t n) ASHLAR_STACK_GIVES;

/* Free what is on the heap; the room in the frame is the present buffer again. May be called at any time and again. */
ASHLAR_API void ashlar_scratch_drop(ashlar_scratch *s) __attribute__((nonnull));

/* ---- B: checked alloca: the stack while there is plenty, else the heap ----------------------------------------------
 *
 *     ASHLAR_GUARD(g);
 *     int *v = ASHLAR_ALLOCA(int, n, g);
 *     if (!v)
 *         return ENOMEM;
 *
 * Every request is decided by itself. It is served from the stack if all that the guard has taken there, with this, is
 * at most 64 KiB and a quarter of what is left; otherwise, and on a stack whose bounds are not known (a coroutine's),
 * from malloc. So a large size, a loop, a recursion and a small thread stack all end on the heap. What is left of the
 * main stack is memory that the kernel has yet to give: where it refuses (RLIMIT_AS; RLIMIT_MEMLOCK after mlockall(2)),
 * that is SIGSEGV, as for every call that goes deeper.
 *
 * The request is an initialiser or the right side of `=`, never an argument of a call: alloca there moves the stack
 * below arguments that are already placed (alloca(3)). -Walloca reports the macro even though this is a system header:
 * build such files with -Wno-alloca. clang's -ftrivial-auto-var-init writes every byte of an alloca: its price grows
 * with the size. No variable-length array in the same function: where one ends, everything that came after it ends, too
 * (gcc's manual, "Variable Length"). */

/* All that a guard knows; nothing in it is for the caller. */
typedef struct ashlar_guard {
    void *heap, *raw;
    size_t stack_used, size, align;
} ashlar_guard;

/* Declare the guard `g`, in the outermost block of the function. What is on the heap is freed when that block ends, and
 * its pointers are no longer valid then, wherever they lie. */
#define ASHLAR_GUARD(g) ASHLAR_STACK_AT_END(ashlar_guard_drop) ashlar_guard g = {NULL, NULL, 0, 0, 0}

/* `count` elements of type `T`, aligned for it, at least to 16; at least one byte. `count` is evaluated once; `g` is
 * the plain name of a guard of this function.
 * returns: NULL with ENOMEM when the product exceeds PTRDIFF_MAX or malloc refuses, with EINVAL when T's alignment is
 * above 4096. */
#define ASHLAR_ALLOCA(T, count, g)                                                                                     \
    ((T *)(ashlar_guard_plan_(&(g), (count), sizeof(T), __alignof__(T))                                                \
               ? ((g).raw = __builtin_alloca((g).size), ashlar_guard_fit_(&(g)))                                       \
               : ashlar_guard_heap_(&(g))))

/* Free what is on the heap. May be called before the scope ends; the guard can be used on. */
ASHLAR_API void ashlar_guard_drop(ashlar_guard *g) __attribute__((nonnull));

/* For ASHLAR_ALLOCA alone. plan_: whether the stack serves the request; never inlined, so that its frame lies below the
 * caller's. fit_: the aligned address in what alloca gave. heap_: a block from malloc on the guard's list. */
ASHLAR_API int ashlar_guard_plan_(ashlar_guard *g, size_t count, size_t size, size_t align)
    __attribute__((nonnull, noinline));
ASHLAR_API void *ashlar_guard_fit_(ashlar_guard *g) ASHLAR_STACK_GIVES;
ASHLAR_API void *ashlar_guard_heap_(ashlar_guard *g) ASHLAR_STACK_GIVES;

/* ---- C: side stack: a second stack for each thread -------------------------------------------------------------------
 *
 *     ashlar_mark m = ashlar_side_push();
 *     struct node *tree = parse(text);            (allocates by ashlar_side_alloc(), in any depth, and returns it)
 *     ...
 *     ashlar_side_pop(m);
 *
 *     | guard | header, blocks, header, blocks, ...  top --> committed --> | reserved, no access ... | guard |
 *
 * The first use in a thread reserves address space (`side_stack` of ASHLAR_CONF: 1M to 4G, 64M unless set; half as
 * much, and half again, where that is refused); memory is committed as the top rises, and the end of the thread unmaps
 * all. A child of fork goes on with its copy; those of other threads stay mapped in it. Where memory is refused in
 * advance (overcommit 2, RLIMIT_DATA, RLIMIT_AS) the answer is NULL; a kill for lack of memory in a control group is
 * nothing that anybody can catch.
 *
 * Not for signal handlers, not for other threads, not for free(); a coroutine pops what it pushed before it switches.
 * Under the address sanitizer everything above the top is poisoned.
 *
 * push, alloc and pop are macros over inline code for the usual case; &ashlar_side_alloc and (ashlar_side_alloc)(n) are
 * the functions that know every case. The inline code works on thread-local storage of the library by the initial-exec
 * model. A program that loads the library late, by dlopen() of it or of what is linked with it, takes less than 256
 * bytes for it from the surplus that ld.so keeps (glibc.rtld.optional_static_tls). */

/* A place on the side stack of the thread that made it. `serial` 0 stands for none. */
typedef struct ashlar_mark {
    uintptr_t pos;
    uint64_t serial;
    uintptr_t before; /* `pos` of the mark before it, 0 for the first */
} ashlar_mark;

/* Mark the top. returns: the mark; serial 0 with ENOMEM when no side stack or no room for the mark could be had. */
ASHLAR_API ashlar_mark ashlar_side_push(void) __attribute__((warn_unused_result));

/* `n` bytes, until a mark that was pushed before is popped; for 0 bytes a place of its own, too.
 * errors: ENOMEM: above what the side stack has left, or memory was refused. */
ASHLAR_API void *ashlar_side_alloc(size_t n) __attribute__((malloc, warn_unused_result, alloc_size(1)));

/* The same at a multiple of `align`. errors: EINVAL: no power of two, or above 4096. */
ASHLAR_API void *ashlar_side_alloc_aligned(size_t n, size_t align)
    __attribute__((malloc, warn_unused_result, alloc_size(1), alloc_align(2)));

/* Free all that came after the mark, later marks included: so a longjmp past them is mended by the next pop of an older
 * one. Serial 0: nothing. A mark that was popped already, directly or with an older one, or is another thread's, is
 * misuse: a line on descriptor 2, then abort(). Memory more than 256 KiB above the top goes back to the kernel when
 * 1 MiB or more is unused. */
ASHLAR_API void ashlar_side_pop(ashlar_mark m);

/* Push now, pop at the end of the block. */
#define ASHLAR_SIDE_SCOPE(m) ASHLAR_STACK_AT_END(ashlar_side_end_here_) ashlar_mark m = ashlar_side_push()

/* The calling thread's side stack, in bytes. */
struct ashlar_side_info {
    size_t reserved;   /* address space for blocks */
    size_t committed;  /* of it, readable and writable */
    size_t used;       /* up to the top, headers and padding included */
    size_t high_water; /* the most `used` has been */
};

/* Fill in `out`; zeros while the thread has no side stack. returns: 0. */
ASHLAR_API int ashlar_side_stat(struct ashlar_side_info *out) __attribute__((nonnull));

/* Give memory more than 256 KiB above the top back to the kernel, however little. */
ASHLAR_API void ashlar_side_trim(void);

/* ---- C: the usual case, inline: nothing here is for the caller ------------------------------------------------------- */

/* The calling thread's side stack as far as the inline code knows it, part of the library's binary interface. All is 0
 * while there is none, and always under the address sanitizer: with no room and no mark every call is the library's. */
struct ashlar_side_state_ {
    uintptr_t top;
    uintptr_t ready;   /* the top may rise up to here; a multiple of 16, as the top is */
    uintptr_t last;    /* `pos` of the last mark, 0: no mark */
    uintptr_t highest; /* the top has been here; when it is above, a pop is the library's */
    uint64_t serial;   /* of the mark that was pushed last */
    uintptr_t low;     /* a pop down to here, or below, is the library's: it has memory to give back */
};
ASHLAR_API extern __attribute__((tls_model("initial-exec"))) __thread struct ashlar_side_state_ ashlar_side_state_;

/* What lies at the `pos` of a mark. A pop is sound when it says the same as the mark. */
struct ashlar_side_header_ {
    uint64_t serial;
    uintptr_t before;
};

/* Pop the mark of these words as ashlar_side_pop() does. In words, so that a mark can live in registers. `in`: where,
 * for the line about misuse. */
ASHLAR_API void ashlar_side_pop_(uintptr_t pos, uint64_t serial, const char *in) __attribute__((nonnull));

/* Inline wherever it is called, and nowhere else: an inline function with external linkage may not call a static one
 * (C17 6.7.4), and in C++ must be the same everywhere. source: gcc's manual, "Inline". */
#define ASHLAR_STACK_INLINE extern __inline__ __attribute__((gnu_inline, always_inline))

/* Have the compiler store `sooner` before it stores `later` anew, by an instruction of no length that reads both. The
 * top is raised before `last` names the mark, and a pop does it the other way round: a siglongjmp() out of the middle
 * leaves nothing but a place unused. */
#define ASHLAR_SIDE_ORDER_(sooner, later) __asm__ volatile("" : : "m"(sooner), "m"(later))

ASHLAR_STACK_INLINE ashlar_mark __attribute__((warn_unused_result)) ashlar_side_push_here_(void)
{
    struct ashlar_side_state_ *const state = &ashlar_side_state_;
    struct ashlar_side_header_ *const header = (struct ashlar_side_header_ *)state->top;
    uintptr_t pos = state->top, before = state->last;
    const uintptr_t top = pos + sizeof *header;
    uint64_t serial = state->serial + 1;

    if (__builtin_expect(top > state->ready, 0)) {
        const ashlar_mark other = ashlar_side_push();
        pos = other.pos;
        serial = other.serial;
        before = other.before;
    } else {
        state->top = top;
        header->serial = serial;
        state->serial = serial;
        header->before = before;
        ASHLAR_SIDE_ORDER_(state->top, *header);
        ASHLAR_SIDE_ORDER_(*header, state->last);
        ASHLAR_SIDE_ORDER_(state->serial, state->last);
        state->last = pos;
    }
    const ashlar_mark m = {pos, serial, before};
    return m;
}

/* 0 bytes and more than PTRDIFF_MAX are the library's: with what is left no sum wraps around. */
ASHLAR_STACK_INLINE void *__attribute__((malloc, warn_unused_result, alloc_size(1))) ashlar_side_alloc_here_(size_t n)
{
    struct ashlar_side_state_ *const state = &ashlar_side_state_;
    const uintptr_t at = state->top;
    size_t bytes = (n + 15) & ~(size_t)15;
    __asm__("" : "+r"(bytes)); /* a register, also of a constant: stored, that sum reaches the next load sooner */
    const uintptr_t top = at + bytes;

    if (__builtin_expect(n - 1 >= PTRDIFF_MAX || top > state->ready, 0))
        return ashlar_side_alloc(n);
    state->top = top;
    return (void *)at;
}

ASHLAR_STACK_INLINE void ashlar_side_pop_here_(ashlar_mark m, const char *in)
{
    struct ashlar_side_state_ *const state = &ashlar_side_state_;
    const struct ashlar_side_header_ *const header = (const struct ashlar_side_header_ *)m.pos;

    if (__builtin_expect(m.pos <= state->low || m.pos != state->last || state->top > state->highest ||
                             header->serial != m.serial || header->before != m.before,
                         0)) {
        ashlar_side_pop_(m.pos, m.serial, in);
        return;
    }
    state->last = m.before;
    ASHLAR_SIDE_ORDER_(state->last, state->top);
    state->top = m.pos;
}

ASHLAR_STACK_INLINE void ashlar_side_end_here_(ashlar_mark *m) { ashlar_side_pop_here_(*m, "ASHLAR_SIDE_SCOPE"); }

#define ashlar_side_push() ashlar_side_push_here_()
#define ashlar_side_alloc(n) ashlar_side_alloc_here_(n)
#define ashlar_side_pop(m) ashlar_side_pop_here_((m), "ashlar_side_pop")

/* ---- Where a stack ends, and how deep it went ------------------------------------------------------------------------ */

enum { ASHLAR_STACK_MAIN, ASHLAR_STACK_THREAD, ASHLAR_STACK_SIGNAL };

/* The stack that the caller runs on. */
struct ashlar_stack_info {
    void *lo, *hi; /* it lies from `lo` up to, and without, `hi`; it grows towards `lo` */
    size_t guard;  /* bytes below `lo` that are kept free or without access; 0: none that is known of */
    int kind;      /* ASHLAR_STACK_... */
    int estimate;  /* 1: no limit says where it ends (none, or raised since the start); `lo` is on the safe side */
};

/* Fill in `out`. The first call in a thread may allocate (pthread_getattr_np(3) does): never make it inside of malloc
 * or in a signal handler. Later ones are async-signal-safe.
 *   main     from the end of its mapping down to the soft RLIMIT_STACK, but not into the gap of 256 pages that the
 *            kernel keeps above the mapping below it (Linux, kernel-parameters.txt, stack_guard_gap)
 *   thread   what pthread_getattr_np(3) says, once
 *   signal   the alternate stack of sigaltstack(2), unless it was set with SS_AUTODISARM
 * A coroutine's stack that lies inside of a thread's own, in an array of main(), say, is taken for the thread's:
 * neither use ASHLAR_ALLOCA nor paint there. For an alternate one there see ashlar_stack_refresh().
 * returns: 0, or ENOTSUP when this is no stack that is known (a coroutine's, say), the main stack is in use below `lo`
 * (its limit was lowered, or raised and used), or /proc or memory is missing; `out` stays as it was then. errno
 * untouched. */
ASHLAR_API int ashlar_stack_bounds(struct ashlar_stack_info *out) __attribute__((nonnull));

/* Bytes between the caller's frame and `lo`; 0: none, or the stack is not known. As ashlar_stack_bounds(). */
ASHLAR_API size_t ashlar_stack_left(void);

/* Look anew at this thread's stack. ashlar_stack_bounds() and ashlar_stack_left() ask the kernel each time;
 * ASHLAR_ALLOCA, for speed, does not: call this in the main thread after RLIMIT_STACK was lowered, and in any after
 * sigaltstack(2) named memory inside of the thread's own stack. errno untouched. */
ASHLAR_API void ashlar_stack_refresh(void);

/* Fill the unused part of this stack with a pattern, at most `max_bytes` below the caller, so that
 * ashlar_stack_high_water() can be exact. All that is painted becomes memory in use. returns: 0 or ENOTSUP. */
ASHLAR_API int ashlar_stack_paint(size_t max_bytes);

/* Bytes of this stack, counted from `hi`, that have ever been in use. Where it is painted deeper than it went, and no
 * page below the paint is in memory, or it is painted to the end: since then, *exact = 1, to 8 bytes. Otherwise down to
 * the last page that is in memory or in swap (Linux, pagemap.rst), *exact = 0: pages of earlier threads count, since
 * libc uses their stacks again. returns: 0, or ENOTSUP when the stack is not known or the kernel does not tell. errno
 * untouched. */
ASHLAR_API int ashlar_stack_high_water(size_t *bytes, int *exact) __attribute__((nonnull));

/* Have an overflow of this thread's stack say so, on descriptor 2, before the program dies of it by SIGSEGV:
 *     ashlar: stack overflow in thread 4242 at 0x7ffd1c0ffff8 (stack 0x7ffd1c100000-0x7ffd1c900000, limit 8388608)
 * The first call in the process installs a handler of SIGSEGV; other faults go on to the handler that was there. Each
 * thread that calls gets an alternate signal stack, unless it has one, until it ends; with that the handlers that were
 * there run on it, too. A handler that is installed later takes the place of this one.
 * returns: 0, ENOTSUP when the stack is not known, ENOMEM. errno untouched. */
ASHLAR_API int ashlar_stack_diagnose(void);

#ifdef __cplusplus
}
#endif

#endif
