/* recorder.c: libashlar-sizes.so, the small object that `ashlar sizes` preloads: counting.
 *
 *   program --> names.c --> recorder_copy(), recorder_fill() --> the shared file of record.h
 *                   '-----> mem_move(), mem_set(): the work itself
 *
 * The loader relocates a preloaded library late, but others' resolvers and constructors call memcpy early. So on the
 * way of a call there is no table of pointers, no thread-local word, no lock and no malloc; until the constructor has
 * mapped the file, calls are only told by their number. The constructor is the first of the process (-z initfirst).
 *
 * The work is done by src/mem, linked into this object: it keeps all these rules already, on every processor, and is
 * tested alone. Not taken: the next definition, libc's own, which is an indirect function and can be had only through
 * dlsym(), after relocation; `rep movsb`, which is one processor's and crawls where ranges overlap closely. */
#include "recorder.h"

#include "mem/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROBES = 64 }; /* places of a table that are looked at for one key */

static struct record *record;             /* NULL: nothing is counted */
static bool started;                      /* the constructor has run */
static uint64_t early;                    /* calls before that; there is one thread */
static char program[RECORD_OBJECT_BYTES]; /* path of the executable */

static inline void add(_Atomic uint64_t *counter, uint64_t amount)
{
    /* relaxed: sums are read when all is over */
    (void)atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* ---- Callers ----------------------------------------------------------------------------------------------------- */

/* source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm", FNV-1a; never 0. */
static uint64_t hash(const char *text)
{
    uint64_t value = 0xcbf29ce484222325u;

    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * 0x100000001b3u;
    return value | 1;
}

/* Take the place for `key`, or find that it is taken for it already. */
static bool claim(_Atomic uint64_t *place, uint64_t key, bool *fresh)
{
    uint64_t found = 0;

    /* relaxed: the key says nothing about other words; a name is published by its own mark */
    *fresh = atomic_compare_exchange_strong_explicit(place, &found, key, memory_order_relaxed, memory_order_relaxed);
    return *fresh || found == key;
}

static void write_name(struct record_object *object, const char *name)
{
    for (size_t i = 0; i + 1 < sizeof object->name && name[i] != '\0'; i++)
        object->name[i] = name[i];
    /* release: the name is complete; pairs with the acquire in sizes_callers() */
    atomic_store_explicit(&object->named, 1, memory_order_release);
}

/* The index of the object with that path; RECORD_OBJECTS when there is no room for it. */
static size_t object_index(const char *name)
{
    const uint64_t key = hash(name);

    for (size_t i = 0; i < PROBES; i++) {
        const size_t index = (key + i) % RECORD_OBJECTS;
        bool fresh;

        if (!claim(&record->objects[index].key, key, &fresh))
            continue;
        if (fresh)
            write_name(&record->objects[index], name);
        return index;
    }
    return RECORD_OBJECTS;
}

static bool add_sample(uint64_t key)
{
    const uint64_t start = key * 0x9e3779b97f4a7c15u >> 32;

    for (size_t i = 0; i < PROBES; i++) {
        struct record_caller *const place = &record->callers[(start + i) % RECORD_CALLERS];
        bool fresh;

        if (!claim(&place->key, key, &fresh))
            continue;
        add(&place->samples, 1);
        return true;
    }
    return false;
}

/* Write down from where a call comes. The object is found without a lock, and stays: its code is running.
 * source: glibc 2.35, "_dl_find_object". */
static COLD void sample_caller(enum record_function function, const void *caller)
{
    struct dl_find_object found;
    const char *name = "";
    uint64_t offset = 0;
    size_t object;

    if (_dl_find_object((void *)caller, &found) == 0) {
        name = found.dlfo_link_map->l_name[0] != '\0' ? found.dlfo_link_map->l_name : program;
        offset = (uintptr_t)caller - found.dlfo_link_map->l_addr;
    }
    object = object_index(name);
    if (object == RECORD_OBJECTS || !add_sample(record_caller_key(function, object, offset)))
        add(&record->lost_samples, 1);
}

/* Whether call number `number` tells its caller: one in 2^RECORD_SAMPLING_SHIFT, spread evenly, yet not with the period
 * of any loop: multiples of the golden ratio. source: Knuth, "The Art of Computer Programming", 6.4, theorem S. */
static inline bool is_sampled(uint64_t number)
{
    return number * 0x9e3779b97f4a7c15u >> (64 - RECORD_SAMPLING_SHIFT) == 0;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static void keep_order(enum record_kind kind, uint64_t call)
{
    struct record_order *const order = &record->orders[kind];
    uint64_t place;

    if (atomic_load_explicit(&order->taken, memory_order_relaxed) >= RECORD_ORDER)
        return;
    place = atomic_fetch_add_explicit(&order->taken, 1, memory_order_relaxed);
    if (place < RECORD_ORDER)
        atomic_store_explicit(&order->calls[place], call, memory_order_relaxed);
}

/* returns: the number of the call among those of its function. */
static uint64_t count(enum record_function function, const void *to, size_t n)
{
    struct record_counts *const counts = &record->counts[function];

    add(&counts->bytes, n);
    add(&counts->to[(uintptr_t)to % RECORD_LINE], 1);
    add(&counts->sizes[record_bin(n)], 1);
    return atomic_fetch_add_explicit(&counts->calls, 1, memory_order_relaxed);
}

/* Whether the call can be counted. */
static inline bool is_counting(void)
{
    if (likely(record != NULL))
        return true;
    if (!started)
        early++;
    return false;
}

NOINLINE void recorder_copy(enum record_function function, const void *to, const void *from, size_t n,
                            const void *caller)
{
    if (!is_counting())
        return;
    struct record_counts *const counts = &record->counts[function];
    const uintptr_t target = (uintptr_t)to, source = (uintptr_t)from;

    add(&counts->from[source % RECORD_LINE], 1);
    if (n > 0 && target == source)
        add(&counts->in_place, 1);
    else if (target - source < n || source - target < n)
        add(&counts->overlapping, 1);
    keep_order(RECORD_COPIES, record_call(function, target, source, n));
    if (unlikely(is_sampled(count(function, to, n))))
        sample_caller(function, caller);
}

NOINLINE void recorder_fill(enum record_function function, const void *to, size_t n, const void *caller)
{
    if (!is_counting())
        return;
    keep_order(RECORD_FILLS, record_call(function, (uintptr_t)to, 0, n));
    if (unlikely(is_sampled(count(function, to, n))))
        sample_caller(function, caller);
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

/* The value of RECORD_VARIABLE, or NULL. libc's own environment is not set up yet. */
static const char *record_path(char *const environment[])
{
    static const char name[] = RECORD_VARIABLE "=";

    for (; *environment != NULL; environment++) {
        size_t i = 0;

        while (name[i] != '\0' && (*environment)[i] == name[i])
            i++;
        if (name[i] == '\0')
            return *environment + i;
    }
    return NULL;
}

/* Map the file whole. returns: NULL when it is not one that the command made for this recorder. */
static struct record *map(const char *path)
{
    const int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    void *mapping = MAP_FAILED;

    if (file < 0)
        return NULL;
    if (fstat(file, &status) == 0 && status.st_size == (off_t)sizeof(struct record))
        mapping = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    if (mapping == MAP_FAILED)
        return NULL;
    struct record *const found = mapping;

    if (found->magic == RECORD_MAGIC && found->layout == RECORD_LAYOUT)
        return found;
    (void)munmap(mapping, sizeof(struct record));
    return NULL;
}

/* source of the arguments: glibc hands constructors those of main(). */
__attribute__((constructor)) static void start(int count, char **arguments, char **environment)
{
    const char *const path = record_path(environment);
    const int kept = errno; /* main() finds 0 there. source: C17 7.5 */

    (void)count;
    (void)arguments;
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        program[0] = '?';
    if (path != NULL)
        record = map(path);
    if (record != NULL) {
        add(&record->programs, 1);
        add(&record->early, early);
    }
    errno = kept;
    started = true;
}
