/* run.c: runs of granules: taken, given back, purged; limits.
 *
 *   live --page_give--> dirty --idle, or too much--> clean --page_take--> live
 *                         |                                                ^
 *                         +------------------page_take---------------------+
 *
 * What dirty and clean mean, and where free runs are kept, is free_run.h's. Neighbours of the same kind are always
 * joined. Dirty ground is reused first, the shortest fit first, the lowest address first: that is what lets long runs
 * and the heap's end empty. A dirty run that is too short is reused together with clean ground beside it:
 * docs/design/012.
 *
 * Invariant: live + dirty + purging + clean + holes + granule 0 == granules of the heap range.
 * Threads:   any; one lock, never held across madvise. */
#include "page/free_run.h"

/* A visit of page_purge_due() gives back a quarter of what is dirty for age alone, within these bounds. */
#define PURGE_VISIT_MIN ((size_t)1 << 20)
#define PURGE_VISIT_MAX ((size_t)16 << 20)

/* Rounds in which a request waits for other threads' purges, os_yield() long each: some milliseconds in all. */
enum { PATIENCE = 100 };

/* How long nothing is purged after the kernel has refused, but what a limit demands. */
enum { DISCOURAGED_MS = 500 };

/* What the bound on dirty ground allows: docs/design/009. */
#define DIRTY_SHARE 8 /* of the live bytes */
#define REUSE_SHARE 4 /* of the most that was live lately: no more of it is kept for its return */
#define REUSE_MIN ((size_t)32 << 20)

static struct os_lock run_lock = {.rank = LOCK_RUNS};

static struct {
    size_t purging;   /* bytes that threads are giving back right now: neither dirty nor clean */
    size_t committed; /* live runs and huge blocks, bytes */
    size_t peaks[2];  /* the most that was committed since peak_ms, and in the purge delay before that */
    uint32_t peak_ms;
    size_t holes; /* bytes */
    uint64_t purged;
    uint64_t purge_calls;
    uint64_t refused;
    uint32_t refused_ms; /* when the kernel last refused to take pages back, if it ever did */
    bool was_refused;
    bool was_tried; /* free_runs.keeps_content is known */
} runs;             /* guarded by run_lock, as free_runs is */

/* Take the lock. returns: false in a signal handler that interrupted this floor. Not out of order either, though it
 * were free: it is dropped for a while to purge, and has to be had again. */
static bool come_in(void) { return os_lock_may_wait(&run_lock) && os_lock_take(&run_lock); }

bool page_is_inside(void) { return !os_lock_may_wait(&run_lock); }

struct page_bounds page_bounds = {500, (size_t)8 << 20, SIZE_MAX, SIZE_MAX};

/* ---- Purging ---------------------------------------------------------------------------------------------------------------- */

/* Give the pages of [address, +bytes) back. `*keeps_content`: if it is to be learned, whether they do not read as zero
 * then. Called without the lock. */
static bool purge_pages(char *address, size_t bytes, bool learn, bool *keeps_content)
{
    volatile uint64_t *const probe = (volatile uint64_t *)address;

    if (learn)
        *probe = 1;
    if (os_purge(address, bytes) != 0)
        return false; /* locked pages, or no room for the kernel's records: larger, but correct */
    *keeps_content = learn && *probe != 0;
    return true;
}

/* Take at most `most` bytes of the oldest dirty run, which there is, out of everybody's reach. */
static granule_index detach_oldest(size_t most)
{
    const granule_index first = free_runs.oldest;
    struct free_run *const run = run_at(first);
    const granule_count length = run->length;
    const granule_count part = granules_for(most);

    free_run_leave(first);
    if (part.n < length.n) {
        free_run_enter(granule_after(first, part), (granule_count){length.n - part.n}, DIRTY, run->stamp_ms);
        run->length = part;
    }
    line_set_kind(&run->line, GRANULE_PURGING);
    run->purger = os_thread_pointer();
    runs.purging += granule_bytes(run->length);
    return first;
}

static void attach(granule_index first, enum run_state state)
{
    const granule_count length = run_at(first)->length;

    runs.purging -= granule_bytes(length);
    line_set_kind(&run_at(first)->line, GRANULE_NONE);
    free_run_enter_joined(first, length, state, free_runs.now_ms);
}

/* Give back at most `most` bytes of the oldest dirty run. Drops the lock meanwhile.
 * returns: bytes of the run dealt with, 0 when there is none. */
