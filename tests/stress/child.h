/* child.h: a forked child that works on what it inherits, and ends with 0 or has found a fault. */
#ifndef ASHLAR_TESTS_CHILD_H
#define ASHLAR_TESTS_CHILD_H

#include "../lib/test.h"

#include <sys/wait.h>

static inline void child_wait_for(pid_t child)
{
    int status = 0;
    CHECK(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
        test_fail(__FILE__, __LINE__, "child %d ended by signal %d with status %d", (int)child, WTERMSIG(status),
                  WEXITSTATUS(status));
}

#endif
