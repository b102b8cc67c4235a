/* limits.c: RLIMIT_AS and RLIMIT_DATA, set before the start and after it, hard_limit, the kernel's bound on mappings.
 * At each of them memory ends with NULL and ENOMEM, what was allocated stays whole, and service returns with the
 * memory. */
#include "../lib/blocks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void need_limits(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer's shadow does not fit under a limit");
    if (test_emulated())
        SKIP("the emulator does not limit the program");
}

static size_t address_space_bytes(void)
{
    char text[128] = {0};
    int descriptor = open("/proc/self/statm", O_RDONLY);
    if (descriptor < 0 || read(descriptor, text, sizeof text - 1) <= 0)
        SKIP("/proc is not mounted");
    close(descriptor);
    return strtoul(text, NULL, 10) * block_page_bytes();
}

static void limit(__rlimit_resource_t resource, size_t bytes)
{
    struct rlimit now;
    CHECK_EQ(getrlimit(resource, &now), 0);
    now.rlim_cur = bytes;
    CHECK_EQ(setrlimit(resource, &now), 0);
}

/* Blocks linked through their first word, so that no table is needed. */
struct link {
    struct link *next;
    size_t bytes;
};

/* Allocate until NULL; every block is filled at both ends. returns: the bytes that were had. */
static size_t exhaust(const struct allocator *allocator, size_t bytes, struct link **chain)
{
    size_t total = 0;
    for (;;) {
        errno = 4711;
        struct link *block = allocator->allocate(bytes);
        if (block == NULL) {
            CHECK_EQ(errno, ENOMEM);
            return total;
        }
        CHECK_EQ(errno, 4711);
        CHECK(is_aligned(block, allocator->alignment));
        *block = (struct link){*chain, bytes};
        if (bytes > sizeof *block)
            ((unsigned char *)block)[bytes - 1] = (unsigned char)bytes;
        *chain = block;
        total += bytes;
    }
}

static void release(struct link *chain)
{
    while (chain) {
        struct link *next = chain->next;
        CHECK(chain->bytes <= sizeof *chain ||
              ((unsigned char *)chain)[chain->bytes - 1] == (unsigned char)chain->bytes);
        free(chain);
        chain = next;
    }
}

/* Sizes from large to small: what is left of the one goes to the next. returns: bytes had in all. */
static size_t exhaust_and_release(const struct allocator *allocator)
{
    static const size_t sizes[] = {40 * 1024 * 1024, 1024 * 1024, 100000, 5000, 100, 16};
    struct link *chain = NULL;
    size_t total = 0;
    for (size_t i = 0; i < COUNT(sizes); i++)
        total += exhaust(allocator, sizes[i], &chain);
    release(chain);
    return total;
}

static void serves_again(void)
{
    for (size_t bytes = 1; bytes < 4 * MIB; bytes = bytes * 3 / 2 + 1) {
        void *block = malloc(bytes);
        CHECK(block != NULL);
        memset(block, 1, bytes);
        free(block);
    }
}

/* ---- RLIMIT_AS --------------------------------------------------------------------------------------------------- */

static void address_space_after_start(const void *allocator)
{
    need_limits();
    limit(RLIMIT_AS, address_space_bytes() + 200 * MIB);
    for (int round = 0; round < 3; round++)
        CHECK(exhaust_and_release(allocator) > 100 * MIB);
    serves_again();
    limit(RLIMIT_AS, RLIM_INFINITY);
    void *block = malloc(400 * MIB);
    CHECK(block != NULL);
    free(block);
}

static void data_after_start(const void *allocator)
{
    need_limits();
    limit(RLIMIT_DATA, 100 * MIB);
    for (int round = 0; round < 3; round++)
        CHECK(exhaust_and_release(allocator) > 50 * MIB);
    serves_again();
    limit(RLIMIT_DATA, RLIM_INFINITY);
    void *block = malloc(400 * MIB);
    CHECK(block != NULL);
    free(block);
}

static const size_t limits_at_start[] = {64, 128, 200, 512, 2048, 8192}; /* MiB */

