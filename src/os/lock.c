/* lock.c: a futex lock that knows its holder, and its place in the order of locks.
 *
 *   0 --take--> holder --somebody waits--> holder + 1 --drop, wake one--> 0
 *
 * Holder and state are one word: a signal handler may come between any two instructions, and must then see either that
 * its own thread holds the lock, or that it is free. It spins for a moment only: on a machine with few cores the holder
 * may be the thread that the spinner keeps from running.
 *
 * A handler may want a lock that comes before those which the code under it holds. It takes it if it is free, but must
 * not wait for it for ever: its holder may be waiting for one of those, or for the wake-up that the code under it owes.
 * So whoever waits without end waits for a lock behind all that it holds, and no circle closes. (Shared heaps' locks,
 * all of one rank, are taken together by a fork alone, under the lock that comes before them.) */
#include "os/os.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

enum { SPINS = 40, YIELDS = 20, FORK_ATTEMPTS = 100 };

#define WAITED_FOR ((uintptr_t)1)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the kernel looks at the low half of the word, which comes first");

/* How many locks of each rank this thread holds, awaits, or is taking or dropping: counted up before and down after, so
 * that a handler never finds fewer than there are. */
static __thread uint32_t held[LOCK_RANKS] __attribute__((tls_model("initial-exec")));

static void futex(struct os_lock *lock, int operation, uint32_t value)
{
    (void)os_call6(SYS_futex, (long)&lock->word, operation | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static void hold(const struct os_lock *lock)
{
    held[lock->rank]++;
    atomic_signal_fence(memory_order_seq_cst);
}

static void unhold(const struct os_lock *lock)
{
    atomic_signal_fence(memory_order_seq_cst);
    held[lock->rank]--;
}

/* Whether this thread holds a lock that comes after `rank`. */
static bool holds_behind(enum os_lock_rank rank)
{
    for (int i = (int)rank + 1; i < LOCK_RANKS; i++)
        if (held[i] != 0)
            return true;
    return false;
}

static bool try_take(struct os_lock *lock, uintptr_t as)
{
    uintptr_t nobody = 0;

    /* acquire: pairs with the release in os_lock_drop(). */
    return atomic_compare_exchange_strong_explicit(&lock->word, &nobody, as, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Wait until the lock has been dropped, or something else has happened to it. */
static void wait_for_drop(struct os_lock *lock)
{
    uintptr_t word = load_relaxed(&lock->word);

    if (word == 0)
        return;
    if ((word & WAITED_FOR) != 0 || atomic_compare_exchange_strong_explicit(&lock->word, &word, word | WAITED_FOR,
                                                                            memory_order_relaxed, memory_order_relaxed))
        futex(lock, FUTEX_WAIT, (uint32_t)(word | WAITED_FOR));
}

static COLD void take_slowly(struct os_lock *lock, uintptr_t self)
{
    for (int i = 0; i < SPINS; i++) {
        if (load_relaxed(&lock->word) == 0 && try_take(lock, self))
            return;
        os_spin_pause();
    }
    while (!try_take(lock, self | WAITED_FOR)) /* others may be waiting still: one wake too many is harmless */
        wait_for_drop(lock);
}

/* Take the lock if it becomes free soon. */
static COLD bool take_soon(struct os_lock *lock, uintptr_t self)
{
    for (int i = 0; i < YIELDS; i++) {
        os_yield();
        if (try_take(lock, self))
            return true;
    }
    return false;
}

/* The caller is counted as a holder already. */
static bool take_in_order(struct os_lock *lock, const struct os_lock *above)
{
    const uintptr_t self = os_thread_pointer();

    if (try_take(lock, self))
        return true;
    if (os_lock_is_held(lock))
        return false;
    /* Of any other rank there is one lock only, and it is not held. */
    const bool is_alone = lock->rank != LOCK_HEAP || held[lock->rank] == 1 || (above != NULL && os_lock_is_held(above));
    if (!is_alone || holds_behind(lock->rank))
        return take_soon(lock, self);
    take_slowly(lock, self);
    return true;
}

bool os_lock_take(struct os_lock *lock)
{
    hold(lock);
    if (likely(take_in_order(lock, NULL)))
        return true;
    unhold(lock);
    return false;
}

bool os_lock_is_held(const struct os_lock *lock)
{
    return (load_relaxed(&lock->word) & ~WAITED_FOR) == os_thread_pointer();
}

bool os_lock_may_wait(const struct os_lock *lock)
{
    return !os_lock_is_held(lock) && (lock->rank != LOCK_HEAP || held[lock->rank] == 0) && !holds_behind(lock->rank);
}

bool os_lock_any_is_held(void) { return held[0] != 0 || holds_behind(0); }

void os_lock_drop(struct os_lock *lock)
{
    /* release: publishes what the lock guards; pairs with the acquire in try_take(). */
    const uintptr_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);

    if ((word & WAITED_FOR) != 0)
        futex(lock, FUTEX_WAKE, 1);
    unhold(lock); /* only now: whoever is to be woken may hold what a handler waits for */
}

bool os_lock_try(struct os_lock *lock)
{
    hold(lock);
    if (load_relaxed(&lock->word) == 0 && try_take(lock, os_thread_pointer()))
        return true;
    unhold(lock);
    return false;
}

/* returns: 0 when the time is over, or an errno value: EINTR. */
static int sleep_for(uint64_t nanoseconds)
{
    static const uint32_t nothing;
    const struct timespec time = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    const long error = os_call6(SYS_futex, (long)&nothing, FUTEX_WAIT_PRIVATE, 0, (long)&time, 0, 0);

    return error == -ETIMEDOUT ? 0 : (int)-error;
}

bool os_wait_for_stores(void)
{
    enum { NANOSECONDS = 2000000, ATTEMPTS = 5 };
    bool is_over = false;

    for (int i = 0; i < ATTEMPTS && !is_over; i++)
        is_over = sleep_for(NANOSECONDS) == 0;
    return is_over && !UNDER_TSAN;
}

void os_yield(void)
{
    enum { NANOSECONDS = 50000 };

    (void)sleep_for(NANOSECONDS);
}

void os_sleep_ms(uint32_t ms)
{
    if (sleep_for((uint64_t)ms * 1000000) == 0)
        os_clock_slept(ms);
}

/* ---- Fork ------------------------------------------------------------------------------------------------------- */

void os_lock_fork_prepare(struct os_lock *lock, const struct os_lock *above)
{
    if (os_lock_is_held(lock)) {
        lock->forks += lock->forks != 0; /* 0: the code that we interrupted holds it */
        return;
    }
    hold(lock);
    for (int i = 0; i < FORK_ATTEMPTS; i++) {
        if (take_in_order(lock, above)) {
            lock->forks = 1;
            return;
        }
    }
    unhold(lock);
}

void os_lock_fork_parent(struct os_lock *lock)
{
    if (os_lock_is_held(lock) && lock->forks != 0 && --lock->forks == 0)
        os_lock_drop(lock);
}

bool os_lock_fork_child(struct os_lock *lock)
{
    if (os_lock_is_held(lock)) {
        os_lock_fork_parent(lock);
        return os_lock_is_free(lock);
    }
    const bool is_whole = os_lock_is_free(lock);

    lock->forks = 0;
    store_release(&lock->word, 0);
    return is_whole;
}
