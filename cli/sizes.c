/* sizes.c: the record of copies and fills: made, taken, added up. */
#include "sizes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NAME(name, kind) #name,
#define KIND(name, kind) kind,
const char *const sizes_names[RECORD_FUNCTIONS] = {RECORD_FUNCTION_TABLE(NAME)};
const enum record_kind sizes_kinds[RECORD_FUNCTIONS] = {RECORD_FUNCTION_TABLE(KIND)};

/* ---- The file ---- */

/* Whether a file may be so large. Else the signal that says no (SIGXFSZ) would end us without a word. */
static bool may_be_that_large(void)
{
    struct rlimit most;

    return getrlimit(RLIMIT_FSIZE, &most) != 0 || most.rlim_cur >= sizeof(struct record);
}

/* returns: 0 or an errno value. */
static int write_head(int file)
{
    const uint64_t head[] = {RECORD_MAGIC, RECORD_LAYOUT};
    const int error = may_be_that_large() ? posix_fallocate(file, 0, (off_t)sizeof(struct record)) : EFBIG;

    if (error != 0)
        return error;
    return pwrite(file, head, sizeof head, 0) == (ssize_t)sizeof head ? 0 : EIO;
}

bool sizes_file_make(const struct place *place, struct sizes_file *file, struct refusal *why)
{
    int error;

    (void)snprintf(file->path, sizeof file->path, "%s/record", place->path);
    file->file = openat(place->directory, "record", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->file < 0)
        return refuse(why, EXIT_REFUSED, "no_room", "cannot make %s: %s", file->path, strerror(errno));
    error = write_head(file->file);
    if (error == 0)
        return true;
    (void)close(file->file);
    return refuse(why, EXIT_REFUSED, "no_room", "cannot make %s of %zu MiB: %s", file->path,
                  (sizeof(struct record) >> 20) + 1, strerror(error));
}

/* Read all of the file; it is not mapped, because a program may have cut it. returns: 0 or an errno value. */
static int read_whole(int file, char *into, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t length = pread(file, into + done, bytes - done, (off_t)done);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length < 0 ? errno : EBADMSG;
        done += (size_t)length;
    }
    return 0;
}

struct record *sizes_file_take(struct sizes_file *file, struct refusal *why)
{
    struct record *const record = malloc(sizeof *record);
    const int error = record != NULL ? read_whole(file->file, (char *)record, sizeof *record) : ENOMEM;

    (void)close(file->file);
    if (error == 0)
        return record;
    free(record);
    (void)refuse(why, EXIT_REFUSED, error == ENOMEM ? "memory" : "damaged", "the record cannot be read: %s",
                 strerror(error));
    return NULL;
}

/* ---- Sums ---- */

/* relaxed, here and below: the programs have ended, and the copy is ours alone. */
static uint64_t value(const _Atomic uint64_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

void sizes_add(struct sizes_sum *sum, const struct record *record, enum record_function function)
{
    const struct record_counts *const counts = &record->counts[function];

    sum->bytes += value(&counts->bytes);
    sum->overlapping += value(&counts->overlapping);
    sum->in_place += value(&counts->in_place);
    for (size_t i = 0; i < RECORD_LINE; i++) {
        sum->to[i] += value(&counts->to[i]);
        sum->from[i] += value(&counts->from[i]);
    }
    for (size_t bin = 0; bin < RECORD_BINS; bin++) {
        const uint64_t calls = value(&counts->sizes[bin]);
        sum->sizes[bin] += calls;
        sum->calls += calls;
    }
}

void sizes_add_kind(struct sizes_sum *sum, const struct record *record, enum record_kind kind)
{
    for (enum record_function function = 0; function < RECORD_FUNCTIONS; function++)
        if (sizes_kinds[function] == kind)
            sizes_add(sum, record, function);
}

uint64_t sizes_quantile(const struct sizes_sum *sum, double share)
{
    const double wanted = share * (double)sum->calls;
    uint64_t calls = 0;

    for (size_t bin = 0; bin < RECORD_BINS; bin++) {
        calls += sum->sizes[bin];
        if (calls > 0 && (double)calls >= wanted)
            return record_bin_most(bin);
    }
    return 0;
}

uint64_t sizes_up_to(const struct sizes_sum *sum, uint64_t most)
{
    uint64_t calls = 0;

    for (uint64_t bytes = 0; bytes <= most; bytes++)
        calls += sum->sizes[bytes];
    return calls;
}

/* ---- Callers ---- */

/* Most samples first, then by place, so that the same record is told in the same way. */
static int by_samples(const void *a, const void *b)
{
    const struct sizes_caller *const left = a;
    const struct sizes_caller *const right = b;

    if (left->samples != right->samples)
        return left->samples < right->samples ? 1 : -1;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return (left->function > right->function) - (left->function < right->function);
}

/* The path of an object; NULL when there is none. */
static const char *object_name(const struct record *record, size_t index)
{
    const struct record_object *const object = &record->objects[index];

    /* acquire: the name is complete; pairs with the release in write_name() of recorder.c */
    if (atomic_load_explicit(&object->named, memory_order_acquire) != 1 || object->name[0] == '\0' ||
        memchr(object->name, '\0', sizeof object->name) == NULL)
        return NULL;
    return object->name;
}

size_t sizes_callers(const struct record *record, struct sizes_caller callers[RECORD_CALLERS])
{
    size_t count = 0;

    for (size_t i = 0; i < RECORD_CALLERS; i++) {
        const uint64_t key = value(&record->callers[i].key);
        const uint64_t samples = value(&record->callers[i].samples);

        if (key == 0 || samples == 0 || record_caller_function(key) >= RECORD_FUNCTIONS)
            continue;
        callers[count++] = (struct sizes_caller){.function = record_caller_function(key),
                                                 .object = object_name(record, record_caller_object(key)),
                                                 .offset = record_caller_offset(key),
                                                 .samples = samples};
    }
    qsort(callers, count, sizeof *callers, by_samples);
    return count;
}
