/* lengths.c: more bytes than 32 bits count. A small file is mapped again and again, so that there is something to copy.
 */
#include "../lib/test.h"

#include "mem/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GIB ((size_t)1 << 30)

enum { PAGE = 4096, PIECE = 2 << 20 };

typedef unsigned char byte;

static int small_file(byte first)
{
    const int file = memfd_create("lengths", MFD_CLOEXEC);
    byte line[PAGE];

    CHECK(file >= 0);
    for (size_t page = 0; page < PIECE / PAGE; page++) {
        for (size_t i = 0; i < PAGE; i++)
            line[i] = (byte)(first + page * 7 + i);
        CHECK_EQ(write(file, line, PAGE), PAGE);
    }
    return file;
}

/* `bytes` bytes of `file`, over and over, with pages on both sides that may not be touched. */
static byte *map_again_and_again(int file, size_t bytes)
{
    const size_t whole = (bytes + PAGE - 1) / PAGE * PAGE;
    byte *const all = mmap(NULL, whole + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(all != MAP_FAILED);
    for (size_t at = 0; at < whole; at += PIECE)
        CHECK(mmap(all + PAGE + at, whole - at < PIECE ? whole - at : PIECE, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED);
    return all + PAGE;
}

static void go(enum mem_level level, size_t rep_from)
{
    if (getenv("TEST_RUNNER") != NULL)
        SKIP("the emulator would take minutes");
    if (level > mem_level_max())
        SKIP("the processor has no vectors of that width");
    mem_limits = (struct mem_limits){.level = level, .copy_rep = {rep_from, SIZE_MAX}, .set_rep = {rep_from, SIZE_MAX}};
}

/* The target's file is written over and over; what it holds afterwards are the source's bytes. Who counted in 32 bits
 * would write one byte. The last byte lies in the first of a page; behind that, a page may not be touched. */
static void copies(size_t n)
{
    const int from_file = small_file(1), to_file = small_file(100);
    const byte *const from = map_again_and_again(from_file, n);
    byte *const to = map_again_and_again(to_file, n);

    CHECK_EQ(mem_move(to, from, n), to);
    for (size_t i = 0; i < PIECE; i++)
        if (to[i] != from[i])
            test_fail(__FILE__, __LINE__, "byte %zu is %d, not %d", i, to[i], from[i]);
    close(from_file);
    close(to_file);
}

static void fills(size_t n)
{
    const int file = small_file(1);
    byte *const to = map_again_and_again(file, n);

    CHECK_EQ(mem_set(to, 0x1a5, n), to);
    for (size_t i = 0; i < PIECE; i++)
        if (to[i] != 0xa5)
            test_fail(__FILE__, __LINE__, "byte %zu is %d", i, to[i]);
    close(file);
}

TEST(copies_of_2_and_4_gib_and_one_byte_in_vectors_of_16)
{
    go(MEM_16, SIZE_MAX);
    copies(2 * GIB + 1);
    copies(4 * GIB + 1);
}

TEST(copies_of_4_gib_and_one_byte_in_vectors_of_32)
{
    go(MEM_32, SIZE_MAX);
    copies(4 * GIB + 1);
}

TEST(copies_of_4_gib_and_one_byte_in_vectors_of_64)
{
    go(MEM_64, SIZE_MAX);
    copies(4 * GIB + 1);
}

TEST(copies_of_4_gib_and_one_byte_by_the_string_instruction)
{
    go(MEM_16, 1 << 20);
    copies(4 * GIB + 1);
}

TEST(copies_of_4_gib_and_one_byte_past_the_caches)
{
    go(MEM_16, SIZE_MAX);
    mem_limits.copy_nt = (struct mem_range){1 << 20, SIZE_MAX};
    copies(4 * GIB + 1);
}

TEST(fills_of_4_gib_and_one_byte)
{
    go(MEM_16, SIZE_MAX);
    fills(2 * GIB + 1);
    fills(4 * GIB + 1);
}

TEST(fills_of_4_gib_and_one_byte_by_the_string_instruction)
{
    go(MEM_16, 1 << 20);
    fills(4 * GIB + 1);
}
