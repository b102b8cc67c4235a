/* memory.c: the functions of ashlar_mem.h: copying, filling, checked copies, and what lies at an address. */
#include "../lib/blocks.h"

#include "ashlar_mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

static unsigned char global[4096];

/* ---- Copying, filling ------------------------------------------------------------------------------------------------ */

/* Lengths that the compiler does not know, so that the functions are called, and one that it does. */
TEST(copies_and_fills_as_the_standard_functions_do)
{
    unsigned char *const from = malloc(5000), *const to = malloc(5000);
    for (size_t n = 0; n <= 4096; n = n < 300 ? n + 1 : n + n / 7) {
        fill(from, 5000, n);
        CHECK_EQ((uintptr_t)ashlar_memset(to, 0x1ff, 5000), (uintptr_t)to);
        CHECK_EQ((uintptr_t)ashlar_memcpy(to, from, n), (uintptr_t)to);
        CHECK(is_filled(to, n, n) && to[n] == 0xff && to[4999] == 0xff);
        CHECK_EQ((uintptr_t)ashlar_memmove(from + 1, from, n), (uintptr_t)(from + 1));
        CHECK(memcmp(from + 1, to, n) == 0);
    }
    ashlar_memcpy(to, from, 16);
    CHECK(memcmp(from, to, 16) == 0);
    CHECK((&ashlar_memcpy)(to, from, 8) == to);
    free(from);
    free(to);
}

/* ---- Checked ------------------------------------------------------------------------------------------------------------ */

TEST(checked_copies_stop_at_the_end_of_either_block)
{
    for (EACH_SIZE(bytes, 40 * MIB)) {
        if (bytes > 1100 && bytes % 3 != 0 && bytes < 32 * MIB)
            continue;
        unsigned char *const block = malloc(bytes);
        const size_t usable = malloc_usable_size(block);
        unsigned char byte = 7, *const last = block + usable - 1;
        *last = 1;
        CHECK_EQ(ashlar_memset_checked(last, SIZE_MAX, 9, 2), ERANGE);
        CHECK_EQ(ashlar_memset_checked(block, SIZE_MAX, 9, usable + 1), ERANGE);
        CHECK_EQ(ashlar_memcpy_checked(last, SIZE_MAX, global, 2), ERANGE);
        CHECK_EQ(ashlar_memmove_checked(global, sizeof global, last, 2), ERANGE);
        CHECK_EQ(*last, 1);
        CHECK_EQ(ashlar_memcpy_checked(&byte, 1, last, 1), 0);
        CHECK_EQ(byte, 1);
        CHECK_EQ(ashlar_memset_checked(last, 1, 9, 1), 0);
        CHECK_EQ(*last, 9);
        free(block);
    }
}

TEST(checked_copies_keep_to_the_room_that_is_named)
{
    unsigned char small[8] = "1234567";
    CHECK_EQ(ashlar_memcpy_checked(small, 4, global, 5), ERANGE);
    CHECK_EQ(ashlar_memset_checked(small, 4, 0, 5), ERANGE);
    CHECK_EQ(ashlar_memmove_checked(small, 3, small + 1, 4), ERANGE);
    CHECK(memcmp(small, "1234567", 8) == 0);
    CHECK_EQ(ashlar_memmove_checked(small, 4, small + 1, 4), 0);
    CHECK(memcmp(small, "2345567", 8) == 0);
}

TEST(checked_memcpy_refuses_overlap_but_not_a_range_onto_itself)
{
    unsigned char text[32] = "0123456789";
    CHECK_EQ(ashlar_memcpy_checked(text + 1, 31, text, 8), EINVAL);
    CHECK_EQ(ashlar_memcpy_checked(text, 32, text + 7, 8), EINVAL);
    CHECK(memcmp(text, "0123456789", 11) == 0);
    CHECK_EQ(ashlar_memcpy_checked(text, 32, text, 8), 0);
    CHECK_EQ(ashlar_memcpy_checked(text + 8, 24, text, 8), 0);
    CHECK(memcmp(text, "0123456701234567", 16) == 0);
}

TEST(null_and_nothing)
{
    CHECK_EQ(ashlar_memcpy_checked(NULL, 0, NULL, 0), 0);
    CHECK_EQ(ashlar_memset_checked(NULL, 0, 0, 0), 0);
    CHECK_EQ(ashlar_memcpy_checked(NULL, 10, global, 1), EINVAL);
    CHECK_EQ(ashlar_memmove_checked(global, 10, NULL, 1), EINVAL);
    CHECK_EQ(ashlar_memset_checked(NULL, 10, 0, 1), EINVAL);
}

