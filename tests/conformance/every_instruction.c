/* every_instruction.c: rule 7 again: a signal handler that uses the heap may come at any single instruction.
 *
 *   pass 0:  i . . . . i . . . . i . . . .       i  the handler uses the heap before this instruction
 *   pass 1:  . i . . . . i . . . . i . . .       .  the handler only counts
 *   pass 2:  . . i . . . . i . . . . i . .
 *
 * The processor's trap flag makes every instruction of a heap's call a SIGTRAP. A pass is the life of one thread, from
 * its first call to its destructors. A normal run makes one pass at each distance, from a random instruction on; with
 * TEST_LONG=1 each instruction has its turn. interrupt.c reaches the start of the process, and forks.
 *
 * Not promised, and so avoided here: that a handler which interrupts the few instructions of a list in use may itself
 * take or free blocks of the very same size class. Handler and interrupted code use different classes; above the
 * classes they use the same sizes. The same class is tried where the list is empty, so that nothing but the slow path
 * is interrupted. */
#include "../lib/blocks.h"

#include <signal.h>

#if !defined(__x86_64__)
TEST(instructions_can_be_stepped) { SKIP("the trap flag is x86-64's"); }
#elif TEST_UNDER_TSAN
TEST(instructions_can_be_stepped) { SKIP("the thread sanitizer holds signals back until the next call that it knows"); }
#else

/* ---- Stepping ---------------------------------------------------------------------------------------------------- */

enum { TRAP_FLAG = 0x100, RED_ZONE = 128 };

/* The flag is the thread's. The kernel takes it away while a handler runs and brings it back after. */
static inline void start_stepping(void)
{
    __asm__ volatile("lea %c1(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; lea %c2(%%rsp), %%rsp"
                     :
                     : "i"(TRAP_FLAG), "i"(-RED_ZONE), "i"(RED_ZONE)
                     : "memory", "cc");
}

static inline void stop_stepping(void)
{
    __asm__ volatile("lea %c1(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); popfq; lea %c2(%%rsp), %%rsp"
                     :
                     : "i"(~TRAP_FLAG), "i"(-RED_ZONE), "i"(RED_ZONE)
                     : "memory", "cc");
}

#define STEPPED(call)                                                                                                  \
    __extension__({                                                                                                    \
        start_stepping();                                                                                              \
        __typeof__(call) stepped_result = (call);                                                                      \
        stop_stepping();                                                                                               \
        stepped_result;                                                                                                \
    })

static unsigned long instructions, intrusions; /* of this pass; since the start of the test */
static unsigned long distance, offset;         /* instructions between two intrusions (0: none), and before the first */

static void (*intrusion)(void);

static void on_instruction(int number)
{
    (void)number;
    if (distance == 0 || instructions++ % distance != offset)
        return;
    const int kept = errno;
    intrusion();
    intrusions++;
    errno = kept;
}

static void need_stepping(void)
{
    const struct sigaction action = {.sa_handler = on_instruction};
    CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
    distance = ~0UL;
    offset = ~0UL;
    STEPPED(0);
    if (instructions == 0)
        SKIP("the trap flag has no effect here");
}

/* ---- Blocks and their contents ----------------------------------------------------------------------------------- */

struct block {
    unsigned char *start; /* NULL: none */
    size_t bytes;
    uint64_t tag;
};

/* Contents of larger blocks are kept in their first part only: the time belongs to the heap. */
static size_t filled_bytes(size_t bytes) { return bytes < 2 * KIB ? bytes : 2 * KIB; }

static uint64_t next_tag(void)
{
    static uint64_t tag;
    return ++tag * UINT64_C(0x9e3779b97f4a7c15);
}

static void record(struct block *block, void *start, size_t bytes)
{
    CHECK(start != NULL && is_aligned(start, 16));
    *block = (struct block){start, bytes, next_tag()};
    fill(start, filled_bytes(bytes), block->tag);
}

static void check(const struct block *block)
{
    if (!is_filled(block->start, filled_bytes(block->bytes), block->tag))
        test_fail(__FILE__, __LINE__,
                  "%p of %zu bytes is damaged, %lu instructions after the start of the pass (%lu %% %lu)",
                  (void *)block->start, block->bytes, instructions, offset, distance);
}

