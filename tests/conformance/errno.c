/* errno.c: rule 3, success leaves errno alone, every NULL sets it, and the functions that free never change it, even if
 * the kernel refuses what they ask of it. */
#include "../lib/blocks.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

TEST(success_leaves_it_alone)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        for (EACH_SIZE(bytes, 64 * MIB)) {
            if ((bytes > 1100 && bytes % 5) || (bytes > 256 * KIB && bytes % 3))
                continue;
            errno = 4711;
            void *block = allocators[a].allocate(bytes);
            CHECK(block != NULL);
            CHECK_EQ(errno, 4711);
            block = realloc(block, bytes * 2 + 1);
            CHECK(block != NULL);
            CHECK_EQ(errno, 4711);
            CHECK(malloc_usable_size(block) > 0);
            CHECK_EQ(errno, 4711);
            block = realloc(block, bytes / 3 + 1);
            CHECK(block != NULL);
            CHECK_EQ(errno, 4711);
            free(block);
            CHECK_EQ(errno, 4711);
        }
}

TEST(sized_frees_leave_it_alone)
{
    for (EACH_SIZE(bytes, 64 * MIB)) {
        if (bytes > 1100 && bytes % 5)
            continue;
        errno = 4711;
        free_sized(malloc(bytes), bytes);
        free_aligned_sized(aligned_alloc(64, bytes), 64, bytes);
        CHECK_EQ(errno, 4711);
    }
}

static void *first_calls_of_a_thread(void *unused)
{
    (void)unused;
    errno = 4711;
    void *block = malloc(100);
    CHECK_EQ(errno, 4711);
    free(block);
    CHECK_EQ(errno, 4711);
    return NULL;
}

static void *free_only(void *block)
{
    errno = 4711;
    free(block);
    CHECK_EQ(errno, 4711);
    return NULL;
}

TEST(first_calls_of_a_thread_leave_it_alone)
{
    for (int round = 0; round < 100; round++) {
        in_thread(first_calls_of_a_thread, NULL);
        in_thread(free_only, malloc((size_t)round * 1000));
    }
}

static void *allocate_first(void *allocate)
{
    errno = 4711;
    void *block = ((void *(*)(size_t))allocate)(1000);
    CHECK_EQ(errno, 4711);
    CHECK(block != NULL);
    return block;
}

TEST(whatever_a_thread_calls_first_leaves_it_alone)
{
    for (size_t a = 0; a < COUNT(allocators); a++)
        in_thread(free_only, in_thread(allocate_first, (void *)(uintptr_t)allocators[a].allocate));
}

/* ---- The first call of the process ------------------------------------------------------------------------------- */

static int errno_after_first_call;

/* Before every constructor, the library's too: it starts in this call, asks libc and the kernel what they are like, and
 * reads its options. The environment names a row of `allocators`; one row more is free. */
static void make_first_call(int count, char **arguments, char **environment)
{
    static const char name[] = "FIRST_ALLOCATOR=";
    (void)count, (void)arguments;
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, sizeof name - 1) == 0) {
            const size_t row = (size_t)atoi(*environment + sizeof name - 1);
            errno = 4711;
            if (row < COUNT(allocators))
                (void)allocators[row].allocate(1000);
            else
                free(NULL);
            errno_after_first_call = errno;
        }
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = make_first_call;

static void first_call_of_the_process_leaves_it_alone(const void *row)
{
    static const char *const options[] = {NULL, "purge_delay:100ms,dirty:1M,sized:warn",
                                          "hard_limit:cgroup,foreign:ignore"};
    char number[24];
    const size_t way = *(const size_t *)row;
    snprintf(number, sizeof number, "%zu", way / COUNT(options));
    setenv("FIRST_ALLOCATOR", number, 1);
    test_restart(options[way % COUNT(options)]);
    CHECK_EQ(errno_after_first_call, 4711);
}

enum { WAYS = 3 * (COUNT(allocators) + 1) };

TESTS(first_calls)
{
    static size_t ways[WAYS];
    for (size_t way = 0; way < WAYS; way++) {
        ways[way] = way;
        test_add(first_call_of_the_process_leaves_it_alone, &ways[way], "first call of the process, %s, options %zu",
                 way / 3 < COUNT(allocators) ? allocators[way / 3].name : "free", way % 3);
    }
}

