/* realloc_chains.c: blocks that grow and shrink many times, with their content carried along.
 *
 * The content of a chain is a function of the offset alone, so the block may move anywhere. Every step checks all that
 * was to be kept and writes all that was added. Growth in place, growth by copying and growth by remapping pages must
 * be one and the same to the program. */
#include "../lib/test.h"

#include <pthread.h>

#include "oracle.h"

enum {
    CHAINS = 8,
    DENSE_BYTES = 32 * KIB, /* every byte up to here, then one byte of each STRIDE */
    STRIDE = 1024,
};

struct chain {
    unsigned char *start;
    size_t bytes;
    uint64_t key;
};

static size_t next_offset(size_t offset)
{
    return offset < DENSE_BYTES ? offset + 1 : (offset & ~(size_t)(STRIDE - 1)) + STRIDE;
}

static unsigned char chain_byte(const struct chain *chain, size_t offset)
{
    return (unsigned char)content_word(offset, chain->key);
}

static void chain_write(struct chain *chain, size_t from, size_t to)
{
    if (from > DENSE_BYTES)
        from = (from + STRIDE - 1) & ~(size_t)(STRIDE - 1);
    for (size_t offset = from; offset < to; offset = next_offset(offset))
        chain->start[offset] = chain_byte(chain, offset);
}

static void chain_check(const struct chain *chain, size_t bytes)
{
    for (size_t offset = 0; offset < bytes; offset = next_offset(offset)) {
        if (chain->start[offset] != chain_byte(chain, offset))
            VIOLATION("chain of %zu bytes at %p lost its content at offset %zu", chain->bytes, (void *)chain->start,
                      offset);
    }
}

/* Make the chain `bytes` long, not 0. */
static void chain_resize(struct chain *chain, size_t bytes)
{
    const size_t kept = chain->bytes < bytes ? chain->bytes : bytes;
    const size_t before = chain->bytes;
    chain->start = realloc(chain->start, bytes);
    CHECK(chain->start != NULL);
    CHECK_EQ((uintptr_t)chain->start % LEAST_ALIGNMENT, 0);
    CHECK(malloc_usable_size(chain->start) >= bytes);
    chain_check(chain, kept);
    chain->bytes = bytes;
    if (bytes > before)
        chain_write(chain, before, bytes);
}

static void chain_end(struct chain *chain)
{
    chain_check(chain, chain->bytes);
    free(chain->start);
    *chain = (struct chain){0};
}

/* ---- One chain ------------------------------------------------------------------------------------------------------ */

TEST(doubling_to_256_mib_and_back)
{
    struct chain chain = {.key = test_random()};
    for (size_t bytes = 1; bytes <= 256 * (size_t)MIB; bytes *= 2)
        chain_resize(&chain, bytes);
    for (size_t bytes = 256 * (size_t)MIB; bytes >= 1; bytes /= 2)
        chain_resize(&chain, bytes);
    chain_end(&chain);
}

TEST(growing_by_half_to_200_mib_beside_other_blocks)
{
    struct chain chain = {.key = test_random()}, wall = {.key = test_random()};
    for (size_t bytes = 16; bytes <= 200 * (size_t)MIB; bytes += bytes / 2) {
        chain_resize(&chain, bytes);
        chain_resize(&wall, bytes / 8 + 1); /* takes the ground behind the chain now and then */
    }
    chain_end(&chain);
    chain_end(&wall);
}

TEST(every_size_up_to_3000_and_back)
{
    struct chain chain = {.key = test_random()};
    for (size_t bytes = 1; bytes <= 3000; bytes++)
        chain_resize(&chain, bytes);
    for (size_t bytes = 3000; bytes >= 1; bytes--)
        chain_resize(&chain, bytes);
    chain_end(&chain);
}

static void climb_and_descend(size_t step, size_t top)
{
    struct chain chain = {.key = test_random()};
    for (size_t bytes = step; bytes <= top; bytes += step)
        chain_resize(&chain, bytes);
    for (size_t bytes = top; bytes > step; bytes -= step)
        chain_resize(&chain, bytes);
    chain_end(&chain);
}

TEST(steps_of_1000_bytes_to_one_mib_and_back) { climb_and_descend(1000, MIB); }

TEST(steps_of_48_kib_to_32_mib_and_back) { climb_and_descend(48 * KIB, 32 * MIB); }

TEST(steps_of_one_mib_to_100_mib_and_back) { climb_and_descend(MIB, 100 * MIB); }

/* ---- Several chains in turn ------------------------------------------------------------------------------------------ */

/* A new length: near the old one, a multiple or a fraction of it, or anything. */
static size_t next_length(struct dice *dice, size_t bytes, size_t top)
{
    size_t next;
    switch (dice_roll(dice, 5)) {
    case 0:
        next = bytes + dice_roll(dice, 64);
        break;
    case 1:
        next = bytes * 2;
        break;
    case 2:
        next = bytes / (2 + dice_roll(dice, 8));
        break;
    case 3:
        next = bytes - dice_roll(dice, bytes / 2 + 1);
        break;
    default:
        next = random_request(dice, top);
    }
    return next == 0 ? 1 : next > top ? top : next;
}

static void run_chains(struct chain *chains, struct dice *dice, size_t top, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        struct chain *chain = &chains[dice_roll(dice, CHAINS)];
        chain_resize(chain, next_length(dice, chain->bytes, top));
        if (dice_once_in(dice, 200))
            chain_end(chain);
    }
}

static void begin_and_run_chains(size_t top, size_t steps)
{
    struct chain chains[CHAINS] = {0};
    struct dice dice = dice_new();
    for (size_t i = 0; i < CHAINS; i++)
        chains[i].key = test_random();
    run_chains(chains, &dice, top, steps);
    for (size_t i = 0; i < CHAINS; i++)
        chain_end(&chains[i]);
}

TEST(random_steps_up_to_2_kib) { begin_and_run_chains(2 * KIB, rounds(200000, 5000000)); }

TEST(random_steps_up_to_200_kib) { begin_and_run_chains(200 * KIB, rounds(30000, 600000)); }

TEST(random_steps_up_to_48_mib) { begin_and_run_chains(48 * MIB, rounds(1500, 40000)); }

/* ---- Chains that pass from thread to thread -------------------------------------------------------------------------- */

static struct chain relay[CHAINS];

static void *next_runner(void *argument)
{
    struct dice dice = dice_new();
    (void)argument;
    run_chains(relay, &dice, 64 * KIB, 50);
    return NULL;
}

TEST(chains_pass_through_threads_that_exit)
{
    for (size_t i = 0; i < rounds(1500, 50000); i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, next_runner, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    for (size_t i = 0; i < CHAINS; i++)
        chain_end(&relay[i]);
}

static void *own_chains(void *argument)
{
    (void)argument;
    begin_and_run_chains(MIB, rounds(2500, 100000));
    return NULL;
}

TEST(four_threads_with_chains_of_their_own)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, own_chains, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
