/* responder.c: a thread of our own that gives memory back while all of the program's threads sleep.
 *
 * Off unless option `responder` asks for it. It looks twice in a purge delay: purges what has been free for too long,
 * and visits the heaps of threads that sleep. It allocates nothing and blocks every signal, so no handler of the
 * program runs on it. A fork child gets one of its own; a child of vfork or of a raw clone has none. */
#include "api/api.h"

#include <pthread.h>
#include <signal.h>

/* Of the stack; thread-local storage of the program's libraries lies on it, too, so a larger one may be needed. */
enum { STACK_MIN = 128 << 10, STACK_MAX = 8 << 20 };

enum { INTERVAL_MIN_MS = 10, INTERVAL_MAX_MS = 10000 };

static uint32_t interval_ms(void)
{
    const uint64_t half = load_relaxed(&page_bounds.purge_delay_ms) / 2;

    return half < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : half > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : (uint32_t)half;
}

static void *respond(void *unused)
{
    for (;;) {
        os_sleep_ms(interval_ms());
        heap_visit_sleepers(0);
        page_purge_due(os_clock_coarse_ms());
    }
    return unused;
}

void responder_start(void)
{
    sigset_t all, kept;
    pthread_attr_t attributes;
    pthread_t thread;
    const int error = errno;

    if (option_value(OPTION_responder) == RESPONDER_OFF || pthread_attr_init(&attributes) != 0)
        return;
    (void)sigfillset(&all);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &kept);
    int refused = EINVAL;
    for (size_t stack = STACK_MIN; refused == EINVAL && stack <= STACK_MAX; stack *= 4) {
        (void)pthread_attr_setstacksize(&attributes, stack);
        refused = pthread_create(&thread, &attributes, respond, NULL);
    }
    if (refused != 0)
        report_line("option responder: no thread could be started; memory goes back without it");
    (void)pthread_sigmask(SIG_SETMASK, &kept, NULL);
    (void)pthread_attr_destroy(&attributes);
    errno = error;
}
