/* step.c: the large frame. Compiled twice, as cmake/command.cmake says: JUMP_STEP is the name it gets. */
#include "../jump.h"

#include "../child.h"

#include <alloca.h>
#include <string.h>

enum { WRITTEN = 64 };

__attribute__((noinline)) void JUMP_STEP(size_t bytes)
{
    /* The address is laundered before it is written to: writing must not look like a use of the whole frame. */
    char *const lowest = child_launder(alloca(bytes));

    memset(lowest, 0xff, WRITTEN);
    (void)child_launder(lowest);
}
