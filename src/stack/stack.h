/* stack.h: what the files of the annex share. The contract for users is include/ashlar_stack.h.
 *
 *   A  scratch.c                                      stands alone
 *   B  guard.c  -------> own.c, maps.c                where a stack ends
 *                          ^        ^
 *      depth.c -----------+        |                  how deep it went
 *      diagnose.c -----------------+--> thread.c      overflows; the end of a thread, the one setting
 *   C  side.c  -------------------------> thread.c
 *
 * All state is thread-local, but for what a process has once: the size of a side stack, the key that tells of the end
 * of a thread, the handler of overflows, all set before they are shared, and the serials of marks, counted atomically.
 * No locks. It may stand beside any malloc, asks it for memory in scratch.c and guard.c alone, and is called by none.
 */
#ifndef ASHLAR_STACK_STACK_H
#define ASHLAR_STACK_STACK_H

#include <ashlar_stack.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/format.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A function that the library exports; everything else is hidden. */
#define EXPORT __attribute__((visibility("default")))

/* Reads or writes a stack outside of every object that the compiler knows. */
#define OUTSIDE_OF_OBJECTS __attribute__((no_sanitize("address")))

/* The one way to fail for want of memory. */
static inline void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static inline size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* Print "ashlar: ", the text and a newline on descriptor 2, in one write that is no cancellation point. errno kept. */
static inline void stack_print(const struct text *words)
{
    char line[256];
    struct text text = {line, sizeof line - 1, 0};
    const int kept = errno;

    text_put(&text, "ashlar: ");
    text_put(&text, words->at);
    line[text_written(&text)] = '\n';
    (void)syscall(SYS_write, 2, line, text_written(&text) + 1);
    errno = kept;
}

/* ---- maps.c -------------------------------------------------------------------------------------------------------- */

/* The main thread's stack as the kernel sees it. */
struct main_stack {
    uintptr_t hi;    /* the end of its mapping: RLIMIT_STACK counts from here */
    uintptr_t floor; /* it cannot grow below: the end of the mapping under it and the gap that the kernel keeps */
};

/* Bytes that the kernel keeps free above the mapping under a stack that grows. source: Linux, kernel-parameters.txt,
 * stack_guard_gap: 256 pages unless the administrator says otherwise. */
static inline size_t stack_gap_bytes(void) { return 256 * page_bytes(); }

/* Fill in `stack`. returns: whether /proc/self/maps could be read and has it; else `stack` stays. signal: safe; errno
 * kept. */
bool stack_find_main(struct main_stack *stack);

/* ---- own.c --------------------------------------------------------------------------------------------------------- */

struct stack_span {
    uintptr_t lo, hi;
    size_t guard;
    int kind;
    int estimate;
};

static inline bool span_has(const struct stack_span *span, uintptr_t at) { return at >= span->lo && at < span->hi; }

/* The stack that `at`, a frame of the calling thread, lies on. returns: false when it is not known.
 * signal: safe after the first call in the thread; errno kept. */
bool stack_span_at(uintptr_t at, struct stack_span *span);

/* Bytes below `at` on the stack it lies on, by what is remembered of the thread; 0 when that is not known.
 * signal, errno: as above. */
size_t stack_left_below(uintptr_t at);

/* The thread's own stack, wherever the caller runs, down to where the kernel ends it at this moment.
 * returns: false when the thread never asked for it. signal: safe; errno kept. */
bool stack_own_span(struct stack_span *span);

/* ---- thread.c ------------------------------------------------------------------------------------------------------ */

/* Bytes of address space for a side stack: option `side_stack`. */
size_t stack_side_bytes(void);

/* Have stack_side_end() and stack_diagnose_end() called when this thread ends. returns: false for lack of memory. */
bool stack_watch_end(void);

/* ---- side.c, diagnose.c -------------------------------------------------------------------------------------------- */

/* Give back what this thread has; it may begin anew. errno kept. */
void stack_side_end(void);
void stack_diagnose_end(void);

#endif
