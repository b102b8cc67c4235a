/* runner.h: starts the children of an experiment, with their limits, and listens to them. */
#ifndef ASHLAR_CLI_LAB_RUNNER_H
#define ASHLAR_CLI_LAB_RUNNER_H

#include "card.h"
#include "samples.h"

#include <stdbool.h>
#include <stdint.h>

struct runner {
    struct child_order order;
    uint64_t deadline_ns; /* CLOCK_MONOTONIC: no child lives longer */
    const char *library;  /* preloaded into the children; NULL: none */
    const char *checking; /* preloaded where a part says check_mem; NULL: it was not found */
    const char *place;    /* a directory for their files */
    char allocator[64];   /* what the last child that was asked has for malloc, "glibc 2.36" */
};

enum part_end {
    PART_DONE,
    PART_SKIPPED, /* a child said that it cannot be made here */
    PART_DIED,    /* a child ended as it should not */
    PART_LATE,    /* a child hung */
    PART_UNTRIED, /* no time was left for all children, or to let the last one end */
    PART_STOPPED, /* somebody interrupted us */
};

struct part_result {
    enum part_end end;
    int signal;       /* of PART_DIED; 0: it exited, with an error */
    enum text reason; /* of PART_SKIPPED */
};

/* Run one part in as many children as it wants, one after the other, and add what they tell. Ends at the first child
 * that does not do what it should. A child has no core dump, one process group, and at most 30 s (4 s in a quick run).
 */
struct part_result runner_part(struct runner *runner, const struct lab_card *card, const struct lab_part *part,
                               struct samples *samples);

/* From now on an interrupt, a hang-up and a request to end or to quit stop the child and end runner_part(), instead of
 * ending the process: its files must be removed. What is ignored stays so. returns: nothing; runner_signal() tells.
 * The other one gives the signals back their meaning. */
void runner_catch_signals(void);
void runner_release_signals(void);
int runner_signal(void); /* the signal that stopped us; 0: none */

#endif
