/* remote.h: the one word of a slab. Everything packed must come out again, and no field may touch another. */
#include "test.h"

#include "heap/remote.h"

static void check_round_trip(struct remote remote)
{
    const uint64_t word = remote_pack(remote);
    const struct remote again = remote_unpack(word);

    CHECK_EQ(again.first, remote.first);
    CHECK_EQ(again.last, remote.last);
    CHECK_EQ(again.count, remote.count);
    CHECK_EQ(again.token, remote.token);
    CHECK_EQ(again.owner, remote.owner);
    CHECK_EQ(again.direct, remote.direct);
    CHECK_EQ(remote_pack(again), word);
}

enum { NUMBER_MAX = (1 << NUMBER_BITS) - 1, OWNER_MAX = (1 << OWNER_BITS) - 1 };

TEST(every_number_and_owner_comes_out_as_it_went_in)
{
    for (uint32_t number = 0; number <= NUMBER_MAX; number++) {
        check_round_trip((struct remote){.first = number});
        check_round_trip((struct remote){.last = number, .token = true});
        check_round_trip((struct remote){.count = number, .direct = true});
    }
    for (uint32_t owner = 0; owner <= OWNER_MAX; owner++)
        check_round_trip((struct remote){NUMBER_MAX, NUMBER_MAX, NUMBER_MAX, true, owner, true});
}

TEST(random_words_come_out_as_they_went_in)
{
    for (int i = 0; i < 1000000; i++) {
        const uint64_t random = test_random(), more = test_random();
        check_round_trip((struct remote){(uint32_t)random & NUMBER_MAX, (uint32_t)(random >> 16) & NUMBER_MAX,
                                         (uint32_t)(random >> 32) & NUMBER_MAX, random >> 63,
                                         (uint32_t)more & OWNER_MAX, more >> 63});
    }
}

TEST(the_empty_word_of_nobody_is_zero_and_so_is_that_of_no_slab) { CHECK_EQ(remote_pack((struct remote){0}), 0); }

TEST(the_most_blocks_that_a_slab_can_have_fit_into_the_word)
{
    for (int class = 0; class < CLASS_COUNT; class ++)
        CHECK(class_table[class].capacity <= NUMBER_MAX);
}
