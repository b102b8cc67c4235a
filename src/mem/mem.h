/* mem.h: moving and filling memory. The annex's one header: the contract for whoever gives these functions names.
 *
 *   bytes              1 .. 64            65 .. 128        129 .. 512         above
 *   with AVX-512       under a mask       ends: 2 .. 8 vectors of 64          a loop of them         (evex.h)
 *   others             ends: 4 vectors    ends: 8 of 16    ends: 16 or 32     a loop of 16 or 32     (steps.h, wide.h)
 *
 *   above, in place of the loop: the processor's own string instruction (repeat.h); for copies of many
 *   second-level caches, stores past the caches (stream.h)
 *
 * libashlar has these functions under names of our own. libashlar-mem puts libc's names before them (libc.c,
 * strings.c), which ask first whether they shall check what they are given (check.c).
 *
 * Pointers and lengths, nothing else: no table, no lock, no thread-local word, no call to a function of libc. Other
 * libraries' constructors, signal handlers and children of vfork come here before anything of ours has run. All state
 * of copying and filling is `mem_limits`, which is zero, and right, until mem_start() has learned what the processor
 * can do. */
#ifndef ASHLAR_MEM_MEM_H
#define ASHLAR_MEM_MEM_H

#include "base/options.h"

/* Copy `n` bytes from `from` to `to`; the two may overlap. returns: `to`.
 * thread, signals: any. errno untouched. source: memmove, C17 7.24.2.2. */
void *mem_move(void *to, const void *from, size_t n);

/* Write the low eight bits of `c` into `n` bytes at `to`. returns: `to`.
 * thread, signals: any. errno untouched. source: memset, C17 7.24.6.1. */
void *mem_set(void *to, int c, size_t n);

/* Whether two ranges of `n` bytes have bytes in common, and are not the same: what memcpy is not made for. */
static inline bool mem_overlap(const void *to, const void *from, size_t n)
{
    const uintptr_t ahead = (uintptr_t)to - (uintptr_t)from;

    return ahead != 0 && (ahead < n || -ahead < n);
}

/* The same, found sooner: also true of some that only touch. */
static inline bool mem_may_overlap(const void *to, const void *from, size_t n)
{
    return (uintptr_t)to - (uintptr_t)from + n < 2 * n;
}

/* How wide the vectors are; with those of 64 bytes, whatever there is above 0 bytes goes by evex.h. */
enum mem_level { MEM_16, MEM_32, MEM_64 };

/* From how many bytes on, and below how many, something is done. Zeros stand for never. */
struct mem_range {
    size_t least;
    size_t most;
};

static inline bool mem_range_has(struct mem_range range, size_t n) { return n >= range.least && n < range.most; }

struct mem_limits {
    enum mem_level level;
    /* Below these no range begins, and no length is negative: one comparison for those that are most. */
    size_t copy_loop_end;
    size_t set_loop_end;
    struct mem_range copy_nt;  /* copies past the caches, by non-temporal stores: goes before copy_rep */
    struct mem_range copy_rep; /* the string instructions: `rep movsb` */
    struct mem_range set_rep;  /* `rep stosb` */
};

extern struct mem_limits mem_limits __attribute__((visibility("hidden")));

/* The widest level that processor and kernel support. */
enum mem_level mem_level_max(void);

/* Set `mem_limits` by what this processor is, and what the options say. thread: before others are started, or any: each
 * word is right by itself. */
void mem_start(const struct option_settings *settings);

#endif
