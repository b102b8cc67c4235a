/* status_exit.c: libashlar-status.so, the small object that `ashlar run` preloads behind the library.
 *
 *   exit        --> atexit handlers, destructors, this one    \
 *   quick_exit  --> at_quick_exit handlers, this one first in  > ashlar_status_publish(), then the end
 *   _exit, _Exit --> interposed                               /
 *
 * The library itself has no finaliser: blocks are freed until the very end, and a program that is not looked at shall
 * not pay for it. So the last figures are asked for here. A process that ends by a signal or a bare system call passes
 * none of these ways; its page keeps the last figures published before. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The library's; absent when this object was preloaded without it. errno untouched, takes no lock, does nothing in a
 * child of vfork. signal: safe, because _exit must be. */
extern void ashlar_status_publish(void) __attribute__((weak));

static void publish(void)
{
    if (ashlar_status_publish != NULL)
        ashlar_status_publish();
}

/* Handlers run last in, first out, so the one registered first sees what all others leave. */
__attribute__((constructor)) static void register_handler(void) { (void)at_quick_exit(publish); }

__attribute__((destructor)) static void publish_at_exit(void) { publish(); }

/* As POSIX _exit, which glibc does as well by exit_group. */
__attribute__((visibility("default"))) void _exit(int status)
{
    publish();
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

__attribute__((visibility("default"))) void _Exit(int status) { _exit(status); }