static void check_resized(const struct block *old, const unsigned char *start, size_t bytes)
{
    const size_t kept = old->bytes < bytes ? old->bytes : bytes;
    CHECK(is_filled(start, filled_bytes(kept) / 8 * 8, old->tag));
}

/* ---- What intrudes: one block each time, of any kind and size; the last ones are kept ---------------------------- */

static const size_t intruders_small[] = {0, 24, 120, 500, 1500, 6000, 14000, 50000};
static const size_t intruders_large[] = {70000, 300000, 1000000};
static struct block kept[96];

static size_t intruders_bytes(void)
{
    if (intrusions % 499 == 17)
        return HUGE_BYTES + 5000;
    return intrusions % 7 == 3 ? intruders_large[intrusions / 7 % COUNT(intruders_large)]
                               : intruders_small[intrusions % COUNT(intruders_small)];
}

static void *allocate_as_intruder(size_t bytes)
{
    void *start;
    switch (intrusions % 5) {
    case 0:
        start = calloc(1, bytes);
        CHECK(start != NULL && is_zero(start, filled_bytes(bytes)));
        return start;
    case 1:
        start = memalign(64, bytes < 192 ? 500 : bytes); /* a class of ours whatever the rounding */
        CHECK(is_aligned(start, 64));
        return start;
    default:
        return malloc(bytes);
    }
}

/* May be refused just now, and then nothing has changed. */
static void resize_as_intruder(struct block *block)
{
    const size_t bytes = intruders_small[(intrusions / 3) % COUNT(intruders_small)] + (block->bytes == 0);
    if (bytes == 0)
        return;
    errno = 0;
    unsigned char *start = realloc(block->start, bytes);
    if (start == NULL) {
        CHECK_EQ(errno, ENOMEM);
        check(block);
        return;
    }
    check_resized(block, start, bytes);
    record(block, start, bytes);
}

static void intrude(void)
{
    struct block *block = &kept[intrusions % COUNT(kept)];
    if (block->start != NULL) {
        check(block);
        if (intrusions % 3 == 0)
            resize_as_intruder(block);
        check(block);
        free(block->start); /* may be dropped */
    }
    const size_t bytes = intruders_bytes();
    record(block, allocate_as_intruder(bytes), bytes);
}

static void end_block(struct block *block)
{
    if (block->start == NULL)
        return;
    check(block);
    free(block->start);
    block->start = NULL;
}

/* ---- What is interrupted: the life of a thread ------------------------------------------------------------------- */

static struct block blocks[10];

static void give(struct block *block)
{
    if (block->start == NULL)
        return;
    check(block);
    errno = 4711;
    STEPPED((free(block->start), 0));
    CHECK_EQ(errno, 4711);
    block->start = NULL;
}

static void give_every(size_t step)
{
    for (size_t i = 0; i < COUNT(blocks); i += step)
        give(&blocks[i]);
}

static void resize(struct block *block, size_t bytes)
{
    errno = 4711;
    unsigned char *start = STEPPED(realloc(block->start, bytes));
    CHECK(start != NULL);
    CHECK_EQ(errno, 4711);
    check_resized(block, start, bytes);
    record(block, start, bytes);
}

/* No size of these shares a class with one of the intruders, or borrows from it. */
static const size_t small_sizes[] = {40, 300, 1000, 9000, 24000};

/* Clearing and copying are string instructions, each step of which is a trap: no more of them than needed. */
enum { CLEARED_MAX = 40 };

static void take_small_blocks(void)
{
    for (size_t i = 0; i < COUNT(blocks); i++) {
        const size_t bytes = small_sizes[i % COUNT(small_sizes)];
        if (blocks[i].start != NULL)
            continue;
        errno = 4711;
        record(&blocks[i], bytes <= CLEARED_MAX ? STEPPED(calloc(1, bytes)) : STEPPED(malloc(bytes)), bytes);
        CHECK_EQ(errno, 4711);
    }
}

static void use_small_blocks(void)
{
    take_small_blocks();
    give_every(2);
    take_small_blocks();
    give_every(1);
}

