/* sized.c: sized frees. free_sized takes a size for which realloc would leave the block where it is; operator delete
 * takes a size that may have got the block; anything else is R6. An alignment that the block does not have is R7.
 * Options: sized:warn, sized:off. */
#include "misuse.h"

/* ---- R6 ---------------------------------------------------------------------------------------------------------- */

static const size_t usables[] = {1, 16, 100, 1000, 5000, 65536, 256 * KIB, 4 * MIB, 40 * MIB};

/* Whether a resize of a block of this size to `given` bytes stays: tried out, not computed. */
static bool resize_stays(size_t bytes, size_t given)
{
    void *block = malloc(bytes);
    CHECK(block != NULL);
    uintptr_t before = (uintptr_t)block;
    void *after = realloc(block, given);
    if (after == NULL)
        return false; /* no block has this size */
    block = after;
    bool stays = (uintptr_t)block == before && given <= ashlar_good_size(bytes) &&
                 (given >= ashlar_good_size(bytes) / 2 || ashlar_good_size(given) == ashlar_good_size(bytes));
    free(block);
    return stays;
}

struct request {
    size_t bytes, given;
};

static struct request requests[256];

static void *victim_of(size_t bytes)
{
    victim.bytes = bytes;
    allocate_victim(NULL);
    return victim.block;
}

static void free_sized_obeys_realloc(const void *argument)
{
    const struct request *request = argument;
    bool stays = resize_stays(request->bytes, request->given);
    void *block = victim_of(request->bytes);
    if (stays) {
        EXITS(0) { free_sized(block, request->given); }
    } else {
        DIES("ashlar: wrong size for 0x%lx (%zu-byte block, %zu given, in free_sized)", facts()->pointer,
             facts()->usable, request->given)
        {
            free_sized(block, request->given);
        }
    }
}

/* Whether a request for `given` bytes may get a block of `usable` bytes: one of its class or, above 1 KiB, of the next
 * four. */
static bool may_get(size_t given, size_t usable)
{
    size_t good = ashlar_good_size(given);
    for (int reach = 4; reach > 0 && good > KIB && good < usable && usable <= 64 * KIB; reach--)
        good = ashlar_good_size(good + 1);
    return good == usable;
}

static void delete_wants_a_size_that_may_get_the_block(const void *argument)
{
    const struct request *request = argument;
    void *block = victim_of(request->bytes);
    if (may_get(request->given, facts()->usable)) {
        EXITS(0) { operator_delete_sized(block, request->given); }
        EXITS(0) { operator_delete_array_sized(block, request->given); }
    } else {
        DIES("ashlar: wrong size for 0x%lx (%zu-byte block, %zu given, in operator delete)", facts()->pointer,
             facts()->usable, request->given)
        {
            operator_delete_sized(block, request->given);
        }
        DIES("ashlar: wrong size for 0x%lx (%zu-byte block, %zu given, in operator delete[])", facts()->pointer,
             facts()->usable, request->given)
        {
            operator_delete_array_sized(block, request->given);
        }
    }
}

TESTS(wrong_sizes)
{
    struct request *request = requests;
    for (size_t u = 0; u < COUNT(usables); u++) {
        size_t n = usables[u];
        const size_t given[] = {n,         n + 1, n + n / 8 + 16, 2 * n + 1,  n * 3 / 4 + 1, n / 2 + 1,
                                n / 3 + 1, 1,     SIZE_MAX,       PTRDIFF_MAX};
        for (size_t g = 0; g < COUNT(given); g++) {
            *request = (struct request){n, given[g]};
            test_add(free_sized_obeys_realloc, request, "free_sized(malloc(%zu), %zu)", n, given[g]);
            test_add(delete_wants_a_size_that_may_get_the_block, request, "operator delete(malloc(%zu), %zu)", n,
                     given[g]);
            request++;
        }
    }
}

TEST(no_size_is_wrong_for_a_block_that_has_some)
{
    void *block = victim_of(1000);
    DIES("ashlar: wrong size for 0x%lx (%zu-byte block, 0 given, in free_sized)", facts()->pointer, facts()->usable)
    {
        free_sized(block, 0);
    }
    EXITS(0) { free_sized(malloc(0), 0); }
}

TEST(the_size_from_before_a_shrink_is_accepted_while_it_would_stay)
{
    void *block = realloc(malloc(1000), 700);
    CHECK(block != NULL);
    EXITS(0) { free_sized(block, 700); }
    EXITS(0) { free_sized(block, 1000); }
}

static void *free_sized_wrongly(void *block)
{
    free_sized(block, 10);
    return NULL;
}

