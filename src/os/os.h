/* os.h: the whole contract with the kernel.
 *
 * Functions that can fail return 0 or an errno value (or NULL) and leave errno as they found it. Nothing here
 * allocates, prints (but os_write) or takes a lock of libc. Which calls may be made when: docs/design.md, "System
 * calls". */
#ifndef ASHLAR_OS_OS_H
#define ASHLAR_OS_OS_H

#include "base/config.h"
#include "base/atomics.h"
#include "os/arch.h"

#include <sys/types.h>

/* ---- What the kernel told the process at its start (getauxval(3)) ---------------------------------------------------- */

struct os_facts {
    size_t page_bytes;   /* 4, 16 or 64 KiB */
    uint64_t random[2];  /* 16 random bytes, AT_RANDOM */
    bool secure;         /* AT_SECURE: the environment is not to be trusted */
    bool short_of_space; /* RLIMIT_AS bounds the address space */
};

/* Fill in `facts`. Finds the vDSO's clock on the way. thread: first caller only, before any other function here. */
void os_start(struct os_facts *facts);

/* Find the clock in the vDSO image at `vdso` (0: there is none). For os_start() and tests. */
void os_clock_start(uintptr_t vdso);

/* Value of `name` in the environment block, without libc; NULL when absent or while libc has not set the block yet.
 * `ready` tells the two apart. */
const char *os_environment(const char *name, bool *ready);

/* The environment block as the loader hands it to constructors, for the time before libc has set it. */
void os_environment_is(char **block);

/* ---- Memory ----------------------------------------------------------------------------------------------------------- */

/* Map `bytes` bytes, readable, writable, private, zero. `address`: exactly there, or NULL for anywhere.
 * returns: NULL when refused or when something is mapped there already (`*error` = EEXIST). `error` may be NULL. */
void *os_map(void *address, size_t bytes, int *error);

/* Map `bytes` bytes that can be neither read nor written and are charged to nobody; over whatever is at `address`, or
 * anywhere when it is NULL. */
void *os_map_nothing(void *address, size_t bytes);

/* returns: 0 or an errno value, for all four. */
int os_unmap(void *address, size_t bytes);
int os_open_up(void *address, size_t bytes); /* make readable and writable */
int os_purge(void *address, size_t bytes);   /* drop the content: on success the pages read as zero and cost nothing */
int os_advise_dontfork(void *address, size_t bytes);

/* Resize a mapping of our own, moving it if need be. returns: its address, or NULL: nothing has changed. */
void *os_remap(void *address, size_t old_bytes, size_t new_bytes);

/* ---- Time --------------------------------------------------------------------------------------------------------------- */

/* Milliseconds of a coarse monotonic clock, from the vDSO; where there is none, a count: one for each call, and what
 * os_sleep_ms() slept, begun long after 0. No system call. */
uint64_t os_clock_coarse_ms(void);

/* Count `ms` milliseconds that a thread has slept. For os_sleep_ms(). */
void os_clock_slept(uint32_t ms);

/* Nanoseconds since an arbitrary point, and since 1970. These may make a system call: start and status page only. */
uint64_t os_clock_ns(void);
uint64_t os_clock_real_ns(void);

/* ---- Locks ---------------------------------------------------------------------------------------------------------------- */

/* All locks of the library, in the order in which they are taken. */
enum os_lock_rank { LOCK_START, LOCK_VISITS, LOCK_HEAPS, LOCK_HEAP, LOCK_ORPHANS, LOCK_RUNS, LOCK_HUGE, LOCK_RANKS };

/* A futex lock that knows its holder. source: Drepper, "Futexes Are Tricky", 2011, mutex 2. */
struct os_lock {
    _Atomic uintptr_t word; /* 0, or the holder's thread pointer (valid in a fork child too), plus 1 when waited for */
    enum os_lock_rank rank;
    uint32_t forks; /* calls of fork that hold it: more than one when a handler forks in the middle of another fork */
};

/* Wait for `lock` and take it. returns: false when this thread holds it already; or when it holds, takes, awaits or
 * drops one that comes after it in order, or another one of its rank, and `lock` is not free for some milliseconds: a
 * signal handler interrupted us, and the holder may be waiting for us. The caller must do without. */
bool os_lock_take(struct os_lock *lock);
void os_lock_drop(struct os_lock *lock);

/* Whether this thread holds any lock, or is taking or dropping one, which is to say: a signal handler interrupted it
 * there. */
bool os_lock_any_is_held(void);

/* Whether os_lock_take() would wait as long as it takes. */
bool os_lock_may_wait(const struct os_lock *lock);

/* Whether this thread holds `lock`. */
bool os_lock_is_held(const struct os_lock *lock);

/* Whether anybody holds `lock`. acquire: if not, what its last holder did is seen. */
static inline bool os_lock_is_free(const struct os_lock *lock) { return load_acquire(&lock->word) == 0; }

/* Wait for two milliseconds, asleep: by then every store that another thread has executed is seen by all, and every
 * load that saw an older value has been executed before. Processors drain their store buffers within microseconds, and
 * whenever a thread leaves them. source: Morrison, Afek, "Temporally Bounding TSO for Fence-Free Asymmetric
 * Synchronization", ASPLOS 2015. Not membarrier(2): in a program that has forbidden itself such calls it is the last.
 * returns: false when it cannot be had: signals keep coming, or the thread sanitizer looks on, which does not know
 * this. */
bool os_wait_for_stores(void);

/* Let another thread run: sleep for a moment. */
void os_yield(void);

/* Sleep for `ms` milliseconds, or until a signal comes. */
void os_sleep_ms(uint32_t ms);

/* Take `lock` if nobody holds it. */
bool os_lock_try(struct os_lock *lock);

/* The three steps of a fork. Prepare takes `lock`; beside others of its rank if all who do so hold `above`, which may
 * be NULL. Where os_lock_take() would give up it tries for about a quarter of a second, and goes without it in the end.
 *
 * Parent drops it. Child drops it, and makes it free if another thread holds it.
 *
 * returns: whether what the lock guards is surely whole in the child: if not, this thread was interrupted while it held
 * the lock (by another fork, perhaps), or another thread held it for too long. */
void os_lock_fork_prepare(struct os_lock *lock, const struct os_lock *above);
void os_lock_fork_parent(struct os_lock *lock);
bool os_lock_fork_child(struct os_lock *lock);

/* ---- Process, files ----------------------------------------------------------------------------------------------------------- */

int os_pid(void);
int os_parent_pid(void);

/* Write `bytes` bytes to `descriptor`, whole, as far as it accepts them. */
void os_write(int descriptor, const char *text, size_t bytes);

/* Memory limit of the process's control group or of a group around it; SIZE_MAX when there is none. At start only. */
size_t os_cgroup_limit(void);

/* For the status page only: these calls are made under `status:` alone. */
int os_open(const char *path, int flags, unsigned mode); /* a descriptor, or -errno */
int os_close(int descriptor);
int os_truncate(int descriptor, size_t bytes); /* give it that length, and reserve its room: no SIGBUS on a full disk */
void *os_map_file(int descriptor, size_t bytes); /* shared, readable and writable; NULL when refused */
ssize_t os_readlink(const char *path, char *buffer, size_t bytes); /* length, or -errno */

#endif
