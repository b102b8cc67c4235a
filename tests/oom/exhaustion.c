/* exhaustion.c: address space or data that ends while the program runs.
 *
 * The heap grows and never reserves, so a limit set after the start is felt at the next step of growth: the request
 * gets NULL and ENOMEM, what is live stays, and as soon as enough has been freed everything works again. Every test
 * begins in a fresh process image, whose address space no other test has widened. */
#include "../lib/test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../lib/self.h"

#include "../stress/oracle.h"

static void limit(int resource, size_t bytes)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit((__rlimit_resource_t)resource, &limit), 0);
    if (limit.rlim_max < bytes)
        SKIP("a lower hard limit is in force");
    limit.rlim_cur = bytes;
    CHECK_EQ(setrlimit((__rlimit_resource_t)resource, &limit), 0);
}

static void lift_limit(int resource)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit((__rlimit_resource_t)resource, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_EQ(setrlimit((__rlimit_resource_t)resource, &limit), 0);
}

/* ---- Piles: as many blocks as there is memory for, linked through themselves -------------------------------------------- */

struct node {
    struct node *next;
    size_t usable;
};

struct pile {
    struct node *top;
    size_t blocks, bytes; /* usable */
};

static void pile_add(struct pile *pile, void *start)
{
    struct node *node = start;
    node->next = pile->top;
    node->usable = malloc_usable_size(start);
    content_write((unsigned char *)(node + 1), node->usable - sizeof *node, (uintptr_t)node);
    pile->top = node;
    pile->blocks++;
    pile->bytes += node->usable;
}

/* Check and free every second block, or all. */
static void pile_release(struct pile *pile, bool only_half)
{
    struct node **link = &pile->top;
    for (bool skip = only_half; *link; skip = only_half && !skip) {
        struct node *node = *link;
        unsigned char *content = (unsigned char *)(node + 1);
        content_check(content, node->usable - sizeof *node, content, node->usable - sizeof *node, (uintptr_t)node);
        if (skip) {
            link = &node->next;
            continue;
        }
        *link = node->next;
        pile->blocks--;
        pile->bytes -= node->usable;
        errno = ERRNO_MARK;
        free(node);
        CHECK_EQ(errno, ERRNO_MARK);
    }
}

/* Ask `entry` for ever smaller blocks until not even the smallest is to be had. */
static void pile_up(struct pile *pile, enum entry entry, size_t largest, struct dice *dice)
{
    while (largest >= sizeof(struct node)) {
        const size_t bytes = sizeof(struct node) + dice_roll(dice, largest);
        errno = ERRNO_MARK;
        void *start = entry_call(entry, 64, bytes);
        CHECK_EQ(errno, start ? ERRNO_MARK : ENOMEM);
        if (start)
            pile_add(pile, start);
        else
            largest /= 2;
    }
}

/* ---- Eight threads, eight entry points ----------------------------------------------------------------------------------- */

enum { THREADS = 8 };

static const enum entry entries[THREADS] = {FROM_MALLOC,   FROM_CALLOC,         FROM_REALLOC,       FROM_REALLOCARRAY,
                                            FROM_MEMALIGN, FROM_POSIX_MEMALIGN, FROM_ALIGNED_ALLOC, FROM_VALLOC};
static struct pile piles[THREADS];
static size_t first_bytes[THREADS]; /* in the pile of each before its neighbour frees of it */
static struct shelf shelves[THREADS];
static pthread_barrier_t gate;
static size_t largest_request;

static void *exhaust_and_recover(void *argument)
{
    const size_t number = (size_t)argument;
    struct dice dice = dice_new();
    pthread_barrier_wait(&gate);
    pile_up(&piles[number], entries[number], largest_request, &dice);
    first_bytes[number] = piles[number].bytes;
    pthread_barrier_wait(&gate);
    pile_release(&piles[(number + 1) % THREADS], true); /* a neighbour's blocks, that is */
    pthread_barrier_wait(&gate);
    pile_up(&piles[number], entries[number], largest_request, &dice);
    pthread_barrier_wait(&gate);
    pile_release(&piles[number], false);
    pthread_barrier_wait(&gate);
    /* From here on all is served, but for large alignments: the slabs of eight threads lie everywhere in 120 MiB. */
    shelves[number] = (struct shelf){.live_limit = 2 * MIB, .largest = 200 * KIB, .most_aligned = 128 * KIB};
    shelf_steps(&shelves[number], &dice, 4000);
    shelf_clear(&shelves[number], &dice);
    return NULL;
}

static void exhaust_in_threads(size_t largest)
{
    pthread_t threads[THREADS];
    size_t bytes = 0;
    test_restart(NULL);
    largest_request = largest;
    limit(RLIMIT_AS, 200 * MIB);
    CHECK_EQ(pthread_barrier_init(&gate, NULL, THREADS + 1), 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, exhaust_and_recover, (void *)i), 0);
    for (size_t phase = 0; phase < 5; phase++)
        pthread_barrier_wait(&gate);
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        bytes += first_bytes[i];
    }
    test_note("%zu MiB were to be had beside eight stacks", bytes / MIB);
    CHECK(bytes > 64 * MIB);
}

TEST(eight_threads_exhaust_200_mib_with_small_blocks) { exhaust_in_threads(400); }

TEST(eight_threads_exhaust_200_mib_with_blocks_up_to_256_kib) { exhaust_in_threads(256 * KIB); }

TEST(eight_threads_exhaust_200_mib_with_blocks_up_to_8_mib) { exhaust_in_threads(8 * MIB); }

