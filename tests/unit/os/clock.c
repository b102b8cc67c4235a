/* clock.c: the clock of the vDSO, found by hand, against the one that libc finds; and life without a vDSO. */
#include "test.h"

#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "os/os.h"

static uint64_t libc_ms(void)
{
    struct timespec now;

    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC_COARSE, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

TEST(the_clock_of_the_vdso_lies_between_two_looks_at_libcs)
{
    const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);

    if (vdso == 0)
        SKIP("this kernel or emulator maps no vDSO");
    os_clock_start(vdso);
    for (int i = 0; i < 100000; i++) {
        const uint64_t before = libc_ms();
        const uint64_t now = os_clock_coarse_ms();
        CHECK(before <= now && now <= libc_ms());
    }
}

TEST(without_a_vdso_the_clock_counts_its_calls)
{
    os_clock_start(0);
    const uint64_t first = os_clock_coarse_ms();
    for (uint64_t i = 1; i < 1000; i++)
        CHECK_EQ(os_clock_coarse_ms(), first + i);
}

/* Or the first visit to other heaps would be put off, and a request refused that there is memory for. */
TEST(without_a_vdso_zero_is_long_ago)
{
    enum { DAY_MS = 24 * 60 * 60 * 1000 };

    os_clock_start(0);
    CHECK(os_clock_coarse_ms() > DAY_MS);
}

TEST(without_a_vdso_a_sleep_counts)
{
    os_clock_start(0);
    const uint64_t before = os_clock_coarse_ms();
    os_sleep_ms(20);
    CHECK_EQ(os_clock_coarse_ms(), before + 21);
}

TEST(the_start_finds_the_facts_and_the_clock)
{
    struct os_facts facts = {0};
    uint64_t random = 0;

    os_start(&facts);
    memcpy(&random, (const void *)getauxval(AT_RANDOM), sizeof random);
    CHECK_EQ(facts.page_bytes, getauxval(AT_PAGESZ));
    CHECK_EQ(facts.secure, getauxval(AT_SECURE) != 0);
    CHECK_EQ(facts.random[0], random);
    CHECK(facts.random[0] != facts.random[1]);
    if (getauxval(AT_SYSINFO_EHDR) != 0)
        CHECK(os_clock_coarse_ms() > 1000);
}

TEST(the_fine_clocks_agree_with_libcs)
{
    struct timespec before, after;

    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    const uint64_t now = os_clock_ns();
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    CHECK((uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec <= now);
    CHECK(now <= (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &before), 0);
    CHECK(os_clock_real_ns() >= (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec);
}
