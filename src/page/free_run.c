/* free_run.c: see free_run.h. */
#include "page/free_run.h"

struct free_runs free_runs;

/* ---- In the tree of their state, and in the list of dirty ones ------------------------------------------------------------- */

/* What has been dirty for longest goes first; everything else counts as just come, whatever its stamp: it waits a
 * little longer. */
static void list_dirty(granule_index index, uint32_t stamp_ms)
{
    struct free_run *const run = run_at(index);
    const bool is_oldest =
        free_runs.oldest.i != 0 && free_runs.now_ms - stamp_ms > free_runs.now_ms - run_at(free_runs.oldest)->stamp_ms;

    run->stamp_ms = stamp_ms;
    run->newer = is_oldest ? free_runs.oldest : NO_GRANULE;
    run->older = is_oldest ? NO_GRANULE : free_runs.newest;
    if (run->newer.i != 0)
        run_at(run->newer)->older = index;
    else
        free_runs.newest = index;
    if (run->older.i != 0)
        run_at(run->older)->newer = index;
    else
        free_runs.oldest = index;
    free_runs.dirty += granule_bytes(run->length);
}

static void unlist_dirty(granule_index index)
{
    const struct free_run *const run = run_at(index);

    if (run->older.i != 0)
        run_at(run->older)->newer = run->newer;
    else
        free_runs.oldest = run->newer;
    if (run->newer.i != 0)
        run_at(run->newer)->older = run->older;
    else
        free_runs.newest = run->older;
    free_runs.dirty -= granule_bytes(run->length);
}

void free_run_enter(granule_index index, granule_count length, enum run_state state, uint32_t stamp_ms)
{
    struct free_run *const run = run_at(index);
    struct free_run *const tail = run_at((granule_index){index.i + length.n - 1});

    line_set_kind(&tail->line, GRANULE_FREE_TAIL);
    tail->head = index;
    tail->line.state = (uint8_t)state;
    store_relaxed(&run->line.owner, LINE_NOBODY);
    line_set_kind(&run->line, GRANULE_FREE); /* last: a run of one granule is its own tail */
    run->line.state = (uint8_t)state;
    run->length = length;
    run->head = index;
    tree_insert(&free_runs.trees[state], index);
    if (state == DIRTY)
        list_dirty(index, stamp_ms);
}

void free_run_leave(granule_index index)
{
    struct free_run *const run = run_at(index);

    tree_remove(&free_runs.trees[run->line.state], index);
    if (run->line.state == DIRTY)
        unlist_dirty(index);
    line_set_kind(&run_at((granule_index){index.i + run->length.n - 1})->line, GRANULE_NONE);
    line_set_kind(&run->line, GRANULE_NONE);
}

/* A free run; none has length 0. */
struct neighbour {
    granule_index first;
    granule_count length;
};

/* The free run of `state` that starts at `index`. */
static struct neighbour free_after(granule_index index, enum run_state state)
{
    struct neighbour found = {0};

    if (page_holds(page_offset(page_address(index)))) {
        const struct free_run *const run = run_at(index);
        if (line_kind(&run->line) == GRANULE_FREE && run->line.state == state)
            found = (struct neighbour){index, run->length};
    }
    return found;
}

/* The free run of `state` that ends at `index`. */
static struct neighbour free_before(granule_index index, enum run_state state)
{
    const struct free_run *const last = run_at((granule_index){index.i - 1});
    const bool is_free = line_kind(&last->line) == GRANULE_FREE || line_kind(&last->line) == GRANULE_FREE_TAIL;

    if (!is_free || last->line.state != state)
        return (struct neighbour){0};
    return (struct neighbour){last->head, run_at(last->head)->length};
}

/* The later of two moments: when the dirty run of `neighbour` became dirty, and `stamp_ms`. */
static uint32_t younger(uint32_t stamp_ms, struct neighbour neighbour)
{
    if (neighbour.length.n == 0)
        return stamp_ms;
    const uint32_t other_ms = run_at(neighbour.first)->stamp_ms;

    return free_runs.now_ms - other_ms < free_runs.now_ms - stamp_ms ? other_ms : stamp_ms;
}

void free_run_enter_joined(granule_index first, granule_count length, enum run_state state, uint32_t stamp_ms)
{
    const struct neighbour after = free_after(granule_after(first, length), state);
    const struct neighbour before = free_before(first, state);

    if (state == DIRTY) /* a run is as old as its youngest part */
        stamp_ms = younger(younger(stamp_ms, after), before);
    if (after.length.n != 0) {
        length.n += after.length.n;
        free_run_leave(after.first);
    }
    if (before.length.n != 0) {
        length.n += before.length.n;
        free_run_leave(before.first);
        first = before.first;
    }
    free_run_enter(first, length, state, stamp_ms);
}

/* ---- Cutting -------------------------------------------------------------------------------------------------------------------- */

struct page_run free_run_cut(granule_index found, granule_count count, size_t alignment)
{
    const enum run_state state = run_at(found)->line.state;
    const granule_count length = run_at(found)->length;
    const uint32_t stamp_ms = run_at(found)->stamp_ms;
    const uintptr_t start = (uintptr_t)page_address(found);
    const granule_count lead = granules_for(round_up(start, alignment) - start);
    const granule_index first = granule_after(found, lead);
    const granule_count rest = {length.n - lead.n - count.n};

    free_run_leave(found);
    if (lead.n != 0)
        free_run_enter(found, lead, state, stamp_ms);
    if (rest.n != 0)
        free_run_enter(granule_after(first, count), rest, state, stamp_ms);
    if (state == CLEAN && !free_runs.keeps_content)
        return (struct page_run){.first = first, .used = first};
    return (struct page_run){first, first, count};
}

/* The clean run beside the dirty one at `index`, `least` granules or more. */
static struct neighbour clean_beside(granule_index index, uint32_t least)
{
    const struct neighbour after = free_after(granule_after(index, run_at(index)->length), CLEAN);

    return after.length.n >= least ? after : free_before(index, CLEAN);
}

granule_index free_run_extensible(granule_count count)
{
    enum { LOOKS = 32 };
    granule_index best = NO_GRANULE;
    uint32_t best_length = 0;
    granule_index index = free_runs.oldest;

    for (int i = 0; i < LOOKS && index.i != 0; i++, index = run_at(index)->newer) {
        const uint32_t length = run_at(index)->length.n;
        const bool is_longer = length > best_length && length < count.n;
        if (is_longer && clean_beside(index, count.n - length).length.n >= count.n - length) {
            best = index;
            best_length = length;
        }
    }
    return best;
}

struct page_run free_run_cut_extended(granule_index found, granule_count count)
{
    const granule_count length = run_at(found)->length;
    const granule_count missing = {count.n - length.n};
    const struct neighbour clean = clean_beside(found, missing.n);
    const bool is_after = clean.first.i > found.i;
    const granule_count rest = {clean.length.n - missing.n};
    const granule_index first = {is_after ? found.i : found.i - missing.n};

    ASSERT(length.n < count.n && clean.length.n >= missing.n);
    free_run_leave(found);
    free_run_leave(clean.first);
    if (rest.n != 0)
        free_run_enter(is_after ? granule_after(clean.first, missing) : clean.first, rest, CLEAN, 0);
    return free_runs.keeps_content ? (struct page_run){first, first, count} : (struct page_run){first, found, length};
}