TEST(errno_stays)
{
    unsigned char *const block = malloc(10);
    errno = 77;
    CHECK_EQ(ashlar_memset_checked(block, SIZE_MAX, 0, 1000), ERANGE);
    (void)ashlar_memset(block, 0, malloc_usable_size(block));
    (void)ashlar_bytes_left(block);
    CHECK_EQ(errno, 77);
    free(block);
}

/* ---- Checked, handed on ------------------------------------------------------------------------------------------------- */

static struct {
    size_t calls, n;
    const void *to, *from, *caller;
    const char *in;
    int c;
} handed_on;

static void *take_copy(void *to, const void *from, size_t n, const char *in, const void *caller)
{
    handed_on.calls++;
    handed_on.to = to, handed_on.from = from, handed_on.n = n, handed_on.in = in, handed_on.caller = caller;
    return &handed_on;
}

static void *take_fill(void *to, int c, size_t n, const char *in, const void *caller)
{
    handed_on.c = c;
    return take_copy(to, NULL, n, in, caller);
}

static void check_handed_on(const void *returned, const void *to, const void *from, size_t n)
{
    CHECK(returned == &handed_on);
    CHECK_EQ(handed_on.calls, 1);
    CHECK(handed_on.to == to && handed_on.from == from && handed_on.n == n);
    CHECK(strcmp(handed_on.in, "here") == 0 && handed_on.caller == global);
    handed_on.calls = 0;
}

/* Copies and fills that leave a block of any size, as target or as source, are not done. */
TEST(what_leaves_a_block_is_handed_on_untouched)
{
    unsigned char byte[2] = {7, 7};
    for (EACH_SIZE(bytes, 40 * MIB)) {
        if (bytes > 1100 && bytes % 3 != 0 && bytes < 32 * MIB)
            continue;
        unsigned char *const block = malloc(bytes);
        const size_t usable = malloc_usable_size(block);
        unsigned char *const last = block + usable - 1;
        *last = 1;
        check_handed_on(ashlar_memcpy_or(last, byte, 2, "here", global, take_copy), last, byte, 2);
        check_handed_on(ashlar_memmove_or(last, byte, 2, "here", global, take_copy), last, byte, 2);
        check_handed_on(ashlar_memcpy_or(byte, last, 2, "here", global, take_copy), byte, last, 2);
        check_handed_on(ashlar_memmove_or(block, global, usable + 1, "here", global, take_copy), block, global,
                        usable + 1);
        check_handed_on(ashlar_memset_or(last, 9, 2, "here", global, take_fill), last, NULL, 2);
        CHECK_EQ(handed_on.c, 9);
        CHECK(*last == 1 && byte[0] == 7);
        free(block);
    }
}

TEST(what_stays_in_blocks_or_in_memory_of_others_is_done)
{
    unsigned char local[64];
    for (EACH_SIZE(bytes, 40 * MIB)) {
        if (bytes > 1100 && bytes % 3 != 0 && bytes < 32 * MIB)
            continue;
        unsigned char *const from = malloc(bytes), *const to = malloc(bytes);
        const size_t usable = malloc_usable_size(to);
        fill(from, usable, bytes);
        CHECK(ashlar_memmove_or(to, from, usable, "here", global, take_copy) == to && is_filled(to, usable, bytes));
        CHECK(ashlar_memset_or(to, 0, usable, "here", global, take_fill) == to && to[usable - 1] == 0);
        /* One byte less, and the two do not even touch. */
        CHECK(ashlar_memcpy_or(to + 1, from + 1, usable - 1, "here", global, take_copy) == to + 1);
        CHECK(memcmp(to + 1, from + 1, usable - 1) == 0);
        CHECK(ashlar_memcpy_or(local, from, bytes < 64 ? bytes : 64, "here", global, take_copy) == local);
        CHECK(ashlar_memcpy_or(to, from, 0, "here", global, take_copy) == to);
        free(from);
        free(to);
    }
    CHECK_EQ(handed_on.calls, 0);
}

TEST(ranges_of_memcpy_that_overlap_are_handed_on)
{
    unsigned char *const block = malloc(100);
    check_handed_on(ashlar_memcpy_or(block + 1, block, 20, "here", global, take_copy), block + 1, block, 20);
    check_handed_on(ashlar_memcpy_or(block, block + 19, 20, "here", global, take_copy), block, block + 19, 20);
    CHECK(ashlar_memmove_or(block, block + 19, 20, "here", global, take_copy) == block);
    CHECK(ashlar_memcpy_or(block + 20, block, 20, "here", global, take_copy) == block + 20);
    CHECK_EQ(handed_on.calls, 0);
    free(block);
}

