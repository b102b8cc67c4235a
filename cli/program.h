/* program.h: the proof before the run: can LD_PRELOAD put something of Ashlar's into this program? */
#ifndef ASHLAR_CLI_PROGRAM_H
#define ASHLAR_CLI_PROGRAM_H

#include "refuse.h"

#include <limits.h>
#include <stdbool.h>

struct program {
    char path[PATH_MAX];   /* the file that was asked for */
    char binary[PATH_MAX]; /* the ELF file that the kernel starts for it: itself, or the interpreter of a script */
    bool checked;          /* false: it may be executed but not read, so nothing is known */
};

/* What is to be put into it. */
enum program_guest { PROGRAM_MALLOC, PROGRAM_RECORDER };

/* Look at program->path, follow #! lines, and fill in the rest. On failure the reason is one of
 * "static", "machine", "loader", "setuid", "capabilities", "interpreter", "damaged"; for a malloc also "own_malloc",
 * "linked". */
bool program_check(struct program *program, enum program_guest guest, struct refusal *why);

#endif
