/* trace.h: what a trace file holds. trace.c writes it, replay.c reads it.
 *
 *   [ header | event | event | ... | zeros up to the end of the file ]
 *
 * One file for each program image: a fork child and what a process becomes by exec have files of their own. Events
 * stand in the order in which they happened, whichever thread made them. */
#ifndef DEV_TRACE_H
#define DEV_TRACE_H

#include <assert.h>
#include <stdint.h>

#define TRACE_MAGIC "ashlar trace 1\n"

struct trace_header {
    char magic[16];
    char program[112]; /* path of the executable */
};

enum trace_operation {
    TRACE_END,         /* zeros: no event */
    TRACE_TAKE,        /* a block came to be */
    TRACE_GIVE,        /* a block is freed */
    TRACE_RESIZE_FROM, /* realloc: the address before; TRACE_RESIZE_TO follows at once */
    TRACE_RESIZE_TO,   /* and the one after, with the new size */
    TRACE_LEAVE,       /* a thread ends */
};

/* Addresses and sizes of this machine stay below 2^48. */
struct trace_event {
    uint64_t place; /* address << 16 | number of the thread, modulo 2^16 */
    uint64_t what;  /* requested bytes << 16 | log2(alignment) << 8 | enum trace_operation */
};

static_assert(sizeof(struct trace_header) % sizeof(struct trace_event) == 0, "events follow the header");

#endif
