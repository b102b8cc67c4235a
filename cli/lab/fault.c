/* fault.c: what the first touch of a page costs.
 *
 * Memory that the kernel has promised becomes memory when it is touched. The same bytes are touched once and twice, in
 * small pages, in huge ones, and after the kernel was told to fill in all pages at once. */
#include "card.h"

#include <sys/mman.h>

enum { ROOM = 32 * MIB, ROOM_QUICK = 8 * MIB, HUGE = 2 * MIB, REPEATS = 6 };

struct room {
    char *at;
    size_t bytes;
    size_t page;
};

/* One byte of each page. */
static void touch(void *argument)
{
    const struct room *const room = argument;

    for (size_t i = 0; i < room->bytes; i += room->page)
        *(volatile char *)(room->at + i) = 1;
}

/* Nanoseconds for each page. */
static double touch_ns(struct room *room)
{
    return child_time_once(touch, room) / ((double)room->bytes / (double)room->page);
}

static size_t room_for(const struct child_order *order)
{
    const size_t wanted = order->quick ? ROOM_QUICK : ROOM;

    if (order->most < 2 * wanted)
        child_skip(TEXT_skip_most);
    return wanted;
}

/* Small pages, even where huge ones are the rule; a kernel without huge pages does not know the advice. */
static void measure_small(struct room *room)
{
    long faults;

    room->at = child_map(room->bytes);
    (void)madvise(room->at, room->bytes, MADV_NOHUGEPAGE);
    faults = child_faults();
    child_tell(METRIC_fault_first, touch_ns(room));
    child_tell(METRIC_fault_count, (double)(child_faults() - faults) / ((double)room->bytes / (double)room->page));
    child_tell(METRIC_fault_second, touch_ns(room));
    (void)munmap(room->at, room->bytes);
}

static void populate(void *argument)
{
    struct room *const room = argument;

    room->at = mmap(NULL, room->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void measure_populated(struct room *room)
{
    const double ns = child_time_once(populate, room);

    if (room->at == MAP_FAILED)
        child_skip(TEXT_skip_memory);
    child_tell(METRIC_fault_populated, ns / ((double)room->bytes / (double)room->page));
    (void)munmap(room->at, room->bytes);
}

/* For the price of a small page: that of all huge ones, divided among the small ones that they replace. */
static void measure_huge(struct room *room)
{
    char *const all = child_map(room->bytes + HUGE);
    long faults;

    room->at = all + (HUGE - (uintptr_t)all % HUGE) % HUGE;
    if (madvise(room->at, room->bytes, MADV_HUGEPAGE) != 0)
        child_skip(TEXT_skip_huge);
    faults = child_faults();
    const double ns = touch_ns(room);
    if ((size_t)(child_faults() - faults) > room->bytes / HUGE * 2)
        child_skip(TEXT_skip_huge); /* the kernel had none to give */
    child_tell(METRIC_fault_huge, ns);
    (void)munmap(all, room->bytes + HUGE);
}

static void repeat(const struct child_order *order, void (*measure)(struct room *room))
{
    struct room room = {.bytes = room_for(order), .page = child_page()};

    for (int i = 0; i < REPEATS; i++)
        measure(&room);
}

static void run_small(const struct child_order *order) { repeat(order, measure_small); }
static void run_populated(const struct child_order *order) { repeat(order, measure_populated); }
static void run_huge(const struct child_order *order) { repeat(order, measure_huge); }

static void judge(struct judgement *j)
{
    const struct judge_value first = judge_get(j, METRIC_fault_first);
    const struct judge_value second = judge_get(j, METRIC_fault_second);
    const struct judge_value count = judge_get(j, METRIC_fault_count);

    if (count.known)
        judge_claim(j, count.median >= 0.9, TEXT_fault_each, TEXT_fault_fewer);
    if (first.known && second.known)
        judge_claim(j, judge_is_below(j, second, first), TEXT_fault_dear, TEXT_fault_cheap);
    if (first.known && judge_get(j, METRIC_fault_populated).known)
        judge_remark(j, TEXT_fault_populate_remark);
}

const struct lab_card card_fault = {
    .id = "fault",
    .title = TEXT_fault_title,
    .textbook = TEXT_fault_textbook,
    .traps = {TEXT_fault_trap_benchmark},
    .parts = {{.name = "small", .run = run_small},
              {.name = "populated", .run = run_populated},
              {.name = "huge", .run = run_huge, .optional = true}},
    .claims = 2,
    .judge = judge,
    .pictures = {{.kind = PICTURE_BARS,
                  .title = TEXT_fault_picture,
                  .metrics = {METRIC_fault_first, METRIC_fault_populated, METRIC_fault_huge, METRIC_fault_second}}},
};
