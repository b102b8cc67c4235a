/* jump.h: one function with a frame larger than its stack, compiled twice: with probes and without.
 *
 * A probe touches each page of a new frame in turn, so that a frame that is too large ends in the guard page and not
 * beyond. source: GCC manual, -fstack-clash-protection. */
#ifndef ASHLAR_CLI_LAB_JUMP_H
#define ASHLAR_CLI_LAB_JUMP_H

#include <stddef.h>

struct jump {
    void (*step)(size_t bytes); /* jump_probed or jump_unprobed */
    size_t bytes;
    char *neighbour; /* memory below the guard page; cleared before the step */
    size_t neighbour_bytes;
    size_t damaged; /* bytes of the neighbour that the step wrote */
};

/* Take the step and see what became of the neighbour. `argument` is a struct jump. */
void jump_try(void *argument);

/* Make a frame of that size and write its lowest 64 bytes. */
void jump_probed(size_t bytes);
void jump_unprobed(size_t bytes);

#endif
