/* free.c: what becomes of a block that is given back: used again, given to the kernel, freed once more.
 *
 * Reading a freed block and freeing it twice are undefined behaviour. Both are done in children, by pointers that the
 * compiler cannot see through. */
#include "card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 64, SMALL = 64, PIECE = KIB };

/* ---- Used again ---- */

static bool is_among(const uintptr_t addresses[BLOCKS], uintptr_t address)
{
    for (int i = 0; i < BLOCKS; i++)
        if (addresses[i] == address)
            return true;
    return false;
}

static void take_all(void *blocks[], size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        blocks[i] = child_launder(memset(child_given(malloc(bytes)), 1, bytes));
}

static void free_all(void *blocks[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
}

/* As many blocks once more: how many are those that were freed. */
static void run_again(const struct child_order *order)
{
    static void *blocks[BLOCKS];
    static uintptr_t before[BLOCKS];
    int again = 0;

    (void)order;
    take_all(blocks, BLOCKS, SMALL);
    for (int i = 0; i < BLOCKS; i++)
        before[i] = (uintptr_t)blocks[i];
    free_all(blocks, BLOCKS);
    take_all(blocks, BLOCKS, SMALL);
    for (int i = 0; i < BLOCKS; i++)
        again += is_among(before, (uintptr_t)blocks[i]);
    child_tell(METRIC_free_again, 100.0 * again / BLOCKS);
}

struct reading {
    const volatile char *dead;
    int same;
};

static void read_dead(void *argument)
{
    struct reading *const reading = argument;

    for (int i = 0; i < SMALL; i++)
        reading->same += reading->dead[i] == 1;
}

/* What is left in a block after free. A malloc that looks for such things has taken its page away. */
static void run_dangling(const struct child_order *order)
{
    char *const block = child_launder(memset(child_given(malloc(SMALL)), 1, SMALL));
    static struct reading reading;

    (void)order;
    reading.dead = child_address((uintptr_t)block);
    free(block);
    const bool survived = child_survives(read_dead, &reading);
    child_tell(METRIC_free_readable, survived);
    if (survived)
        child_tell(METRIC_free_left, 100.0 * reading.same / SMALL);
}

/* ---- Nothing, and errno ---- */

/* source: C17 7.22.3.3; POSIX.1-2024 free(), which keeps errno. */
static void run_nothing(const struct child_order *order)
{
    void *const small = child_given(malloc(SMALL));
    void *const large = child_given(malloc(MIB));

    (void)order;
    errno = EXDEV;
    const bool survived = child_survives(free, child_launder(NULL));
    child_tell(METRIC_free_nothing, survived && errno == EXDEV);
    errno = EXDEV;
    free(small);
    free(large);
    child_tell(METRIC_free_errno, errno == EXDEV);
}

/* ---- Given to the kernel ---- */

/* The resident memory that these blocks brought, and what of it stays without them. */
static void give_back(void *blocks[], size_t count, size_t bytes, enum metric full, enum metric kept)
{
    const size_t before = child_rss();

    take_all(blocks, count, bytes);
    child_tell(full, (double)child_rss() - (double)before);
    free_all(blocks, count);
    child_tell(kept, (double)child_rss() - (double)before);
}

static void run_pieces(const struct child_order *order)
{
    const size_t count = child_large(order) / PIECE;
    void **const blocks = child_map(count * sizeof *blocks);

    memset(blocks, 0, count * sizeof *blocks); /* resident now, so that it is not counted later */
    give_back(blocks, count, PIECE, METRIC_free_pieces, METRIC_free_pieces_kept);
}

static void run_whole(const struct child_order *order)
{
    void *block;

    give_back(&block, 1, child_large(order), METRIC_free_whole, METRIC_free_whole_kept);
}

/* ---- Twice ---- */

static void run_twice(const struct child_order *order)
{
    void *const block = child_given(malloc(SMALL));
    void *const same = child_launder(block);

    (void)order;
    free(block);
    free(same);
}

/* ---- Judging ---- */

static void judge(struct judgement *j)
{
    const struct judge_value again = judge_get(j, METRIC_free_again);
    const struct judge_value nothing = judge_get(j, METRIC_free_nothing);
    const struct judge_value readable = judge_get(j, METRIC_free_readable);
    const struct judge_value twice = judge_get(j, METRIC_free_twice);

    if (again.known)
        judge_claim(j, again.median >= 50, TEXT_free_reused, TEXT_free_not_reused);
    if (nothing.known)
        judge_claim(j, nothing.median == 1, TEXT_free_nothing_done, TEXT_free_nothing_not);
    if (judge_get(j, METRIC_free_errno).known)
        judge_remark(j, TEXT_free_errno_remark);
    if (judge_get(j, METRIC_free_pieces_kept).known && judge_get(j, METRIC_free_whole_kept).known)
        judge_remark(j, TEXT_free_resident);
    if (readable.known)
        judge_remark(j, readable.median == 1 ? TEXT_free_readable : TEXT_free_unreadable);
    if (twice.known)
        judge_remark(j, twice.median != 0 ? TEXT_free_twice_stopped : TEXT_free_twice_unnoticed);
}

const struct lab_card card_free = {
    .id = "free",
    .on_heaps = true,
    .title = TEXT_free_title,
    .textbook = TEXT_free_textbook,
    .traps = {TEXT_free_trap_copies, TEXT_free_trap_null},
    .parts = {{.name = "again", .run = run_again},
              {.name = "nothing", .run = run_nothing},
              {.name = "pieces", .run = run_pieces},
              {.name = "whole", .run = run_whole},
              {.name = "dangling", .run = run_dangling},
              {.name = "twice", .run = run_twice, .death = METRIC_free_twice}},
    .claims = 2,
    .judge = judge,
    .pictures = {{.kind = PICTURE_BARS,
                  .title = TEXT_free_picture,
                  .colours = 2,
                  .metrics = {METRIC_free_pieces, METRIC_free_pieces_kept, METRIC_free_whole, METRIC_free_whole_kept}}},
};