static void use_aligned_blocks(void)
{
    for (size_t i = 0; i < 8; i++) {
        const size_t alignment = (size_t)16 << (i % 7), bytes = i % 2 ? 9000 : 20000; /* their classes have it */
        void *start = STEPPED(aligned_alloc(alignment, bytes));
        CHECK(is_aligned(start, alignment));
        record(&blocks[i], start, bytes);
    }
    record(&blocks[8], STEPPED(aligned_alloc(MIB, 5000)), 5000);
    give_every(1);
}

static void use_large_blocks(void)
{
    for (size_t i = 0; i < 6; i++) {
        const size_t bytes = intruders_large[i % COUNT(intruders_large)];
        record(&blocks[i], STEPPED(malloc(bytes)), bytes);
    }
    give_every(2);
    STEPPED(ashlar_purge());
    give_every(1);
}

static void use_huge_blocks(void)
{
    for (size_t i = 0; i < 2; i++)
        record(&blocks[i], STEPPED(malloc(HUGE_BYTES + 9000 + i)), HUGE_BYTES + 9000 + i);
    resize(&blocks[0], HUGE_BYTES + 8 * MIB);
    resize(&blocks[1], HUGE_BYTES + 100);
    give_every(1);
}

static void resize_blocks(void)
{
    static const size_t sizes[] = {40, 1000, 300, 9000, 70000, 66000, 1000, 40};
    blocks[0].bytes = 0;
    for (size_t s = 0; s < COUNT(sizes); s++)
        resize(&blocks[0], sizes[s]);
    give_every(1);
}

/* Another thread frees a thread's blocks, and the next slow path, whoever makes it, takes them back. */
static void *give_some_as_stranger(void *unused)
{
    for (size_t i = 0; i < COUNT(blocks); i += 3) {
        check(&blocks[i]);
        free(blocks[i].start);
        blocks[i].start = NULL;
    }
    return unused;
}

static void get_blocks_back(void)
{
    take_small_blocks();
    in_thread(give_some_as_stranger, NULL);
    give_every(2);
    take_small_blocks();
    give_every(1);
}

/* Blocks of a thread that has ended, and blocks of one that lives. */
static void *take_as_stranger(void *unused)
{
    for (size_t i = 0; i < COUNT(blocks); i++) {
        const size_t bytes = i == 9 ? 70000 : small_sizes[i % COUNT(small_sizes)];
        record(&blocks[i], malloc(bytes), bytes);
    }
    return unused;
}

static void give_strangers_blocks(void)
{
    in_thread(take_as_stranger, NULL);
    give_every(1);
}

/* What is left is adopted by the next pass. */
static void leave_blocks(void)
{
    give_strangers_blocks();
    take_small_blocks();
}

struct life {
    const char *name;
    void (*live)(void);
};

static const struct life lives[] = {
    {"small blocks", use_small_blocks},
    {"aligned blocks", use_aligned_blocks},
    {"large blocks", use_large_blocks},
    {"huge blocks", use_huge_blocks},
    {"resizing", resize_blocks},
    {"getting blocks back", get_blocks_back},
    {"freeing the blocks of others", give_strangers_blocks},
    {"ending with blocks", leave_blocks},
};

/* ---- Passes ------------------------------------------------------------------------------------------------------ */

static pthread_key_t last_key;

static void stop_as_the_thread_ends(void *unused)
{
    (void)unused;
    stop_stepping();
}

static void *live_and_end(void *life)
{
    CHECK_EQ(pthread_setspecific(last_key, life), 0);
    ((const struct life *)life)->live();
    start_stepping(); /* through the library's destructor, which comes before ours: its key is older */
    return NULL;
}

static void run_pass(const struct life *life, unsigned long its_distance, unsigned long its_offset)
{
    distance = its_distance;
    offset = its_offset;
    instructions = 0;
    in_thread(live_and_end, (void *)life);
    give_every(1);
    distance = 0;
}

/* Close together, and so far apart that the interrupted code finds the heap as it left it. */
static const unsigned long distances[] = {3, 17, 211};

/* With TEST_LONG=1 every instruction has its turn, at each distance. */
static bool is_long_run(void)
{
    const char *value = getenv("TEST_LONG");
    return value != NULL && strcmp(value, "1") == 0;
}

