/* foreign.c: pointers that are not ours, in free, realloc and malloc_usable_size, under each value of the option
 * foreign. */
#include "misuse.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

static _Alignas(64) char data[256] = "data";
static _Alignas(64) const char constant[64] = "constant";

static void *foreign_map(void)
{
    void *map = mmap(NULL, 1 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    return map;
}

/* Aligned as a block would be, and not; mapped and not; also what no address can be. */
static size_t collect_foreign(void **pointers, char *stack)
{
    size_t count = 0;
    char *map = foreign_map();
    void *const some[] = {stack,
                          stack + 16,
                          data,
                          data + 32,
                          (void *)(uintptr_t)constant,
                          map,
                          map + 4096,
                          map + 1 * MIB - 16,
                          (void *)(uintptr_t)collect_foreign,
                          data + 1,
                          stack + 8,
                          map + 3,
                          (void *)16,
                          (void *)1,
                          (void *)(uintptr_t)4096,
                          (void *)((uintptr_t)1 << 46),
                          (void *)(((uintptr_t)1 << 47) - 16),
                          (void *)((uintptr_t)1 << 47),
                          (void *)((uintptr_t)1 << 63),
                          (void *)(UINTPTR_MAX - 15),
                          (void *)UINTPTR_MAX,
                          (void *)(UINTPTR_MAX & ~(uintptr_t)0xffff)};
    for (; count < COUNT(some); count++)
        pointers[count] = some[count];
    return count;
}

/* ---- abort ------------------------------------------------------------------------------------------------------- */

TEST(abort_names_every_foreign_pointer)
{
    test_restart("foreign:abort");
    _Alignas(64) char stack[64] = {0};
    void *pointers[64];
    size_t count = collect_foreign(pointers, stack);
    for (size_t i = 0; i < count; i++) {
        DIES("ashlar: free of foreign pointer 0x%lx (in free)", (uintptr_t)pointers[i]) { free(pointers[i]); }
        DIES("ashlar: free of foreign pointer 0x%lx (in realloc)", (uintptr_t)pointers[i])
        {
            free(realloc(pointers[i], 100));
        }
    }
    DIES("ashlar: free of foreign pointer 0x%lx (in realloc)", (uintptr_t)data) { free(realloc(data, 0)); }
    DIES("ashlar: free of foreign pointer 0x%lx (in reallocarray)", (uintptr_t)data) { free(reallocarray(data, 3, 3)); }
    DIES("ashlar: free of foreign pointer 0x%lx (in malloc_usable_size)", (uintptr_t)data) { malloc_usable_size(data); }
    DIES("ashlar: free of foreign pointer 0x%lx (in free_sized)", (uintptr_t)data) { free_sized(data, 5); }
    DIES("ashlar: free of foreign pointer 0x%lx (in free_aligned_sized)", (uintptr_t)data)
    {
        free_aligned_sized(data, 16, 5);
    }
    DIES("ashlar: free of foreign pointer 0x%lx (in operator delete)", (uintptr_t)data) { operator_delete(data); }
    DIES("ashlar: free of foreign pointer 0x%lx (in operator delete[])", (uintptr_t)data)
    {
        operator_delete_array(data);
    }
    DIES("ashlar: free of foreign pointer 0x%lx (in free)", (uintptr_t)data) { cfree(data); }
}

TEST(abort_leaves_null_and_own_blocks_alone)
{
    test_restart("foreign:abort");
    EXITS(0)
    {
        free(NULL);
        CHECK_EQ(malloc_usable_size(NULL), 0);
        for (size_t bytes = 0; bytes < 100 * MIB; bytes = 3 * bytes + 5)
            free(realloc(malloc(bytes), bytes + 1));
    }
}

static void *free_data(void *unused)
{
    free(data);
    return unused;
}

TEST(abort_in_a_thread_that_only_frees)
{
    test_restart("foreign:abort");
    DIES("ashlar: free of foreign pointer 0x%lx (in free)", (uintptr_t)data) { in_thread(free_data, NULL); }
}

/* ---- ignore ------------------------------------------------------------------------------------------------------ */

static void ignore_all(void)
{
    _Alignas(64) char stack[64] = "stack";
    void *pointers[64];
    size_t count = collect_foreign(pointers, stack);
    for (size_t i = 0; i < count; i++) {
        errno = 4711;
        free(pointers[i]);
        CHECK_EQ(realloc(pointers[i], 0), NULL);
        CHECK_EQ(errno, 4711);
        CHECK_EQ(realloc(pointers[i], 100), NULL);
        CHECK_EQ(errno, ENOMEM);
        errno = 4711;
        CHECK_EQ(malloc_usable_size(pointers[i]), 0);
        CHECK_EQ(errno, 4711);
    }
    CHECK_EQ(strcmp(stack, "stack"), 0); /* nothing was written to any of them */
    CHECK_EQ(strcmp(data, "data"), 0);
}

TEST(ignore_ignores_and_counts)
{
    test_restart("foreign:ignore");
    EXITS(0)
    {
        struct ashlar_stats before, after;
        ashlar_stats_read(&before, sizeof before);
        ignore_all();
        for (int i = 0; i < 1000; i++)
            free(data);
        ashlar_stats_read(&after, sizeof after);
        CHECK(after.foreign_frees >= before.foreign_frees + 1000 + 2 * 22);
    }
}

TEST(ignore_warns_once)
{
    test_restart("foreign:ignore,warn:on");
    PRINTS(0, "ashlar: foreign pointer 0x%lx ignored (in realloc)\n", (uintptr_t)data)
    {
        CHECK_EQ(realloc(data, 100), NULL);
        free(data);
        ignore_all();
    }
}

TEST(a_million_random_addresses_are_ignored)
{
    test_restart("foreign:ignore");
    EXITS(0)
    {
        void *kept = malloc(100);
        for (int i = 0; i < 1000000; i++) {
            uint64_t address = test_random() >> (i % 4 == 0 ? 0 : 16); /* any word; or an address of user space */
            if (i % 3 == 0)
                address &= ~(uint64_t)0xffff;
            if (address - ((uint64_t)(uintptr_t)kept & ~((uint64_t)GIB - 1)) < GIB)
                continue; /* might be ours */
            if (i % 2)
                free((void *)address);
            else
                CHECK_EQ(malloc_usable_size((void *)address), 0);
        }
        free(kept);
    }
}

/* ---- forward: libc's malloc is the next allocator ---------------------------------------------------------------- */

static void *libc_function(const char *name)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    CHECK(libc != NULL);
    void *function = dlsym(libc, name); /* libc's own, whatever the program is bound to */
    CHECK(function != NULL);
    return function;
}

