/* wide.h: more than 128 bytes, in vectors of WIDE bytes. Each of wide_16.c and wide_32.c sets WIDE and includes this:
 * the compiler cannot be told the width of a vector in another way.
 *
 *   up to 256, 512   as many vectors from the start as to the end, all read first: no loop, whose end is not foreseen
 *   more, upwards    |head| aligned turn | turn | ... |        tail: four vectors |
 *                    the head and the tail are read before the first turn and written after the last: so a turn may
 *                    run into the tail, and short distances between the ranges do no harm
 *   downwards        the mirror of it, where the target begins inside of the source
 *
 * A turn is four vectors, read before they are written. Vectors of 16 bytes have too few registers for 512. */
#include "mem/vector.h"

#define JOIN(name, wide) name##_##wide
#define NAME(name, wide) JOIN(name, wide)

typedef uint64_t vector __attribute__((vector_size(WIDE), may_alias, aligned(1)));
typedef uint64_t aligned_vector __attribute__((vector_size(WIDE), may_alias));

enum { LADDER_MOST = WIDE == 16 ? 256 : 512 };

/* Distances are as wide as addresses. */
#define STEP ((size_t)WIDE)
#define TURN (4 * STEP)

static inline vector load(const byte *at) { return *(const vector *)at; }
static inline void store(byte *at, vector v) { *(vector *)at = v; }
static inline void store_aligned(byte *at, vector v) { *(aligned_vector *)at = v; }

struct turn {
    vector v[4];
};

ALWAYS_INLINE struct turn load_turn(const byte *at)
{
    return (struct turn){{load(at), load(at + STEP), load(at + 2 * STEP), load(at + 3 * STEP)}};
}

ALWAYS_INLINE void store_turn(byte *at, const struct turn *turn)
{
    store(at, turn->v[0]);
    store(at + STEP, turn->v[1]);
    store(at + 2 * STEP, turn->v[2]);
    store(at + 3 * STEP, turn->v[3]);
}

ALWAYS_INLINE void store_turn_aligned(byte *at, const struct turn *turn)
{
    store_aligned(at, turn->v[0]);
    store_aligned(at + STEP, turn->v[1]);
    store_aligned(at + 2 * STEP, turn->v[2]);
    store_aligned(at + 3 * STEP, turn->v[3]);
}

/* `count` vectors from the start, and as many to the end: for `n` from count * WIDE to twice that. */
ALWAYS_INLINE void move_ends(byte *to, const byte *from, size_t n, size_t count)
{
    const size_t last = n - count * STEP;
    vector head[256 / WIDE], tail[256 / WIDE];

#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) {
        head[i] = load(from + i * STEP);
        tail[i] = load(from + last + i * STEP);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) {
        store(to + i * STEP, head[i]);
        store(to + last + i * STEP, tail[i]);
    }
}

/* More than LADDER_MOST bytes. */
static inline void move_upwards(byte *to, const byte *from, size_t n)
{
    const vector head = load(from);
    const struct turn tail = load_turn(from + n - TURN);
    const size_t skip = WIDE - (uintptr_t)to % WIDE;
    const byte *source = from + skip;

    for (byte *at = to + skip; at < to + n - TURN; at += TURN, source += TURN) {
        const struct turn turn = load_turn(source);
        store_turn_aligned(at, &turn);
    }
    store_turn(to + n - TURN, &tail);
    store(to, head);
}

static inline void move_downwards(byte *to, const byte *from, size_t n)
{
    const vector tail = load(from + n - WIDE);
    const struct turn head = load_turn(from);
    const size_t skip = ((uintptr_t)to + n) % WIDE;
    const byte *source = from + n - skip;

    for (byte *at = to + n - skip; at > to + TURN;) {
        at -= TURN;
        source -= TURN;
        const struct turn turn = load_turn(source);
        store_turn_aligned(at, &turn);
    }
    store_turn(to, &head);
    store(to + n - WIDE, tail);
}

void NAME(mem_move_wide, WIDE)(byte *to, const byte *from, size_t n)
{
    if (n <= 256) {
        move_ends(to, from, n, 128 / WIDE);
        return;
    }
    if (n <= LADDER_MOST) {
        move_ends(to, from, n, 256 / WIDE);
        return;
    }
    if (!goes_upwards(to, from, n)) {
        move_downwards(to, from, n);
        return;
    }
    move_upwards(to, from, n);
}

/* As move_ends(). */
ALWAYS_INLINE void set_ends(byte *to, vector v, size_t n, size_t count)
{
    const size_t last = n - count * STEP;

#pragma GCC unroll 16
    for (size_t i = 0; i < count; i++) {
        store(to + i * STEP, v);
        store(to + last + i * STEP, v);
    }
}

/* More than 512 bytes. */
static inline void set_turns(byte *to, vector v, size_t n)
{
    const struct turn turn = {{v, v, v, v}};
    byte *const last = to + n - TURN;

    store(to, v);
    for (byte *at = to + WIDE - (uintptr_t)to % WIDE; at < last; at += TURN)
        store_turn_aligned(at, &turn);
    store_turn(last, &turn);
}

void NAME(mem_set_wide, WIDE)(byte *to, int c, size_t n)
{
    const vector v = (vector){} + spread(c);

    if (n <= 256) {
        set_ends(to, v, n, 128 / WIDE);
        return;
    }
    if (n <= 512) {
        set_ends(to, v, n, 256 / WIDE);
        return;
    }
    set_turns(to, v, n);
}
