/* pages.c: the pages that the processes of one run left, read, checked and added up.
 *
 *   DIR/4711    python3, made by exec        \
 *   DIR/4712    sh, made by fork              >  one struct process each, and one sum
 *   DIR/4712.1  cc, which sh became by exec  /
 *
 * A page is taken in once, when its program has ended or the process has become another program; then its file goes.
 *
 * The pages come from programs that may be broken or worse: each is read whole into our own memory, checked, and only
 * then believed. Never mapped: a file cut short would kill us by SIGBUS. */
#include "pages.h"

#include "clean.h"
#include "../src/prof/status_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTER_MAX (UINT64_C(1) << 56) /* more than any program can count: the page is damaged */

/* ---- One page ---- */

/* A file of the directory that is named like a page. */
struct entry {
    int pid;
    char name[32];
};

static bool counters_are_sane(const struct ashlar_stats *stats)
{
    const uint64_t counters[] = {stats->allocations,       stats->frees,
                                 stats->remote_frees,      stats->live_blocks,
                                 stats->live_bytes,        stats->peak_active_bytes,
                                 stats->large_allocations, stats->huge_allocations,
                                 stats->purged_bytes,      stats->purge_calls,
                                 stats->foreign_frees,     stats->dropped_frees,
                                 stats->unproved_frees,    stats->refused_mappings,
                                 stats->active_bytes};

    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (counters[i] > COUNTER_MAX)
            return false;
    for (size_t i = 0; i < ASHLAR_STATS_CLASSES; i++)
        if (stats->classes[i].allocations > COUNTER_MAX || stats->classes[i].block_bytes > COUNTER_MAX)
            return false;
    return true;
}

static bool page_is_sane(const struct status_page *page, int pid)
{
    return atomic_load_explicit(&page->magic, memory_order_relaxed) == STATUS_MAGIC && page->layout == STATUS_LAYOUT &&
           page->bytes == sizeof *page && page->pid == pid && page->parent_pid >= 0 &&
           (page->reason == STATUS_EXEC || page->reason == STATUS_FORK) &&
           memchr(page->program, '\0', sizeof page->program) != NULL &&
           memchr(page->argument, '\0', sizeof page->argument) != NULL && counters_are_sane(&page->at_start) &&
           counters_are_sane(&page->copies[0]) && counters_are_sane(&page->copies[1]);
}

/* Read a whole page. If its process still publishes, a copy may change under our hands: then again.
 * acquire side of the writer's releases: read(2) of a shared mapping is ordered by the kernel's copy. */
static bool page_read_file(int file, struct status_page *page)
{
    enum { ATTEMPTS = 100 };
    struct stat facts;

    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size != (off_t)sizeof *page)
        return false;
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t after;

        if (pread(file, page, sizeof *page, 0) != (ssize_t)sizeof *page ||
            pread(file, &after, sizeof after, offsetof(struct status_page, sequence)) != (ssize_t)sizeof after)
            return false;
        if (after == atomic_load_explicit(&page->sequence, memory_order_relaxed))
            return true;
    }
    return false;
}

