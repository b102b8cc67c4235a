/* first_ifunc.c: the heap is called while the program is still being relocated.
 *
 * The resolver of an indirect function runs in the middle of the loader's work: the library's code is in place, but no
 * constructor has run, thread-local variables do not have their first values yet (they are all zero, and will be
 * overwritten), and the environment is unknown. */
#include "oracle.h"

#if TEST_NAMESPACED

TEST(blocks_from_an_indirect_functions_resolver_are_like_others)
{
    SKIP("a sanitizer cannot be called before it has started");
}

#else

enum { BLOCKS = 64 };

static struct early {
    void *start;
    size_t bytes;
} early[BLOCKS];

static int chosen(void) { return 42; }

/* Sizes of every path; some are freed and resized at once. CHECK may not be used yet. used: clang does not look for
 * uses in the attribute ifunc. */
__attribute__((used, no_sanitize("undefined"))) static int (*resolve(void))(void)
{
    free(NULL);
    for (size_t i = 0; i < BLOCKS; i++) {
        early[i].bytes = i * i * 40 + 1;
        early[i].start = i % 3 ? malloc(early[i].bytes) : calloc(1, early[i].bytes);
        if (i % 5 == 0)
            early[i].start = realloc(early[i].start, early[i].bytes);
        if (i % 7 == 0) {
            free(early[i].start);
            early[i].start = NULL;
        }
    }
    return chosen;
}

int resolved_while_relocating(void) __attribute__((ifunc("resolve")));

TEST(blocks_from_an_indirect_functions_resolver_are_like_others)
{
    CHECK_EQ(resolved_while_relocating(), 42);
    struct block blocks[BLOCKS] = {0};
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 7 == 0)
            continue;
        CHECK(early[i].start != NULL);
        block_record(&blocks[i], early[i].start, FROM_MALLOC, 0, early[i].bytes, i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].start)
            block_release(&blocks[i], i);
    }
}

TEST(heap_works_after_an_early_call)
{
    static struct shelf shelf = {.live_limit = 32 * MIB, .largest = 4 * MIB};
    struct dice dice = dice_new();
    shelf_steps(&shelf, &dice, 20000);
    shelf_clear(&shelf, &dice);
}

#endif
