/* bits.h and units.h: pure functions, against the slow and obvious way to the same result. */
#include "test.h"

#include "base/bits.h"
#include "base/units.h"

/* Numbers around every power of two, and random ones of every length. */
static size_t interesting(int i)
{
    const size_t power = (size_t)1 << i % 63;

    switch (i / 63) {
    case 0:
        return power;
    case 1:
        return power - 1;
    case 2:
        return power + 1;
    default:
        return test_random() >> i % 63 >> 1;
    }
}

enum { INTERESTING = 63 * 40 };

TEST(a_power_of_two_has_one_bit)
{
    CHECK(!is_power_of_two(0));
    for (int i = 0; i < INTERESTING; i++) {
        const size_t n = interesting(i);
        CHECK_EQ(is_power_of_two(n), __builtin_popcountl(n) == 1);
    }
}

TEST(the_power_from_a_number_is_the_next_not_below_it)
{
    for (int i = 0; i < INTERESTING; i++) {
        const size_t n = interesting(i) >> 1;
        const size_t power = power_of_two_from(n);
        CHECK(is_power_of_two(power));
        CHECK(power >= n);
        CHECK(power == 1 || power / 2 < n);
    }
    CHECK_EQ(power_of_two_from((size_t)1 << 63), INTMAX_MIN);
}

TEST(the_logarithm_is_the_highest_bit)
{
    for (int i = 0; i < INTERESTING; i++) {
        const size_t n = interesting(i) | 1;
        CHECK(n >> log2_floor(n) == 1);
    }
}

TEST(rounding_finds_the_nearest_multiples)
{
    for (size_t step = 1; step <= (size_t)1 << 30; step *= 2)
        for (int i = 0; i < INTERESTING; i++) {
            const size_t n = interesting(i) >> 2;
            CHECK_EQ(round_down(n, step), n / step * step);
            CHECK_EQ(round_up(n, step), (n + step - 1) / step * step);
        }
}

TEST(mixing_loses_nothing_and_every_bit_reaches_every_other)
{
    uint64_t reached[64] = {0};

    for (int i = 0; i < 1000; i++) {
        const uint64_t word = test_random();
        for (int bit = 0; bit < 64; bit++) {
            const uint64_t changed = mix64(word) ^ mix64(word ^ (uint64_t)1 << bit);
            CHECK(changed != 0);
            reached[bit] |= changed;
        }
    }
    for (int bit = 0; bit < 64; bit++)
        CHECK_EQ(~reached[bit], 0);
}

TEST(granules_hold_their_bytes_with_less_than_one_to_spare)
{
    CHECK_EQ(granules_for(0).n, 0);
    for (size_t bytes = 1; bytes <= 300000; bytes++) {
        const granule_count count = granules_for(bytes);
        CHECK(granule_bytes(count) >= bytes && granule_bytes(count) - bytes < GRANULE_BYTES);
    }
    CHECK_EQ(granule_bytes((granule_count){UINT32_MAX}), (size_t)UINT32_MAX << GRANULE_SHIFT);
    CHECK_EQ(granule_after((granule_index){5}, (granule_count){7}).i, 12);
}

/* source: the test vectors of the reference implementation, key 00..0f, message 00..07. */
TEST(sip_hash_gives_the_published_value)
{
    const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

    CHECK_EQ(sip_hash(key, 0x0706050403020100u), 0x93f5f5799a932462u);
}
