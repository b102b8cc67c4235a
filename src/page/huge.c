/* huge.c: blocks with mappings of their own, in a table sorted by address.
 *
 *   unmapped --take--> live --give--> freed (no access, no memory, still ours) --take--> live
 *                        |                      |
 *                     resize: mremap            +--the oldest, when too much is kept--> unmapped
 *
 * A freed range is kept without access so that a second free is named, a late access stops at once, and a request of
 * about the same size is served by one mprotect. What is kept never exceeds the most that was live; nothing is kept
 * under RLIMIT_AS.
 *
 * Threads: any; one lock, held across mremap (which moves page tables, not pages). May be taken under the runs' lock,
 * never the other way round. */
#include "page/ground.h"

/* A state of records that nobody else sees: freed, but the kernel did not take it back. */
enum { HUGE_LOST = HUGE_FREED + 1 };

static struct os_lock huge_lock = {.rank = LOCK_HUGE};

static struct {
    size_t count; /* of records in the table */
    uint64_t taken;
    uint64_t live;
    size_t live_bytes;
    size_t live_bytes_most;
    size_t kept_bytes;  /* of freed ones */
    uint32_t kept_next; /* the order in which they were freed: heap of a freed record is its number */
} huge;                 /* guarded by huge_lock */

/* Odd while somebody changes the table: for page_huge_peek(). */
static _Atomic uint32_t changes;

struct page_huge_span page_huge_span; /* written under huge_lock */

/* ---- The table -------------------------------------------------------------------------------------------------------------- */

/* Sorted by start; live and freed ones. In a range of its own: what runs over a huge block must not meet it. */
static struct page_huge *table(void) { return (struct page_huge *)page_huges_range.base; }

/* What page_huge_peek() does, too, without the lock: the thread sanitizer does not know of `changes`. */
#define PEEKS __attribute__((no_sanitize("thread")))

