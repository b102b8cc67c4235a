/* lock.c: a futex lock that knows its holder.
 *
 *   state   0 --take--> 1 --somebody waits--> 2 --drop, wake one--> 0
 *
 * It spins for a moment only: on a machine with few cores the holder may be the thread that the spinner keeps from running. */
#include "os/os.h"

#include <linux/futex.h>
#include <sys/syscall.h>

enum { SPINS = 40 };

static void futex(struct os_lock *lock, int operation, uint32_t value)
{
    (void)os_call6(SYS_futex, (long)&lock->state, operation | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static bool try_take(struct os_lock *lock)
{
    uint32_t free_state = 0;

    /* acquire: pairs with the release in os_lock_drop(). */
    return atomic_compare_exchange_strong_explicit(&lock->state, &free_state, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static COLD void take_slowly(struct os_lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (load_relaxed(&lock->state) == 0 && try_take(lock))
            return;
        os_spin_pause();
    }
    /* acquire: pairs with the release in os_lock_drop(). State 2 also when nobody else waits: one wake too many. */
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        futex(lock, FUTEX_WAIT, 2);
}

bool os_lock_take(struct os_lock *lock)
{
    if (os_lock_is_held(lock))
        return false;
    if (!try_take(lock))
        take_slowly(lock);
    store_relaxed(&lock->holder, os_thread_pointer());
    return true;
}

bool os_lock_is_held(const struct os_lock *lock)
{
    return load_relaxed(&lock->holder) == os_thread_pointer(); /* only this thread ever stores its own pointer here */
}

void os_lock_drop(struct os_lock *lock)
{
    store_relaxed(&lock->holder, 0);
    /* release: publishes what the lock guards; pairs with the acquires above. */
    if (atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)
        futex(lock, FUTEX_WAKE, 1);
}

void os_lock_reset(struct os_lock *lock)
{
    store_relaxed(&lock->holder, 0);
    store_release(&lock->state, 0);
}
