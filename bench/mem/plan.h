/* plan.h: what one measurement does: a list of calls, made by cases.py, carried out by measure.c.
 *
 *   file:    [ struct plan | struct plan_call | struct plan_call | ... ]
 *   memory:  the calls of thread t go to `to` + t * to_bytes, and come from `from` + t * from_bytes
 *
 * So what is measured is written in one place, and the program that measures knows nothing of cases. */
#ifndef BENCH_MEM_PLAN_H
#define BENCH_MEM_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC UINT64_C(0x316e616c706d656d) /* "memplan1" */

enum plan_function { PLAN_COPY, PLAN_FILL };

/* What is done with the result of each call. */
enum plan_use {
    PLAN_NO_USE,
    PLAN_ENDS, /* its first and last eight bytes are read */
    PLAN_SUM   /* all of it is read */
};

/* In what state a call finds things. */
enum plan_state {
    PLAN_WARM,        /* ranges and code as the calls before leave them */
    PLAN_COLD_TARGET, /* no target is in any cache */
    PLAN_COLD_CODE,   /* other code has run since the last call; each call is timed alone */
    PLAN_FRESH        /* the target's pages are new: their first touch is timed, too */
};

struct plan {
    uint64_t magic;
    uint32_t function; /* enum plan_function */
    uint32_t use;      /* enum plan_use */
    uint32_t state;    /* enum plan_state */
    uint32_t value;    /* of a fill */
    uint32_t threads;  /* 1 or 2; each does all calls, in memory of its own */
    uint32_t passes;   /* how often the list is gone through while the time is taken */
    uint32_t warm_up;  /* calls at the end of the list that are made before: none that branches would be learned from */
    uint32_t calls;
    uint64_t to_bytes;
    uint64_t from_bytes; /* 0: copies stay in the target's memory */
};

struct plan_call {
    uint32_t to;
    uint32_t from;
    uint32_t bytes;
};

#endif
