/* fake_os.h: the kernel, played by a test. It takes the place of src/os (lock.c stays), in every program whose one
 * source file includes this header.
 *
 *   page/, heap/, api/ --os.h--> fake_os --keeps the books, refuses, lies--> real anonymous memory
 *
 * The books know every range that was given out. A call that names memory which is not ours, or that is not made of
 * whole pages, fails the test where it is made. The rest is played as the fields of `fake_os` say: page sizes that this
 * machine does not have, somebody else's mappings in the way, a kernel that refuses the n-th call, fixed places, or any
 * memory beyond a bound, purges that fail or keep the content. Time stands still unless the test moves it.
 *
 * Threads: one. */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include "test.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "os/os.h"

enum fake_access { FAKE_NOTHING, FAKE_OPEN }; /* reserved without access; readable and writable */

struct fake_range {
    uintptr_t start;
    uintptr_t end;
    enum fake_access access;
};

enum { FAKE_RANGES_MAX = 8192, FAKE_OBSTACLES_MAX = 64, FAKE_TEXT_BYTES = 16384 };

static struct {
    /* What the test sets. */
    size_t page_bytes;
    uint64_t random[2];
    bool secure;
    bool short_of_space;
    bool refuses_places;          /* nothing can be mapped at a fixed address: EEXIST */
    size_t reservation_bytes_max; /* of one mapping without access */
    size_t open_bytes_max;        /* readable and writable memory, all together: RLIMIT_DATA */
    uint64_t refused_call;        /* the how-manieth call that may be refused is refused; 0: none */
    bool refuses_from_there;      /* and all after it */
    bool purge_fails;
    bool purge_keeps_content;
    void (*during_purge)(void); /* what another thread does while the caller of the next purge has dropped its lock */
    uint64_t now_ms;
    const char *environment; /* value of ASHLAR_CONF */
    bool environment_ready;  /* not at first: libc sets the block after the first calls */
    const char *files[8][2]; /* path, and the path that is opened instead */

    /* What it may look at. */
    uint64_t calls; /* that may be refused, made so far */
    uint64_t refusals;
    uint64_t purges;
    size_t purged_bytes;
    size_t open_bytes;
    size_t text_bytes;
    char text[FAKE_TEXT_BYTES]; /* what was written, whichever descriptor */

    /* The books. */
    struct fake_range ranges[FAKE_RANGES_MAX]; /* disjoint, in no order */
    size_t range_count;
    struct fake_range obstacles[FAKE_OBSTACLES_MAX]; /* somebody else's */
    size_t obstacle_count;
} fake_os = {
    .page_bytes = 4096,
    .random = {1, 2},
    .reservation_bytes_max = SIZE_MAX,
    .open_bytes_max = SIZE_MAX,
};

/* ---- The books ---------------------------------------------------------------------------------------------------- */

static inline bool fake_meets(const struct fake_range *range, uintptr_t start, uintptr_t end)
{
    return start < range->end && range->start < end;
}

static inline void fake_enter(uintptr_t start, uintptr_t end, enum fake_access access)
{
    if (start == end)
        return;
    for (size_t i = 0; i < fake_os.range_count; i++) /* neighbours become one, as the kernel's do */
        if (fake_os.ranges[i].access == access && (fake_os.ranges[i].end == start || fake_os.ranges[i].start == end)) {
            const struct fake_range neighbour = fake_os.ranges[i];
            fake_os.ranges[i] = fake_os.ranges[--fake_os.range_count];
            fake_enter(neighbour.start < start ? neighbour.start : start, neighbour.end > end ? neighbour.end : end,
                       access);
            return;
        }
    CHECK(fake_os.range_count < FAKE_RANGES_MAX);
    fake_os.ranges[fake_os.range_count++] = (struct fake_range){start, end, access};
}