TEST(another_thread_is_checked_too)
{
    void *block = victim_of(1000);
    DIES("ashlar: wrong size for 0x%lx (%zu-byte block, 10 given, in free_sized)", facts()->pointer, facts()->usable)
    {
        in_thread(free_sized_wrongly, block);
    }
}

/* ---- R7 ---------------------------------------------------------------------------------------------------------- */

/* The smallest power of two above 16 that the address is no multiple of. */
static size_t missing_alignment(const void *block)
{
    size_t alignment = 32;
    while (is_aligned(block, alignment))
        alignment *= 2;
    return alignment;
}

TEST(an_alignment_the_block_does_not_have)
{
    const size_t sizes[] = {100, 5000, 256 * KIB, 40 * MIB};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        void *block = victim_of(sizes[s]);
        DIES("ashlar: wrong alignment for 0x%lx (%zu-byte block, %zu given, in free_aligned_sized)", facts()->pointer,
             facts()->usable, missing_alignment(block))
        {
            free_aligned_sized(block, missing_alignment(block), sizes[s]);
        }
    }
}

TEST(an_alignment_that_is_none)
{
    const size_t alignments[] = {0, 3, 48, 65, SIZE_MAX};
    void *block = victim_of(100);
    for (size_t a = 0; a < COUNT(alignments); a++)
        DIES("ashlar: wrong alignment for 0x%lx (%zu-byte block, %zu given, in free_aligned_sized)", facts()->pointer,
             facts()->usable, alignments[a])
        {
            free_aligned_sized(block, alignments[a], 100);
        }
}

TEST(a_wrong_size_beside_a_right_alignment)
{
    void *block = aligned_alloc(64, 1000);
    CHECK(block != NULL);
    size_t usable = malloc_usable_size(block);
    DIES("ashlar: wrong size for 0x%lx (%zu-byte block, 5000 given, in free_aligned_sized)", (uintptr_t)block, usable)
    {
        free_aligned_sized(block, 64, 5000);
    }
    EXITS(0) { free_aligned_sized(block, 64, 1000); }
}

TEST(delete_with_an_alignment_the_block_does_not_have)
{
    void *block = victim_of(100);
    size_t alignment = missing_alignment(block);
    DIES("ashlar: wrong alignment for 0x%lx (%zu-byte block, %zu given, in operator delete)", facts()->pointer,
         facts()->usable, alignment)
    {
        operator_delete_aligned_sized(block, 100, alignment);
    }
    DIES("ashlar: wrong alignment for 0x%lx (%zu-byte block, %zu given, in operator delete)", facts()->pointer,
         facts()->usable, alignment)
    {
        operator_delete_aligned(block, alignment);
    }
}

/* ---- Misuse that has a line of its own --------------------------------------------------------------------------- */

TEST(a_freed_block_is_a_double_free_whatever_the_size)
{
    void *block = victim_of(100);
    free(block);
    DIES("ashlar: double free of 0x%lx (%zu-byte block, in free_sized)", facts()->pointer, facts()->usable)
    {
        free_sized(block, 100);
    }
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

TEST(sized_warn_prints_the_line_and_goes_on)
{
    test_restart("sized:warn");
    void *block = victim_of(1000), *other = victim.neighbour;
    size_t usable = facts()->usable;
    PRINTS(0,
           "ashlar: wrong size for 0x%lx (%zu-byte block, 3 given, in free_sized)\n"
           "ashlar: wrong size for 0x%lx (%zu-byte block, 4 given, in operator delete)\n",
           (uintptr_t)block, usable, (uintptr_t)other, usable)
    {
        size_t before = mallinfo2().uordblks;
        free_sized(block, 3);
        operator_delete_sized(other, 4);
        CHECK_EQ(before - mallinfo2().uordblks, 2 * usable); /* they are free */
    }
    PRINTS(0, "ashlar: wrong alignment for 0x%lx (%zu-byte block, 48 given, in free_aligned_sized)\n", (uintptr_t)block,
           usable)
    {
        free_aligned_sized(block, 48, 1000);
    }
}

TEST(sized_off_is_silent)
{
    test_restart("sized:off");
    void *block = victim_of(1000), *other = victim.neighbour;
    EXITS(0)
    {
        size_t before = mallinfo2().uordblks;
        free_sized(block, 3);
        free_aligned_sized(other, 4096, 70000);
        CHECK_EQ(before - mallinfo2().uordblks, 2 * facts()->usable);
    }
}

TEST(sized_off_still_finds_a_double_free)
{
    test_restart("sized:off");
    void *block = victim_of(100);
    DIES("ashlar: double free of 0x%lx (%zu-byte block, in free_sized)", facts()->pointer, facts()->usable)
    {
        free_sized(block, 100);
        free_sized(block, 100);
    }
}
