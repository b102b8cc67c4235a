/* child.h: what an experiment finds in the child process that it has to itself.
 *
 *   ashlar lab --fork, exec--> ashlar lab-experiment CARD PART ... --standard output--> "metric x value" lines
 *
 * Each child has an address space that nothing has used before. What it finds out it tells at once, so that a child
 * that dies has told all it knew. Nothing here calls malloc: the heap belongs to the experiment. Not for several
 * threads. */
#ifndef ASHLAR_CLI_LAB_CHILD_H
#define ASHLAR_CLI_LAB_CHILD_H

#include "metric.h"

#include "../statistics.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* What the parent asks for. */
struct child_order {
    uint64_t seed;
    size_t most; /* bytes of memory that the child may touch */
    bool quick;
};

/* The body of `ashlar lab-experiment`: argv is its name, card, part, seed, most, quick. returns: the exit status. */
int child_main(int argc, char **argv);

/* Sizes: macros, because they must be constants of type size_t, which enumerators are not. */
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* ---- Telling ---- */

void child_tell(enum metric metric, double value);
void child_tell_at(enum metric metric, double x, double value);

/* End the child: the experiment cannot be made here. `reason` is one of the texts skip_... */
_Noreturn void child_skip(enum text reason);

/* ---- Looking ---- */

uint64_t child_now_ns(void); /* CLOCK_MONOTONIC */

/* Resident bytes that are no file's: stack, heap, data. Exact where the kernel has smaps_rollup (4.14), else as in
 * statm. source: proc(5). */
size_t child_rss(void);

long child_faults(void); /* minor page faults so far. source: getrusage(2) */
size_t child_page(void); /* bytes of a page */

/* A function whose frame is looked at: the compiler may neither inline it nor make a second one for certain arguments.
 */
#ifdef __clang__
#define CHILD_OPAQUE __attribute__((noinline))
#else
#define CHILD_OPAQUE __attribute__((noipa))
#endif

/* The compiler may assume nothing about what this returns, and must have written all memory before. */
static inline void *child_launder(const volatile void *pointer)
{
    void *result = (void *)(uintptr_t)pointer;

    __asm__ volatile("" : "+r"(result) : : "memory");
    return result;
}

static inline char *child_address(uintptr_t address) { return (char *)child_launder((void *)address); }

/* A length that the compiler does not know, so that it does not warn of what is asked on purpose. */
static inline size_t child_unknown(size_t n) { return (size_t)(uintptr_t)child_launder((void *)n); }

/* `block`, which the compiler knows nothing about; ends the child when it is NULL. */
void *child_given(void *block);

/* How large a large block is: 64 MiB, 16 MiB in a quick run; ends the child when it may not touch three of them. */
size_t child_large(const struct child_order *order);

/* Set a soft limit, and the hard one with it where that is lower: a privileged lab may. Ends the child where it may
 * not. `resource` is RLIMIT_STACK or one like it. source: getrlimit(2). */
void child_limit(__rlimit_resource_t resource, rlim_t most);

/* Fresh private memory, not touched; ends the child when there is none. */
void *child_map(size_t bytes);

/* ---- Measuring time ---- */

typedef void child_operation(void *argument);

/* Measure `operation`, which does the thing `things` times in one call: batches of calls, each long beside the clock's
 * own cost; the cost of calling something empty is subtracted. Tells each batch, in nanoseconds for one thing,
 * unless `metric` is METRIC_NONE. returns: the median. */
double child_time(enum metric metric, double x, child_operation *operation, void *argument, unsigned things);

/* Measure one call, for what can be done once only. returns: nanoseconds, without the clock's own cost. */
double child_time_once(child_operation *operation, void *argument);

/* ---- Walking into the end of a stack ---- */

/* Touch one byte of each page from `from` downwards until the kernel refuses, at most `most` bytes.
 * returns: bytes that could be touched. Needs no stack below it. */
size_t child_walk_down(char *from, size_t most);

/* Call `operation`. returns: whether it came back; false: it ran into memory that it may not touch. */
bool child_survives(child_operation *operation, void *argument);

/* Run `operation` on a thread of its own whose stack is [stack, stack + bytes). false: no thread could be made. */
bool child_on_stack(void *stack, size_t bytes, child_operation *operation, void *argument);

#endif