static void run_passes(const struct life *life, unsigned long its_distance)
{
    const unsigned long start = test_random() % its_distance, count = is_long_run() ? its_distance : 1;
    test_note("one instruction in %lu interrupted, from number %lu, %lu passes", its_distance, start, count);
    for (unsigned long pass = 0; pass < count; pass++)
        run_pass(life, its_distance, (start + pass) % its_distance);
}

/* Whether a request for `bytes` never gets a block of the class of `other`: medium ones borrow less than half as much
 * again.
 */
static bool is_out_of_reach(size_t bytes, size_t other)
{
    const size_t good = ashlar_good_size(bytes), reach = good > KIB ? good + good / 2 : good + 1;
    return ashlar_good_size(other) < good || ashlar_good_size(other) >= reach;
}

static void check_sizes_are_apart(void)
{
    for (size_t i = 0; i < COUNT(small_sizes); i++)
        for (size_t j = 0; j < COUNT(intruders_small); j++)
            CHECK(is_out_of_reach(small_sizes[i], intruders_small[j]) &&
                  is_out_of_reach(intruders_small[j], small_sizes[i]));
}

static void note_outcome(void)
{
    struct ashlar_stats stats;
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    test_note("%lu intrusions, %llu frees dropped, %llu heaps", intrusions, (unsigned long long)stats.dropped_frees,
              (unsigned long long)stats.heaps);
}

static void interrupt_everywhere(const void *argument)
{
    const struct life *life = argument;
    need_stepping();
    intrusion = intrude;
    check_sizes_are_apart();
    CHECK_EQ(pthread_key_create(&last_key, stop_as_the_thread_ends), 0);
    for (size_t i = 0; i < COUNT(distances); i++)
        run_passes(life, distances[i]);
    CHECK(intrusions > 1000);
    for (size_t i = 0; i < COUNT(kept); i++)
        end_block(&kept[i]);
    note_outcome();
}

/* ---- The same class ---------------------------------------------------------------------------------------------- */

/* Each call finds its list empty: a class's first, or of a class so large that it is carved block by block. One
 * intrusion in each call: a second one might find what the first has left on the list. */
static const size_t empty_listed[] = {40, 300, 1000, 5000, 20000, 20000, 20000, 40000, 40000};
static struct block intruders[COUNT(empty_listed)][2];
static size_t call;

static void intrude_with_the_same_class(void)
{
    const size_t bytes = empty_listed[call];
    distance = 0;
    for (size_t i = 0; i < 2; i++)
        record(&intruders[call][i], malloc(bytes), bytes);
}

static void *take_with_empty_lists(void *its_offset)
{
    for (call = 0; call < COUNT(empty_listed); call++) {
        instructions = 0;
        offset = (unsigned long)its_offset;
        distance = ~0UL;
        record(&blocks[call], STEPPED(malloc(empty_listed[call])), empty_listed[call]);
    }
    distance = 0;
    for (call = 0; call < COUNT(empty_listed); call++) {
        end_block(&blocks[call]);
        end_block(&intruders[call][0]);
        end_block(&intruders[call][1]);
    }
    return NULL;
}

TEST(a_handler_takes_blocks_of_the_interrupted_class)
{
    enum { SLOW_PATH = 600, PASSES = 25 };
    need_stepping();
    intrusion = intrude_with_the_same_class;
    const unsigned long step = is_long_run() ? 1 : SLOW_PATH / PASSES, start = test_random() % step;
    test_note("interrupted at instruction %lu and every %lu from there", start, step);
    for (unsigned long its_offset = start; its_offset < SLOW_PATH; its_offset += step)
        in_thread(take_with_empty_lists, (void *)its_offset);
    CHECK(intrusions > PASSES);
}

TEST(instructions_can_be_stepped)
{
    need_stepping();
    instructions = 0;
    free(STEPPED(malloc(100)));
    CHECK(instructions > 5);
}

TESTS(everywhere)
{
    for (size_t i = 0; i < COUNT(lives); i++)
        test_add(interrupt_everywhere, &lives[i], "a handler uses the heap at every instruction of: %s", lives[i].name);
}

#endif