/* ---- What lies at an address ------------------------------------------------------------------------------------------------ */

static void check_place(const void *address, enum ashlar_place_kind kind, const void *block, size_t bytes)
{
    struct ashlar_place place;
    ashlar_place_of(address, &place);
    CHECK_EQ(place.kind, kind);
    CHECK_EQ((uintptr_t)place.block, (uintptr_t)block);
    CHECK_EQ(place.bytes, bytes);
}

TEST(every_byte_of_a_block_knows_its_block)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        for (EACH_SIZE(bytes, 48 * MIB)) {
            if (a != 0 && bytes % 13 != 0)
                continue;
            unsigned char *const block = allocators[a].allocate(bytes);
            const size_t usable = malloc_usable_size(block);
            const size_t step = usable > 4096 ? usable / 61 : usable > 256 ? 13 : 1;
            for (size_t offset = 0; offset < usable; offset += step) {
                CHECK_EQ(ashlar_bytes_left(block + offset), usable - offset);
                check_place(block + offset, ASHLAR_PLACE_BLOCK, block, usable);
            }
            CHECK_EQ(ashlar_bytes_left(block + usable - 1), 1);
            free(block);
        }
}

TEST(other_memory_is_unknown)
{
    int local;
    void *const mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const void *const places[] = {&local, global, mapped, (void *)&check_place, NULL, (void *)1, (void *)-1};
    free(malloc(1)); /* from here on there is a heap */
    for (size_t i = 0; i < COUNT(places); i++) {
        CHECK_EQ(ashlar_bytes_left(places[i]), SIZE_MAX);
        check_place(places[i], ASHLAR_PLACE_UNKNOWN, NULL, 0);
    }
    munmap(mapped, 1 << 20);
}

TEST(a_freed_block_is_known_as_one)
{
    const size_t sizes[] = {16, 100, 1000, 5000, 60000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        unsigned char *const kept = malloc(sizes[i]), *const block = malloc(sizes[i]);
        const size_t usable = malloc_usable_size(block);
        const uintptr_t address = (uintptr_t)block;
        free(block);
        check_place((void *)(address + usable / 2), ASHLAR_PLACE_FREED, (void *)address, usable);
        free(kept);
    }
}

TEST(ground_without_blocks_is_unused)
{
    unsigned char *const large = malloc(1 * MIB);
    const uintptr_t address = (uintptr_t)large;
    free(large);
    ashlar_purge();
    CHECK_EQ(ashlar_bytes_left((void *)(address + 500000)), 0);
    check_place((void *)(address + 500000), ASHLAR_PLACE_UNUSED, NULL, 0);
}

/* Behind the blocks of a slab that there are, up to its end. */
TEST(what_is_not_carved_yet_is_unused)
{
    enum { GRANULE = 64 * KIB };
    unsigned char *const block = malloc(3000);
    const size_t usable = malloc_usable_size(block);
    unsigned char byte = 1, *at = block;
    struct ashlar_place place;
    do {
        at += usable;
        ashlar_place_of(at, &place);
    } while (place.kind == ASHLAR_PLACE_BLOCK || place.kind == ASHLAR_PLACE_FREED);
    CHECK_EQ((uintptr_t)at / GRANULE, (uintptr_t)block / GRANULE);
    check_place(at, ASHLAR_PLACE_UNUSED, NULL, 0);
    CHECK_EQ(ashlar_bytes_left(at), 0);
    check_handed_on(ashlar_memset_or(at, 7, 1, "here", global, take_fill), at, NULL, 1);
    check_handed_on(ashlar_memcpy_or(at, &byte, 1, "here", global, take_copy), at, &byte, 1);
    check_handed_on(ashlar_memmove_or(&byte, at, 1, "here", global, take_copy), &byte, at, 1);
    free(block);
}

/* A large block has granules of its own, and may leave a part of the last one unused. */
TEST(what_lies_behind_a_large_block_is_unused)
{
    enum { GRANULE = 64 * KIB, LAST = GRANULE - 1 };
    unsigned char *const block = malloc(5 * GRANULE + 4096);
    const uintptr_t end = (uintptr_t)block + malloc_usable_size(block);
    const uintptr_t beyond[] = {end, end + 1, end + 100, end | LAST};
    if ((end & LAST) == 0)
        SKIP("pages are as large as granules");
    for (size_t i = 0; i < COUNT(beyond); i++) {
        CHECK_EQ(ashlar_bytes_left((void *)beyond[i]), 0);
        check_place((void *)beyond[i], ASHLAR_PLACE_UNUSED, NULL, 0);
        CHECK_EQ(ashlar_memset_checked((void *)beyond[i], SIZE_MAX, 7, 1), ERANGE);
        check_handed_on(ashlar_memset_or((void *)beyond[i], 7, 1, "here", global, take_fill), (void *)beyond[i], NULL,
                        1);
    }
    free(block);
}

