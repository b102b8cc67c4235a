/* check.h: ASSERT states what we promise ourselves. It runs in debug builds; a failure stops at the line.
 * Mistakes of the calling program are no matter for ASSERT: see heap/hook.h. */
#ifndef ASHLAR_BASE_CHECK_H
#define ASHLAR_BASE_CHECK_H

#include "base/config.h"

#if ASHLAR_DEBUG
#define ASSERT(fact)                                                                                                   \
    do {                                                                                                               \
        if (!(fact))                                                                                                   \
            __builtin_trap();                                                                                          \
    } while (0)
#else
#define ASSERT(fact) ((void)sizeof(!(fact)))
#endif

#endif
