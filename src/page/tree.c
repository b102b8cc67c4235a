/* tree.c: see tree.h. All walks go top down through pointers to links, without recursion. */
#include "page/tree.h"

static bool comes_before(granule_index a, granule_index b)
{
    const granule_count a_length = run_at(a)->length;
    const granule_count b_length = run_at(b)->length;

    return a_length.n != b_length.n ? a_length.n < b_length.n : a.i < b.i;
}

static uint64_t priority(granule_index run) { return mix64(run.i); }

/* Split the tree at `link` by the key of `run`: what comes before it to its left, the rest to its right; `run` takes
 * its place. */
static void split_at(granule_index *link, granule_index run)
{
    granule_index tree = *link;
    granule_index *before = &run_at(run)->left;
    granule_index *after = &run_at(run)->right;

    *link = run;
    while (tree.i != 0) {
        if (comes_before(tree, run)) {
            *before = tree;
            before = &run_at(tree)->right;
            tree = *before;
        } else {
            *after = tree;
            after = &run_at(tree)->left;
            tree = *after;
        }
    }
    *before = NO_GRANULE;
    *after = NO_GRANULE;
}

/* Put the trees `low` and `high` together at `link`; every key of `low` comes before every key of `high`. */
static void merge_at(granule_index *link, granule_index low, granule_index high)
{
    while (low.i != 0 && high.i != 0) {
        if (priority(low) > priority(high)) {
            *link = low;
            link = &run_at(low)->right;
            low = *link;
        } else {
            *link = high;
            link = &run_at(high)->left;
            high = *link;
        }
    }
    *link = low.i != 0 ? low : high;
}

void tree_insert(granule_index *root, granule_index run)
{
    granule_index *link = root;

    while (link->i != 0 && priority(*link) >= priority(run))
        link = comes_before(run, *link) ? &run_at(*link)->left : &run_at(*link)->right;
    split_at(link, run);
}

void tree_remove(granule_index *root, granule_index run)
{
    granule_index *link = root;

    while (link->i != run.i) {
        ASSERT(link->i != 0);
        link = comes_before(run, *link) ? &run_at(*link)->left : &run_at(*link)->right;
    }
    merge_at(link, run_at(run)->left, run_at(run)->right);
}

granule_index tree_fit(granule_index root, granule_count count)
{
    granule_index best = NO_GRANULE;

    while (root.i != 0) {
        if (run_at(root)->length.n >= count.n) {
            best = root;
            root = run_at(root)->left;
        } else {
            root = run_at(root)->right;
        }
    }
    return best;
}
