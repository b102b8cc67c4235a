/* misuse.h: how a misuse is staged. A case is one misuse of a block of one size by one actor, in a fresh process image:
 *
 *   test process --fork--> child with its stderr in a pipe --exec--> the same program, nothing allocated yet:
 *        |                                                             stages the misuse, notes addresses in shared
 * memory
 *        +-- compares the line and the signal with the table <---------+
 *
 * Every case has a twin that does the same without the mistake and must exit 0 in silence. */
#ifndef MISUSE_H
#define MISUSE_H

#include "../lib/blocks.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* The operators of C++ under their mangled names: the library defines them, so C can call them. */
void operator_delete(void *block) __asm__("_ZdlPv");
void operator_delete_sized(void *block, size_t bytes) __asm__("_ZdlPvm");
void operator_delete_array(void *block) __asm__("_ZdaPv");
void operator_delete_array_sized(void *block, size_t bytes) __asm__("_ZdaPvm");
void operator_delete_aligned(void *block, size_t alignment) __asm__("_ZdlPvSt11align_val_t");
void operator_delete_aligned_sized(void *block, size_t bytes, size_t alignment) __asm__("_ZdlPvmSt11align_val_t");
void *operator_new(size_t bytes) __asm__("_Znwm");
void *operator_new_array(size_t bytes) __asm__("_Znam");

/* What the report must name; written by the process that commits the misuse, read by the one that compares. */
struct facts {
    uintptr_t pointer; /* handed to the entry point */
    uintptr_t block;   /* start of the block it lies in */
    size_t usable;     /* of that block */
};

static inline struct facts *facts(void) { return test_shared(); }

/* A block with a neighbour of its class that stays live, so that its slab stays too. */
struct victim {
    size_t bytes;
    char *block, *neighbour;
};

static struct victim victim;

static inline void *allocate_victim(void *unused)
{
    victim.neighbour = malloc(victim.bytes);
    victim.block = malloc(victim.bytes);
    CHECK(victim.block != NULL && victim.neighbour != NULL);
    *facts() = (struct facts){(uintptr_t)victim.block, (uintptr_t)victim.block, malloc_usable_size(victim.block)};
    return unused;
}

/* A size of another class than the victim's. */
static inline size_t other_size(void) { return victim.bytes > 700 ? 48 : 3000; }

/* Take the slow paths now and then, without asking for a block of the victim's class: what waits for proof is settled.
 */
static inline void settle(void)
{
    ashlar_purge();
    for (int i = 0; i < 2000; i++)
        CHECK(malloc(other_size()) != NULL);
    ashlar_purge();
}

/* Run body(argument) in a forked child. If it aborts, end in the same way; the child has printed already. */
static inline void in_child(void (*body)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        body();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
        abort();
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The child that was forked last either ended well and in silence, or by one report of ours; anything else fails.
 * returns: whether it was a report. */
static inline bool ended_well_or_reported(void)
{
    int status = test_child_status();
    const char *text = test_child_stderr(), *end = strchr(text, '\n');
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && *text == '\0')
        return false;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || strncmp(text, "ashlar: ", 8) != 0 || !end || end[1])
        test_fail(__FILE__, __LINE__, "wait status 0x%x and \"%s\"", status, text);
    return true;
}

#endif