/* ---- Nothing more at all -------------------------------------------------------------------------------------------------- */

enum { MOST_TINY_BLOCKS = 4 * MIB }; /* at 16 bytes each, 64 MiB: nobody keeps so much in reserve */

/* Linux takes a soft limit of 0 bytes for "no limit" when the hard limit allows more, so it is one page here. */
TEST(no_data_left_ends_a_loop_of_malloc)
{
    struct node *blocks = NULL;
    size_t count = 0;
    test_restart(NULL);
    free(malloc(1)); /* the heap has taken its first ground */
    limit(RLIMIT_DATA, PAGE);
    errno = ERRNO_MARK;
    for (struct node *block; count < MOST_TINY_BLOCKS && (block = malloc(sizeof block)) != NULL; count++) {
        block->next = blocks;
        blocks = block;
    }
    test_note("%zu blocks of 8 bytes without a new mapping", count);
    CHECK(count < MOST_TINY_BLOCKS);
    CHECK_EQ(errno, ENOMEM);
    while (blocks) {
        struct node *next = blocks->next;
        free(blocks);
        blocks = next;
    }
    for (size_t i = 0; i < count; i++) { /* what was to be had is to be had again */
        struct node *block = malloc(sizeof block);
        CHECK(block != NULL);
        block->next = blocks;
        blocks = block;
    }
    lift_limit(RLIMIT_DATA);
    struct dice dice = dice_new();
    shelves[0] = (struct shelf){.live_limit = 16 * MIB, .largest = 4 * MIB};
    shelf_steps(&shelves[0], &dice, 2000);
    shelf_clear(&shelves[0], &dice);
}

/* The address space is full to the last page; then one hole opens. */
TEST(a_hole_of_64_kib_serves_10000_bytes)
{
    struct pile pile = {0};
    struct dice dice = dice_new();
    test_restart(NULL);
    limit(RLIMIT_AS, self_status("VmSize"));
    pile_up(&pile, FROM_MALLOC, 10000, &dice);
    CHECK(malloc(10000) == NULL);
    limit(RLIMIT_AS, self_status("VmSize") + 64 * KIB);
    void *block = malloc(10000);
    CHECK(block != NULL);
    free(block);
    pile_release(&pile, false);
}

/* What a fragmented heap gave back must not keep the address space from others. */
TEST(freed_small_blocks_make_room_for_a_huge_one)
{
    struct pile pile = {0};
    struct dice dice = dice_new();
    test_restart(NULL);
    limit(RLIMIT_AS, 256 * MIB);
    pile_up(&pile, FROM_MALLOC, 1000, &dice);
    CHECK(pile.bytes > 128 * MIB);
    pile_release(&pile, false);
    void *block = malloc(64 * MIB);
    CHECK(block != NULL);
    free(block);
    pile_up(&pile, FROM_MALLOC, 1000, &dice);
    CHECK(pile.bytes > 128 * MIB);
    pile_release(&pile, false);
}

TEST(realloc_keeps_the_block_when_memory_ends)
{
    struct block block;
    test_restart(NULL);
    CHECK(block_take(&block, FROM_MALLOC, 0, 5 * MIB, 1));
    limit(RLIMIT_AS, self_status("VmSize"));
    size_t bytes = block.usable;
    while (block_resize(&block, bytes, false, bytes)) /* checks the content when it fails */
        bytes += MIB;
    CHECK(bytes < 64 * MIB);
    CHECK(block_resize(&block, 64 * KIB, false, 2));
    lift_limit(RLIMIT_AS);
    CHECK(block_resize(&block, 64 * MIB, false, 3));
    block_release(&block, 1);
}

/* ---- How much address space is taken ------------------------------------------------------------------------------------- */

TEST(address_space_at_start_is_small)
{
    test_restart(NULL);
    free(malloc(1));
    test_note("%zu KiB of anonymous address space", self_anonymous_bytes() / KIB);
    CHECK(self_anonymous_bytes() <= 40 * MIB);
}

TEST(address_space_follows_what_is_allocated)
{
    static const size_t largest[] = {200, 4000, 50 * KIB, 300 * KIB, 3 * MIB, 60 * MIB};
    struct dice dice = dice_new();
    struct pile pile = {0};
    test_restart(NULL);
    const size_t base = self_anonymous_bytes();
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
        for (const size_t goal = pile.bytes + 96 * MIB; pile.bytes < goal;) {
            void *start = malloc(sizeof(struct node) + dice_roll(&dice, largest[i]));
            CHECK(start != NULL);
            pile_add(&pile, start);
        }
        const size_t own = self_anonymous_bytes() - base;
        test_note("%zu MiB allocated: %zu MiB of address space", pile.bytes / MIB, own / MIB);
        CHECK(own <= 64 * MIB + 2 * pile.bytes);
    }
    const size_t peak = pile.bytes;
    pile_release(&pile, false);
    CHECK(self_anonymous_bytes() - base <= 64 * MIB + 2 * peak);
}

/* The break belongs to the program. */
TEST(the_break_is_never_moved)
{
    struct dice dice = dice_new();
    test_restart(NULL);
    const void *before = sbrk(0);
    shelves[0] = (struct shelf){.live_limit = 64 * MIB, .largest = 8 * MIB};
    shelf_steps(&shelves[0], &dice, 3000);
    shelf_clear(&shelves[0], &dice);
    CHECK_EQ(sbrk(0), before);
}
