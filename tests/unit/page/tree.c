/* tree.c: the tree of free runs against a plain array, by a long random life. The lines lie in a table of the test's
 * own. */
#include "test.h"

#include <string.h>

#include "page/tree.h"

enum { LINES = 4096, STEPS = 200000, LENGTHS = 40 };

static _Alignas(64) char table[LINES << LINE_SHIFT];
static uint32_t length_of[LINES]; /* 0: not in the tree */
static granule_index root;

static void begin(void)
{
    page_ground.table = table;
    memset(length_of, 0, sizeof length_of);
    root = NO_GRANULE;
}

static void insert(uint32_t index, uint32_t length)
{
    run_at((granule_index){index})->length.n = length;
    length_of[index] = length;
    tree_insert(&root, (granule_index){index});
}

static void remove_run(uint32_t index)
{
    tree_remove(&root, (granule_index){index});
    length_of[index] = 0;
}

/* What tree_fit() must say, by looking at everything. */
static uint32_t fit_by_search(uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < LINES; i++)
        if (length_of[i] >= count && length_of[i] != 0 && (best == 0 || length_of[i] < length_of[best]))
            best = i;
    return best;
}

static uint32_t shadow_count(void)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < LINES; i++)
        count += length_of[i] != 0;
    return count;
}

static bool comes_before(uint32_t a, uint32_t b)
{
    return length_of[a] != length_of[b] ? length_of[a] < length_of[b] : a < b;
}

/* Check the order of the tree at `index`; `*depth` becomes the greatest. returns: its number of runs. */
static uint32_t check_order(uint32_t index, uint32_t low, uint32_t high, uint32_t level, uint32_t *depth)
{
    if (index == 0)
        return 0;
    CHECK(length_of[index] != 0);
    CHECK(low == 0 || comes_before(low, index));
    CHECK(high == 0 || comes_before(index, high));
    *depth = level > *depth ? level : *depth;
    return 1 + check_order(run_at((granule_index){index})->left.i, low, index, level + 1, depth) +
           check_order(run_at((granule_index){index})->right.i, index, high, level + 1, depth);
}

TEST(an_empty_tree_fits_nothing)
{
    begin();
    CHECK_EQ(tree_fit(root, (granule_count){1}).i, 0);
}

TEST(the_shortest_fit_wins_and_the_lowest_of_equals)
{
    begin();
    insert(100, 8);
    insert(50, 4);
    insert(20, 4);
    insert(10, 16);
    CHECK_EQ(tree_fit(root, (granule_count){1}).i, 20);
    CHECK_EQ(tree_fit(root, (granule_count){4}).i, 20);
    CHECK_EQ(tree_fit(root, (granule_count){5}).i, 100);
    CHECK_EQ(tree_fit(root, (granule_count){9}).i, 10);
    CHECK_EQ(tree_fit(root, (granule_count){17}).i, 0);
    remove_run(20);
    CHECK_EQ(tree_fit(root, (granule_count){4}).i, 50);
}

TEST(a_long_random_life_agrees_with_an_array)
{
    begin();
    for (int step = 0; step < STEPS; step++) {
        const uint32_t index = 1 + (uint32_t)(test_random() % (LINES - 1));
        const uint32_t wanted = 1 + (uint32_t)(test_random() % (LENGTHS + 2));
        if (length_of[index] == 0)
            insert(index, 1 + (uint32_t)(test_random() % LENGTHS));
        else
            remove_run(index);
        if (step % 16 == 0)
            CHECK_EQ(tree_fit(root, (granule_count){wanted}).i, fit_by_search(wanted));
        if (step % 1024 == 0) {
            uint32_t depth = 0;
            CHECK_EQ(check_order(root.i, 0, 0, 1, &depth), shadow_count());
        }
    }
}

TEST(runs_that_come_in_order_do_not_make_a_list_of_the_tree)
{
    uint32_t depth = 0;

    begin();
    for (uint32_t i = 1; i < LINES; i++)
        insert(i, i);
    CHECK_EQ(check_order(root.i, 0, 0, 1, &depth), LINES - 1);
    CHECK(depth < 60); /* twelve were perfect; a list has 4095 */
    for (uint32_t i = 1; i < LINES; i++)
        remove_run(i);
    CHECK_EQ(root.i, 0);
}
