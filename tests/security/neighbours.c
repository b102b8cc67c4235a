/* neighbours.c: rows 5, 8 and 17 and rule 8, what lies beside a block. No metadata does: a run over either end meets
 * other blocks, memory of others, or nothing. */
#include "misuse.h"

#include <fcntl.h>
#include <sys/mman.h>

struct mapping {
    uintptr_t start, end;
    bool writable;
};

/* The mappings of this process, in order. Read without allocating. returns: how many. */
static size_t read_mappings(struct mapping *mappings, size_t most)
{
    static char text[1 << 18];
    size_t length = 0, count = 0;
    int descriptor = open("/proc/self/maps", O_RDONLY);
    if (descriptor < 0)
        SKIP("/proc is not mounted");
    for (ssize_t got; (got = read(descriptor, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    close(descriptor);
    text[length] = '\0';
    for (char *line = text; *line && count < most; line = strchr(line, '\n') + 1) {
        char *end;
        mappings[count].start = strtoul(line, &end, 16);
        mappings[count].end = strtoul(end + 1, &end, 16);
        mappings[count].writable = end[2] == 'w';
        count++;
    }
    return count;
}

/* ---- The heap range ---------------------------------------------------------------------------------------------- */

TEST(nothing_writable_lies_within_a_mib_of_small_blocks)
{
    static struct mapping mappings[4096];
    static void *blocks[20000];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = malloc(i);
        CHECK(blocks[i] != NULL);
    }
    size_t count = read_mappings(mappings, COUNT(mappings));
    for (size_t i = 0; i < COUNT(blocks); i++) {
        uintptr_t block = (uintptr_t)blocks[i];
        size_t m = 0;
        while (m < count && block >= mappings[m].end)
            m++;
        CHECK(m < count && block >= mappings[m].start && mappings[m].writable);
        if (m > 0 && mappings[m - 1].writable)
            CHECK(mappings[m].start - mappings[m - 1].end >= 1 * MIB);
        if (m + 1 < count && mappings[m + 1].writable)
            CHECK(mappings[m + 1].start - mappings[m].end >= 1 * MIB);
    }
}

/* The mapping itself holds nothing but blocks: written full, from its first byte to its last, the heap lives on. */
TEST(the_mapping_of_small_blocks_holds_blocks_only)
{
    static struct mapping mappings[4096];
    char *block = malloc(100);
    CHECK(block != NULL);
    size_t count = read_mappings(mappings, COUNT(mappings));
    uintptr_t start = 0, end = 0;
    for (size_t m = 0; m < count; m++)
        if ((uintptr_t)block >= mappings[m].start && (uintptr_t)block < mappings[m].end)
            start = mappings[m].start, end = mappings[m].end;
    CHECK(end > start);
    EXITS(0)
    {
        /* Live blocks of this process that the harness and libc have here are its own matter: it has none. */
        for (uintptr_t at = start; at < end; at += 4096)
            ((volatile char *)at)[8] = 0x55; /* in a free block this is the key word: no harm */
        free(block);
        for (size_t bytes = 2000; bytes < 3 * MIB; bytes *= 2) {
            void *other = malloc(bytes);
            CHECK(other != NULL);
            memset(other, 1, bytes);
            free(other);
        }
        CHECK(mallinfo2().uordblks < 100 * MIB);
    }
}

/* ---- Huge blocks ------------------------------------------------------------------------------------------------- */

/* A size that no kernel aligns, so that the block lies directly beneath what was mapped before it. */
#define ODD_HUGE (33 * MIB + 4096)

static void survives_overrun(void (*overrun)(char *block, size_t usable))
{
    test_restart(NULL);
    /* The highest gap is ours: what the heap maps from here on lies beneath it. */
    char *above = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(above != MAP_FAILED);
    char *one = malloc(ODD_HUGE), *other = malloc(ODD_HUGE);
    CHECK(one != NULL && other != NULL);
    char *const overrun_blocks[] = {one, other};
    for (size_t i = 0; i < COUNT(overrun_blocks); i++) {
        atomic_bool *is_done = test_shared(); /* the overrun has happened: no fault may come any more */
        atomic_store(is_done, false);
        pid_t child = fork();
        if (child == 0) {
            overrun(overrun_blocks[i], malloc_usable_size(one));
            atomic_store(is_done, true);
            CHECK(malloc_usable_size(one) >= ODD_HUGE && malloc_usable_size(other) >= ODD_HUGE);
            free(one);
            free(other);
            one = malloc(3 * ODD_HUGE);
            CHECK(one != NULL);
            one[3 * ODD_HUGE - 1] = 1;
            free(one);
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        if (atomic_load(is_done))
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* without consequences for the heap */
        else
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV); /* stopped at the act */
        test_note("%s", atomic_load(is_done) ? "no consequences" : "stopped at the act");
    }
}

static void write_behind(char *block, size_t usable) { memset(TEST_HIDDEN(block) + usable, 0xff, 4096); }
static void write_before(char *block, size_t usable) { memset(TEST_HIDDEN(block) - 4096, 0xff, 4096 + 0 * usable); }

TEST(an_overrun_of_a_huge_block_meets_no_metadata) { survives_overrun(write_behind); }
TEST(an_underrun_of_a_huge_block_meets_no_metadata) { survives_overrun(write_before); }

static void touch_after_free(bool writes)
{
    char *block = malloc(ODD_HUGE);
    CHECK(block != NULL);
    memset(block, 1, 4096);
    pid_t child = fork();
    if (child == 0) {
        free(block);
        if (writes)
            *(volatile char *)TEST_HIDDEN(block) = 2;
        _exit(*(volatile char *)TEST_HIDDEN(block) == 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST(a_write_to_a_freed_huge_block_stops_at_once) { touch_after_free(true); }
TEST(a_read_of_a_freed_huge_block_stops_at_once) { touch_after_free(false); }

/* ---- Rule 8 ------------------------------------------------------------------------------------------------------ */

TEST(a_free_block_holds_two_words_of_ours_and_no_more)
{
    for (EACH_SIZE(bytes, 64 * KIB)) {
        if (bytes < 17)
            continue;
        char *neighbour = malloc(bytes), *block = malloc(bytes);
        CHECK(neighbour != NULL && block != NULL);
        size_t usable = malloc_usable_size(block);
        fill(block, usable, 3);
        char *hidden = TEST_HIDDEN(block);
        free(block);
        for (size_t offset = 16; offset < usable; offset += 1 + offset / 16)
            CHECK_EQ((unsigned char)hidden[offset], pattern_byte(offset, 3));
        free(neighbour);
    }
}

TEST(links_and_keys_do_not_show_addresses)
{
    /* Row 27: what an over-read finds in free blocks is no address of the heap, and differs from process to process. */
    enum { BLOCKS = 100 };
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(64);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    for (int i = 0; i < BLOCKS; i += 2) {
        uint64_t words[2];
        memcpy(words, TEST_HIDDEN(blocks[i]), sizeof words);
        for (int w = 0; w < 2; w++)
            CHECK((words[w] ^ (uintptr_t)blocks[i]) >> 24 != 0);
    }
}
