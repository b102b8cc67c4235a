/* hook.h: the event taps of the heap: how this floor tells the ones above what it may not handle itself. A floor above
 * sets them once, before the first call; a NULL tap is not called. */
#ifndef ASHLAR_HEAP_HOOK_H
#define ASHLAR_HEAP_HOOK_H

#include "base/config.h"

/* Mistakes of the calling program. source: docs/design.md, "Reports". */
enum heap_misuse_kind {
    MISUSE_DOUBLE_FREE,
    MISUSE_INTERIOR,
    MISUSE_MISALIGNED,
    MISUSE_UNALLOCATED,
    MISUSE_DAMAGED_LIST,
};

struct heap_misuse {
    enum heap_misuse_kind kind;
    uintptr_t address; /* the pointer that was passed */
    uintptr_t block;   /* the block that it lies in, where there is one */
    size_t bytes;      /* usable size of the block, or size of the blocks around */
    const char *in;    /* the entry point */
};

struct heap_taps {
    /* Misuse was proved. The thread may be inside a heap: whoever is told allocates from elsewhere. If it returns, the
     * call goes on as if it had done nothing. */
    void (*misuse)(const struct heap_misuse *misuse);

    /* A thread has got a heap of its own. May allocate. */
    void (*thread_began)(void);

    /* Time has passed: at most every 50 ms, on any thread's slow path. May not allocate. */
    void (*time_passed)(void);
};

extern struct heap_taps heap_taps __attribute__((visibility("hidden")));

#endif
