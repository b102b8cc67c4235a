/* summary.h: what is told about a run, as text for people and as JSON for programs. */
#ifndef ASHLAR_CLI_SUMMARY_H
#define ASHLAR_CLI_SUMMARY_H

#include "bindings.h"
#include "launch.h"
#include "pages.h"
#include "refuse.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLASSES_SHOWN = 10, PROGRAMS_SHOWN = 12 };

/* A limit that the user set on one figure of the run. */
struct budget {
    bool set;
    bool exceeded;
    uint64_t most; /* allowed */
};

/* Everything that is known when a run is over, or was refused. All pointers are borrowed. */
struct summary {
    char *const *command;            /* argv, ended by NULL */
    const char *program;             /* file that the kernel started; NULL: not found */
    const char *library;             /* that was preloaded; NULL: not found */
    const struct launched *launched; /* NULL: the command was not started */
    const struct pages *pages;       /* of its processes; set when launched is */
    const struct process *top;       /* the last program that the command's own process was; NULL: no page */
    const struct process *highest;   /* the program with the highest peak; NULL: none told its figures */
    const struct bindings *bindings; /* NULL: not asked for, or not to be had */
    struct budget peak;              /* bytes of heap of any one program */
    struct budget allocations;       /* of all programs together */
    struct refusal why;              /* why Ashlar is not active; reason NULL: it is */
    int status;                      /* that `ashlar run` will exit with */
    bool everything;                 /* all size classes and all programs, not only the largest */
};

/* One row of the table of size classes. */
struct summary_class {
    uint64_t block_bytes;
    uint64_t allocations;
    uint64_t bytes; /* allocated: allocations * block_bytes */
};

/* The size classes that were used, most bytes first. returns: their number. */
size_t summary_classes(const struct totals *totals, struct summary_class classes[ASHLAR_STATS_CLASSES]);

/* All return a new text, ended by a newline; NULL without memory. */
char *summary_text(const struct summary *summary, bool coloured);
char *summary_json(const struct summary *summary);
char *summary_plain(const struct summary *summary); /* one line per fact of the JSON: name, blank, value */

#endif
