/* status.c: this process's figures in a file that `ashlar run` reads.
 *
 *   constructor --> DIR/PID    made once, mapped, descriptor closed again: programs count their descriptors
 *   slow paths  --> figures    at most every 50 ms
 *   way out     --> figures    and `final`, by way of libashlar-status.so
 *   fork        --> DIR/CHILD  the child's own; it never sees the parent's, which is MADV_DONTFORK
 *
 * Off unless option `status` names a directory. Whatever fails here fails silently: there is no page then, and the
 * program runs on. Nothing is ever read back from the page but its own locks and counters.
 *
 * Invariant: `status.page` is NULL, or mapped in the process whose id is `status.pid`. A child of vfork or of a raw
 * clone has the pointer without the mapping, or not its own; it is told by its process id. Threads:   any, and signal
 * handlers. A writer that finds another one at work leaves it to that one. */
#include "prof/prof.h"
#include "prof/status_page.h"
#include "base/atomics.h"
#include "base/format.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>

enum {
    PUBLISH_EVERY_MS = 50,
    NAMES_TRIED = 100,       /* programs that one process may become between two clearings by the command */
    WRITER_PATIENCE = 20000, /* looks at `writing` before the last publication gives up: some 100 microseconds */
};

static struct {
    _Atomic(struct status_page *) page;
    _Atomic uint64_t due_ms;           /* no publication before this, but the last one */
    int pid;                           /* whose page it is; written before `page` */
    char directory[STATUS_PATH_BYTES]; /* empty: off. A copy: the program may change its environment */
    char program[STATUS_PATH_BYTES];
    char argument[STATUS_ARGUMENT_BYTES];
} status;

/* Open a file of its own for this program: DIR/PID, or DIR/PID.1, .2, ... when the process was another program before.
 * returns: a descriptor, or below 0. */
static int file_create(int pid)
{
    char path[STATUS_PATH_BYTES + 24];
    int descriptor = -EEXIST;

    for (unsigned attempt = 0; descriptor == -EEXIST && attempt < NAMES_TRIED; attempt++) {
        struct text text = {.at = path, .room = sizeof path};
        text_put(&text, status.directory);
        text_put_char(&text, '/');
        text_put_decimal(&text, (uint64_t)pid);
        if (attempt > 0) {
            text_put_char(&text, '.');
            text_put_decimal(&text, attempt);
        }
        descriptor = os_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    return descriptor;
}

/* Map a new page for this process. returns: NULL when anything was refused. */
static struct status_page *page_map(int pid)
{
    const int descriptor = file_create(pid);
    struct status_page *page = NULL;

    if (descriptor < 0)
        return NULL;
    if (os_truncate(descriptor, sizeof *page) == 0)
        page = os_map_file(descriptor, sizeof *page);
    (void)os_close(descriptor);
    if (page != NULL && os_advise_dontfork(page, sizeof *page) != 0) {
        (void)os_unmap(page, sizeof *page); /* better no page than one that a child writes to as well */
        page = NULL;
    }
    return page;
}

static void identify(struct status_page *page, int pid, enum status_reason reason)
{
    page->layout = STATUS_LAYOUT;
    page->bytes = sizeof *page;
    page->pid = pid;
    page->parent_pid = os_parent_pid();
    page->reason = reason;
    page->started_ns = os_clock_ns();
    page->started_real_ns = os_clock_real_ns();
    text_put(&(struct text){.at = page->program, .room = sizeof page->program}, status.program);
    text_put(&(struct text){.at = page->argument, .room = sizeof page->argument}, status.argument);
    if (reason == STATUS_FORK)
        prof_stats(&page->at_start);
    store_release(&page->magic, STATUS_MAGIC); /* pairs with the acquire in the command's page_read() */
}

static void page_make(enum status_reason reason)
{
    const int pid = os_pid();
    struct status_page *const page = page_map(pid);

    if (page == NULL)
        return;
    identify(page, pid, reason);
    status.pid = pid;
    store_relaxed(&status.due_ms, 0);
    store_release(&status.page, page); /* publishes pid; pairs with the acquire in page_of_this_process() */
}

void prof_status_start(const char *directory, const char *argument)
{
    struct text path = {.at = status.directory, .room = sizeof status.directory};
    ssize_t length;

    text_put(&path, directory);
    if (path.length >= path.room) {
        status.directory[0] = '\0';
        return;
    }
    length = os_readlink("/proc/self/exe", status.program, sizeof status.program - 1);
    status.program[length > 0 ? length : 0] = '\0';
    if (argument != NULL)
        text_put(&(struct text){.at = status.argument, .room = sizeof status.argument}, argument);
    page_make(STATUS_EXEC);
}

void prof_status_fork_child(void)
{
    if (status.directory[0] == '\0')
        return;
    store_relaxed(&status.page, NULL); /* the parent's: not mapped here */
    page_make(STATUS_FORK);
}

bool prof_status_on(void) { return load_relaxed(&status.page) != NULL; }

/* The page, if this process has one. A vfork child shares our memory, a raw clone copies the pointer: neither owns it.
 */
static struct status_page *page_of_this_process(void)
{
    struct status_page *const page = load_acquire(&status.page);

    return page != NULL && os_pid() == status.pid ? page : NULL;
}

/* Whether a publication is due; then it is the caller's to make. */
static bool claim_turn(void)
{
    uint64_t due = load_relaxed(&status.due_ms);
    const uint64_t now = os_clock_coarse_ms();

    /* relaxed: the turn orders nothing, it only thins out; `writing` keeps writers apart. */
    return now >= due && atomic_compare_exchange_strong_explicit(&status.due_ms, &due, now + PUBLISH_EVERY_MS,
                                                                 memory_order_relaxed, memory_order_relaxed);
}

/* acquire: a writer sees the copies as the last one left them; pairs with the release in write_figures(). */
static bool writer_enter(struct status_page *page)
{
    return atomic_exchange_explicit(&page->writing, 1, memory_order_acquire) == 0;
}

/* On the way out the figures are worth a short wait. Not a long one: the writer may be this very thread, interrupted.
 */
static bool writer_enter_patiently(struct status_page *page)
{
    for (unsigned look = 0; look < WRITER_PATIENCE; look++)
        if (load_relaxed(&page->writing) == 0 && writer_enter(page))
            return true;
    return false;
}

/* thread: the one that entered. */
static void write_figures(struct status_page *page, bool final)
{
    const uint64_t sequence = load_relaxed(&page->sequence) + 1;

    prof_stats(&page->copies[sequence & 1]);
    store_relaxed(&page->published_ns, os_clock_ns());
    store_release(&page->sequence, sequence); /* publishes the copy; pairs with the command's page_read() */
    if (final)
        store_release(&page->final, 1);
    store_release(&page->writing, 0);
}

void prof_status_publish(bool final)
{
    struct status_page *page;

    if (!prof_status_on() || (!final && !claim_turn()))
        return;
    page = page_of_this_process();
    if (page != NULL && (final ? writer_enter_patiently(page) : writer_enter(page)))
        write_figures(page, final);
}

void prof_status_report(const char *line)
{
    struct status_page *const page = page_of_this_process();

    if (page == NULL)
        return;
    add_relaxed(&page->reports, 1);
    text_put(&(struct text){.at = page->last_report, .room = sizeof page->last_report}, line);
}
