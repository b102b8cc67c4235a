/* misuse.c: the default column of the table of misuses: every misuse by every actor in every size ends in its own line,
 * and its twin in silence. The words of the lines are the contract (docs/design.md, "Reports"). */
#include "misuse.h"

/* ---- Who does it ------------------------------------------------------------------------------------------------- */

enum actor { SAME_THREAD, OTHER_THREAD, OWNER_EXITED, FORKED_CHILD, ACTORS };

static const char *const actor_names[ACTORS] = {"same thread", "other thread", "owner exited", "forked child"};

static void *run_in_thread(void *body)
{
    (*(void (**)(void))body)();
    return NULL;
}

/* The victim is allocated by its owner, then the actor runs `body`, then the owner lives on. */
static void stage(enum actor actor, void (*body)(void))
{
    if (actor == OWNER_EXITED)
        in_thread(allocate_victim, NULL);
    else
        allocate_victim(NULL);
    if (actor == OTHER_THREAD)
        in_thread(run_in_thread, &body);
    else if (actor == FORKED_CHILD)
        in_child(body);
    else
        body();
    settle();
}

/* ---- What is done: the wrong way, and the twin's ----------------------------------------------------------------- */

static void point_at(void *pointer) { facts()->pointer = (uintptr_t)pointer; }

static void free_once(void) { free(victim.block); }

static void free_twice(void)
{
    free(victim.block);
    free(victim.block);
}

/* Other frees come between, some of the same class. Nothing is allocated: the block is not handed out again. */
static void *between[40];

static void free_with_others_between(bool twice)
{
    for (size_t i = 0; i < COUNT(between); i++) {
        between[i] = malloc(i % 2 ? victim.bytes : i * 40);
        CHECK(between[i] != NULL);
    }
    free(victim.block);
    for (size_t i = 0; i < COUNT(between); i++)
        free(between[i]);
    if (twice)
        free(victim.block);
}

static void free_twice_delayed(void) { free_with_others_between(true); }
static void free_once_with_others(void) { free_with_others_between(false); }

static void realloc_after_free(void)
{
    free(victim.block);
    void *moved = realloc(victim.block, victim.bytes + 1);
    (void)moved;
}

static void free_after_realloc(void)
{
    void *moved = realloc(victim.block, victim.bytes * 4 + 100000); /* moves: the old place is free */
    CHECK(moved != NULL);
    if (moved == victim.block)
        _exit(3);
    free(victim.block);
}

static void realloc_and_free(void) { free(realloc(victim.block, victim.bytes * 4 + 100000)); }

static void realloc_to_nothing_twice(void)
{
    CHECK_EQ(realloc(victim.block, 0), NULL);
    CHECK_EQ(realloc(victim.block, 0), NULL);
}

static void realloc_to_nothing(void) { CHECK_EQ(realloc(victim.block, 0), NULL); }

static void reallocarray_after_free(void)
{
    free(victim.block);
    void *moved = reallocarray(victim.block, victim.bytes + 1, 3);
    (void)moved;
}

static void reallocarray_and_free(void) { free(reallocarray(victim.block, victim.bytes + 1, 3)); }

static void free_sized_twice(void)
{
    free_sized(victim.block, victim.bytes);
    free_sized(victim.block, victim.bytes);
}

static void free_sized_once(void) { free_sized(victim.block, victim.bytes); }

static void free_aligned_sized_twice(void)
{
    free_aligned_sized(victim.block, 16, victim.bytes);
    free_aligned_sized(victim.block, 16, victim.bytes);
}

static void free_aligned_sized_once(void) { free_aligned_sized(victim.block, 16, victim.bytes); }

static void delete_twice(void)
{
    operator_delete(victim.block);
    operator_delete(victim.block);
}

static void delete_once(void) { operator_delete(victim.block); }

static void delete_array_twice(void)
{
    operator_delete_array(victim.block);
    operator_delete_array(victim.block);
}

static void delete_array_once(void) { operator_delete_array(victim.block); }

static void cfree_after_free(void)
{
    free(victim.block);
    cfree(victim.block);
}

static void libc_free_after_free(void)
{
    free(victim.block);
    __libc_free(victim.block);
}

static void free_interior_16(void)
{
    point_at(victim.block + 16);
    free(victim.block + 16);
}

static void free_interior_middle(void)
{
    char *middle = victim.block + facts()->usable / 32 * 16;
    point_at(middle);
    free(middle);
}

static void free_interior_end(void)
{
    char *end = victim.block + facts()->usable - 16;
    point_at(end);
    free(end);
}

static void realloc_interior(void)
{
    point_at(victim.block + 16);
    void *moved = realloc(victim.block + 16, 100);
    (void)moved;
}

