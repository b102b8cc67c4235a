/* stats.h: the library's own figures, as a test wants them: now, or not at all. */
#ifndef TEST_STATS_H
#define TEST_STATS_H

#include "../../include/ashlar.h"
#include "test.h"

#include <errno.h>

static inline struct ashlar_stats stats_now(void)
{
    struct ashlar_stats stats;
    errno = 4711;
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    CHECK_EQ(errno, 4711);
    return stats;
}

#endif