static size_t purge_oldest(size_t most, size_t *purged)
{
    if (free_runs.oldest.i == 0)
        return 0;
    const granule_index first = detach_oldest(most < PURGE_VISIT_MAX ? most : PURGE_VISIT_MAX); /* others wait for it */
    const size_t bytes = granule_bytes(run_at(first)->length);
    const bool learn = !runs.was_tried;
    bool keeps_content = false;

    os_lock_drop(&run_lock);
    const bool done = purge_pages(page_address(first), bytes, learn, &keeps_content);
    (void)os_lock_take(&run_lock); /* never refused: see come_in() */
    attach(first, done ? CLEAN : DIRTY);
    if (done) {
        runs.was_tried = true;
        free_runs.keeps_content |= keeps_content;
        runs.purged += bytes;
        *purged += bytes;
    } else {
        runs.was_refused = true;
        runs.refused_ms = free_runs.now_ms;
    }
    runs.purge_calls++;
    return bytes;
}

static bool is_discouraged(void) { return runs.was_refused && free_runs.now_ms - runs.refused_ms < DISCOURAGED_MS; }

static void count_committed(size_t bytes)
{
    runs.committed += bytes;
    runs.peaks[0] = runs.committed > runs.peaks[0] ? runs.committed : runs.peaks[0];
}

static void look_at_clock(uint64_t now_ms)
{
    free_runs.now_ms = (uint32_t)now_ms;
    if (free_runs.now_ms - runs.peak_ms < load_relaxed(&page_bounds.purge_delay_ms))
        return;
    runs.peak_ms = free_runs.now_ms;
    runs.peaks[1] = runs.peaks[0];
    runs.peaks[0] = runs.committed;
}

/* A share of what is live, and what was live a moment ago and may be so again: giving that back would not lower the
 * peak, and costs a fault for each page that returns. */
static size_t dirty_bound(void)
{
    if (runs.committed + free_runs.dirty > load_relaxed(&page_bounds.soft_limit))
        return 0;
    const size_t floor = load_relaxed(&page_bounds.dirty_floor);
    const size_t most = runs.peaks[0] > runs.peaks[1] ? runs.peaks[0] : runs.peaks[1];
    const size_t share = runs.committed / DIRTY_SHARE;
    const size_t gone = most - runs.committed;
    const size_t reuse_most = most / REUSE_SHARE > REUSE_MIN ? most / REUSE_SHARE : REUSE_MIN;
    const size_t kept = share > floor ? share : floor;
    const size_t reuse = gone < reuse_most ? gone : reuse_most;

    return kept > SIZE_MAX - reuse ? SIZE_MAX : kept + reuse;
}

static bool oldest_is_due(void)
{
    if (free_runs.oldest.i == 0)
        return false;
    const uint32_t age = free_runs.now_ms - run_at(free_runs.oldest)->stamp_ms;

    return age >= load_relaxed(&page_bounds.purge_delay_ms);
}

/* Purge `bytes` of dirty ground, the oldest first, each part once. returns: bytes given back. */
static size_t purge_bytes(size_t bytes)
{
    size_t purged = 0;

    while (bytes > 0) {
        const size_t part = purge_oldest(bytes, &purged);
        if (part == 0)
            break;
        bytes -= part < bytes ? part : bytes;
    }
    return purged;
}

/* Of what has been dirty for the delay, a quarter of all that is dirty: so much is gone in a second, however much it
 * was. */
static void purge_aged(void)
{
    const size_t quarter = free_runs.dirty / 4;
    const size_t most = quarter < PURGE_VISIT_MIN   ? PURGE_VISIT_MIN
                        : quarter > PURGE_VISIT_MAX ? PURGE_VISIT_MAX
                                                    : quarter;
    size_t purged = 0;

    for (size_t visit = 0; visit < most && oldest_is_due();)
        visit += purge_oldest(most - visit, &purged);
}

/* Somewhat more than the excess: a call to the kernel for every granule freed is dear. */
static void purge_excess(void)
{
    const size_t bound = dirty_bound();

    if (free_runs.dirty > bound && (bound == 0 || !is_discouraged()))
        (void)purge_bytes(free_runs.dirty - bound + PURGE_VISIT_MIN);
}

void page_purge_due(uint64_t now_ms)
{
    if (!come_in())
        return;
    look_at_clock(now_ms);
    if (!is_discouraged())
        purge_aged();
    purge_excess();
    os_lock_drop(&run_lock);
}

void page_purge_part(void *start, size_t bytes)
{
    const bool done = os_purge(start, bytes) == 0;

    if (!come_in())
        return;
    runs.purge_calls++;
    runs.purged += done ? bytes : 0;
    os_lock_drop(&run_lock);
}