static bool page_read(int directory, const struct entry *entry, struct status_page *page)
{
    const int file = openat(directory, entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool whole = file >= 0 && page_read_file(file, page);

    if (file >= 0)
        (void)close(file);
    return whole && page_is_sane(page, entry->pid);
}

/* A process makes its file, and then asks the file system for the room. */
static bool is_empty(int directory, const struct entry *entry)
{
    struct stat facts;

    return fstatat(directory, entry->name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode) &&
           facts.st_size == 0;
}

/* The figures in force. Before the first publication that is what the program started with. */
static const struct ashlar_stats *current_figures(const struct status_page *page)
{
    const uint64_t sequence = atomic_load_explicit(&page->sequence, memory_order_relaxed);

    return sequence == 0 ? &page->at_start : &page->copies[sequence & 1];
}

/* ---- Adding up ---- */

/* What a counter gained since the start. It never falls, but a damaged page may say so. */
static uint64_t gain(uint64_t now, uint64_t start) { return now > start ? now - start : 0; }

/* A forked child inherits its parent's peak. Until it goes higher, all that is known of its own is what it held at the
 * start and holds now. */
static uint64_t own_peak(const struct ashlar_stats *now, const struct ashlar_stats *start)
{
    if (now->peak_active_bytes > start->peak_active_bytes)
        return now->peak_active_bytes;
    return now->active_bytes > start->active_bytes ? now->active_bytes : start->active_bytes;
}

static void add_classes(struct totals *totals, const struct ashlar_stats *now, const struct ashlar_stats *start)
{
    for (size_t i = 0; i < ASHLAR_STATS_CLASSES; i++) {
        totals->classes[i].block_bytes = now->classes[i].block_bytes;
        totals->classes[i].allocations += gain(now->classes[i].allocations, start->classes[i].allocations);
    }
}

static void add_totals(struct totals *totals, const struct status_page *page)
{
    const struct ashlar_stats *const now = current_figures(page);
    const struct ashlar_stats *const start = &page->at_start;

    totals->allocations += gain(now->allocations, start->allocations);
    totals->frees += gain(now->frees, start->frees);
    totals->remote_frees += gain(now->remote_frees, start->remote_frees);
    totals->large_allocations += gain(now->large_allocations, start->large_allocations);
    totals->huge_allocations += gain(now->huge_allocations, start->huge_allocations);
    totals->purged_bytes += gain(now->purged_bytes, start->purged_bytes);
    totals->purge_calls += gain(now->purge_calls, start->purge_calls);
    totals->foreign_frees += gain(now->foreign_frees, start->foreign_frees);
    totals->dropped_frees += gain(now->dropped_frees, start->dropped_frees);
    totals->unproved_frees += gain(now->unproved_frees, start->unproved_frees);
    totals->refused_mappings += gain(now->refused_mappings, start->refused_mappings);
    totals->reports += atomic_load_explicit(&page->reports, memory_order_relaxed);
    if (now->classes[0].block_bytes != 0) /* zero in a page that was never published */
        add_classes(totals, now, start);
}

static void describe(struct process *process, struct status_page *page, enum page_end end)
{
    const struct ashlar_stats *const now = current_figures(page);

    page->last_report[sizeof page->last_report - 1] = '\0';
    *process = (struct process){
        .pid = page->pid,
        .parent_pid = page->parent_pid,
        .forked = page->reason == STATUS_FORK,
        .end = atomic_load_explicit(&page->final, memory_order_relaxed) != 0 ? PAGE_EXITED : end,
        .started_ns = page->started_ns,
        .published = atomic_load_explicit(&page->sequence, memory_order_relaxed) != 0,
        .published_ns = atomic_load_explicit(&page->published_ns, memory_order_relaxed),
        .program = strdup(page->program),
        .argument = strdup(page->argument),
        .peak_bytes = own_peak(now, &page->at_start),
        .live_bytes = now->live_bytes,
        .live_blocks = now->live_blocks,
        .allocations = gain(now->allocations, page->at_start.allocations),
        .frees = gain(now->frees, page->at_start.frees),
        .reports = atomic_load_explicit(&page->reports, memory_order_relaxed),
        .last_report = page->last_report[0] != '\0' ? strdup(page->last_report) : NULL,
    };
    if (process->published_ns < process->started_ns)
        process->published_ns = process->started_ns;
}

static void process_free(struct process *process)
{
    free(process->program);
    free(process->argument);
    free(process->last_report);
}

/* Room for one more. returns: NULL without memory. */
static struct process *list_grow(struct pages *pages)
{
    if (pages->count == pages->room) {
        const size_t room = pages->room > 0 ? 2 * pages->room : 16;
        struct process *const list = reallocarray(pages->list, room, sizeof *list);

        if (list == NULL)
            return NULL;
        pages->list = list;
        pages->room = room;
    }
    return &pages->list[pages->count];
}

/* Take in the page behind `entry`, and remove the file. */
static void take(struct pages *pages, const struct entry *entry, enum page_end end)
{
    struct status_page page;
    struct process *process;
    const bool empty = is_empty(pages->directory, entry);
    const bool good = !empty && page_read(pages->directory, entry, &page);

    if (unlinkat(pages->directory, entry->name, 0) != 0)
        return; /* a directory, or gone: to be counted once, a page must go */
    pages->unmade += empty;
    pages->unreadable += !empty && !good;
    if (!good)
        return;
    add_totals(&pages->totals, &page);
    process = list_grow(pages);
    if (process == NULL) {
        pages->unseen++;
        return;
    }
    describe(process, &page, end);
    if (process->program != NULL && process->argument != NULL) {
        pages->count++;
    } else {
        process_free(process);
        pages->unseen++;
    }
}

/* ---- The directory ---- */

/* Whether `name` is a page's: PID or PID.N. */
static bool read_entry(const char *name, struct entry *entry)
{
    char *end;
    long pid;

    if (name[0] < '1' || name[0] > '9' || strlen(name) >= sizeof entry->name)
        return false;
    errno = 0;
    pid = strtol(name, &end, 10);
    if (errno != 0 || pid > INT32_MAX ||
        !(*end == '\0' || (*end == '.' && strspn(end + 1, "0123456789") == strlen(end + 1))))
        return false;
    entry->pid = (int)pid;
    memcpy(entry->name, name, strlen(name) + 1);
    return true;
}

/* All pages in the directory. returns: their number; *entries is to be freed. */
static size_t list_entries(int where, struct entry **entries)
{
    enum { STEP = 64 };
    const int descriptor = openat(where, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    struct dirent *file;
    size_t count = 0;

    *entries = NULL;
    if (directory == NULL)
        return 0;
    while ((file = readdir(directory)) != NULL) {
        if (count % STEP == 0) {
            struct entry *const more = reallocarray(*entries, count + STEP, sizeof *more);
            if (more == NULL)
                break;
            *entries = more;
        }
        count += read_entry(file->d_name, &(*entries)[count]);
    }
    (void)closedir(directory);
    return count;
}

static bool is_alive(int pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

/* Take in the pages of processes that have ended, or with `all` those of living ones too. */
static void scan(struct pages *pages, bool all)
{
    struct entry *entries;
    const size_t count = list_entries(pages->directory, &entries);

    for (size_t i = 0; i < count; i++) {
        const bool alive = is_alive(entries[i].pid);

        if (all || !alive)
            take(pages, &entries[i], alive ? PAGE_RUNNING : PAGE_CUT);
    }
    free(entries);
}

void pages_clear(struct pages *pages) { scan(pages, false); }

/* ---- The finished list ---- */

static int by_start(const void *a, const void *b)
{
    const struct process *const left = a;
    const struct process *const right = b;

    return (left->started_ns > right->started_ns) - (left->started_ns < right->started_ns);
}

static int by_pid_and_start(const void *a, const void *b)
{
    const struct process *const left = a;
    const struct process *const right = b;

    return left->pid != right->pid ? (left->pid > right->pid) - (left->pid < right->pid) : by_start(a, b);
}

/* A program that was followed by another one made by exec in the same process has become that one. */
static void tell_execs(struct pages *pages)
{
    for (size_t i = 0; i + 1 < pages->count; i++) {
        struct process *const process = &pages->list[i];
        const struct process *const next = &pages->list[i + 1];

        if (process->pid == next->pid && !next->forked && process->end != PAGE_EXITED)
            process->end = PAGE_EXECED;
    }
}

void pages_finish(struct pages *pages)
{
    scan(pages, true);
    if (pages->count == 0)
        return;
    qsort(pages->list, pages->count, sizeof *pages->list, by_pid_and_start);
    tell_execs(pages);
    qsort(pages->list, pages->count, sizeof *pages->list, by_start);
}

const struct process *pages_last_of(const struct pages *pages, int pid)
{
    for (size_t i = pages->count; i > 0; i--)
        if (pages->list[i - 1].pid == pid)
            return &pages->list[i - 1];
    return NULL;
}

const struct process *pages_highest(const struct pages *pages)
{
    const struct process *highest = NULL;

    for (size_t i = 0; i < pages->count; i++)
        if (pages->list[i].published && (highest == NULL || pages->list[i].peak_bytes > highest->peak_bytes))
            highest = &pages->list[i];
    return highest;
}

const char *process_name(const struct process *process)
{
    const char *const name = clean_base(process->argument);

    return *name != '\0' ? name : clean_base(process->program);
}

void pages_free(struct pages *pages)
{
    for (size_t i = 0; i < pages->count; i++)
        process_free(&pages->list[i]);
    free(pages->list);
    pages->list = NULL;
    pages->count = pages->room = 0;
}
