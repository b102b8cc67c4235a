/* actors.h: several actors play threads in one. A thread is nothing but its thread-local word, so whoever holds the
 * word is that thread; what needs luck with real threads happens here every time. */
#ifndef ACTORS_H
#define ACTORS_H

#include "heap_walk.h"

enum actor { ANN, BOB, CAT, DAN, ACTORS };
enum { MANY = 3000 };

static uintptr_t selves[ACTORS]; /* 0: has not allocated yet, as in a real thread */
static enum actor present;

static inline void be(enum actor actor)
{
    selves[present] = heap_self;
    present = actor;
    heap_self = selves[actor];
}

/* What the heap reported. */
static struct {
    int count;
    struct heap_misuse last;
} reports;

static inline void note_misuse(const struct heap_misuse *misuse)
{
    reports.count++;
    reports.last = *misuse;
}

/* Actors share the thread pointer of the one who plays them: give each a number in its place. */
static inline void number_thread(void)
{
    static uintptr_t number;
    heap_own()->thread = ++number;
}

static inline void begin(void)
{
    page_start();
    heap_taps.misuse = note_misuse;
    heap_taps.thread_began = number_thread;
}

/* A block of Ann's. */
static inline void *get_as(enum actor actor, size_t bytes)
{
    be(actor);
    void *const block = walk_get(bytes);
    CHECK(block != NULL);
    return block;
}

static inline void free_as(enum actor actor, void *block)
{
    be(actor);
    walk_put_back(block);
}

static inline struct slab *slab_of(const void *block) { return slab_of_line(page_line(page_offset(block))); }

static inline struct remote word_of(const struct slab *slab) { return remote_unpack(load_relaxed(&slab->remote)); }

static inline struct heap *heap_of(enum actor actor)
{
    be(actor);
    struct heap *const heap = heap_own();
    CHECK(heap != NULL);
    return heap;
}

static inline void send_parcels(enum actor actor) { heap_send_parcels(heap_of(actor)); }

/* What the actor's magazines hold goes home, or into parcels. */
static inline void empty_magazines(enum actor actor) { heap_magazines_return(heap_of(actor)); }

/* All that the actor freed goes home. */
static inline void send_all(enum actor actor)
{
    empty_magazines(actor);
    send_parcels(actor);
}

static inline void exit_as(enum actor actor)
{
    be(actor);
    heap_thread_exit();
}

static inline uint32_t live_granules(void)
{
    uint32_t live = 0;

    for (granule_index index = {1}; index.i < page_granule_end().i; index.i++) {
        const struct line *const line = page_line_at(index);
        if (line->kind == GRANULE_SLAB)
            live += class_table[line->class].granules;
        else if (line->kind == GRANULE_LARGE)
            live += line->granules;
    }
    return live;
}

static inline void check_held(uint64_t blocks)
{
    heap_walk();
    CHECK_EQ(walk_held(), blocks);
}

#endif
