/* environment.h: what a program must find in its environment for Ashlar to be in it. */
#ifndef ASHLAR_CLI_ENVIRONMENT_H
#define ASHLAR_CLI_ENVIRONMENT_H

#include "find.h"
#include "refuse.h"

#include <stdbool.h>

/* Set, in this process's own environment, LD_PRELOAD (the library first, what was there behind it) and ASHLAR_CONF (the
 * user's settings, and `status:` with the directory for pages; a status setting of the user's, as under another `ashlar
 * run`, gives way). With `verify` also LD_DEBUG, so that the loader writes its bindings there. */
bool environment_set(const struct found_library *found, const char *directory, bool verify, struct refusal *why);

/* The same for the recorder of `ashlar sizes`: LD_PRELOAD, and the variable by which it finds the record `file`. */
bool environment_set_recorder(const char *recorder, const char *file, struct refusal *why);

#endif