/* Few blocks are left in each slab, so that pages between them go back to the kernel. */
TEST(blocks_beside_released_pages_are_known_and_what_was_released_is_nobodys)
{
    enum { BLOCKS = 20000, BYTES = 200, KEPT_EACH = 150 };
    static unsigned char *blocks[BLOCKS];
    unsigned char byte = 1;
    size_t released = 0;
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    const size_t usable = malloc_usable_size(blocks[0]);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % KEPT_EACH != 0)
            free(blocks[i]);
    (void)ashlar_purge();
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % KEPT_EACH == 0)
            CHECK_EQ(ashlar_bytes_left(blocks[i] + 7), usable - 7);
        else if (ashlar_bytes_left(blocks[i]) == 0) {
            released++;
            check_handed_on(ashlar_memcpy_or(blocks[i], &byte, 1, "here", global, take_copy), blocks[i], &byte, 1);
        }
    CHECK(released > 0);
    for (size_t i = 0; i < BLOCKS; i += KEPT_EACH)
        free(blocks[i]);
}

TEST(huge_blocks_above_and_below_all_others_are_known)
{
    enum { BYTES = 40 * MIB };
    void *const hole = mmap(NULL, 3 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *blocks[3];
    CHECK(hole != MAP_FAILED);
    blocks[0] = malloc(BYTES);
    CHECK_EQ(munmap(hole, 3 * BYTES), 0);
    blocks[1] = malloc(BYTES);
    blocks[2] = malloc(4 * BYTES);
    if (blocks[1] < blocks[0] || blocks[2] > blocks[0])
        SKIP("the kernel did not map where a hole was");
    for (size_t i = 0; i < COUNT(blocks); i++) {
        unsigned char *const last = blocks[i] + malloc_usable_size(blocks[i]) - 1;
        CHECK_EQ(ashlar_bytes_left(last), 1);
        check_handed_on(ashlar_memset_or(last, 9, 2, "here", global, take_fill), last, NULL, 2);
    }
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
}

TEST(a_resized_block_is_known_at_its_new_size)
{
    for (size_t bytes = 100; bytes < 200 * MIB; bytes *= 3) {
        unsigned char *block = realloc(malloc(bytes), 2 * bytes);
        CHECK(block != NULL);
        CHECK_EQ(ashlar_bytes_left(block + bytes), malloc_usable_size(block) - bytes);
        block = realloc(block, bytes / 3);
        CHECK_EQ(ashlar_bytes_left(block), malloc_usable_size(block));
        free(block);
    }
}

/* ---- While others allocate ---------------------------------------------------------------------------------------------------- */

static _Atomic bool ends;

/* Small, large and huge blocks come and go beside those that are asked about. */
static void *churn(void *unused)
{
    unsigned random = 1;
    while (!atomic_load(&ends)) {
        random = random * 1664525 + 1013904223;
        const size_t bytes = random >> 28 == 0  ? HUGE_BYTES + (random >> 16)
                             : random >> 27 < 4 ? (random >> 12) + 1
                                                : random >> 20;
        void *block = malloc(bytes);
        if (random % 3 == 0)
            block = realloc(block, bytes * 2 + 1);
        free(block);
    }
    return unused;
}

TEST(blocks_are_known_while_others_come_and_go)
{
    const size_t sizes[] = {24, 700, 9000, 60000, 300000, 3 * MIB, 34 * MIB};
    unsigned char *blocks[COUNT(sizes)];
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT(threads); i++)
        threads[i] = start_thread(churn, NULL);
    for (size_t round = 0; round < 3000; round++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            blocks[i] = malloc(sizes[i]);
            CHECK(blocks[i] != NULL);
            const size_t usable = malloc_usable_size(blocks[i]), left = ashlar_bytes_left(blocks[i] + sizes[i] / 2);
            /* Huge blocks' table may just be changing: then it cannot be told. */
            if (!(sizes[i] > HUGE_BYTES && left == SIZE_MAX))
                CHECK_EQ(left, usable - sizes[i] / 2);
        }
        for (size_t i = 0; i < COUNT(sizes); i++)
            free(blocks[i]);
    }
    atomic_store(&ends, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
}
