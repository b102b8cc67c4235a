/* record.h: the file in which the programs under `ashlar sizes` count what they copy and fill.
 *
 *   [ head | counts of each function | objects | callers | order of copies | order of fills ]
 *
 * The command makes it, whole and zero but for the head; recorder.c maps it into every program, and a child of fork has
 * the mapping already. Everything is added to atomically and in place, so nothing is lost when a process ends in
 * whichever way, and the sums are those of all threads of all processes.
 *
 * The command and the recorder come from the same build, so a change here only has to raise RECORD_LAYOUT. */
#ifndef ASHLAR_CLI_SIZES_RECORD_H
#define ASHLAR_CLI_SIZES_RECORD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MAGIC UINT64_C(0x31657a69736c7361) /* "aslsize1" */
#define RECORD_VARIABLE "ASHLAR_SIZES"            /* of the environment: path of the file */

enum record_kind { RECORD_COPIES, RECORD_FILLS, RECORD_KINDS };

/* Every function that is counted, by the name under which it was called. */
#define RECORD_FUNCTION_TABLE(X)                                                                                       \
    X(memcpy, RECORD_COPIES)                                                                                           \
    X(memmove, RECORD_COPIES)                                                                                          \
    X(mempcpy, RECORD_COPIES)                                                                                          \
    X(__mempcpy, RECORD_COPIES)                                                                                        \
    X(bcopy, RECORD_COPIES)                                                                                            \
    X(wmemcpy, RECORD_COPIES)                                                                                          \
    X(wmemmove, RECORD_COPIES)                                                                                         \
    X(wmempcpy, RECORD_COPIES)                                                                                         \
    X(__memcpy_chk, RECORD_COPIES)                                                                                     \
    X(__memmove_chk, RECORD_COPIES)                                                                                    \
    X(__mempcpy_chk, RECORD_COPIES)                                                                                    \
    X(__wmemcpy_chk, RECORD_COPIES)                                                                                    \
    X(__wmemmove_chk, RECORD_COPIES)                                                                                   \
    X(__wmempcpy_chk, RECORD_COPIES)                                                                                   \
    X(memset, RECORD_FILLS)                                                                                            \
    X(bzero, RECORD_FILLS)                                                                                             \
    X(explicit_bzero, RECORD_FILLS)                                                                                    \
    X(wmemset, RECORD_FILLS)                                                                                           \
    X(__memset_chk, RECORD_FILLS)                                                                                      \
    X(__explicit_bzero_chk, RECORD_FILLS)                                                                              \
    X(__wmemset_chk, RECORD_FILLS)

enum record_function {
#define RECORD_MEMBER(name, kind) RECORD_##name,
    RECORD_FUNCTION_TABLE(RECORD_MEMBER)
#undef RECORD_MEMBER
        RECORD_FUNCTIONS
};

enum {
    RECORD_LAYOUT = 1,
    RECORD_EXACT = 4096,      /* sizes below have a bin each */
    RECORD_EXACT_SHIFT = 12,  /* its logarithm */
    RECORD_PER_DOUBLING = 16, /* bins of each doubling above */
    RECORD_BINS = RECORD_EXACT + (64 - RECORD_EXACT_SHIFT) * RECORD_PER_DOUBLING,
    RECORD_LINE = 64,           /* alignments are counted modulo this many bytes */
    RECORD_ORDER = 1 << 20,     /* calls of each kind that are kept in order */
    RECORD_OBJECTS = 256,       /* programs and libraries from which was called */
    RECORD_OBJECT_BYTES = 496,  /* of a path; cut if longer, always ended by NUL */
    RECORD_CALLERS = 1 << 13,   /* places from which was called */
    RECORD_SAMPLING_SHIFT = 6,  /* of 2^6 calls one, spread evenly, tells from where it comes */
    RECORD_OFFSET_BITS = 48,    /* of a place in its object */
    RECORD_CALL_BYTES_BITS = 40 /* of a size in the order; larger ones are told as the largest that fits */
};

/* What one function did. The size of a call of the wide functions is in bytes, too. */
struct record_counts {
    _Atomic uint64_t calls;
    _Atomic uint64_t bytes;
    _Atomic uint64_t overlapping;        /* source and target share bytes, and are not the same */
    _Atomic uint64_t in_place;           /* source and target are the same */
    _Atomic uint64_t to[RECORD_LINE];    /* calls by the address of the target, modulo RECORD_LINE */
    _Atomic uint64_t from[RECORD_LINE];  /* likewise of the source; fills have none */
    _Atomic uint64_t sizes[RECORD_BINS]; /* calls by size: record_bin() */
};