TEST(every_null_sets_enomem)
{
    for (size_t a = 0; a < COUNT(allocators); a++) {
        errno = 0;
        CHECK_EQ(allocators[a].allocate((size_t)1 << 60), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(allocators[a].allocate(SIZE_MAX), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
}

/* ---- A kernel that refuses --------------------------------------------------------------------------------------- */

enum { REFUSED_MAX = 8 };

/* From now on these system calls fail with ENOMEM in this process. returns: whether the kernel can do that. */
static bool refuse(const long *calls, size_t count)
{
    struct sock_filter filter[REFUSED_MAX + 3];
    size_t length = 0;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0); /* the call's number */
    for (size_t i = 0; i < count; i++)
        filter[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(count - i), 0);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM);
    const struct sock_fprog program = {(unsigned short)length, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void need_filters(void)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
        SKIP("system call filters are not available here");
}

/* Small to huge: cubes up to 3.3 MB, then three in mappings of their own. */
static size_t refused_test_bytes(size_t i) { return i < 150 ? i * i * i : HUGE_BYTES + i * 10000; }

TEST(frees_leave_it_alone_when_the_kernel_refuses_to_take_memory_back)
{
    need_filters();
    static const long refused[] = {SYS_munmap, SYS_madvise, SYS_mprotect, SYS_mremap};
    static void *blocks[153];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(refused_test_bytes(i));
        CHECK(blocks[i] != NULL);
        fill(blocks[i], malloc_usable_size(blocks[i]), i);
    }
    CHECK(refuse(refused, COUNT(refused)));
    CHECK_EQ(syscall(SYS_munmap, 4096, 0), -1); /* the filter works */
    CHECK_EQ(errno, ENOMEM);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        CHECK(is_filled(blocks[i], malloc_usable_size(blocks[i]), i));
        errno = 4711;
        if (i % 3 == 0)
            free(blocks[i]);
        else if (i % 3 == 1)
            CHECK_EQ(realloc(blocks[i], 0), NULL);
        else
            free_sized(blocks[i], refused_test_bytes(i));
        CHECK_EQ(errno, 4711);
    }
    ashlar_purge();
    CHECK_EQ(errno, 4711);
    for (size_t i = 0; i < COUNT(blocks); i++) { /* the pages stayed ours: service goes on and calloc still clears */
        unsigned char *block = calloc(1, refused_test_bytes(i));
        CHECK(block != NULL && is_zero(block, malloc_usable_size(block)));
        free(block);
    }
}

/* Growth may fail then, like any request; giving a part back may not. */
TEST(resizing_a_huge_block_loses_nothing_when_the_kernel_refuses_to_move_it)
{
    need_filters();
    static const long refused[] = {SYS_mremap, SYS_munmap};
    void *block = malloc(80 * MIB);
    CHECK(block != NULL);
    fill(block, 80 * MIB, 1);
    CHECK(refuse(refused, COUNT(refused)));
    errno = 4711;
    void *grown = realloc(block, 160 * MIB);
    CHECK_EQ(errno, grown != NULL ? 4711 : ENOMEM);
    block = grown != NULL ? grown : block;
    CHECK(is_filled(block, 80 * MIB, 1));
    errno = 4711;
    block = realloc(block, 34 * MIB);
    CHECK(block != NULL && is_filled(block, 34 * MIB, 1));
    CHECK_EQ(errno, 4711);
    block = realloc(block, 5 * MIB);
    CHECK(block != NULL && is_filled(block, 5 * MIB, 1));
    block = realloc(block, 1000);
    CHECK(block != NULL && is_filled(block, 1000, 1));
    CHECK_EQ(errno, 4711);
    free(block);
    CHECK_EQ(errno, 4711);
}

TEST(exhaustion_is_enomem_at_every_entry_point)
{
    need_filters();
    static const long refused[] = {SYS_mmap, SYS_mremap, SYS_brk, SYS_mprotect};
    CHECK(refuse(refused, COUNT(refused)));
    for (size_t a = 0; a < COUNT(allocators); a++) {
        int served = 0; /* from what is mapped already */
        errno = 4711;
        while (allocators[a].allocate(10000) != NULL) {
            CHECK_EQ(errno, 4711);
            CHECK(++served < 10000000);
        }
        CHECK_EQ(errno, ENOMEM);
        errno = 0;
        CHECK_EQ(allocators[a].allocate(100 * MIB), NULL);
        CHECK_EQ(errno, ENOMEM);
    }
}
