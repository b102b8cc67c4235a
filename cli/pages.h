/* pages.h: the pages that the processes of one run left, read, checked and added up. */
#ifndef ASHLAR_CLI_PAGES_H
#define ASHLAR_CLI_PAGES_H

#include "ashlar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a program came to its end, as far as its page tells. */
enum page_end {
    PAGE_EXITED,  /* it left through exit, _exit or quick_exit: the figures are its last */
    PAGE_EXECED,  /* its process went on as another program that has a page of its own */
    PAGE_CUT,     /* a signal, an exec of a program without Ashlar, or a system call of its own ended it */
    PAGE_RUNNING, /* it is still there */
};

/* One program in one process. A forked child is a program of its own, that begins with what it inherited. */
struct process {
    int pid;
    int parent_pid;
    bool forked; /* made by fork, not by exec */
    enum page_end end;
    uint64_t started_ns;   /* CLOCK_MONOTONIC */
    bool published;        /* false: it ended before it told any figures; they are those of its start */
    uint64_t published_ns; /* when the figures are from, likewise */
    char *program;         /* path; owned */
    char *argument;        /* argv[0]; owned */
    uint64_t peak_bytes;   /* most active bytes */
    uint64_t live_bytes;   /* at the end, what was inherited included */
    uint64_t live_blocks;
    uint64_t allocations; /* its own, without its parent's */
    uint64_t frees;
    uint64_t reports;  /* lines about misuse */
    char *last_report; /* NULL: none; owned */
};

/* A sum over all programs of the run, each without what it inherited. */
struct totals {
    uint64_t allocations;
    uint64_t frees;
    uint64_t remote_frees;
    uint64_t large_allocations;
    uint64_t huge_allocations;
    uint64_t purged_bytes;
    uint64_t purge_calls;
    uint64_t foreign_frees;
    uint64_t dropped_frees;
    uint64_t unproved_frees;
    uint64_t refused_mappings;
    uint64_t reports;
    struct ashlar_class_stats classes[ASHLAR_STATS_CLASSES]; /* block_bytes and allocations; the rest is 0 */
};

struct pages {
    int directory; /* where they are: an open descriptor, the caller's */
    struct process *list;
    size_t count;
    size_t room;
    struct totals totals;
    uint64_t unreadable; /* files that were no pages, or damaged ones */
    uint64_t unmade;     /* files left empty: there was no room for a page */
    uint64_t unseen;     /* pages lost for want of memory here */
};

/* Take in and remove the pages of programs that have ended, so that a long run does not fill the directory. */
void pages_clear(struct pages *pages);

/* Take in all pages. Afterwards the list is in the order of their start. */
void pages_finish(struct pages *pages);

/* The last program that process `pid` was; NULL when it left no page. */
const struct process *pages_last_of(const struct pages *pages, int pid);

/* The program with the highest peak; NULL when none told its figures. */
const struct process *pages_highest(const struct pages *pages);

/* What to call it: the last part of argv[0], or of the path of the program. */
const char *process_name(const struct process *process);

void pages_free(struct pages *pages);

#endif
