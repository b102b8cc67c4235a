/* foreign.c: pointers from another allocator, met in free, realloc and malloc_usable_size.
 *
 * Programs mix allocators: a library bound to libc's malloc before us (RTLD_DEEPBIND), a bundled one, memory from
 * before an unexec. The next allocator, if there is one, gets what is aligned as a block would be, but never while this
 * thread is already handing something on, and never before the constructor, where dlsym must not be called. */
#include "api/api.h"

#include <dlfcn.h>

static struct {
    void (*free)(void *);
    void *(*realloc)(void *, size_t);
    size_t (*usable_size)(void *);
} next_allocator; /* written once, in the constructor */

static __thread bool is_forwarding __attribute__((tls_model("initial-exec")));
static _Atomic bool has_warned;

void foreign_start(void)
{
    next_allocator.free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    next_allocator.realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next_allocator.usable_size = (size_t(*)(void *))dlsym(RTLD_NEXT, "malloc_usable_size");
}

static void put_line(struct text *text, const char *before, const void *address, const char *after, const char *in)
{
    text_put(text, before);
    text_put_hex(text, (uintptr_t)address);
    text_put(text, after);
    text_put(text, in);
    text_put_char(text, ')');
}

/* Count the pointer, warn or stop as the options say. returns: whether it may be handed on. */
static bool may_forward(const void *address, bool has_next, const char *in)
{
    const uint64_t mode = option_value(OPTION_foreign);
    const bool forwards = (mode == FOREIGN_AUTO || mode == FOREIGN_FORWARD) && has_next && !is_forwarding &&
                          (uintptr_t)address % BLOCK_ALIGN == 0;
    char line[160];
    struct text text = {line, sizeof line, 0};

    prof_count_foreign();
    if (mode == FOREIGN_ABORT) {
        put_line(&text, "free of foreign pointer 0x", address, " (in ", in);
        report_and_abort(line);
    }
    if (option_value(OPTION_warn) != 0 && !atomic_exchange_explicit(&has_warned, true, memory_order_relaxed)) {
        put_line(&text, "foreign pointer 0x", address, forwards ? " forwarded (in " : " ignored (in ", in);
        report_line(line);
    }
    return forwards;
}

void foreign_free(void *address, const char *in)
{
    if (!may_forward(address, next_allocator.free != NULL, in))
        return;
    const int kept = errno;

    is_forwarding = true;
    next_allocator.free(address);
    is_forwarding = false;
    errno = kept;
}

void *foreign_realloc(void *address, size_t bytes, const char *in)
{
    void *moved = NULL;

    if (may_forward(address, next_allocator.realloc != NULL, in)) {
        is_forwarding = true;
        moved = next_allocator.realloc(address, bytes);
        is_forwarding = false;
    } else {
        errno = ENOMEM;
    }
    return moved;
}

size_t foreign_usable_size(const void *address)
{
    size_t bytes = 0;

    if (may_forward(address, next_allocator.usable_size != NULL, "malloc_usable_size")) {
        is_forwarding = true;
        bytes = next_allocator.usable_size((void *)(uintptr_t)address);
        is_forwarding = false;
    }
    return bytes;
}
