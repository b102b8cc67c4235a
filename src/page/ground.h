/* ground.h: what range.c offers to run.c and huge.c, inside the page floor. */
#ifndef ASHLAR_PAGE_GROUND_H
#define ASHLAR_PAGE_GROUND_H

#include "page/page.h"

#define HEAP_STEP_MIN ((size_t)4 << 20)
#define HEAP_STEP_MAX ((size_t)1 << 30)
#define TABLE_STEP ((size_t)64 << 10) /* lines for 32 MiB */
#define HOLE_STEP ((size_t)1 << 20)

extern struct page_range page_table_range __attribute__((visibility("hidden")));
extern struct page_range page_heap_range __attribute__((visibility("hidden")));
extern struct page_range page_huges_range __attribute__((visibility("hidden"))); /* huge.c's records */

/* Map the first granules. returns: false when the kernel refuses; may be called again. guarded by: the runs' lock. */
bool page_ground_open(void);

/* Grow the heap range by `wanted` granules or more, behind a hole of `*hole` granules.
 * returns: the granules added, 0 when the kernel refuses. guarded by: the runs' lock. */
granule_count page_ground_grow(granule_count wanted, granule_count *hole);

/* Bytes that blocks may take beside what huge blocks and runs already do: asks the limits, purges where that helps.
 * `bytes` are counted as taken on success. returns: false when the hard limit refuses. thread: any; takes the runs'
 * lock. */
bool page_commit(size_t bytes);

/* Take `bytes` off the count again; because they have been given back, or because the kernel refused them after all. */
void page_uncommit(size_t bytes);
void page_uncommit_refused(size_t bytes);

/* Unmap all freed ranges that are kept. returns: whether there were any; false inside huge.c itself. May be called
 * under the runs' lock. */
bool page_huge_release_kept(void);

/* huge.c's part of the functions of the same names without "huge". */
void page_huge_fork_prepare(void);
void page_huge_fork_parent(void);
bool page_huge_fork_child(void);
void page_huge_stats(struct page_stats *stats);

#endif