size_t page_purge_all(void)
{
    size_t purged = 0;

    if (come_in()) {
        purged = purge_bytes(free_runs.dirty);
        os_lock_drop(&run_lock);
    }
    return purged;
}

/* ---- Limits ---------------------------------------------------------------------------------------------------------------- */

/* Let others go on, those who purge above all. */
static void step_aside(void)
{
    os_lock_drop(&run_lock);
    os_yield();
    (void)os_lock_take(&run_lock);
}

/* Whether `bytes` more fit under the hard limit, after purging what is in the way, and waiting a while for what others
 * are purging. May drop the lock in between; what it returns is true now. */
static bool make_room(size_t bytes)
{
    const size_t hard = load_relaxed(&page_bounds.hard_limit);

    for (int i = 0; i < PATIENCE; i++) {
        if (runs.committed > hard || bytes > hard - runs.committed)
            return false;
        const size_t room = hard - runs.committed - bytes;
        const size_t taken = free_runs.dirty + runs.purging;
        if (taken <= room)
            return true;
        if (free_runs.dirty == 0)
            step_aside();
        else if (purge_bytes(taken - room) == 0)
            return false; /* the kernel refuses */
    }
    return false;
}

bool page_commit(size_t bytes)
{
    if (!come_in())
        return false;
    const bool fits = make_room(bytes);
    if (fits) {
        count_committed(bytes);
        purge_excess();
    } else {
        runs.refused++;
    }
    os_lock_drop(&run_lock);
    return fits;
}

void page_uncommit(size_t bytes)
{
    if (come_in()) {
        runs.committed -= bytes;
        os_lock_drop(&run_lock);
    }
}

void page_uncommit_refused(size_t bytes)
{
    if (come_in()) {
        runs.committed -= bytes;
        runs.refused++;
        os_lock_drop(&run_lock);
    }
}

/* ---- Taking and giving --------------------------------------------------------------------------------------------------------- */

static bool open_ground(void)
{
    if (page_heap_range.mapped != 0)
        return true;
    if (!page_ground.is_started || !page_ground_open())
        return false; /* not started: a signal handler interrupted the start itself */
    const uint32_t granules = (uint32_t)(page_heap_range.mapped >> GRANULE_SHIFT);

    page_set_end(page_heap_range.mapped);
    line_set_kind(&run_at(NO_GRANULE)->line, GRANULE_HOLE);
    free_run_enter((granule_index){1}, (granule_count){granules - 1}, CLEAN, 0);
    return true;
}

bool page_open(void)
{
    if (!come_in())
        return false;
    const bool is_open = open_ground();
    os_lock_drop(&run_lock);
    return is_open;
}

/* Grow the range so that a run of `count` granules is free at its end. */
static bool grow(granule_count count)
{
    granule_index end = {(uint32_t)(page_heap_range.mapped >> GRANULE_SHIFT)};
    granule_count hole;
    const granule_count added = page_ground_grow(count, &hole);

    if (added.n == 0)
        return false;
    if (hole.n != 0) {
        line_set_kind(&run_at(end)->line, GRANULE_HOLE);
        end.i += hole.n;
        runs.holes += granule_bytes(hole);
    }
    free_run_enter_joined(end, added, CLEAN, free_runs.now_ms);
    return true;
}

/* The last resort: a clean run of at least `count` granules when all is purged, which joins dirty runs with clean ones,
 * and when other threads have brought back what they are purging. Many may be here at once: patience, not for ever. */
static granule_index find_by_purging(granule_count count, granule_count wanted)
{
    granule_index found = NO_GRANULE;

    for (int i = 0; i < PATIENCE; i++) {
        const bool any = purge_bytes(free_runs.dirty) > 0;
        if (!make_room(granule_bytes(wanted)))
            break;
        found = tree_fit(free_runs.trees[CLEAN], count);
        if (found.i != 0 || (!any && runs.purging == 0))
            break;
        step_aside();
    }
    return found;
}

/* A clean run of at least `count` granules; may grow the range. */
static granule_index find_clean(granule_count count, granule_count wanted)
{
    granule_index found = tree_fit(free_runs.trees[CLEAN], count);

    if (found.i == 0 && (grow(count) || (page_huge_release_kept() && grow(count))))
        found = tree_fit(free_runs.trees[CLEAN], count);
    return found.i != 0 ? found : find_by_purging(count, wanted);
}

static const struct page_run no_run;

/* Dirty ground first: a run that is long enough, then one with clean ground beside it. Clean ground is asked of the
 * limits; may grow the range. */
