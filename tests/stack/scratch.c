/* scratch.c: tool A. The room in the frame while it is enough, one block from malloc when it is not, nothing left
 * behind whichever way the scope is left. */
#include "refusing_malloc.h"

#include "places.h"

enum { ROOM = 64, ERRNO = 4711 };

static bool is_in_frame(const ashlar_scratch *s) { return s->buf == s->inl && s->cap == s->inl_cap; }

static void fill(void *at, size_t n, unsigned salt)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)at)[i] = (unsigned char)(i * 7 + salt);
}

static void check_filled(const void *at, size_t n, unsigned salt)
{
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(((const unsigned char *)at)[i], (unsigned char)(i * 7 + salt));
}

TEST(what_fits_stays_in_the_frame)
{
    ASHLAR_SCRATCH(s, ROOM);
    const size_t sizes[] = {0, 1, ROOM - 1, ROOM};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        errno = ERRNO;
        void *const at = ashlar_scratch_get(&s, sizes[i]);
        CHECK_EQ(errno, ERRNO);
        CHECK_EQ(at, s.inl);
        CHECK(is_in_frame(&s) && (uintptr_t)at % 16 == 0);
        fill(at, sizes[i], 1);
    }
    CHECK_EQ(s.cap, ROOM);
}

TEST(one_byte_more_goes_to_the_heap)
{
    const long live = refusing_live;
    {
        ASHLAR_SCRATCH(s, ROOM);
        errno = ERRNO;
        void *const at = ashlar_scratch_get(&s, ROOM + 1);
        CHECK_EQ(errno, ERRNO);
        CHECK(at != NULL && !is_in_frame(&s) && (uintptr_t)at % 16 == 0);
        CHECK_EQ(s.buf, at);
        CHECK_EQ(s.cap, ROOM + 1);
        fill(at, ROOM + 1, 1);
        CHECK_EQ(ashlar_scratch_get(&s, ROOM), at); /* what is there and large enough stays */
        fill(ashlar_scratch_get(&s, 100000), 100000, 2);
    }
    CHECK_EQ(refusing_live, live);
}

TEST(the_smallest_and_the_largest_room)
{
    ASHLAR_SCRATCH(small, 1);
    ASHLAR_SCRATCH(large, ASHLAR_SCRATCH_MAX);
    CHECK(ashlar_scratch_get(&small, 1) == small.inl && ashlar_scratch_get(&small, 2) != small.inl);
    CHECK(ashlar_scratch_get(&large, 2048) == large.inl && ashlar_scratch_get(&large, 2049) != large.inl);
}

/* Below 16 bytes a malloc may align to less: none is asked for so little. */
TEST(a_small_block_is_aligned_by_every_malloc)
{
    needs_counting();
    for (size_t n = 2; n < 16; n++) {
        ASHLAR_SCRATCH(got, 1);
        CHECK(ashlar_scratch_get(&got, n) != NULL);
        CHECK(refusing_last >= 16 && got.cap == n);
        ASHLAR_SCRATCH(grown, 1);
        CHECK(ashlar_scratch_grow(&grown, n) != NULL);
        CHECK(refusing_last >= 16 && grown.cap == n);
    }
}

TEST(an_array_is_checked_for_overflow)
{
    ASHLAR_SCRATCH(s, ROOM);
    CHECK_EQ(ashlar_scratch_array(&s, 8, 8), s.inl);
    CHECK_EQ(ashlar_scratch_array(&s, 0, SIZE_MAX), s.inl);
    CHECK(ashlar_scratch_array(&s, 13, 5) != s.inl);
    CHECK_EQ(s.cap, 65);
    const size_t counts[] = {SIZE_MAX, SIZE_MAX / 2 + 1, (size_t)PTRDIFF_MAX / 2 + 1};
    for (size_t i = 0; i < COUNT(counts); i++) {
        errno = 0;
        CHECK_EQ(ashlar_scratch_array(&s, counts[i], 2), NULL);
        CHECK_EQ(errno, ENOMEM);
        CHECK(is_in_frame(&s));
    }
}

