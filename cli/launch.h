/* launch.h: start a command in the foreground and wait for it, as a shell would. */
#ifndef ASHLAR_CLI_LAUNCH_H
#define ASHLAR_CLI_LAUNCH_H

#include "refuse.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct launched {
    pid_t pid;
    int status;               /* as a shell gives it: the exit status, or 128 + signal */
    int signal;               /* that ended it; 0: it exited */
    uint64_t started_ns;      /* CLOCK_MONOTONIC */
    uint64_t started_real_ns; /* CLOCK_REALTIME */
    uint64_t wall_ns;
    struct rusage usage; /* of the command and of those of its descendants that were waited for */
};

/* What to do now and then while the command runs. */
struct launch_pastime {
    void (*now_and_then)(void *argument);
    void *argument;
};

/* Run `command` (argv, ended by NULL) with this process's environment, and wait until it ends. Signals that reach us
 * alone are passed on; when the command stops, we stop, and it goes on with us. returns: false when it could not be
 * started: "not_found" (127), "not_executable" (126), "fork" (125). */
bool launch(char *const command[], struct launch_pastime pastime, struct launched *launched, struct refusal *why);

uint64_t launch_clock_ns(clockid_t clock);

#endif