/* A program or library. */
struct record_object {
    _Atomic uint64_t key;           /* hash of its name; 0: nothing here yet */
    _Atomic uint64_t named;         /* 1 when the name is complete (release) */
    char name[RECORD_OBJECT_BYTES]; /* "": code that is in no object */
};

/* A place from which was called, and how often that was seen. */
struct record_caller {
    _Atomic uint64_t key; /* record_caller_key(); 0: nothing here yet */
    _Atomic uint64_t samples;
};

struct record_order {
    _Atomic uint64_t taken;               /* places that calls have asked for; may be more than there are */
    _Atomic uint64_t calls[RECORD_ORDER]; /* record_call(); 0: a call that did not come to write itself down */
};

struct record {
    /* Written by the command before anything is started. */
    uint64_t magic;
    uint64_t layout;

    _Atomic uint64_t programs;     /* that mapped this file; children of fork do not map it again */
    _Atomic uint64_t early;        /* calls that could not be counted: they came before the recorder's constructor */
    _Atomic uint64_t lost_samples; /* for which there was no room in the tables below */
    struct record_counts counts[RECORD_FUNCTIONS];
    struct record_object objects[RECORD_OBJECTS];
    struct record_caller callers[RECORD_CALLERS];
    struct record_order orders[RECORD_KINDS];
};

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

/* The bin in which a size is counted. */
static inline size_t record_bin(uint64_t bytes)
{
    if (bytes < RECORD_EXACT)
        return (size_t)bytes;
    const unsigned doubling = 63 - (unsigned)__builtin_clzll(bytes);

    return RECORD_EXACT + (doubling - RECORD_EXACT_SHIFT) * RECORD_PER_DOUBLING +
           (size_t)(bytes >> (doubling - 4) & (RECORD_PER_DOUBLING - 1));
}

/* The smallest size in a bin. */
static inline uint64_t record_bin_least(size_t bin)
{
    if (bin < RECORD_EXACT)
        return bin;
    const size_t above = bin - RECORD_EXACT;

    return (uint64_t)(RECORD_PER_DOUBLING + above % RECORD_PER_DOUBLING)
           << (above / RECORD_PER_DOUBLING + RECORD_EXACT_SHIFT - 4);
}

/* The largest one. */
static inline uint64_t record_bin_most(size_t bin)
{
    return bin + 1 < RECORD_BINS ? record_bin_least(bin + 1) - 1 : UINT64_MAX;
}

/* ---- Words of the tables ----------------------------------------------------------------------------------------- */

/* A call in the order: 1 | function (5 bits) | target (6) | source (6) | size (40). */
static inline uint64_t record_call(enum record_function function, uintptr_t to, uintptr_t from, uint64_t bytes)
{
    const uint64_t most = (UINT64_C(1) << RECORD_CALL_BYTES_BITS) - 1;

    return UINT64_C(1) << 57 | (uint64_t)function << 52 | (uint64_t)(to % RECORD_LINE) << 46 |
           (uint64_t)(from % RECORD_LINE) << 40 | (bytes < most ? bytes : most);
}

static inline unsigned record_call_function(uint64_t call) { return call >> 52 & 31; }
static inline unsigned record_call_to(uint64_t call) { return call >> 46 & (RECORD_LINE - 1); }
static inline unsigned record_call_from(uint64_t call) { return call >> 40 & (RECORD_LINE - 1); }
static inline uint64_t record_call_bytes(uint64_t call) { return call & ((UINT64_C(1) << RECORD_CALL_BYTES_BITS) - 1); }

/* A caller: 1 | function (5 bits) | object, an index (8) | offset in it (48). */
static inline uint64_t record_caller_key(enum record_function function, size_t object, uint64_t offset)
{
    return UINT64_C(1) << 61 | (uint64_t)function << 56 | (uint64_t)object << RECORD_OFFSET_BITS |
           (offset & ((UINT64_C(1) << RECORD_OFFSET_BITS) - 1));
}

static inline unsigned record_caller_function(uint64_t key) { return key >> 56 & 31; }
static inline size_t record_caller_object(uint64_t key) { return key >> RECORD_OFFSET_BITS & (RECORD_OBJECTS - 1); }
static inline uint64_t record_caller_offset(uint64_t key) { return key & ((UINT64_C(1) << RECORD_OFFSET_BITS) - 1); }

_Static_assert(RECORD_FUNCTIONS <= 26, "a function has five bits in the words, and a letter in the JSON");
_Static_assert(RECORD_PER_DOUBLING == 1 << 4, "record_bin() takes four bits");
_Static_assert(sizeof(struct record_object) == 512, "an object is eight cache lines");

#endif