/* Take [start, end) out of the books. returns: how many bytes of it were in them. */
static inline size_t fake_leave(uintptr_t start, uintptr_t end)
{
    size_t bytes = 0;

    for (size_t i = 0; i < fake_os.range_count;) {
        const struct fake_range range = fake_os.ranges[i];
        if (!fake_meets(&range, start, end)) {
            i++;
            continue;
        }
        const uintptr_t from = range.start > start ? range.start : start;
        const uintptr_t to = range.end < end ? range.end : end;
        bytes += to - from;
        fake_os.open_bytes -= range.access == FAKE_OPEN ? to - from : 0;
        fake_os.ranges[i] = fake_os.ranges[--fake_os.range_count];
        fake_enter(range.start, from, range.access);
        fake_enter(to, range.end, range.access);
        i = 0;
    }
    return bytes;
}

static inline size_t fake_bytes_in(uintptr_t start, uintptr_t end, enum fake_access access)
{
    size_t bytes = 0;

    for (size_t i = 0; i < fake_os.range_count; i++) {
        const struct fake_range *const range = &fake_os.ranges[i];
        if (range->access == access && fake_meets(range, start, end))
            bytes += (range->end < end ? range->end : end) - (range->start > start ? range->start : start);
    }
    return bytes;
}

/* Whether every byte of [address, +bytes) is ours and can be used. */
static inline bool fake_is_open(const void *address, size_t bytes)
{
    return fake_bytes_in((uintptr_t)address, (uintptr_t)address + bytes, FAKE_OPEN) == bytes;
}

static inline bool fake_is_ours(const void *address, size_t bytes)
{
    return fake_is_open(address, bytes) ||
           fake_bytes_in((uintptr_t)address, (uintptr_t)address + bytes, FAKE_NOTHING) +
                   fake_bytes_in((uintptr_t)address, (uintptr_t)address + bytes, FAKE_OPEN) ==
               bytes;
}

static inline bool fake_is_taken(uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < fake_os.range_count; i++)
        if (fake_meets(&fake_os.ranges[i], start, end))
            return true;
    for (size_t i = 0; i < fake_os.obstacle_count; i++)
        if (fake_meets(&fake_os.obstacles[i], start, end))
            return true;
    return false;
}

/* From now on somebody else lives at [address, +bytes). */
static inline void fake_obstacle(uintptr_t address, size_t bytes)
{
    CHECK(fake_os.obstacle_count < FAKE_OBSTACLES_MAX);
    CHECK(!fake_is_taken(address, address + bytes));
    fake_os.obstacles[fake_os.obstacle_count++] = (struct fake_range){address, address + bytes, FAKE_OPEN};
}

static inline void fake_check_pages(const void *address, size_t bytes)
{
    CHECK_EQ((uintptr_t)address % fake_os.page_bytes, 0);
    CHECK_EQ(bytes % fake_os.page_bytes, 0);
    CHECK(bytes > 0);
}

static inline bool fake_refuses(void)
{
    fake_os.calls++;
    const bool refused =
        fake_os.refused_call != 0 &&
        (fake_os.calls == fake_os.refused_call || (fake_os.refuses_from_there && fake_os.calls > fake_os.refused_call));
    fake_os.refusals += refused;
    return refused;
}

static inline bool fake_is_full(size_t bytes)
{
    const bool full = bytes > fake_os.open_bytes_max || fake_os.open_bytes > fake_os.open_bytes_max - bytes;

    fake_os.refusals += full;
    return full;
}

/* ---- The real kernel, which stands behind the played one. Raw calls: the sanitizers' own mmap refuses some places ---- */

