/* neighbours.c: what lies beside a target belongs to somebody else, who writes there at the same time.
 *
 *     | a thread writes | target: we write | the thread writes |
 *
 * A function that reads a word or a vector, puts its bytes in and writes it back loses what was written meanwhile: C17
 * 5.1.2.4 and 3.14 make bytes memory locations of their own. Alone it would look right, so the other thread has to
 * race. */
#include "ways.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { CALLS = 400, FAR = 64 };

/* How far from the target the other thread writes, on both sides: all that is in one word with it, and some that are
 * in one vector. */
static const size_t distances[] = {1, 2, 3, 4, 5, 6, 7, 8, 16, 32, FAR};
enum { DISTANCES = sizeof distances / sizeof distances[0] };

static struct {
    pthread_barrier_t begins, ended;
    byte *target; /* these two are handed over by the barriers */
    size_t n;     /* SIZE_MAX: there is no more */
    atomic_bool is_done;
    atomic_uint turns; /* of the neighbour, in this race */
} race;

/* Write the next value where the last one must still be. */
static void write_next(volatile byte *at, byte last)
{
    const byte found = *at;

    if (found != last)
        test_fail(__FILE__, __LINE__, "%zu bytes at %p: %d was written at %p, and %d is there", race.n,
                  (void *)race.target, last, (void *)(uintptr_t)at, found);
    *at = (byte)(last + 1);
}

static void write_beside(void)
{
    byte *const start = race.target, *const end = race.target + race.n;
    byte last = 0;

    for (size_t i = 1; i <= FAR; i++)
        start[-(ptrdiff_t)i] = end[i - 1] = 0;
    do {
        for (size_t i = 0; i < DISTANCES; i++) {
            write_next(start - distances[i], last);
            write_next(end + distances[i] - 1, last);
        }
        last++;
        /* relaxed: a count, and a word that says stop; the barrier orders everything else */
        atomic_fetch_add_explicit(&race.turns, 1, memory_order_relaxed);
    } while (!atomic_load_explicit(&race.is_done, memory_order_relaxed));
    for (size_t i = 0; i < DISTANCES; i++) {
        write_next(start - distances[i], last);
        write_next(end + distances[i] - 1, last);
    }
}

static void *be_neighbour(void *nothing)
{
    for (;;) {
        (void)pthread_barrier_wait(&race.begins);
        if (race.n == SIZE_MAX)
            return nothing;
        write_beside();
        (void)pthread_barrier_wait(&race.ended);
    }
}

static void work(byte *to, const byte *from, size_t n, unsigned call)
{
    if (call % 2 == 0)
        (void)mem_move(to, from, n);
    else
        (void)mem_set(to, 0x77, n);
}

/* Copies and fills of one place while the thread beside it writes, until both have had their turns. */
static void race_beside(byte *to, const byte *from, size_t n)
{
    const unsigned calls = n > 4096 ? CALLS / 20 : CALLS;

    race.target = to;
    race.n = n;
    atomic_store(&race.is_done, false);
    atomic_store(&race.turns, 0);
    (void)pthread_barrier_wait(&race.begins);
    while (atomic_load(&race.turns) == 0)
        continue;
    for (unsigned call = 0; call < calls; call++)
        work(to, from, n, call);
    atomic_store(&race.is_done, true);
    (void)pthread_barrier_wait(&race.ended);
}

static bool has_two_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 2;
}

static void neighbours_keep_what_they_write(const void *way)
{
    enum { ROOM = 40 * PAGE };
    byte *const source = guarded(ROOM), *const target = guarded(ROOM);
    pthread_t neighbour;

    if (!has_two_processors())
        SKIP("one processor: nobody races");
    go(way);
    CHECK_EQ(pthread_barrier_init(&race.begins, NULL, 2), 0);
    CHECK_EQ(pthread_barrier_init(&race.ended, NULL, 2), 0);
    CHECK_EQ(pthread_create(&neighbour, NULL, be_neighbour, NULL), 0);
    for (size_t i = 0; i < LENGTHS; i++)
        race_beside(target + FAR + test_random() % PAGE, source + test_random() % PAGE, length_number(i));
    race.n = SIZE_MAX;
    (void)pthread_barrier_wait(&race.begins);
    CHECK_EQ(pthread_join(neighbour, NULL), 0);
}

TESTS(neighbours)
{
    for (size_t i = 0; i < WAYS; i++)
        test_add(neighbours_keep_what_they_write, &ways[i], "neighbours keep what they write, %s", ways[i].name);
}
