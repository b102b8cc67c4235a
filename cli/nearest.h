/* nearest.h: "did you mean ...?" */
#ifndef ASHLAR_CLI_NEAREST_H
#define ASHLAR_CLI_NEAREST_H

#include <stddef.h>

/* The one of `names` that differs least from `wrong`, by at most two letters added, left out, changed or swapped.
 * returns: NULL when none is so near. source: optimal string alignment, Damerau, CACM 7(3), 1964. */
const char *nearest_name(const char *wrong, const char *const names[], size_t count);

#endif
