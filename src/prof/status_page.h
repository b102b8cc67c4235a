/* status_page.h: the file in which a process leaves its figures for `ashlar run`.
 *
 *   [ identity | sequence | at start | copy 0 | copy 1 | reports ]
 *                   |                    ^        ^
 *                   '--- sequence & 1 ---+--------'
 *
 * One file per program image, written by that process alone and read by the command. The figures have two copies: a
 * writer fills the one that is not current and then counts `sequence` up, so that a process killed while it writes
 * still leaves a whole copy behind. A reader of a live page takes the sequence, the copy, and the sequence again; if it
 * moved, once more.
 *
 * The command and the library come from the same build, so a change here only has to raise STATUS_LAYOUT.
 *
 * Not taken: one copy under a sequence lock. A SIGKILL in the middle would leave it torn for good. */
#ifndef ASHLAR_STATUS_PAGE_H
#define ASHLAR_STATUS_PAGE_H

#include "ashlar.h"

#include <stdatomic.h>
#include <stdint.h>

#define STATUS_MAGIC UINT64_C(0x31737461746c7361) /* "aslstat1" */

enum {
    STATUS_LAYOUT = 1,
    STATUS_PATH_BYTES = 512,
    STATUS_ARGUMENT_BYTES = 128,
    STATUS_REPORT_BYTES = 256,
};

/* Why the page was made. */
enum status_reason {
    STATUS_EXEC = 1, /* a program was started */
    STATUS_FORK = 2, /* a process was copied: `at_start` is what it inherited */
};

struct status_page {
    /* Written before `magic`, never changed after it. */
    _Atomic uint64_t magic; /* STATUS_MAGIC, stored last (release): the rest of the identity can be read */
    uint32_t layout;        /* STATUS_LAYOUT */
    uint32_t bytes;         /* sizeof(struct status_page) */
    int32_t pid;            /* as the process sees itself */
    int32_t parent_pid;
    uint32_t reason;                      /* enum status_reason */
    uint32_t reserved;                    /* 0 */
    uint64_t started_ns;                  /* CLOCK_MONOTONIC */
    uint64_t started_real_ns;             /* CLOCK_REALTIME */
    char program[STATUS_PATH_BYTES];      /* what /proc/self/exe links to; cut if longer, always ended by NUL */
    char argument[STATUS_ARGUMENT_BYTES]; /* argv[0], likewise */
    struct ashlar_stats at_start;         /* STATUS_FORK: figures at the fork; STATUS_EXEC: zero */

    /* The figures. Guard of the copy that is not current: `writing`. */
    _Atomic uint32_t writing;      /* 1 while a thread fills a copy */
    _Atomic uint32_t final;        /* 1 when the figures were published on the way out of the process */
    _Atomic uint64_t sequence;     /* publications so far; stored with release after the copy; 0: `at_start` holds */
    _Atomic uint64_t published_ns; /* CLOCK_MONOTONIC of the last one */
    struct ashlar_stats copies[2]; /* copies[sequence & 1] is current */

    /* Lines that the library printed about misuse. */
    _Atomic uint64_t reports;
    char last_report[STATUS_REPORT_BYTES]; /* the last of them, ended by NUL; may be torn while the process runs */
};

_Static_assert(sizeof(struct status_page) <= 16384, "one process must cost at most 16 KiB of the runtime directory");

#endif
