/* environment.h: what a program must find in its environment for Ashlar to be in it. */
#ifndef ASHLAR_CLI_ENVIRONMENT_H
#define ASHLAR_CLI_ENVIRONMENT_H

#include "find.h"
#include "refuse.h"

#include <stdbool.h>

struct environment {
    const struct found_library *found;
    const char *directory; /* for the pages */
    bool verify;           /* also LD_DEBUG, so that the loader writes its bindings there */
    const char *check_mem; /* what to do about bad copies; NULL: as the user says */
};

/* Set, in this process's own environment, LD_PRELOAD (the library first, what was there behind it) and ASHLAR_CONF (the
 * user's settings, and ours: one of the user's of the same key, as under another `ashlar run`, gives way). */
bool environment_set(const struct environment *wanted, struct refusal *why);

/* The same for the recorder of `ashlar sizes`: LD_PRELOAD, and the variable by which it finds the record `file`. */
bool environment_set_recorder(const char *recorder, const char *file, struct refusal *why);

#endif
