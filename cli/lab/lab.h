/* lab.h: from the choice of cards to a finished report. */
#ifndef ASHLAR_CLI_LAB_LAB_H
#define ASHLAR_CLI_LAB_LAB_H

#include "../refuse.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lab_wish {
    bool quick;
    uint64_t seed;
    size_t most;          /* bytes that a child may touch; 0: what the machine can spare */
    const bool *wants;    /* one for each of lab_cards */
    const char *library;  /* Ashlar's, to be preloaded; NULL: none was found */
    const char *checking; /* that and its memory functions, as LD_PRELOAD has it; NULL: they were not found */
    bool shows_progress;  /* on standard error */
};

/* Make all experiments of the wanted cards. returns: the report, new; NULL with `why` when nothing could be measured
 * at all, or when a signal stopped us: then it is still pending in runner_signal(). */
json_t *lab_make(const struct lab_wish *wish, struct refusal *why);

/* Whether a card of the report is inconclusive. */
bool lab_is_inconclusive(const json_t *document);

#endif