static void address_space_before_start(const void *mib)
{
    need_limits();
    size_t bytes = *(const size_t *)mib * MIB;
    limit(RLIMIT_AS, bytes);
    test_restart(NULL);
    for (size_t a = 0; a < COUNT(allocators); a++) {
        if (bytes > 1 * GIB && a % 5)
            continue;
        size_t had = exhaust_and_release(&allocators[a]);
        CHECK(had > bytes / 2 - 32 * MIB); /* aligned blocks may need twice their size */
        CHECK(had < bytes);
    }
    serves_again();
}

TESTS(limits)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        test_add(address_space_after_start, &allocators[a], "RLIMIT_AS after start: %s", allocators[a].name);
    for (size_t a = 0; a < COUNT(allocators); a++)
        test_add(data_after_start, &allocators[a], "RLIMIT_DATA after start: %s", allocators[a].name);
    for (size_t i = 0; i < COUNT(limits_at_start); i++)
        test_add(address_space_before_start, &limits_at_start[i], "RLIMIT_AS of %zu MiB before start",
                 limits_at_start[i]);
}

TEST(no_data_at_all_ends_malloc_and_hurts_nothing)
{
    need_limits();
    struct link *chain = NULL;
    limit(RLIMIT_DATA, 4096); /* not 0: the kernel then goes by the hard limit (mm/mmap.c, may_expand_vm) */
    for (size_t bytes = 16; bytes < 100 * MIB; bytes *= 4)
        exhaust(&allocators[0], bytes, &chain);
    while (malloc(1))
        ;
    CHECK_EQ(errno, ENOMEM);
    release(chain);
    limit(RLIMIT_DATA, RLIM_INFINITY);
    serves_again();
}

/* ---- Eight threads ----------------------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void *exhaust_in_thread(void *number)
{
    struct link *chain = NULL;
    size_t which = (size_t)(uintptr_t)number;
    const size_t bytes[] = {16, 100, 1000, 5000, 40000, 100000, 1 * MIB, 8 * MIB};
    pthread_barrier_wait(&barrier); /* everybody has started */
    exhaust(&allocators[which % COUNT(allocators)], bytes[which], &chain);
    pthread_barrier_wait(&barrier); /* everybody is at the end of memory */
    release(chain);
    pthread_barrier_wait(&barrier); /* everything is free */
    return NULL;
}

TEST(eight_threads_exhaust_memory_by_eight_entry_points)
{
    need_limits();
    pthread_t threads[8];
    pthread_attr_t small_stacks;
    pthread_attr_init(&small_stacks);
    pthread_attr_setstacksize(&small_stacks, 256 * KIB);
    pthread_barrier_init(&barrier, NULL, COUNT(threads) + 1);
    for (size_t t = 0; t < COUNT(threads); t++)
        CHECK_EQ(pthread_create(&threads[t], &small_stacks, exhaust_in_thread, (void *)(uintptr_t)t), 0);
    limit(RLIMIT_AS, address_space_bytes() + 200 * MIB);
    for (int phase = 0; phase < 3; phase++)
        pthread_barrier_wait(&barrier);
    for (size_t t = 0; t < COUNT(threads); t++)
        join_thread(threads[t]);
    serves_again();
    CHECK(exhaust_and_release(&allocators[0]) > 100 * MIB);
}

/* ---- Stack ------------------------------------------------------------------------------------------------------- */

TEST(a_stack_of_64_kib_is_enough)
{
    need_limits();
    limit(RLIMIT_STACK, 64 * KIB);
    test_restart(NULL);
    serves_again();
    ashlar_purge();
}

/* ---- The number of mappings -------------------------------------------------------------------------------------- */

/* Use up max_map_count with single pages of alternating protection. returns: whether the bound was reached. */
static bool use_up_mappings(void)
{
    unsigned char *range = mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED)
        return false;
    size_t page = block_page_bytes();
    for (size_t offset = page; offset < 2 * GIB - page; offset += 2 * page)
        if (mprotect(range + offset, page, PROT_READ) != 0)
            return errno == ENOMEM;
    return false;
}

