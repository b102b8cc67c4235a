/* init.c: how the library comes to life, and what it asks of libc.
 *
 * No constructor is needed: the first slow path starts everything, whoever makes it. The constructor adds what needs a
 * relocated libc: the thread key, the fork handlers, the next allocator, the status page. There is no finaliser. */
#include "api/api.h"
#include "mem/mem.h"

#include <limits.h>
#include <pthread.h>

/* What pthread_atfork(3) calls, with the object that registers; NULL: the handlers stay for good. pthread_atfork itself
 * wants start files in the library, which would bring a finaliser. source: glibc, nptl/pthread_atfork.c. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);

_Atomic bool api_started;

static struct os_lock start_lock = {.rank = LOCK_START};
static pthread_key_t exit_key;
static _Atomic bool has_key;

/* ---- Threads ------------------------------------------------------------------------------------------------------------------------- */

/* The key's destructor. Other keys' destructors may still allocate and free afterwards: the shared heap serves them.
 * Not taken: asking for further rounds. A thread whose first call comes from another destructor does not know which
 * round it is. In the last one nobody calls us: see left_behind() in heap/thread.c. source: POSIX pthread_key_create.
 */
static void thread_ends(void *unused)
{
    (void)unused;
    heap_thread_exit();
}

static void arm_thread(void)
{
    const int kept = errno;

    if (load_acquire(&has_key) && heap_thread_arm())
        (void)pthread_setspecific(exit_key, (void *)1); /* refused: the thread's heap outlives it, unused */
    errno = kept;
}

/* ---- Fork ------------------------------------------------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    os_lock_fork_prepare(&start_lock, NULL);
    heap_fork_prepare();
}

static void after_fork_in_parent(void)
{
    heap_fork_parent();
    os_lock_fork_parent(&start_lock);
}

static void after_fork_in_child(void)
{
    heap_fork_child();
    (void)os_lock_fork_child(&start_lock);
    prof_status_fork_child();
    if (!os_lock_any_is_held()) /* else a signal handler forked in the middle of something */
        responder_start();
}

/* ---- Start ------------------------------------------------------------------------------------------------------------------------------- */

static void time_passed(void) { prof_status_publish(false); }

static void start(void)
{
    page_start();
    heap_taps = (struct heap_taps){report_misuse, arm_thread, time_passed};
    option_read_all();
}

COLD void api_start(void)
{
    if (!os_lock_take(&start_lock))
        return; /* a signal handler interrupted the start: it is served from fresh mappings */
    if (!load_relaxed(&api_started)) {
        start();
        /* release: publishes the configuration; pairs with the acquire in api_ready(). */
        store_release(&api_started, true);
    }
    os_lock_drop(&start_lock);
}

/* Runs before every other constructor, also of libraries that the preloaded library depends on (linked with -z
 * initfirst; among those of a static program by its priority). So our prepare handler is registered first and runs
 * last: other libraries' handlers may take locks under which other threads allocate. source: POSIX pthread_atfork,
 * "prepare fork handlers shall be called in the reverse order". */
__attribute__((constructor(101))) static void construct(int argument_count, char **arguments, char **environment)
{
    os_environment_is(environment);
    if (pthread_key_create(&exit_key, thread_ends) == 0)
        store_release(&has_key, true);
    (void)__register_atfork(before_fork, after_fork_in_parent, after_fork_in_child,
                            NULL); /* refused: as with any library */
    foreign_start();
    api_start();
    option_read_all(); /* if the first call came before libc had the environment */
    arm_thread();
    mem_start(option_settings());
    if (option_folder(OPTION_status) != NULL)
        prof_status_start(option_folder(OPTION_status), argument_count > 0 ? arguments[0] : NULL);
    responder_start();
}
