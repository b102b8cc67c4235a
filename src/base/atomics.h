/* atomics.h: short names for the four plain atomic accesses, so that a line shows its order and stays readable.
 * Read-modify-write operations are spelled out with <stdatomic.h>, where their partner is named. */
#ifndef ASHLAR_BASE_ATOMICS_H
#define ASHLAR_BASE_ATOMICS_H

#include "base/config.h"

#include <stdatomic.h>

#define load_relaxed(object) atomic_load_explicit((object), memory_order_relaxed)
#define load_acquire(object) atomic_load_explicit((object), memory_order_acquire)
#define store_relaxed(object, value) atomic_store_explicit((object), (value), memory_order_relaxed)
#define store_release(object, value) atomic_store_explicit((object), (value), memory_order_release)
#define add_relaxed(object, value) atomic_fetch_add_explicit((object), (value), memory_order_relaxed)
#define subtract_relaxed(object, value) atomic_fetch_sub_explicit((object), (value), memory_order_relaxed)

/* A relaxed load of a word as `type` on a hot path: compilers fold a plain load into the compare that follows, but not
 * an atomic one (gcc 12, clang 14). An aligned word is read whole either way; the thread sanitizer gets to see the
 * atomic. */
#if UNDER_TSAN
#define load_hot(type, object) load_relaxed(object)
#else
#define load_hot(type, object) (*(const type *)(const void *)(object))
#endif

/* A counter with one writer, the owner: a plain increment that other threads may read at any time. */
#define count_up(object, value) store_relaxed((object), load_relaxed(object) + (value))

#endif