TEST(service_goes_on_when_mappings_are_used_up)
{
    need_limits();
    static void *blocks[2000];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(i * 50);
        CHECK(blocks[i] != NULL);
        fill(blocks[i], i * 50, i);
    }
    void *huge = malloc(HUGE_BYTES + 1);
    CHECK(huge != NULL);
    if (!use_up_mappings())
        SKIP("the number of mappings cannot be used up here");
    errno = 4711;
    for (int round = 0; round < 100000; round++) {
        size_t i = (size_t)round % COUNT(blocks);
        CHECK(is_filled(blocks[i], i * 50, i));
        free(blocks[i]);
        blocks[i] = malloc(i * 50);
        CHECK(blocks[i] != NULL); /* there is room: the same block was just freed */
        fill(blocks[i], i * 50, i);
    }
    ashlar_purge();
    CHECK_EQ(errno, 4711);
    free(huge); /* if the kernel refuses the munmap, the pages stay ours */
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
    CHECK_EQ(errno, 4711);
    ashlar_purge();
    CHECK_EQ(errno, 4711);
}

/* ---- hard_limit -------------------------------------------------------------------------------------------------- */

TEST(a_hard_limit_ends_memory_and_gives_it_back)
{
    test_restart("hard_limit:64M");
    for (int round = 0; round < 3; round++)
        for (size_t a = 0; a < COUNT(allocators); a++) {
            if (allocators[a].alignment > 4096)
                continue;
            size_t had = exhaust_and_release(&allocators[a]);
            if (had <= 32 * MIB || had > 64 * MIB)
                test_fail(__FILE__, __LINE__, "%s: had %zu bytes of 64 MiB", allocators[a].name, had);
        }
    serves_again();
}

/* Every block that a thread keeps for its next request may hold a slab: together much of a low limit. */
TEST(a_hard_limit_leaves_room_for_one_block_after_all_others_were_freed)
{
    enum { BLOCKS = 900 };
    static void *blocks[BLOCKS];
    test_restart("hard_limit:24M");
    size_t bytes = 1100;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(bytes);
        CHECK(blocks[i] != NULL);
        bytes = bytes < 40000 ? bytes + bytes / 8 : 1100;
    }
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i * 7 % BLOCKS]);
    void *const large = malloc((size_t)20 << 20);
    CHECK(large != NULL);
    free(large);
}

static void *kept_elsewhere[900];

static void *free_and_sleep(void *data)
{
    (void)data;
    free(malloc(16));
    for (size_t i = 0; i < COUNT(kept_elsewhere); i++)
        free(kept_elsewhere[i * 7 % COUNT(kept_elsewhere)]);
    __atomic_store_n(&kept_elsewhere[0], NULL, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return NULL;
}

TEST(a_hard_limit_leaves_room_for_one_block_when_another_thread_keeps_what_was_freed)
{
    test_restart("hard_limit:24M");
    if (TEST_UNDER_TSAN)
        SKIP("nobody visits under the thread sanitizer, see os_wait_for_stores()");
    size_t bytes = 1100;
    for (size_t i = 0; i < COUNT(kept_elsewhere); i++) {
        kept_elsewhere[i] = malloc(bytes);
        CHECK(kept_elsewhere[i] != NULL);
        bytes = bytes < 40000 ? bytes + bytes / 8 : 1100;
    }
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, free_and_sleep, NULL), 0);
    while (__atomic_load_n(&kept_elsewhere[0], __ATOMIC_ACQUIRE) != NULL)
        usleep(1000);
    usleep(10000);
    CHECK(malloc((size_t)20 << 20) != NULL);
}

TEST(a_soft_limit_refuses_nothing)
{
    test_restart("soft_limit:16M");
    struct link *chain = NULL;
    for (int i = 0; i < 2000; i++) {
        struct link *block = malloc(100000);
        CHECK(block != NULL);
        *block = (struct link){chain, 0};
        chain = block;
    }
    release(chain);
}
