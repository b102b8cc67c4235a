/* tree.h: an ordered set of free runs, by length and then by address, inside their own lines.
 *
 * A treap: a binary search tree on the key that is at the same time a heap on a priority, here a hash of the granule's
 * index, which keeps it balanced without any bookkeeping. A root or child of 0 is none. guarded by: the runs' lock.
 * source: Seidel, Aragon, "Randomized Search Trees", Algorithmica 16, 1996.
 * Not taken: bins of lists. They find a fit, but not the lowest address, which is what lets the end of the heap empty.
 */
#ifndef ASHLAR_PAGE_TREE_H
#define ASHLAR_PAGE_TREE_H

#include "page/page.h"

/* The line of a free run's first granule. */
struct free_run {
    struct line line; /* kind FREE, PURGING or FREE_TAIL; state: enum run_state */
    granule_count length;
    granule_index head; /* in a FREE_TAIL: the first granule */
    granule_index left; /* children in the tree */
    granule_index right;
    granule_index older; /* neighbours in the list of dirty runs */
    granule_index newer;
    union {
        uint32_t stamp_ms; /* when it became dirty; coarse clock, wraps */
        uintptr_t purger;  /* in a PURGING one: the thread pointer of who gives it back */
    };
    uint64_t kept[2]; /* of the floors above */
} ONE_LINE;

static_assert(sizeof(struct free_run) == 1u << LINE_SHIFT, "one line for each granule");

static inline struct free_run *run_at(granule_index index) { return page_line_at(index); }

void tree_insert(granule_index *root, granule_index run);
void tree_remove(granule_index *root, granule_index run);

/* The shortest run of at least `count` granules, the lowest of these; NO_GRANULE when there is none. */
granule_index tree_fit(granule_index root, granule_count count);

#endif
