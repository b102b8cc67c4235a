/* place.h: the private directory in which the processes of one run leave their pages. */
#ifndef ASHLAR_CLI_PLACE_H
#define ASHLAR_CLI_PLACE_H

#include "refuse.h"

#include <stdbool.h>

enum { PLACE_BYTES = 256 };

struct place {
    char path[PLACE_BYTES];
    int directory; /* open descriptor, close-on-exec */
};

/* Make the directory (mode 0700) under $XDG_RUNTIME_DIR, else $TMPDIR, else /tmp; a directory whose name ASHLAR_CONF
 * could not carry, or that another user owns, is passed over. */
bool place_make(struct place *place, struct refusal *why);

/* Remove the directory and everything in it; processes that outlive the run may still be making pages. */
void place_remove(struct place *place);

#endif