static void realloc_interior_to_nothing(void)
{
    point_at(victim.block + 16);
    void *moved = realloc(victim.block + 16, 0);
    (void)moved;
}

static void delete_interior(void)
{
    point_at(victim.block + 16);
    operator_delete(victim.block + 16);
}

static void free_sized_interior(void)
{
    point_at(victim.block + 16);
    free_sized(victim.block + 16, victim.bytes);
}

static void free_misaligned_1(void)
{
    point_at(victim.block + 1);
    free(victim.block + 1);
}

static void free_misaligned_8(void)
{
    point_at(victim.block + 8);
    free(victim.block + 8);
}

static void free_misaligned_last(void)
{
    point_at(victim.block + facts()->usable - 1);
    free(victim.block + facts()->usable - 1);
}

static void realloc_misaligned(void)
{
    point_at(victim.block + 8);
    void *moved = realloc(victim.block + 8, 100);
    (void)moved;
}

static void delete_array_misaligned(void)
{
    /* What a mismatched new[]/delete does to objects with a destructor: the count's 8 bytes are forgotten. */
    point_at(victim.block + 8);
    operator_delete_array(victim.block + 8);
}

static void free_misaligned_after_free(void)
{
    free(victim.block);
    point_at(victim.block + 4);
    free(victim.block + 4);
}

/* The last block of the first granule of the class: a slab is carved a page at a time. */
static void free_never_carved(void)
{
    size_t granule = 64 * KIB, usable = facts()->usable;
    uintptr_t base = (uintptr_t)victim.neighbour / granule * granule;
    char *last = (char *)(base + (granule / usable - 1) * usable);
    point_at(last);
    free(last);
}

static void realloc_never_carved(void)
{
    size_t granule = 64 * KIB, usable = facts()->usable;
    uintptr_t base = (uintptr_t)victim.neighbour / granule * granule;
    char *last = (char *)(base + (granule / usable - 1) * usable);
    point_at(last);
    void *moved = realloc(last, 10);
    (void)moved;
}

/* A place inside a run that was given back. */
static void free_inside_released(void)
{
    free(victim.block);
    ashlar_purge();
    point_at(victim.block + 64 * KIB);
    free(victim.block + 64 * KIB);
}

/* ---- What must come of it ---------------------------------------------------------------------------------------- */

enum line { DOUBLE_FREE, INTERIOR, MISALIGNED, UNALLOCATED };

enum {
    ALL_ACTORS = (1 << ACTORS) - 1,
    ANY_SIZE = 1 << 30, /* bytes */
};

static const struct misuse {
    const char *name;
    void (*commit)(void);
    void (*twin)(void);
    enum line line;
    const char *in;
    size_t least, most; /* usable bytes for which it makes sense */
} misuses[] = {
    {"free twice", free_twice, free_once, DOUBLE_FREE, "free", 0, ANY_SIZE},
    {"free twice, delayed", free_twice_delayed, free_once_with_others, DOUBLE_FREE, "free", 0, ANY_SIZE},
    {"realloc after free", realloc_after_free, realloc_and_free, DOUBLE_FREE, "realloc", 0, ANY_SIZE},
    {"free after a realloc that moved", free_after_realloc, realloc_and_free, DOUBLE_FREE, "free", 0, 4096},
    {"realloc to nothing twice", realloc_to_nothing_twice, realloc_to_nothing, DOUBLE_FREE, "realloc", 0, ANY_SIZE},
    {"reallocarray after free", reallocarray_after_free, reallocarray_and_free, DOUBLE_FREE, "reallocarray", 0,
     ANY_SIZE},
    {"free_sized twice", free_sized_twice, free_sized_once, DOUBLE_FREE, "free_sized", 0, ANY_SIZE},
    {"free_aligned_sized twice", free_aligned_sized_twice, free_aligned_sized_once, DOUBLE_FREE, "free_aligned_sized",
     0, ANY_SIZE},
    {"delete twice", delete_twice, delete_once, DOUBLE_FREE, "operator delete", 0, ANY_SIZE},
    {"delete[] twice", delete_array_twice, delete_array_once, DOUBLE_FREE, "operator delete[]", 0, ANY_SIZE},
    {"cfree after free", cfree_after_free, free_once, DOUBLE_FREE, "free", 0, ANY_SIZE},
    {"__libc_free after free", libc_free_after_free, free_once, DOUBLE_FREE, "free", 0, ANY_SIZE},
    {"free(p + 16)", free_interior_16, free_once, INTERIOR, "free", 32, ANY_SIZE},
    {"free(p + half)", free_interior_middle, free_once, INTERIOR, "free", 32, ANY_SIZE},
    {"free(end - 16)", free_interior_end, free_once, INTERIOR, "free", 32, ANY_SIZE},
    {"realloc(p + 16)", realloc_interior, realloc_and_free, INTERIOR, "realloc", 32, ANY_SIZE},
    {"realloc(p + 16, 0)", realloc_interior_to_nothing, realloc_to_nothing, INTERIOR, "realloc", 32, ANY_SIZE},
    {"delete (p + 16)", delete_interior, delete_once, INTERIOR, "operator delete", 32, ANY_SIZE},
    {"free_sized(p + 16)", free_sized_interior, free_sized_once, INTERIOR, "free_sized", 32, ANY_SIZE},
    {"free(p + 1)", free_misaligned_1, free_once, MISALIGNED, "free", 0, ANY_SIZE},
    {"free(p + 8)", free_misaligned_8, free_once, MISALIGNED, "free", 0, ANY_SIZE},
    {"free(end - 1)", free_misaligned_last, free_once, MISALIGNED, "free", 0, ANY_SIZE},
    {"realloc(p + 8)", realloc_misaligned, realloc_and_free, MISALIGNED, "realloc", 0, ANY_SIZE},
    {"delete[] (p + 8)", delete_array_misaligned, delete_array_once, MISALIGNED, "operator delete[]", 0, ANY_SIZE},
    {"free(p + 4) after free", free_misaligned_after_free, free_once, MISALIGNED, "free", 0, ANY_SIZE},
    {"free, never carved", free_never_carved, free_once, UNALLOCATED, "free", 0, 1024},
    {"realloc, never carved", realloc_never_carved, realloc_and_free, UNALLOCATED, "realloc", 0, 1024},
    {"free inside what was released", free_inside_released, free_once, UNALLOCATED, "free", 128 * 1024, 32 << 20},
};

