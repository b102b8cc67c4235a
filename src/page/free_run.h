/* free_run.h: the free runs of the heap range, by state, length and age.
 *
 *   [ live ][ dirty ][ clean          ][ live ][ clean ][ dirty ][ live ]
 *            \-- one request may take both: docs/design/012 --/
 *
 * A run is dirty (its pages are resident, its content is anything) or clean (never used, or given back to the kernel:
 * it reads as zero and costs nothing). Each state has a tree; dirty runs are also in a list, by age. Neighbours of the
 * same state are joined when one is entered by free_run_enter_joined(). guarded by: the runs' lock. */
#ifndef ASHLAR_PAGE_FREE_RUN_H
#define ASHLAR_PAGE_FREE_RUN_H

#include "page/ground.h"
#include "page/tree.h"

enum run_state { CLEAN, DIRTY };

struct free_runs {
    granule_index trees[2]; /* by enum run_state */
    granule_index oldest;   /* dirty runs in the order in which they became dirty */
    granule_index newest;
    size_t dirty;       /* bytes */
    uint32_t now_ms;    /* when somebody last looked at the clock */
    bool keeps_content; /* purged pages were seen to keep their content (an emulator): clean runs do not read as zero */
};

extern struct free_runs free_runs __attribute__((visibility("hidden")));

/* Write the lines at both ends of a free run and enter it. `stamp_ms`: since when it is dirty. */
void free_run_enter(granule_index index, granule_count length, enum run_state state, uint32_t stamp_ms);

/* The same, joined with its free neighbours of the same state. */
void free_run_enter_joined(granule_index first, granule_count length, enum run_state state, uint32_t stamp_ms);

/* Take a free run out of tree and list, and clear the lines at its ends. */
void free_run_leave(granule_index index);

/* Cut `count` granules at a multiple of `alignment` out of the free run at `found`, which is long enough; what is left
 * of it stays free. */
struct page_run free_run_cut(granule_index found, granule_count count, size_t alignment);

/* A dirty run, shorter than `count` granules, that has as much clean ground beside it as is missing: of those that have
 * been dirty for longest, the longest. NO_GRANULE when there is none. */
granule_index free_run_extensible(granule_count count);

/* Take the whole dirty run at `found`, which is such a one, and so much of the clean ground that it is `count`
 * granules. */
struct page_run free_run_cut_extended(granule_index found, granule_count count);

#endif
