/* lock.c: a futex lock that knows its holder.
 *
 *   0 --take--> holder --somebody waits--> holder + 1 --drop, wake one--> 0
 *
 * Holder and state are one word: a signal handler may come between any two instructions, and must then see either that
 * its own thread holds the lock, or that it is free. It spins for a moment only: on a machine with few cores the holder
 * may be the thread that the spinner keeps from running. */
#include "os/os.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

enum { SPINS = 40 };

#define WAITED_FOR ((uintptr_t)1)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the kernel looks at the low half of the word, which comes first");

static void futex(struct os_lock *lock, int operation, uint32_t value)
{
    (void)os_call6(SYS_futex, (long)&lock->word, operation | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
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

bool os_lock_take(struct os_lock *lock)
{
    const uintptr_t self = os_thread_pointer();

    if (try_take(lock, self))
        return true;
    if (os_lock_is_held(lock))
        return false;
    take_slowly(lock, self);
    return true;
}

bool os_lock_is_held(const struct os_lock *lock)
{
    return (load_relaxed(&lock->word) & ~WAITED_FOR) == os_thread_pointer();
}

void os_lock_drop(struct os_lock *lock)
{
    /* release: publishes what the lock guards; pairs with the acquire in try_take(). */
    const uintptr_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);

    if ((word & WAITED_FOR) != 0)
        futex(lock, FUTEX_WAKE, 1);
}

bool os_barrier_everywhere(void)
{
#if UNDER_TSAN
    return false;
#else
    if (os_call6(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0)
        return true;
    /* The process has not announced it yet; a fork child has its parent's announcement. */
    return os_call6(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0 &&
           os_call6(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0;
#endif
}

void os_yield(void) { (void)os_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0); }

void os_lock_reset(struct os_lock *lock) { store_release(&lock->word, 0); }
