/* measure.h: what the parts of the program `mem` share. */
#ifndef BENCH_MEM_MEASURE_H
#define BENCH_MEM_MEASURE_H

#include "../work.h"
#include "plan.h"

#include <stdbool.h>

typedef void *copy_function(void *to, const void *from, size_t n);
typedef void *fill_function(void *to, int c, size_t n);

struct contestant {
    const char *name;
    copy_function *copy;
    copy_function *move; /* where ranges may overlap; NULL: it has none */
    fill_function *fill;
};

/* Find the functions of "NAME=SOURCE", and prove that they do what they should. A source is `libc`, as installed;
 * `copy-of-libc`, loaded a second time, elsewhere; `rep`, the processor's own string instructions; or the path of a
 * shared library. Ends the run when there is none. */
struct contestant contestant_find(char *definition);

/* The speed of the memory itself: nanoseconds to go over `bytes` at `at`, a multiple of 4096 and aligned so, `times`
 * times. `kind` is "load", "store" or "stream" (stores past the caches), with the widest vectors there are.
 * returns: -1 when this processor has no such thing. */
int64_t roof_nanoseconds(const char *kind, unsigned char *at, size_t bytes, size_t times);

/* Run other code, so that nothing of a function is left in the first-level cache of instructions. How much of the
 * tables that predict branches it takes is the processor's secret. returns: whether that is known for this processor.
 */
bool code_cool(void);

/* Take a range out of all caches. returns: whether that is known for this processor. */
bool range_cool(const unsigned char *at, size_t bytes);

#endif
