/* poison.c: what the address sanitizer is told of the side stack. Under the sanitizer it is asked itself; elsewhere the
 * test plays its part and keeps the book. */
#include "places.h"

#if TEST_UNDER_ASAN

extern int __asan_address_is_poisoned(const volatile void *at);

static bool is_poisoned(uintptr_t at) { return __asan_address_is_poisoned((void *)at) != 0; }

#else

/* Whether each of the bytes from `book_base` on is poisoned. */
enum { BOOK_BYTES = 1 << 20 };
static unsigned char book[BOOK_BYTES];
static uintptr_t book_base;

static void enter(uintptr_t at, size_t bytes, unsigned char poisoned)
{
    if (book_base == 0)
        book_base = at;
    for (size_t i = 0; i < bytes; i++)
        if (at + i - book_base < BOOK_BYTES)
            book[at + i - book_base] = poisoned;
}

extern void __asan_poison_memory_region(const volatile void *at, size_t bytes);
extern void __asan_unpoison_memory_region(const volatile void *at, size_t bytes);

void __asan_poison_memory_region(const volatile void *at, size_t bytes) { enter((uintptr_t)at, bytes, 1); }
void __asan_unpoison_memory_region(const volatile void *at, size_t bytes) { enter((uintptr_t)at, bytes, 0); }

static bool is_poisoned(uintptr_t at) { return book[at - book_base] != 0; }

#endif

static uintptr_t allocate(size_t n)
{
    const uintptr_t at = (uintptr_t)ashlar_side_alloc(n);
    CHECK(at != 0);
    CHECK(!is_poisoned(at) && !is_poisoned(at + n - 1));
    CHECK(is_poisoned(at + n));
    return at;
}

TEST(a_block_is_free_of_poison_and_ends_in_it)
{
    for (size_t n = 1; n < 100; n++)
        allocate(n);
    allocate(300 * KIB);
}

TEST(what_is_popped_is_poisoned)
{
    const ashlar_mark m = ashlar_side_push();
    const uintptr_t first = allocate(100), second = allocate(5000);
    CHECK(!is_poisoned(m.pos));
    ashlar_side_pop(m);
    CHECK(is_poisoned(m.pos) && is_poisoned(first) && is_poisoned(first + 99));
    CHECK(is_poisoned(second) && is_poisoned(second + 4999));
    CHECK_EQ(allocate(100), m.pos);
}

static uintptr_t base_of_thread;

static void use_much(void)
{
    base_of_thread = allocate(1);
    allocate(300 * KIB);
}

TEST(the_end_of_a_thread_leaves_no_poison)
{
    run_on_thread(256 * KIB, use_much);
    for (size_t i = 0; i < 300 * KIB; i += 8)
        CHECK(!is_poisoned(base_of_thread + i));
}
