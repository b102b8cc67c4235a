/* jump.c: what a step over the guard page does to the memory behind it. */
#include "jump.h"

#include "child.h"

#include <string.h>

static void step(void *argument)
{
    const struct jump *const jump = argument;

    jump->step(jump->bytes);
}

void jump_try(void *argument)
{
    struct jump *const jump = argument;

    memset(jump->neighbour, 0, jump->neighbour_bytes);
    (void)child_survives(step, jump);
    jump->damaged = 0;
    for (size_t i = 0; i < jump->neighbour_bytes; i++)
        jump->damaged += jump->neighbour[i] != 0;
}
