/* mem.c: the memory functions under names of our own, and what lies at an address. source: ashlar_mem.h. */
#define ASHLAR_MEM_NO_MACROS
#include "api/api.h"
#include "ashlar_mem.h"
#include "mem/mem.h"

EXPORT void *ashlar_memcpy(void *to, const void *from, size_t n) { return mem_move(to, from, n); }

EXPORT void *ashlar_memmove(void *to, const void *from, size_t n) { return mem_move(to, from, n); }

EXPORT void *ashlar_memset(void *to, int c, size_t n) { return mem_set(to, c, n); }

/* ---- Checked --------------------------------------------------------------------------------------------------------- */

static int judge_target(const void *to, size_t room, size_t n)
{
    if (n > 0 && to == NULL)
        return EINVAL;
    return n > room || (n > 0 && n > heap_bytes_left(to)) ? ERANGE : 0;
}

static int judge_copy(const void *to, size_t room, const void *from, size_t n)
{
    const int error = judge_target(to, room, n);

    if (error == 0 && n > 0 && from == NULL)
        return EINVAL;
    return error == 0 && n > 0 && n > heap_bytes_left(from) ? ERANGE : error;
}

EXPORT int ashlar_memmove_checked(void *to, size_t room, const void *from, size_t n)
{
    const int error = judge_copy(to, room, from, n);

    if (error == 0)
        (void)mem_move(to, from, n);
    return error;
}

EXPORT int ashlar_memcpy_checked(void *to, size_t room, const void *from, size_t n)
{
    return mem_overlap(to, from, n) ? EINVAL : ashlar_memmove_checked(to, room, from, n);
}

EXPORT int ashlar_memset_checked(void *to, size_t room, int c, size_t n)
{
    const int error = judge_target(to, room, n);

    if (error == 0)
        (void)mem_set(to, c, n);
    return error;
}

/* ---- Checked, for those who have libc's names --------------------------------------------------------------------------- */

/* Nothing but jumps for the many calls that a look at a line for each range shows to be right: what they were given
 * stays where it is. The others are asked about by heap_bytes_left(), in copy_or(), move_or() and set_or(). */

ALWAYS_INLINE bool have_room_at_once(const void *to, const void *from, size_t n)
{
    if (!heap_has_room_at_once(to, n))
        return false;
    __asm__ volatile("" : : : "memory"); /* loaded again is sooner than kept: registers are short here */
    return heap_has_room_at_once(from, n);
}

static NOINLINE void *move_or(void *to, const void *from, size_t n, const char *in, const void *caller,
                              ashlar_copy_otherwise otherwise)
{
    if (heap_bytes_left(to) >= n && heap_bytes_left(from) >= n)
        return mem_move(to, from, n);
    return otherwise(to, from, n, in, caller);
}

static NOINLINE void *copy_or(void *to, const void *from, size_t n, const char *in, const void *caller,
                              ashlar_copy_otherwise otherwise)
{
    return mem_may_overlap(to, from, n) ? otherwise(to, from, n, in, caller)
                                        : move_or(to, from, n, in, caller, otherwise);
}

static NOINLINE void *set_or(void *to, int c, size_t n, const char *in, const void *caller,
                             ashlar_fill_otherwise otherwise)
{
    return heap_bytes_left(to) >= n ? mem_set(to, c, n) : otherwise(to, c, n, in, caller);
}

EXPORT void *ashlar_memcpy_or(void *to, const void *from, size_t n, const char *in, const void *caller,
                              ashlar_copy_otherwise otherwise)
{
    if (likely(!mem_may_overlap(to, from, n)) && have_room_at_once(to, from, n))
        return mem_move(to, from, n);
    return copy_or(to, from, n, in, caller, otherwise);
}

EXPORT void *ashlar_memmove_or(void *to, const void *from, size_t n, const char *in, const void *caller,
                               ashlar_copy_otherwise otherwise)
{
    return have_room_at_once(to, from, n) ? mem_move(to, from, n) : move_or(to, from, n, in, caller, otherwise);
}

EXPORT void *ashlar_memset_or(void *to, int c, size_t n, const char *in, const void *caller,
                              ashlar_fill_otherwise otherwise)
{
    return heap_has_room_at_once(to, n) ? mem_set(to, c, n) : set_or(to, c, n, in, caller, otherwise);
}

/* ---- What lies at an address ------------------------------------------------------------------------------------------- */

EXPORT size_t ashlar_bytes_left(const void *address) { return heap_bytes_left(address); }

EXPORT void ashlar_place_of(const void *address, struct ashlar_place *place)
{
    static const enum ashlar_place_kind kinds[] = {[PLACE_UNKNOWN] = ASHLAR_PLACE_UNKNOWN,
                                                   [PLACE_SMALL] = ASHLAR_PLACE_BLOCK,
                                                   [PLACE_LARGE] = ASHLAR_PLACE_BLOCK,
                                                   [PLACE_FREED] = ASHLAR_PLACE_FREED,
                                                   [PLACE_UNUSED] = ASHLAR_PLACE_UNUSED};
    const struct heap_place found = heap_place_of(address);

    *place = (struct ashlar_place){heap_place_looks_freed(&found) ? ASHLAR_PLACE_FREED : kinds[found.kind],
                                   (void *)found.block, found.bytes};
}
