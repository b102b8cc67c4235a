/* handoff.c: double frees by two threads in order: one thread frees, another waits for it and frees again.
 *
 *   1st \ 2nd   owner   A   B      The first of them may be alive and idle then, with the block still in its outgoing
 * parcel, owner               x   x      or gone. Nobody but the owner may look at lists, so the proof may come late:
 * when the A             x     x   x      first free has come home and the owner takes a slow path. Then it must come.
 */
#include "misuse.h"

enum person { OWNER, THREAD_A, THREAD_B };

static const char *const names[] = {"owner", "A", "B"};

static struct scene {
    size_t bytes;
    enum person first, second;
    bool first_leaves; /* before the second free */
    bool twice;        /* false: the twin, in which the second person frees another block */
} scenes[256];

/* A thread that obeys: on each turn it frees what it is told. */
struct servant {
    pthread_t thread;
    void *block;
    atomic_int turn; /* odd: work to do; even: done */
    bool leaves;
};

static void *serve(void *argument)
{
    struct servant *servant = argument;
    for (int turn = 1;; turn += 2) {
        while (atomic_load(&servant->turn) < turn)
            sched_yield();
        if (servant->leaves)
            return NULL;
        free(servant->block);
        atomic_store(&servant->turn, turn + 1);
    }
}

static void tell(struct servant *servant, void *block)
{
    servant->block = block;
    int done = atomic_fetch_add(&servant->turn, 1) + 2;
    while (atomic_load(&servant->turn) != done)
        sched_yield();
}

static void dismiss(struct servant *servant)
{
    servant->leaves = true;
    atomic_fetch_add(&servant->turn, 1);
    join_thread(servant->thread);
}

static void free_by(enum person person, struct servant *a, struct servant *b, void *block)
{
    if (person == OWNER)
        free(block);
    else
        tell(person == THREAD_A ? a : b, block);
}

static void act(const struct scene *scene)
{
    static struct servant a, b;
    victim.bytes = scene->bytes;
    a.thread = start_thread(serve, &a);
    b.thread = start_thread(serve, &b);
    allocate_victim(NULL);
    char *block = victim.block, *other = victim.neighbour;

    free_by(scene->first, &a, &b, block);
    if (scene->first_leaves)
        dismiss(scene->first == THREAD_A ? &a : &b);
    free_by(scene->second, &a, &b, scene->twice ? block : other);
    settle(); /* the proof may need the other threads' parcels, so it may not come yet */
    if (!(scene->first_leaves && scene->first == THREAD_A))
        dismiss(&a);
    if (!(scene->first_leaves && scene->first == THREAD_B))
        dismiss(&b);
    settle();
}

static void happens(const void *argument)
{
    const struct scene *scene = argument;
    if (test_restarted()) {
        act(scene);
        _exit(0);
    }
    if (scene->twice) {
        DIES("ashlar: double free of 0x%lx (%zu-byte block, in free)", facts()->pointer, facts()->usable)
        {
            test_restart(NULL);
        }
    } else {
        EXITS(0) { test_restart(NULL); }
    }
}

static const struct {
    enum person first, second;
} pairs[] = {
    {OWNER, THREAD_A},    {OWNER, THREAD_B},    {THREAD_A, OWNER},
    {THREAD_A, THREAD_A}, {THREAD_A, THREAD_B}, {THREAD_B, THREAD_A},
};

static const size_t sizes[] = {0, 24, 100, 1000, 5000, 65536, 256 * KIB, 4 * MIB, 40 * MIB};

TESTS(handoffs)
{
    struct scene *scene = scenes;
    for (size_t p = 0; p < COUNT(pairs); p++)
        for (size_t s = 0; s < COUNT(sizes); s++)
            for (int leaves = 0; leaves < (pairs[p].first != OWNER && pairs[p].first != pairs[p].second ? 2 : 1);
                 leaves++)
                for (int twice = 0; twice < 2; twice++) {
                    *scene = (struct scene){sizes[s], pairs[p].first, pairs[p].second, leaves, twice};
                    test_add(happens, scene, "%s%s frees%s, then %s: %zu bytes",
                             twice ? "" : "twin: ", names[pairs[p].first], leaves ? " and leaves" : "",
                             names[pairs[p].second], sizes[s]);
                    scene++;
                }
}
