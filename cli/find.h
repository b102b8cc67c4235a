/* find.h: where things are: the program that was asked for, and our own library. */
#ifndef ASHLAR_CLI_FIND_H
#define ASHLAR_CLI_FIND_H

#include "refuse.h"

#include <limits.h>
#include <stdbool.h>

struct found_library {
    char library[PATH_MAX]; /* libashlar.so.1 */
    char helper[PATH_MAX];  /* libashlar-status.so, which has the last figures written on the way out */
    char memory[PATH_MAX];  /* libashlar-mem.so.1; "" when it is not wanted */
};

/* Look for `name` as execvp(3) would: a name with a slash is a path, others are looked up in PATH.
 * On success `path` holds where it is. On failure: "not_found" (127) or "not_executable" (126). */
bool find_program(const char *name, char path[PATH_MAX], struct refusal *why);

/* Find the library and its helper: `given` when not NULL, else beside this command, else in the lib directories of the
 * same installation. Both are checked: for this machine, and Ashlar's. */
bool find_library(const char *given, struct found_library *found, struct refusal *why);

/* Find libashlar-mem, too, beside the library or beside this command. */
bool find_memory_functions(struct found_library *found, struct refusal *why);

/* Find libashlar-sizes.so, the recorder of `ashlar sizes`, in the same places. */
bool find_recorder(char path[PATH_MAX], struct refusal *why);

#endif