static struct page_run find_and_cut(granule_count count, size_t alignment)
{
    const granule_count slack = granules_for(alignment > GRANULE_BYTES ? alignment - GRANULE_BYTES : 0);
    const granule_count span = {count.n + slack.n};
    granule_index found = tree_fit(free_runs.trees[DIRTY], span);

    if (found.i == 0) {
        if (!make_room(granule_bytes(count)))
            return no_run;
        found = tree_fit(free_runs.trees[DIRTY], span); /* make_room() may have dropped the lock: look again */
    }
    if (found.i == 0 && slack.n == 0) {
        const granule_index extensible = free_run_extensible(count);
        if (extensible.i != 0)
            return free_run_cut_extended(extensible, count);
    }
    if (found.i == 0)
        found = find_clean(span, count);
    return found.i != 0 ? free_run_cut(found, count, alignment) : no_run;
}

struct page_run page_take(granule_count count, size_t alignment)
{
    struct page_run run = no_run;

    if (!come_in())
        return no_run;
    if (open_ground())
        run = find_and_cut(count, alignment);
    if (run.first.i != 0) {
        store_relaxed(&run_at(run.first)->line.owner, LINE_NOBODY);
        count_committed(granule_bytes(count));
    } else {
        runs.refused++;
    }
    os_lock_drop(&run_lock);
    return run;
}

static void give(granule_index first, granule_count count, uint32_t age_ms)
{
    if (!come_in())
        return; /* this thread was interrupted inside: the run is lost, nothing is damaged */
    line_set_kind(&run_at(first)->line, GRANULE_NONE);
    runs.committed -= granule_bytes(count);
    free_run_enter_joined(first, count, DIRTY, free_runs.now_ms - age_ms);
    purge_excess();
    os_lock_drop(&run_lock);
}

void page_give(granule_index first, granule_count count) { give(first, count, 0); }

void page_give_idle(granule_index first, granule_count count)
{
    give(first, count, (uint32_t)load_relaxed(&page_bounds.purge_delay_ms));
}

/* Take `more` granules off the front of the free run at `next`. */
static void take_front(granule_index next, granule_count more) { (void)free_run_cut(next, more, GRANULE_BYTES); }

bool page_extend(granule_index first, granule_count count, granule_count wanted)
{
    const granule_index next = granule_after(first, count);
    const granule_count more = {wanted.n - count.n};
    bool fits = false;

    if (!come_in())
        return false;
    if (page_holds(page_offset(page_address(next)))) {
        const struct free_run *const run = run_at(next);
        fits = line_kind(&run->line) == GRANULE_FREE && run->length.n >= more.n &&
               (run->line.state == DIRTY || make_room(granule_bytes(more)));
        /* make_room() may have dropped the lock: look again. */
        fits = fits && line_kind(&run->line) == GRANULE_FREE && run->length.n >= more.n;
    }
    if (fits) {
        take_front(next, more);
        count_committed(granule_bytes(more));
    }
    os_lock_drop(&run_lock);
    return fits;
}

/* ---- Fork, statistics ------------------------------------------------------------------------------------------------------- */

void page_fork_prepare(void)
{
    os_lock_fork_prepare(&run_lock, NULL);
    page_huge_fork_prepare();
}

void page_fork_parent(void)
{
    page_huge_fork_parent();
    os_lock_fork_parent(&run_lock);
}

/* Runs that other threads were giving back: who knows what they hold. The forking thread, in a signal handler that
 * interrupted it there, goes on with its own. */
static void recover_purging(void)
{
    const uint32_t end = page_granule_end().i;

    for (granule_index index = {1}; runs.purging != 0 && index.i < end; index.i++)
        if (line_kind(&run_at(index)->line) == GRANULE_PURGING && run_at(index)->purger != os_thread_pointer())
            attach(index, DIRTY);
}

bool page_fork_child(void)
{
    const bool huge_are_whole = page_huge_fork_child();
    const bool runs_are_whole = os_lock_fork_child(&run_lock);

    if (runs_are_whole && come_in()) { /* again: a handler may come */
        recover_purging();
        os_lock_drop(&run_lock);
    }
    return huge_are_whole && runs_are_whole;
}

void page_stats_read(struct page_stats *stats)
{
    page_huge_stats(stats);
    if (!come_in())
        return;
    stats->mapped += page_heap_range.mapped - runs.holes;
    /* relaxed: the heaps' range has another lock, and grows as it likes. */
    stats->metadata += page_table_range.mapped + load_relaxed(&page_heaps_range.mapped);
    stats->dirty = free_runs.dirty + runs.purging;
    stats->purged = runs.purged;
    stats->purge_calls = runs.purge_calls;
    stats->refused = runs.refused;
    os_lock_drop(&run_lock);
}
