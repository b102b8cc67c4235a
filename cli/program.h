/* program.h: the proof before the run: can LD_PRELOAD put Ashlar's malloc into this program? */
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

/* Look at program->path, follow #! lines, and fill in the rest. On failure the reason is one of
 * "static", "machine", "loader", "setuid", "capabilities", "own_malloc", "linked", "interpreter", "damaged". */
bool program_check(struct program *program, struct refusal *why);

#endif
