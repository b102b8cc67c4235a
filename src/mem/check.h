/* check.h: copies that stop at the end of a heap block. For the functions that have libc's names.
 *
 * Off, the usual case, costs next to nothing: see small_lines. On, a range is measured against the heap block that it
 * begins in, which libashlar is asked for. What cannot be proved to be a block of libashlar's (stack, globals, other
 * allocators' blocks) is never judged. */
#ifndef ASHLAR_MEM_CHECK_H
#define ASHLAR_MEM_CHECK_H

#include "mem/steps.h"

#include "ashlar_mem.h"

/* As the choices of the options of the same names. */
enum check_mode { CHECK_OFF, CHECK_REPORT, CHECK_ABORT };
enum check_scope { CHECK_BOTH, CHECK_TARGET };
enum check_small { CHECK_FAST, CHECK_FULL };

/* Written once, by mem_check_start(). Zeros until then are right: as mem.h does it. */
struct mem_check {
    /* SMALL_LINES and all bits where nothing is checked and there are such vectors; else 0. So the test that an address
     * needs anyway answers both, and another is short. Not asked by the comparison of a length: it would wait for what
     * has to be loaded, and all that comes after a branch that is not foreseen would wait for it. */
    uint32_t small_lines;
    uint32_t more_bits;
    bool is_on;
    uint8_t mode;  /* enum check_mode */
    uint8_t scope; /* enum check_scope */
    uint8_t small; /* enum check_small */
    /* What is asked first, in libashlar. It hands on to what is here if that is not enough. */
    __typeof__(ashlar_memcpy_or) *memcpy_or, *memmove_or;
    __typeof__(ashlar_memset_or) *memset_or;
    __typeof__(ashlar_bytes_left) *bytes_left;
    __typeof__(ashlar_place_of) *place_of;
};

extern struct mem_check mem_check __attribute__((visibility("hidden")));

static inline bool mem_check_is_on(void)
{
    /* acquire: what is behind `is_on` is there, too; pairs with the release in mem_check_start(). */
    return unlikely(__atomic_load_n(&mem_check.is_on, __ATOMIC_ACQUIRE));
}

/* Whether fewer than SMALL_END bytes at `at` are copied or filled without another question. */
static inline bool mem_check_lets_small(const void *at) { return small_is_right_at(at, mem_check.small_lines); }

/* The same of `n` bytes, SMALL_END or more (but for multiples of 4 GiB). */
static inline bool mem_check_lets_more(size_t n) { return ((uint32_t)n & mem_check.more_bits) != 0; }

/* Who asked: a function of libc's, called by the code at `caller`. */
struct mem_call {
    const char *in;
    const void *caller;
};

/* In a function that has one of libc's names. */
#define MEM_CALL(name) ((struct mem_call){name, __builtin_return_address(0)})

/* Judge a range that is about to be written, or read: print a line if it leaves its block, and abort if so told.
 * signal: safe. errno untouched. */
void mem_check_write(const void *to, size_t n, struct mem_call call);
void mem_check_read(const void *from, size_t n, struct mem_call call);

/* Judge both ranges of a copy; and whether they overlap, if they may not. */
void mem_check_copy(const void *to, const void *from, size_t n, bool may_overlap, struct mem_call call);

/* Whether a copy is let pass unseen, or a fill, of which both are the target. Blocks start and end at multiples of 16:
 * what stays between two of them stays in its block. */
ALWAYS_INLINE bool mem_check_passes(const void *to, const void *from, size_t n)
{
    return n <= BLOCK_ALIGN - ((uintptr_t)to | (uintptr_t)from) % BLOCK_ALIGN && likely(mem_check.small == CHECK_FAST);
}

/* Bytes that may be read at `from`, as far as anybody knows. */
static inline size_t mem_check_readable(const void *from)
{
    return mem_check.scope == CHECK_BOTH ? mem_check.bytes_left(from) : SIZE_MAX;
}

/* Print "ashlar: ", `line` and a newline on descriptor 2. */
void mem_print(const char *line);

/* Begin to check, if the options say so. */
void mem_check_start(const struct option_settings *settings);

#endif