static inline char *real_map(void *address, size_t bytes, int protection, int flags)
{
    const long result = os_call6(SYS_mmap, (long)address, (long)bytes, protection,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

    return result < 0 && result > -4096 ? NULL : (char *)result;
}

static inline void real_unmap(const void *address, size_t bytes)
{
    CHECK_EQ(os_call6(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0), 0);
}

/* Skip the test where the real kernel has something at `place` already: a sanitizer's shadow, under which the heap lies
 * in one reservation. For tests that tell of fixed places. */
static inline void fake_needs_place(uintptr_t place)
{
    char *const found = real_map((void *)place, fake_os.page_bytes, PROT_NONE, MAP_FIXED_NOREPLACE);

    if (found != (char *)place)
        SKIP("the sanitizer has its shadow where the heap would lie");
    real_unmap(found, fake_os.page_bytes);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------- */

/* Real memory of `bytes` bytes at a multiple of the page size that is played; NULL when this machine has none left. */
static inline char *fake_map_real(size_t bytes, int protection)
{
    const size_t page = fake_os.page_bytes;
    char *const start = real_map(NULL, bytes + page, protection, 0);

    if (start == NULL)
        return NULL;
    char *const aligned = (char *)(((uintptr_t)start + page - 1) & ~(page - 1));
    if (aligned > start)
        real_unmap(start, (size_t)(aligned - start));
    real_unmap(aligned + bytes, page - (size_t)(aligned - start));
    return aligned;
}

static inline void *fake_map_at(void *address, size_t bytes, int *error)
{
    *error = EEXIST;
    if (fake_os.refuses_places || fake_is_taken((uintptr_t)address, (uintptr_t)address + bytes))
        return NULL;
    char *const place = real_map(address, bytes, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
    if (place == NULL)
        return NULL;
    if (place != address) {
        real_unmap(place, bytes);
        return NULL;
    }
    *error = 0;
    return place;
}

void *os_map(void *address, size_t bytes, int *error)
{
    int why = ENOMEM;
    void *place = NULL;

    fake_check_pages(address, bytes);
    if (!fake_refuses() && !fake_is_full(bytes))
        place = address != NULL ? fake_map_at(address, bytes, &why) : fake_map_real(bytes, PROT_READ | PROT_WRITE);
    if (place != NULL) {
        fake_enter((uintptr_t)place, (uintptr_t)place + bytes, FAKE_OPEN);
        fake_os.open_bytes += bytes;
        why = 0;
    }
    if (error != NULL)
        *error = why;
    return place;
}

void *os_map_nothing(void *address, size_t bytes)
{
    fake_check_pages(address, bytes);
    if (fake_refuses() || bytes > fake_os.reservation_bytes_max)
        return NULL;
    if (address == NULL) {
        address = fake_map_real(bytes, PROT_NONE);
    } else {
        CHECK(fake_is_ours(address, bytes));
        CHECK_EQ(real_map(address, bytes, PROT_NONE, MAP_FIXED), address);
        (void)fake_leave((uintptr_t)address, (uintptr_t)address + bytes);
    }
    if (address != NULL)
        fake_enter((uintptr_t)address, (uintptr_t)address + bytes, FAKE_NOTHING);
    return address;
}

int os_unmap(void *address, size_t bytes)
{
    fake_check_pages(address, bytes);
    CHECK(fake_is_ours(address, bytes));
    if (fake_refuses())
        return ENOMEM;
    (void)fake_leave((uintptr_t)address, (uintptr_t)address + bytes);
    real_unmap(address, bytes);
    return 0;
}

int os_open_up(void *address, size_t bytes)
{
    fake_check_pages(address, bytes);
    CHECK_EQ(fake_bytes_in((uintptr_t)address, (uintptr_t)address + bytes, FAKE_NOTHING), bytes);
    if (fake_refuses() || fake_is_full(bytes))
        return ENOMEM;
    (void)fake_leave((uintptr_t)address, (uintptr_t)address + bytes);
    fake_enter((uintptr_t)address, (uintptr_t)address + bytes, FAKE_OPEN);
    fake_os.open_bytes += bytes;
    CHECK_EQ(os_call6(SYS_mprotect, (long)address, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0), 0);
    return 0;
}

int os_purge(void *address, size_t bytes)
{
    fake_check_pages(address, bytes);
    CHECK(fake_is_open(address, bytes));
    if (fake_os.purge_fails)
        return EINVAL;
    void (*const during)(void) = fake_os.during_purge;
    fake_os.during_purge = NULL;
    if (during != NULL)
        during();
    fake_os.purges++;
    fake_os.purged_bytes += bytes;
    if (!fake_os.purge_keeps_content)
        CHECK_EQ(os_call6(SYS_madvise, (long)address, (long)bytes, MADV_DONTNEED, 0, 0, 0), 0);
    return 0;
}

int os_advise_dontfork(void *address, size_t bytes)
{
    fake_check_pages(address, bytes);
    return 0;
}

/* Always moves: whoever counts on staying is found out. */
void *os_remap(void *address, size_t old_bytes, size_t new_bytes)
{
    fake_check_pages(address, old_bytes);
    fake_check_pages(address, new_bytes);
    CHECK(fake_is_open(address, old_bytes));
    if (fake_refuses() || (new_bytes > old_bytes && fake_is_full(new_bytes - old_bytes)))
        return NULL;
    char *const place = fake_map_real(new_bytes, PROT_NONE);
    if (place == NULL)
        return NULL;
    CHECK_EQ(os_call6(SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                      (long)place, 0),
             place);
    (void)fake_leave((uintptr_t)address, (uintptr_t)address + old_bytes);
    fake_enter((uintptr_t)place, (uintptr_t)place + new_bytes, FAKE_OPEN);
    fake_os.open_bytes += new_bytes;
    return place;
}

void *os_map_file(int descriptor, size_t bytes)
{
    void *const place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

    return place == MAP_FAILED ? NULL : place;
}

/* ---- Everything else ---------------------------------------------------------------------------------------------- */

void os_start(struct os_facts *facts)
{
    *facts = (struct os_facts){
        fake_os.page_bytes, {fake_os.random[0], fake_os.random[1]}, fake_os.secure, fake_os.short_of_space};
}

void os_clock_start(uintptr_t vdso) { (void)vdso; }
uint64_t os_clock_coarse_ms(void) { return fake_os.now_ms; }
void os_clock_slept(uint32_t ms) { fake_os.now_ms += ms; }
uint64_t os_clock_ns(void) { return fake_os.now_ms * 1000000; }
uint64_t os_clock_real_ns(void) { return fake_os.now_ms * 1000000; }

const char *os_environment(const char *name, bool *ready)
{
    *ready = fake_os.environment_ready;
    return strcmp(name, "ASHLAR_CONF") == 0 ? fake_os.environment : NULL;
}

void os_environment_is(char **block) { (void)block; }

int os_pid(void) { return 1; }
int os_parent_pid(void) { return 0; }

void os_write(int descriptor, const char *text, size_t bytes)
{
    const size_t room = FAKE_TEXT_BYTES - 1 - fake_os.text_bytes;
    const size_t kept = bytes < room ? bytes : room;

    (void)descriptor;
    memcpy(fake_os.text + fake_os.text_bytes, text, kept);
    fake_os.text_bytes += kept;
    fake_os.text[fake_os.text_bytes] = '\0';
}

int os_open(const char *path, int flags, unsigned mode)
{
    for (size_t i = 0; i < sizeof fake_os.files / sizeof fake_os.files[0]; i++)
        if (fake_os.files[i][0] != NULL && strcmp(path, fake_os.files[i][0]) == 0)
            return (int)os_call6(SYS_openat, -100, (long)fake_os.files[i][1], flags, mode, 0, 0);
    return -ENOENT;
}

int os_close(int descriptor) { return (int)-os_call6(SYS_close, descriptor, 0, 0, 0, 0, 0); }

int os_truncate(int descriptor, size_t bytes)
{
    (void)descriptor;
    (void)bytes;
    return ENOSYS;
}

ssize_t os_readlink(const char *path, char *buffer, size_t bytes)
{
    (void)path;
    (void)buffer;
    (void)bytes;
    return -ENOENT;
}

#endif
