/* diagnose.c: an overflow of the stack says so before the program dies of it.
 *
 *     fault --> handler, on the thread's alternate stack
 *                 just below this thread's stack: print, restore the default action, return: the same instruction
 *                                                 faults again and the core file shows it
 *                 anywhere else: the handler that was there before
 *
 * No library should take SIGSEGV by itself: only a program that asks for it has it. Everything in the handler is
 * async-signal-safe; that it knows its thread's stack was seen to before. */
#include "stack/stack.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* How far below the guard a fault still is an overflow: a frame can be large, and its lowest word be touched first. */
#define REACH_BYTES ((uintptr_t)64 << 10)

/* What a handler gets beside the registers: ours needs two pages, the one that was there before is unknown. */
#define HANDLER_BYTES ((size_t)64 << 10)

static struct sigaction handler_before; /* set before ours is installed */
static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static int install_error;

/* This thread's alternate stack, if it is ours:  | guard page | stack | REACH_BYTES without access |
 * It tends to lie right below the stack it serves, where a large frame that jumps the one guard page must not hit it.
 */
static _Thread_local struct {
    char *start;
    size_t bytes; /* of the stack */
} alternate;

/* ---- What to say ------------------------------------------------------------------------------------------------------- */

static void put_address(struct text *text, uintptr_t address)
{
    text_put(text, "0x");
    text_put_hex(text, address);
}

static void print_overflow(uintptr_t address, const struct stack_span *span)
{
    char line[192];
    struct text text = {line, sizeof line, 0};

    text_put(&text, "stack overflow in thread ");
    text_put_decimal(&text, (uint64_t)gettid());
    text_put(&text, " at ");
    put_address(&text, address);
    text_put(&text, " (stack ");
    put_address(&text, span->lo);
    text_put_char(&text, '-');
    put_address(&text, span->hi);
    text_put(&text, ", limit ");
    text_put_decimal(&text, span->hi - span->lo);
    text_put_char(&text, ')');
    stack_print(&text);
}

/* ---- The handler ------------------------------------------------------------------------------------------------------- */

/* Whether a fault at `address` is an overflow of the thread's own stack, which is in `span` then. */
static bool is_overflow(uintptr_t address, struct stack_span *span)
{
    return stack_own_span(span) && address < span->lo && span->lo - address <= span->guard + REACH_BYTES;
}

static void restore_default(void)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};

    (void)sigaction(SIGSEGV, &by_default, NULL);
}

/* Whether the kernel sent it for an instruction, which is repeated when the handler returns. source: sigaction(2). */
static bool is_fault(const siginfo_t *info) { return info->si_code > 0; }

/* Let the default action follow. A signal that somebody sent has to be sent again. */
static void die_by_default(const siginfo_t *info)
{
    restore_default();
    if (!is_fault(info))
        (void)raise(SIGSEGV);
}

/* As the kernel would: its mask, and SA_NODEFER, SA_RESETHAND and SA_SIGINFO of its flags. */
static void call_handler_before(int signal, siginfo_t *info, void *context)
{
    sigset_t blocked = handler_before.sa_mask, before;

    if ((handler_before.sa_flags & SA_NODEFER) == 0)
        (void)sigaddset(&blocked, SIGSEGV);
    if ((handler_before.sa_flags & (int)SA_RESETHAND) != 0)
        restore_default();
    (void)pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, &before);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    if ((handler_before.sa_flags & SA_SIGINFO) != 0)
        handler_before.sa_sigaction(signal, info, context);
    else
        handler_before.sa_handler(signal);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    const int kept = errno;
    struct stack_span span;
    const bool has_handler = handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN;

    if (is_fault(info) && is_overflow((uintptr_t)info->si_addr, &span)) {
        print_overflow((uintptr_t)info->si_addr, &span);
        restore_default();
    } else if (has_handler) {
        call_handler_before(signal, info, context);
    } else if (is_fault(info) || handler_before.sa_handler == SIG_DFL) {
        die_by_default(info); /* a fault that is ignored kills, too: sigaction(2) */
    }
    errno = kept;
}

static void install(void)
{
    struct sigaction ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    ours.sa_sigaction = handle;
    (void)sigemptyset(&ours.sa_mask);
    if (sigaction(SIGSEGV, NULL, &handler_before) != 0 || sigaction(SIGSEGV, &ours, NULL) != 0)
        install_error = errno;
}

/* ---- The alternate stack ----------------------------------------------------------------------------------------------- */

/* What the kernel puts on it depends on the processor: MINSIGSTKSZ is too small on new ones. source: sigaltstack(2). */
static size_t alternate_bytes(void) { return round_up(getauxval(AT_MINSIGSTKSZ) + HANDLER_BYTES, page_bytes()); }

static char *alternate_base(void) { return alternate.start + page_bytes(); }

static size_t mapped_bytes(size_t stack_bytes)
{
    return page_bytes() + stack_bytes + round_up(REACH_BYTES, page_bytes());
}

static bool map_alternate(void)
{
    const size_t bytes = alternate_bytes();
    char *const start = mmap(NULL, mapped_bytes(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (start == MAP_FAILED)
        return false;
    if (mprotect(start + page_bytes(), bytes, PROT_READ | PROT_WRITE) != 0 || !stack_watch_end()) {
        (void)munmap(start, mapped_bytes(bytes));
        return false;
    }
    alternate.start = start;
    alternate.bytes = bytes;
    return true;
}

/* See to it that the thread has an alternate stack, its own or ours. */
static bool set_alternate(void)
{
    stack_t stack;

    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0)
        return true;
    if (alternate.start == NULL && !map_alternate())
        return false;
    stack = (stack_t){.ss_sp = alternate_base(), .ss_size = alternate.bytes};
    return sigaltstack(&stack, NULL) == 0;
}

/* Only if it is still in place: the program may have set another one since. */
void stack_diagnose_end(void)
{
    const int kept = errno;
    const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t stack;

    if (alternate.start == NULL)
        return;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == alternate_base())
        (void)sigaltstack(&none, NULL);
    (void)munmap(alternate.start, mapped_bytes(alternate.bytes));
    alternate.start = NULL;
    errno = kept;
}

/* ---- For the program --------------------------------------------------------------------------------------------------- */

static int diagnose(uintptr_t at)
{
    struct stack_span span;

    if (!stack_span_at(at, &span) || span.kind == ASHLAR_STACK_SIGNAL)
        return ENOTSUP;
    if (!set_alternate())
        return ENOMEM;
    return pthread_once(&install_once, install) == 0 ? install_error : ENOMEM;
}

EXPORT NOINLINE int ashlar_stack_diagnose(void)
{
    const int kept = errno;
    const int error = diagnose((uintptr_t)__builtin_frame_address(0));

    errno = kept;
    return error;
}