static const size_t sizes[] = {0, 1, 8, 16, 24, 100, 1000, 4096, 5000, 65536, 256 * KIB, 4 * MIB, 40 * MIB};

/* ---- The cases --------------------------------------------------------------------------------------------------- */

static struct scene {
    const struct misuse *misuse;
    size_t bytes;
    enum actor actor;
} scenes[COUNT(misuses) * COUNT(sizes) * ACTORS];

static void expect_line(const struct misuse *misuse)
{
    const struct facts *seen = facts();
    switch (misuse->line) {
    case DOUBLE_FREE:
        test_child_died(__FILE__, __LINE__, "ashlar: double free of 0x%lx (%zu-byte block, in %s)", seen->pointer,
                        seen->usable, misuse->in);
        break;
    case INTERIOR:
        test_child_died(__FILE__, __LINE__, "ashlar: free of interior pointer 0x%lx (%zu-byte block at 0x%lx, in %s)",
                        seen->pointer, seen->usable, seen->block, misuse->in);
        break;
    case MISALIGNED:
        test_child_died(__FILE__, __LINE__, "ashlar: free of misaligned pointer 0x%lx (in %s)", seen->pointer,
                        misuse->in);
        break;
    case UNALLOCATED:
        test_child_died(__FILE__, __LINE__, "ashlar: free of unallocated address 0x%lx (in %s)", seen->pointer,
                        misuse->in);
        break;
    }
}

static void misused(const void *argument)
{
    const struct scene *scene = argument;
    victim.bytes = scene->bytes;
    if (test_restarted()) {
        stage(scene->actor, scene->misuse->commit);
        _exit(0); /* nobody noticed */
    }
    if (test_child_begin()) {
        test_restart(NULL);
    }
    expect_line(scene->misuse);
}

static void used_well(const void *argument)
{
    const struct scene *scene = argument;
    victim.bytes = scene->bytes;
    if (test_restarted()) {
        stage(scene->actor, scene->misuse->twin);
        _exit(0);
    }
    EXITS(0) { test_restart(NULL); }
}

TESTS(misuses)
{
    struct scene *scene = scenes;
    for (const struct misuse *misuse = misuses; misuse < misuses + COUNT(misuses); misuse++)
        for (size_t s = 0; s < COUNT(sizes); s++)
            for (enum actor actor = 0; actor < ACTORS; actor++) {
                size_t usable = sizes[s] > 16 ? sizes[s] : 16; /* at least */
                if (usable < misuse->least || usable > misuse->most)
                    continue;
                *scene = (struct scene){misuse, sizes[s], actor};
                test_add(misused, scene, "%s: %zu bytes, %s", misuse->name, sizes[s], actor_names[actor]);
                test_add(used_well, scene, "twin of %s: %zu bytes, %s", misuse->name, sizes[s], actor_names[actor]);
                scene++;
            }
}
