/* races.c: row 13, two frees of one block at once, ordered by nothing. They may go unreported; they may not hang,
 * crash, or give one block to two users. */
#include "misuse.h"

static const size_t sizes[] = {16, 100, 1000, 5000, 65536, 200 * KIB, 40 * MIB};

static atomic_int ready;
static void *volatile contested;

/* Both wait for each other, spinning, so that the two frees meet. */
static void free_with_the_other(void)
{
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) % 2)
        ;
    free(contested);
}

static void *second_freer(void *unused)
{
    free_with_the_other();
    return unused;
}

static void take_and_compare(size_t bytes)
{
    static char *blocks[200];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(bytes);
        CHECK(blocks[i] != NULL);
        *(size_t *)(void *)blocks[i] = i;
    }
    for (size_t i = 0; i < COUNT(blocks); i++) {
        CHECK_EQ(*(size_t *)(void *)blocks[i], i); /* nobody else has it */
        free(blocks[i]);
    }
}

struct race {
    size_t bytes;
    bool owner_takes_part;
};

static struct race races[2 * COUNT(sizes)];

static void race_once(const struct race *race)
{
    victim.bytes = race->bytes;
    allocate_victim(NULL);
    contested = victim.block;
    pthread_t one = start_thread(second_freer, NULL), other = one;
    if (race->owner_takes_part)
        free_with_the_other();
    else
        other = start_thread(second_freer, NULL);
    join_thread(one);
    if (!race->owner_takes_part)
        join_thread(other);
    settle();
    take_and_compare(race->bytes);
    settle();
}

static void race_often(const void *argument)
{
    int reported = 0;
    for (int round = 0; round < 100; round++) {
        if (test_child_begin()) {
            race_once(argument);
            _exit(0);
        }
        reported += ended_well_or_reported();
    }
    test_note("%d of 100 reported", reported);
}

TESTS(races)
{
    for (size_t i = 0; i < COUNT(races); i++) {
        races[i] = (struct race){sizes[i / 2], i % 2};
        test_add(race_often, &races[i], "two frees at once, %zu bytes, %s", races[i].bytes,
                 i % 2 ? "owner and another" : "two others");
    }
}