/* Number of records that start at or below `address`. */
PEEKS static size_t records_up_to(uintptr_t address)
{
    size_t low = 0;
    size_t high = huge.count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (table()[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What others may know of a record. */
PEEKS static struct page_huge shown(const struct page_huge *record)
{
    struct page_huge seen = *record;

    seen.state = seen.state == HUGE_LOST ? HUGE_FREED : seen.state;
    return seen;
}

/* The record at `position` less one, if `address` lies in it, or NULL. */
PEEKS static struct page_huge *record_before(size_t position, uintptr_t address)
{
    struct page_huge *const record = position > 0 ? &table()[position - 1] : NULL;

    return record != NULL && address - record->start < record->bytes ? record : NULL;
}

/* The record that `address` lies in, or NULL. */
static struct page_huge *record_of(uintptr_t address) { return record_before(records_up_to(address), address); }

/* Make room for one more record. */
static bool table_has_room(void)
{
    return page_range_grow(&page_huges_range, (huge.count + 1) * sizeof(struct page_huge), TABLE_STEP);
}

static void widen_span(uintptr_t start, uintptr_t end)
{
    if (load_relaxed(&page_huge_span.end) == 0 || start < load_relaxed(&page_huge_span.start))
        store_relaxed(&page_huge_span.start, start);
    if (end > load_relaxed(&page_huge_span.end))
        store_relaxed(&page_huge_span.end, end);
}

/* The table has room. */
static void record_insert(struct page_huge record)
{
    const size_t position = records_up_to(record.start);

    widen_span(record.start, record.start + record.bytes);

    for (size_t i = huge.count; i > position; i--)
        table()[i] = table()[i - 1];
    table()[position] = record;
    huge.count++;
}

static void record_remove(const struct page_huge *record)
{
    huge.count--;
    for (size_t i = (size_t)(record - table()); i < huge.count; i++)
        table()[i] = table()[i + 1];
}

static void count_live(size_t bytes)
{
    huge.live++;
    huge.live_bytes += bytes;
    huge.live_bytes_most = huge.live_bytes > huge.live_bytes_most ? huge.live_bytes : huge.live_bytes_most;
}

/* As os_lock_take() and os_lock_drop(), for who changes the table. Whatever a fork in the middle of a change has left
 * in the child, the number is right from the next change on. */
static bool begin_change(void)
{
    if (!os_lock_take(&huge_lock))
        return false;
    store_relaxed(&changes, load_relaxed(&changes) | 1);
    /* release: the number is odd before the first store to the table; pairs with the acquire fence in page_huge_peek().
     */
    atomic_thread_fence(memory_order_release);
    return true;
}

static void end_change(void)
{
    /* release: the number is even after the last store; pairs with the acquire in page_huge_peek(). */
    store_release(&changes, load_relaxed(&changes) + 1);
    os_lock_drop(&huge_lock);
}

/* ---- Freed ranges that are kept ------------------------------------------------------------------------------------------------ */

static struct page_huge *oldest_kept(void)
{
    struct page_huge *oldest = NULL;

    for (size_t i = 0; i < huge.count; i++) {
        struct page_huge *const record = &table()[i];
        if (record->state == HUGE_FREED &&
            (oldest == NULL || huge.kept_next - record->heap > huge.kept_next - oldest->heap))
            oldest = record;
    }
    return oldest;
}

/* Unmap freed ranges, the oldest first, until `most` bytes of them are left. returns: whether any was unmapped. */
static bool keep_at_most(size_t most)
{
    bool any = false;

    while (huge.kept_bytes > most) {
        struct page_huge *const record = oldest_kept();
        if (os_unmap((void *)record->start, record->bytes) != 0)
            break; /* no room for the kernel's records: it stays ours, and empty */
        huge.kept_bytes -= record->bytes;
        record_remove(record);
        any = true;
    }
    return any;
}

/* A kept range of `bytes` bytes or up to a quarter more, cut to size and opened up; NULL when there is none. */
static struct page_huge *reuse_kept(size_t bytes, size_t alignment)
{
    for (size_t i = 0; i < huge.count; i++) {
        struct page_huge *const record = &table()[i];
        if (record->state != HUGE_FREED || record->bytes < bytes || record->bytes - bytes > bytes / 4 ||
            record->start % alignment != 0)
            continue;
        const size_t excess = record->bytes - bytes;
        if (excess != 0 && os_unmap((void *)(record->start + bytes), excess) != 0)
            continue;
        huge.kept_bytes -= excess;
        record->bytes = bytes;
        if (os_open_up((void *)record->start, bytes) != 0)
            return NULL; /* no memory: a fresh mapping would be refused too */
        huge.kept_bytes -= bytes;
        return record;
    }
    return NULL;
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------------------- */

/* Map `bytes` bytes at a multiple of `alignment`, a page or more. */
static uintptr_t map_aligned(size_t bytes, size_t alignment)
{
    const size_t slack = alignment > page_ground.page_bytes ? alignment : 0;
    const uintptr_t start = (uintptr_t)os_map(NULL, bytes + slack, NULL);

    if (start == 0 || slack == 0)
        return start;
    const uintptr_t aligned = round_up(start, alignment);
    const uintptr_t end = start + bytes + slack;

    /* A trim that is refused leaves address space behind that costs nothing. */
    if (aligned > start)
        (void)os_unmap((void *)start, aligned - start);
    if (end > aligned + bytes)
        (void)os_unmap((void *)(aligned + bytes), end - aligned - bytes);
    return aligned;
}

static struct page_huge *map_new(size_t bytes, size_t alignment)
{
    if (!table_has_room())
        return NULL;
    uintptr_t start = map_aligned(bytes, alignment);

    if (start == 0 && keep_at_most(0))
        start = map_aligned(bytes, alignment);
    if (start == 0)
        return NULL;
    record_insert((struct page_huge){start, bytes, 0, HUGE_LIVE});
    return record_of(start);
}

void *page_huge_take(size_t bytes, size_t alignment, uint32_t heap)
{
    void *block = NULL;

    if (alignment > REQUEST_BYTES_MAX / 2 || bytes > REQUEST_BYTES_MAX - alignment - page_ground.page_bytes)
        return NULL;
    bytes = round_up(bytes, page_ground.page_bytes);
    if (!page_commit(bytes))
        return NULL;
    if (begin_change()) {
        struct page_huge *record = reuse_kept(bytes, alignment);
        if (record == NULL)
            record = map_new(bytes, alignment);
        if (record != NULL) {
            record->heap = heap;
            record->state = HUGE_LIVE;
            huge.taken++;
            count_live(bytes);
            block = (void *)record->start;
        }
        end_change();
    }
    if (block == NULL)
        page_uncommit_refused(bytes);
    return block;
}

struct page_huge page_huge_find(const void *address)
{
    struct page_huge found = {0};
    const bool takes =
        os_lock_take(&huge_lock); /* refused in a signal handler, which looks all the same: at worst it misses */
    const struct page_huge *const record = record_of((uintptr_t)address);

    if (record != NULL)
        found = shown(record);
    if (takes)
        os_lock_drop(&huge_lock);
    return found;
}

/* Whether records_up_to() is `position` where there are `count` records. */
PEEKS static bool is_position(size_t position, size_t count, uintptr_t address)
{
    return position <= count && (position == 0 || table()[position - 1].start <= address) &&
           (position == count || table()[position].start > address);
}

/* records_up_to(), which is not searched for where one of the two that this thread asked for before is right: of target
 * and source of a copy, one may lie in a huge block, or both on a stack between two of them, again and again. */
PEEKS static size_t records_up_to_again(uintptr_t address)
{
    static __thread uint32_t asked[2] __attribute__((tls_model("initial-exec")));
    /* Read once: others may be changing it, and the record behind the last may be the end of the mapping. */
    const size_t count = *(const volatile size_t *)&huge.count;

    for (int i = 0; i < 2; i++)
        if (is_position(asked[i], count, address))
            return asked[i];
    asked[0] = asked[1];
    return asked[1] = (uint32_t)records_up_to(address);
}

PEEKS struct page_huge page_huge_peek(const void *address)
{
    /* acquire: the table is read after the number; pairs with the release in end_change(). */
    const uint32_t before = load_acquire(&changes);
    struct page_huge found = {0};

    if (huge.count == 0 || before % 2 != 0)
        return found;
    const struct page_huge *const record = record_before(records_up_to_again((uintptr_t)address), (uintptr_t)address);
    if (record != NULL)
        found = shown(record);
    /* acquire: the number is read again after the table; pairs with the fence in begin_change(). */
    atomic_thread_fence(memory_order_acquire);
    return load_relaxed(&changes) == before ? found : (struct page_huge){0};
}

/* Take the memory, and keep the address range if the kernel can. */
static void retire(struct page_huge *record)
{
    void *const start = (void *)record->start;
    const size_t bytes = record->bytes;

    if (page_ground.short_of_space && os_unmap(start, bytes) == 0) {
        record_remove(record);
        return;
    }
    if (os_map_nothing(start, bytes) == NULL) {
        if (os_unmap(start, bytes) == 0)
            record_remove(record);
        else
            record->state = HUGE_LOST; /* refused both: it stays mapped, and is never used again */
        return;
    }
    record->state = HUGE_FREED;
    record->heap = huge.kept_next++;
    huge.kept_bytes += bytes;
    (void)keep_at_most(huge.live_bytes_most);
}

struct page_huge page_huge_give(void *block)
{
    struct page_huge found = {0};

    if (!begin_change())
        return found;
    struct page_huge *const record = record_of((uintptr_t)block);
    if (record != NULL)
        found = shown(record);
    const bool ends = found.state == HUGE_LIVE && found.start == (uintptr_t)block;
    if (ends) {
        huge.live--;
        huge.live_bytes -= found.bytes;
        record->heap = 0;
        retire(record);
    }
    end_change();
    if (ends)
        page_uncommit(found.bytes);
    return found;
}

/* Resize the block at `start`. returns: its new address, 0 when refused, or when another thread has freed it. */
static uintptr_t remap(uintptr_t start, size_t bytes)
{
    struct page_huge *const record = record_of(start);

    if (record == NULL || record->state != HUGE_LIVE || record->start != start)
        return 0;
    struct page_huge moved = *record;
    if (bytes > record->bytes)
        moved.start = (uintptr_t)os_remap((void *)record->start, record->bytes, bytes);
    else if (bytes < record->bytes && os_unmap((void *)(record->start + bytes), record->bytes - bytes) != 0)
        return 0;
    if (moved.start == 0)
        return 0;
    huge.live--;
    huge.live_bytes -= record->bytes;
    record_remove(record);
    moved.bytes = bytes;
    record_insert(moved);
    count_live(bytes);
    return moved.start;
}

void *page_huge_resize(void *block, size_t bytes)
{
    const struct page_huge before = page_huge_find(block);
    uintptr_t moved = 0;

    if (bytes > REQUEST_BYTES_MAX - page_ground.page_bytes)
        return NULL;
    bytes = round_up(bytes, page_ground.page_bytes);
    if (bytes > before.bytes && !page_commit(bytes - before.bytes))
        return NULL;
    if (begin_change()) {
        moved = remap((uintptr_t)block, bytes);
        if (moved == 0 && keep_at_most(0))
            moved = remap((uintptr_t)block, bytes);
        end_change();
    }
    if (moved == 0 && bytes > before.bytes)
        page_uncommit_refused(bytes - before.bytes);
    if (moved != 0 && bytes < before.bytes)
        page_uncommit(before.bytes - bytes);
    return (void *)moved;
}

struct page_huge page_huge_any_of(uint32_t heap)
{
    struct page_huge found = {0};

    if (!os_lock_take(&huge_lock))
        return found;
    for (size_t i = 0; i < huge.count && found.state == HUGE_UNKNOWN; i++)
        if (table()[i].state == HUGE_LIVE && table()[i].heap == heap)
            found = table()[i];
    os_lock_drop(&huge_lock);
    return found;
}

bool page_huge_release_kept(void)
{
    if (!begin_change())
        return false;
    const bool any = keep_at_most(0);
    end_change();
    return any;
}

/* ---- Fork, statistics ----------------------------------------------------------------------------------------------------- */

void page_huge_fork_prepare(void) { os_lock_fork_prepare(&huge_lock, NULL); }

void page_huge_fork_parent(void) { os_lock_fork_parent(&huge_lock); }

bool page_huge_fork_child(void) { return os_lock_fork_child(&huge_lock); }

void page_huge_stats(struct page_stats *stats)
{
    if (!os_lock_take(&huge_lock))
        return;
    stats->huge_taken = huge.taken;
    stats->huge_live = huge.live;
    stats->huge_live_bytes = huge.live_bytes;
    stats->mapped = huge.live_bytes;
    stats->metadata = page_huges_range.mapped;
    os_lock_drop(&huge_lock);
}