static void *libc_malloc(size_t bytes) { return ((void *(*)(size_t))libc_function("malloc"))(bytes); }
static struct mallinfo2 libc_mallinfo(void) { return ((struct mallinfo2(*)(void))libc_function("mallinfo2"))(); }

static void give_libc_its_own(void)
{
    static char *blocks[100];
    size_t before = libc_mallinfo().uordblks;
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = libc_malloc(3000);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 7, 3000);
        CHECK(malloc_usable_size(blocks[i]) >= 3000); /* libc's answer */
    }
    CHECK(libc_mallinfo().uordblks >= before + COUNT(blocks) * 3000);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        errno = 4711;
        if (i % 2) {
            char *moved = realloc(blocks[i], 6000); /* by libc, in libc's heap */
            CHECK(moved != NULL && moved[2999] == 7);
            blocks[i] = moved;
        }
        free(blocks[i]);
        CHECK_EQ(errno, 4711);
    }
    CHECK(libc_mallinfo().uordblks < before + 20000);
}

TEST(auto_hands_libcs_blocks_to_libc)
{
    test_restart(NULL);
    EXITS(0) { give_libc_its_own(); }
}

TEST(forward_hands_libcs_blocks_to_libc)
{
    test_restart("foreign:forward");
    EXITS(0) { give_libc_its_own(); }
}

TEST(forward_warns_once)
{
    test_restart("warn:on");
    void *block = libc_malloc(100), *other = libc_malloc(100);
    PRINTS(0, "ashlar: foreign pointer 0x%lx forwarded (in free)\n", (uintptr_t)block)
    {
        free(block);
        free(other);
    }
}

TEST(misaligned_pointers_are_never_forwarded)
{
    test_restart("foreign:forward,warn:on");
    PRINTS(0, "ashlar: foreign pointer 0x%lx ignored (in free)\n", (uintptr_t)data + 8) { free(data + 8); }
}

TEST(ignore_keeps_libcs_blocks_from_libc)
{
    test_restart("foreign:ignore");
    EXITS(0)
    {
        char *block = libc_malloc(3000);
        size_t before = libc_mallinfo().uordblks;
        free(block);
        CHECK_EQ(libc_mallinfo().uordblks, before);
        CHECK_EQ(realloc(block, 10), NULL);
        CHECK_EQ(malloc_usable_size(block), 0);
        block[2999] = 1;
    }
}

TEST(forwarded_and_ignored_pointers_show_in_malloc_stats)
{
    test_restart("foreign:ignore");
    static char text[65536];
    int ends[2];
    for (int i = 0; i < 4711; i++)
        free(data);
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    CHECK_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    malloc_stats();
    CHECK(read(ends[0], text, sizeof text - 1) > 0);
    CHECK(strstr(text, "4711") != NULL);
}
