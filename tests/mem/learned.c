/* learned.c: libc's names while the library learns what the processor can do. The words that they ask may be set, by
 * another thread's constructor, between any two of their questions: so every mixture of old and new words has to do. */
#include "ways.h"

#include <wchar.h>

#include "mem/check.h"
#include "mem/names.h"

/* The functions themselves, under other names: the word that they ask is this file's own. */
#undef EXPORT
#define EXPORT static __attribute__((unused))
#define alias(name) weak
#define memcpy learned_memcpy
#define memmove learned_memmove
#define mempcpy learned_mempcpy
#define memset learned_memset
#define bzero learned_bzero
#define bcopy learned_bcopy
#define explicit_bzero learned_explicit_bzero
#define wmemcpy learned_wmemcpy
#define wmemmove learned_wmemmove
#define wmempcpy learned_wmempcpy
#define wmemset learned_wmemset
#include "mem/libc.c"

struct mem_check mem_check;

/* Nothing is checked here. */
void mem_check_write(const void *to, size_t n, struct mem_call call) { (void)to, (void)n, (void)call; }

void mem_check_copy(const void *to, const void *from, size_t n, bool may_overlap, struct mem_call call)
{
    (void)to, (void)from, (void)n, (void)may_overlap, (void)call;
}

enum { MOST = 700, AROUND = 600 };

static void check_around(const byte *to, size_t n, byte inside, const char *what)
{
    for (size_t i = 0; i < AROUND + n + AROUND; i++)
        if (to[(ptrdiff_t)i - AROUND] != (i < AROUND || i >= AROUND + n ? 1 : inside))
            test_fail(__FILE__, __LINE__, "%s of %zu bytes: byte %td is wrong", what, n, (ptrdiff_t)i - AROUND);
}

static void copy_and_fill(byte *to, const byte *from, size_t n)
{
    (void)mem_set(to - AROUND, 1, AROUND + n + AROUND);
    CHECK_EQ(memcpy(to, from, n), to);
    check_around(to, n, 2, "a copy");
    CHECK_EQ(memset(to, 3, n), to);
    check_around(to, n, 3, "a fill");
    CHECK_EQ(memmove(to, from, n), to);
    check_around(to, n, 2, "a move");
    (void)mem_set(to, 1, n);
    CHECK_EQ(mempcpy(to, from, n), to + n);
    check_around(to, n, 2, "a copy to the end");
}

TEST(any_mixture_of_old_and_new_words_does)
{
    static byte source[MOST], target[AROUND + MOST + AROUND];

    mem_limits.level = mem_level_max();
    if (!short_is_right())
        SKIP("the processor has no short way");
    (void)mem_set(source, 2, sizeof source);
    for (unsigned learned = 0; learned < 4; learned++) {
        mem_check.small_lines = learned & 1 ? SMALL_LINES : 0;
        mem_check.more_bits = learned & 2 ? UINT32_MAX : 0;
        for (size_t n = 0; n <= MOST; n++)
            copy_and_fill(target + AROUND, source, n);
    }
}

#if defined(__x86_64__)

TEST(no_vector_under_a_mask_reaches_into_the_next_page_or_begins_at_null)
{
    for (size_t at = 0; at < 3 * 4096; at++) {
        const size_t place = at % 4096;
        CHECK_EQ(small_is_right_at((const byte *)at, SMALL_LINES), place != 0 && place + 64 <= 4096);
        CHECK(!small_is_right_at((const byte *)at, 0));
    }
}

#endif
