/* fresh.c: blocks for a thread that has interrupted itself inside the allocator: a signal handler that allocates while the code
 * under it holds one of our locks. Waiting would be for ever, so such a request gets a mapping of its own, recorded in a small
 * table without locks. 64 of them may be live; such handlers are rare, and mostly about to end the process.
 *
 * A slot's address is written last and read first: claimed (1) while the mapping is made, 0 when free. */
#include "page/page.h"

enum { SLOTS = 64, CLAIMED = 1 };

static struct {
    _Atomic uintptr_t start;
    size_t bytes; /* valid once start is an address */
} slots[SLOTS];

void *page_fresh_take(size_t bytes)
{
    if (bytes > REQUEST_BYTES_MAX - page_ground.page_bytes)
        return NULL;
    bytes = round_up(bytes > 0 ? bytes : 1, page_ground.page_bytes);
    for (int i = 0; i < SLOTS; i++) {
        uintptr_t none = 0;
        if (!atomic_compare_exchange_strong_explicit(&slots[i].start, &none, CLAIMED, memory_order_acquire,
                                                     memory_order_relaxed))
            continue;
        void *const block = os_map(NULL, bytes, NULL);
        slots[i].bytes = bytes;
        /* release: publishes bytes; pairs with the acquire in slot_of(). NULL frees the slot again. */
        store_release(&slots[i].start, (uintptr_t)block);
        return block;
    }
    return NULL;
}

/* Index of the slot that holds `block`, SLOTS when none does. */
static int slot_of(const void *block)
{
    int i = 0;

    /* acquire: pairs with the release in page_fresh_take(). */
    while (i < SLOTS && load_acquire(&slots[i].start) != (uintptr_t)block)
        i++;
    return (uintptr_t)block > CLAIMED ? i : SLOTS;
}

size_t page_fresh_bytes(const void *block)
{
    const int i = slot_of(block);

    return i < SLOTS ? slots[i].bytes : 0;
}

bool page_fresh_give(void *block)
{
    const int i = slot_of(block);

    if (i == SLOTS)
        return false;
    (void)os_unmap(block, slots[i].bytes);
    store_release(&slots[i].start, 0);
    return true;
}