TEST(growing_keeps_the_contents)
{
    ASHLAR_SCRATCH(s, ROOM);
    fill(s.buf, ROOM, 3);
    CHECK_EQ(ashlar_scratch_grow(&s, ROOM), s.inl);
    for (size_t n = ROOM + 1; n < 500000; n = n * 3 / 2) {
        const size_t before = s.cap;
        errno = ERRNO;
        CHECK(ashlar_scratch_grow(&s, n) != NULL);
        CHECK_EQ(errno, ERRNO);
        CHECK_EQ(s.cap, n);
        check_filled(s.buf, before, 3);
        fill(s.buf, n, 3);
    }
}

TEST(a_failed_get_leaves_the_room_in_the_frame)
{
    needs_counting();
    const long live = refusing_live;
    {
        ASHLAR_SCRATCH(s, ROOM);
        CHECK(ashlar_scratch_get(&s, 1000) != NULL);
        refusing = true;
        errno = 0;
        CHECK_EQ(ashlar_scratch_get(&s, 1001), NULL);
        CHECK_EQ(errno, ENOMEM);
        CHECK(is_in_frame(&s));
        fill(ashlar_scratch_get(&s, ROOM), ROOM, 4);
        refusing = false;
        CHECK(ashlar_scratch_get(&s, 1001) != NULL);
    }
    CHECK_EQ(refusing_live, live);
}

TEST(a_failed_growth_changes_nothing)
{
    needs_counting();
    const long live = refusing_live;
    for (size_t first = ROOM; first <= 10 * ROOM; first += 9 * ROOM) {
        ASHLAR_SCRATCH(s, ROOM);
        fill(ashlar_scratch_get(&s, first), first, 5);
        const ashlar_scratch before = s;
        refusing = true;
        errno = 0;
        CHECK_EQ(ashlar_scratch_grow(&s, 20 * ROOM), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(ashlar_scratch_grow(&s, (size_t)PTRDIFF_MAX + 1), NULL);
        CHECK_EQ(errno, ENOMEM);
        refusing = false;
        CHECK(s.buf == before.buf && s.cap == before.cap);
        check_filled(s.buf, first, 5);
    }
    CHECK_EQ(refusing_live, live);
}

TEST(dropping_may_be_repeated)
{
    const long live = refusing_live;
    ASHLAR_SCRATCH(s, ROOM);
    CHECK(ashlar_scratch_get(&s, 1000) != NULL);
    errno = ERRNO;
    ashlar_scratch_drop(&s);
    CHECK(is_in_frame(&s));
    ashlar_scratch_drop(&s);
    CHECK_EQ(errno, ERRNO);
    CHECK_EQ(refusing_live, live);
    CHECK(ashlar_scratch_get(&s, 1000) != NULL); /* and used again */
}

/* Leaves its scopes by continue, break, goto and return. */
static size_t leaves(size_t way)
{
    for (size_t i = 0; i < 3; i++) {
        ASHLAR_SCRATCH(s, ROOM);
        CHECK(ashlar_scratch_get(&s, 100 + i) != NULL);
        if (way == 0)
            continue;
        if (way == 1)
            break;
        if (way == 2)
            goto end;
        return i;
    }
end:
    return way;
}

TEST(every_way_out_of_the_scope_frees)
{
    const long live = refusing_live;
    for (size_t way = 0; way < 4; way++) {
        leaves(way);
        CHECK_EQ(refusing_live, live);
    }
}

TEST(a_loop_uses_the_frame_once)
{
    const long live = refusing_live;
    const void *first = NULL;
    for (int i = 0; i < 100000; i++) {
        ASHLAR_SCRATCH(s, ROOM);
        if (first == NULL)
            first = s.inl;
        CHECK_EQ(s.inl, first);
        CHECK(ashlar_scratch_get(&s, i % 100 == 0 ? 1000 : 10) != NULL);
    }
    CHECK_EQ(refusing_live, live);
}
