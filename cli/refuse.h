/* refuse.h: a "no" that knows its reason.
 *
 * Functions that may have to stop the command fill in a refusal and return false; only main.c's callers print it. */
#ifndef ASHLAR_CLI_REFUSE_H
#define ASHLAR_CLI_REFUSE_H

#include <stdbool.h>

/* Exit statuses. source: tools of the env(1), nohup(1), timeout(1) family. */
enum {
    EXIT_FINDING = 1,   /* a limit was exceeded */
    EXIT_USAGE = 2,     /* the command line makes no sense */
    EXIT_BAD_INPUT = 4, /* a file that we were given cannot be understood */
    EXIT_UNWRITTEN = 5, /* the result could not be written */
    EXIT_REFUSED = 125, /* we cannot do it, the command was not started */
    EXIT_NO_RUN = 126,  /* found, but cannot be executed */
    EXIT_NO_FILE = 127, /* not found */
    EXIT_SIGNAL = 128,  /* plus the signal that ended the command */
};

struct refusal {
    int status;         /* exit status that fits */
    const char *reason; /* one word for programs, "static" for example; NULL: no refusal */
    char text[768];     /* one sentence for people, without a full stop */
};

/* Fill in `why`. returns: false, always, so that a check reads `return refuse(...)`. */
bool refuse(struct refusal *why, int status, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Print "ashlar: ..." on standard error, in one write. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
