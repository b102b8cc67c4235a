/* replay.c: what size classes and granules would have made of a recorded program.
 *
 *   replay TRACE <MODELS        MODELS, one a line: NAME GRANULE_BYTES KEPT_BYTES CLASS_BYTES CLASS_BYTES ...
 *
 * Each model is a small copy of the slab and heap floors: heaps by thread, and in them for each class a current slab
 * with a list, sleeping slabs, and a queue of woken ones. What it keeps is the order of refill, the steps of carving
 * and the rules by which slabs sleep, wake and end (src/heap/alloc.c, src/heap/slabs.c, src/slab/class.c,
 * src/slab/slab.c). What it leaves out:
 *   - blocks above 64 KiB, which have no class;
 *   - ways home: a block that another thread frees is back at once;
 *   - what the ground held before: a slab begins untouched, and where one has ended nothing is left.
 * In classes above KEPT_BYTES the current slab ends when the program has no block of it, which src/ does in no class.
 * A block above the model's last class (but not above 64 KiB) has pages of its own, and they end with it.
 * A page of a slab is touched when a block that starts in it is carved, or when the bytes requested of a block reach
 * it.
 *
 * The moment of truth is the peak of live requested bytes in blocks up to 64 KiB, which does not depend on the model.
 * Output, one line each, values in bytes, at that moment:
 *
 *   trace PROGRAM events= threads= unknown= live= requested= glibc=     unknown: frees of blocks that are not in it
 *   size BYTES live=                                                    for each size that is live
 *   model NAME granule= kept= blocks= open= most_open=                  blocks: live ones, as large as their class
 *                                                                       open: touched pages of slabs, and pages of
 *                                                                       blocks that have their own
 *                                                                       most_open: at any time, not at the peak
 */
#define _GNU_SOURCE 1
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CLASS_BYTES_MAX = 64 << 10,
    BLOCK_ALIGN = 16,
    CLASSES_MAX = CLASS_BYTES_MAX / BLOCK_ALIGN,
    THREADS_MAX = 1 << 16,
    PAGE_BYTES = 4 << 10,
    BLOCKS_WANTED = 4,     /* in a slab, at least: class.c */
    WAKE_SHARE = 64,       /* slabs.c */
    CARVE_FIRST = 4 << 10, /* alloc.c */
    CARVE_MORE = 16 << 10,
};

#define NONE UINT32_MAX

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    fputs("replay: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(EXIT_FAILURE);
}

static void *zeroed(size_t count, size_t bytes)
{
    void *const memory = calloc(count, bytes);

    if (memory == NULL)
        fail("no memory");
    return memory;
}

/* ---- The trace: addresses become numbers of blocks --------------------------------------------------------------- */

struct step {
    uint32_t block; /* its number; numbers are used again, so they stay small */
    uint32_t bytes; /* requested; UINT32_MAX for more than that */
    uint16_t thread;
    uint8_t operation; /* TAKE, GIVE, RESIZE_TO, or LEAVE, which has no block */
    uint8_t log2_alignment;
};

struct trace {
    char program[sizeof((struct trace_header *)NULL)->program];
    struct step *steps;
    size_t count;
    uint32_t blocks; /* numbers in use */
    size_t unknown;
    uint32_t threads;
};

/* From address to number: open addressing, linear. */
struct names {
    struct name {
        uint64_t address; /* 0: empty */
        uint32_t block;
    } * slots;
    size_t mask;
    size_t used;
    uint32_t *unused; /* numbers that ended, the last one first */
    uint32_t unused_count;
    uint32_t next;
};

static size_t names_home(const struct names *names, uint64_t address)
{
    return (size_t)((address >> 4) * 0x9e3779b97f4a7c15u >> 20) & names->mask;
}

static struct name *names_find(const struct names *names, uint64_t address)
{
    size_t at = names_home(names, address);

    while (names->slots[at].address != 0 && names->slots[at].address != address)
        at = (at + 1) & names->mask;
    return &names->slots[at];
}

static void names_grow(struct names *names)
{
    const struct names old = *names;
    const size_t slots = old.mask == 0 ? 1 << 16 : 2 * (old.mask + 1);

    names->slots = zeroed(slots, sizeof *names->slots);
    names->mask = slots - 1;
    for (size_t i = 0; old.slots != NULL && i <= old.mask; i++)
        if (old.slots[i].address != 0)
            *names_find(names, old.slots[i].address) = old.slots[i];
    free(old.slots);
    names->unused = realloc(names->unused, slots * sizeof *names->unused);
    if (names->unused == NULL)
        fail("no memory");
}

static void names_put(struct names *names, uint64_t address, uint32_t block)
{
    if (2 * names->used >= names->mask)
        names_grow(names);
    *names_find(names, address) = (struct name){address, block};
    names->used++;
}

static uint32_t names_new(struct names *names)
{
    return names->unused_count > 0 ? names->unused[--names->unused_count] : names->next++;
}

/* Forget `address`. returns: its block, or NONE. The slots behind it move up. */
static uint32_t names_take(struct names *names, uint64_t address)
{
    struct name *const found = names->slots != NULL ? names_find(names, address) : NULL;

    if (found == NULL || found->address == 0)
        return NONE;
    const uint32_t block = found->block;
    size_t hole = (size_t)(found - names->slots);
    for (size_t at = (hole + 1) & names->mask; names->slots[at].address != 0; at = (at + 1) & names->mask) {
        const size_t home = names_home(names, names->slots[at].address);
        if (((at - home) & names->mask) < ((at - hole) & names->mask))
            continue;
        names->slots[hole] = names->slots[at];
        hole = at;
    }
    names->slots[hole] = (struct name){0};
    names->used--;
    return block;
}

/* Add what `event` says to the trace. `resized`: the block of the TRACE_RESIZE_FROM just before it. */
static void add_step(struct trace *trace, struct names *names, const struct trace_event *event, uint32_t *resized)
{
    const uint64_t address = event->place >> 16, bytes = event->what >> 16;
    struct step step = {.block = NONE,
                        .bytes = bytes < NONE ? (uint32_t)bytes : NONE,
                        .thread = (uint16_t)event->place,
                        .operation = (uint8_t)event->what,
                        .log2_alignment = (uint8_t)(event->what >> 8)};

    if (1u << step.log2_alignment > CLASS_BYTES_MAX)
        step.bytes = NONE - 1; /* no class has that alignment */
    if (step.thread >= trace->threads)
        trace->threads = step.thread + 1u;
    switch (step.operation) {
    case TRACE_RESIZE_FROM:
        *resized = names_take(names, address);
        trace->unknown += *resized == NONE;
        return;
    case TRACE_RESIZE_TO:
        step.block = *resized;
        if (step.block != NONE)
            break;
        step.operation = TRACE_TAKE; /* of a block from before the fork */
        /* fall through */
    case TRACE_TAKE:
        step.block = names_new(names);
        break;
    case TRACE_GIVE:
        step.block = names_take(names, address);
        trace->unknown += step.block == NONE;
        if (step.block == NONE)
            return;
        names->unused[names->unused_count++] = step.block;
        break;
    case TRACE_LEAVE:
        break;
    default:
        fail("event %zu has operation %d", trace->count, step.operation);
    }
    if (step.operation == TRACE_TAKE || step.operation == TRACE_RESIZE_TO)
        names_put(names, address, step.block);
    trace->steps[trace->count++] = step;
}

static struct trace trace_read(const char *path)
{
    struct trace trace = {.count = 0};
    struct names names = {0};
    struct stat status;
    uint32_t resized = NONE;
    const int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &status) != 0)
        fail("%s: %s", path, strerror(errno));
    const size_t bytes = (size_t)status.st_size;
    const struct trace_header *const header =
        bytes < sizeof *header ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (header == MAP_FAILED || memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) != 0)
        fail("%s is no trace", path);
    memcpy(trace.program, header->program, sizeof trace.program - 1);

    const struct trace_event *const events = (const struct trace_event *)(header + 1);
    const size_t most = (bytes - sizeof *header) / sizeof *events;
    trace.steps = zeroed(most + 1, sizeof *trace.steps);
    for (size_t i = 0; i < most && (events[i].what & 0xff) != TRACE_END; i++)
        add_step(&trace, &names, &events[i], &resized);
    trace.blocks = names.next;
    free(names.slots);
    free(names.unused);
    munmap((void *)(uintptr_t)header, bytes);
    close(file);
    return trace;
}

/* ---- The moment -------------------------------------------------------------------------------------------------- */

static bool has_class(uint32_t bytes) { return bytes <= CLASS_BYTES_MAX; }

/* Let `step` happen in `sizes`, the requested bytes of each block, NONE when it is not live.
 * returns: by how much the live bytes in blocks that have a class change. */
static int64_t sizes_apply(uint32_t *sizes, const struct step *step)
{
    if (step->operation == TRACE_LEAVE)
        return 0;
    uint32_t *const size = &sizes[step->block];
    const int64_t before = has_class(*size) ? *size : 0;

    *size = step->operation == TRACE_GIVE ? NONE : step->bytes;
    return (has_class(*size) ? *size : 0) - before;
}

static uint32_t *sizes_of_nothing(const struct trace *trace)
{
    uint32_t *const sizes = zeroed(trace->blocks + 1, sizeof *sizes);

    memset(sizes, 0xff, trace->blocks * sizeof *sizes);
    return sizes;
}

/* returns: the number of steps up to the peak of live bytes in blocks that have a class. */
static size_t find_peak(const struct trace *trace, int64_t *most)
{
    uint32_t *const sizes = sizes_of_nothing(trace);
    int64_t live = 0;
    size_t peak = 0;

    *most = 0;
    for (size_t i = 0; i < trace->count; i++) {
        live += sizes_apply(sizes, &trace->steps[i]);
        if (live > *most) {
            *most = live;
            peak = i + 1;
        }
    }
    free(sizes);
    return peak;
}

/* What glibc takes for a block: a header of 8 bytes, multiples of 16, at least 32. Alignment costs it nothing here. */
static uint64_t glibc_bytes(uint32_t bytes)
{
    const uint64_t whole = ((uint64_t)bytes + 8 + 15) / 16 * 16;

    return whole < 32 ? 32 : whole;
}

static void print_trace(const struct trace *trace, size_t peak, int64_t requested)
{
    static uint32_t live_of[CLASS_BYTES_MAX + 1];
    uint32_t *const sizes = sizes_of_nothing(trace);
    uint64_t glibc = 0, live = 0;

    for (size_t i = 0; i < peak; i++)
        (void)sizes_apply(sizes, &trace->steps[i]);
    for (uint32_t i = 0; i < trace->blocks; i++)
        if (has_class(sizes[i])) {
            live_of[sizes[i]]++;
            glibc += glibc_bytes(sizes[i]);
            live++;
        }
    printf("trace %s events=%zu threads=%u unknown=%zu live=%llu requested=%lld glibc=%llu\n", trace->program,
           trace->count, trace->threads > 0 ? trace->threads - 1 : 0, trace->unknown, (unsigned long long)live,
           (long long)requested, (unsigned long long)glibc);
    for (uint32_t bytes = 0; bytes <= CLASS_BYTES_MAX; bytes++)
        if (live_of[bytes] > 0)
            printf("size %u live=%u\n", bytes, live_of[bytes]);
    free(sizes);
}

/* ---- The model --------------------------------------------------------------------------------------------------- */

struct slab_class {
    uint32_t bytes;
    uint32_t slab_bytes;
    uint32_t capacity;
};

enum slab_state { SLAB_CURRENT, SLAB_PARTIAL, SLAB_FULL };

struct slab {
    const struct slab_class *class;
    struct class_heap *owner;
    struct slab *next, *previous; /* in the list of its state; none when CURRENT */
    uint64_t touched;             /* one bit for each page */
    enum slab_state state;
    uint32_t carved; /* blocks */
    uint32_t used;   /* by the program, or on the owner's list */
    uint32_t needed; /* when FULL: frees until it wakes */
    uint32_t freed;  /* head, or NONE */
    uint32_t links[];
};

static_assert(BLOCKS_WANTED * CLASS_BYTES_MAX <= 64 * PAGE_BYTES, "a bit for each page of the largest slab");

struct slab_list {
    struct slab *oldest, *newest;
};

/* One class in one thread's heap. */
struct class_heap {
    struct slab *current;
    uint32_t list;        /* of blocks in the current slab, when there is one: head, or NONE */
    uint32_t list_length; /* its blocks count as used */
    struct slab_list partial, full;
};

struct heap {
    struct class_heap classes[CLASSES_MAX];
};

/* Where a block of the trace is. */
struct held {
    struct slab *slab;  /* NULL: in pages of its own, or not live */
    uint32_t block;     /* in the slab */
    uint32_t own_pages; /* 0: in a slab, or not live */
    uint32_t requested;
};

struct model {
    char name[64];
    uint32_t granule_bytes, kept_bytes;
    uint32_t count;
    struct slab_class classes[CLASSES_MAX];
    uint16_t class_of[CLASS_BYTES_MAX / BLOCK_ALIGN + 1]; /* of sixteenths */
    struct heap *heaps[THREADS_MAX];                      /* number 0 is no thread: it owns the orphans */
    struct held *held;                                    /* of each block of the trace */
    uint64_t requested, block_bytes;                      /* of live blocks */
    uint64_t open_pages, most_open_pages;
};

static void open_pages(struct model *model, uint64_t pages)
{
    model->open_pages += pages;
    if (model->open_pages > model->most_open_pages)
        model->most_open_pages = model->open_pages;
}

static void touch(struct model *model, struct slab *slab, size_t start, size_t bytes)
{
    const size_t first = start / PAGE_BYTES, last = (start + bytes - 1) / PAGE_BYTES;
    const uint64_t pages = (UINT64_MAX >> (63 - (last - first))) << first;

    open_pages(model, (uint64_t)__builtin_popcountll(pages & ~slab->touched));
    slab->touched |= pages;
}

static struct slab_list *list_of(const struct slab *slab)
{
    return slab->state == SLAB_FULL ? &slab->owner->full : &slab->owner->partial;
}

static void list_append(struct slab *slab, enum slab_state state)
{
    slab->state = state;
    struct slab_list *const list = list_of(slab);

    slab->next = NULL;
    slab->previous = list->newest;
    *(list->newest != NULL ? &list->newest->next : &list->oldest) = slab;
    list->newest = slab;
}

static void list_remove(struct slab *slab)
{
    struct slab_list *const list = list_of(slab);

    *(slab->previous != NULL ? &slab->previous->next : &list->oldest) = slab->next;
    *(slab->next != NULL ? &slab->next->previous : &list->newest) = slab->previous;
}

static struct slab *slab_start(const struct slab_class *class)
{
    struct slab *const slab = zeroed(1, sizeof *slab + class->capacity * sizeof slab->links[0]);

    slab->class = class;
    slab->freed = NONE;
    return slab;
}

/* Put a slab that is in no list where it belongs, or end it. */
static void slab_settle(struct model *model, struct slab *slab)
{
    if (slab->used == 0) {
        model->open_pages -= (uint64_t)__builtin_popcountll(slab->touched);
        free(slab);
    } else if (slab->freed != NONE || slab->carved < slab->class->capacity) {
        list_append(slab, SLAB_PARTIAL);
    } else {
        slab->needed = 1 + slab->class->capacity / WAKE_SHARE;
        list_append(slab, SLAB_FULL);
    }
}

/* ---- Refill ------------------------------------------------------------------------------------------------------ */

/* Carve up to `bytes` bytes, at least one block: they make the list. */
static void carve(struct model *model, struct class_heap *heap, struct slab *slab, uint32_t bytes)
{
    const uint32_t room = slab->class->capacity - slab->carved;
    uint32_t count = bytes < slab->class->bytes ? 1 : bytes / slab->class->bytes;

    if (count > room)
        count = room;
    heap->list = slab->carved;
    heap->list_length = count;
    slab->used += count;
    for (; count > 0; count--) {
        touch(model, slab, (size_t)slab->carved * slab->class->bytes, BLOCK_ALIGN);
        slab->links[slab->carved] = count > 1 ? slab->carved + 1 : NONE;
        slab->carved++;
    }
}

/* Make the list of the current slab, if it has anything. */
static bool list_from(struct model *model, struct class_heap *heap, struct slab *slab)
{
    if (slab->freed != NONE) {
        heap->list = slab->freed;
        heap->list_length = slab->carved - slab->used;
        slab->freed = NONE;
        slab->used = slab->carved;
        return true;
    }
    if (slab->carved == slab->class->capacity)
        return false;
    const bool only = heap->full.oldest == NULL && heap->partial.oldest == NULL;
    carve(model, heap, slab, only ? CARVE_FIRST : CARVE_MORE);
    return true;
}

/* The oldest of the heap's own slabs, or of the orphans, or a fresh one. */
static struct slab *next_slab(struct class_heap *heap, struct class_heap *orphans, const struct slab_class *class)
{
    struct slab *const found = heap->partial.oldest != NULL ? heap->partial.oldest : orphans->partial.oldest;

    if (found == NULL)
        return slab_start(class);
    list_remove(found);
    return found;
}

static void refill(struct model *model, struct class_heap *heap, struct class_heap *orphans,
                   const struct slab_class *class)
{
    while (heap->current == NULL || !list_from(model, heap, heap->current)) {
        if (heap->current != NULL)
            slab_settle(model, heap->current);
        heap->current = next_slab(heap, orphans, class);
        heap->current->owner = heap;
        heap->current->state = SLAB_CURRENT;
    }
}

/* The blocks on the list go back to their slab, which is current no more. */
static void let_go_of_current(struct model *model, struct class_heap *heap)
{
    struct slab *const slab = heap->current;

    while (heap->list != NONE) {
        const uint32_t block = heap->list;
        heap->list = slab->links[block];
        slab->links[block] = slab->freed;
        slab->freed = block;
        slab->used--;
    }
    heap->list_length = 0;
    heap->current = NULL;
    slab_settle(model, slab);
}

static uint32_t class_for(const struct model *model, uint32_t bytes, uint32_t alignment)
{
    const uint32_t wanted = bytes > alignment ? bytes : alignment;
    uint32_t class = model->class_of[(wanted + BLOCK_ALIGN - 1) / BLOCK_ALIGN];

    while (model->classes[class].bytes % alignment != 0)
        class ++;
    return class;
}

static struct heap *heap_of(struct model *model, uint16_t thread)
{
    struct heap **const heap = &model->heaps[thread];

    if (*heap == NULL)
        *heap = zeroed(1, sizeof **heap);
    return *heap;
}

static struct held take_pages(struct model *model, uint32_t pages)
{
    model->block_bytes += (uint64_t)pages * PAGE_BYTES;
    open_pages(model, pages);
    return (struct held){.own_pages = pages};
}

static struct held take_from_class(struct model *model, const struct step *step, uint32_t number)
{
    const struct slab_class *const class = &model->classes[number];
    struct class_heap *const heap = &heap_of(model, step->thread)->classes[number];

    if (heap->current == NULL || heap->list == NONE)
        refill(model, heap, &heap_of(model, 0)->classes[number], class);
    const uint32_t block = heap->list;
    heap->list = heap->current->links[block];
    heap->list_length--;
    touch(model, heap->current, (size_t)block * class->bytes, step->bytes > 0 ? step->bytes : 1);
    model->block_bytes += class->bytes;
    return (struct held){.slab = heap->current, .block = block};
}

static uint32_t pages_for(uint32_t bytes) { return (bytes + PAGE_BYTES - 1) / PAGE_BYTES; }

static bool needs_pages(const struct model *model, uint32_t bytes, uint32_t alignment)
{
    return (bytes > alignment ? bytes : alignment) > model->classes[model->count - 1].bytes;
}

static void model_take(struct model *model, const struct step *step)
{
    const uint32_t alignment = 1u << step->log2_alignment;
    struct held *const held = &model->held[step->block];

    if (!has_class(step->bytes))
        return;
    if (needs_pages(model, step->bytes, alignment))
        *held = take_pages(model, pages_for(step->bytes));
    else
        *held = take_from_class(model, step, class_for(model, step->bytes, alignment));
    held->requested = step->bytes;
    model->requested += step->bytes;
}

/* A block of `slab` was freed. */
static void slab_react(struct model *model, struct slab *slab)
{
    if (slab->state == SLAB_CURRENT) {
        if (slab->class->bytes > model->kept_bytes && slab->used == slab->owner->list_length)
            let_go_of_current(model, slab->owner);
    } else if (slab->state == SLAB_FULL ? --slab->needed == 0 : slab->used == 0) {
        list_remove(slab);
        slab_settle(model, slab);
    }
}

static void give_to_slab(struct model *model, struct slab *slab, uint32_t block)
{
    model->block_bytes -= slab->class->bytes;
    slab->links[block] = slab->freed;
    slab->freed = block;
    slab->used--;
    slab_react(model, slab);
}

static void model_give(struct model *model, struct held *held)
{
    const struct held given = *held;

    *held = (struct held){.slab = NULL};
    model->requested -= given.requested;
    model->block_bytes -= (uint64_t)given.own_pages * PAGE_BYTES;
    model->open_pages -= given.own_pages;
    if (given.slab != NULL)
        give_to_slab(model, given.slab, given.block);
}

/* A block stays where the new size fits and is at least half of it, or needs the same class: src/heap/realloc.c. */
static bool fits(const struct model *model, const struct held *held, uint32_t bytes)
{
    if (held->slab == NULL)
        return held->own_pages != 0 && held->own_pages == pages_for(bytes) && needs_pages(model, bytes, BLOCK_ALIGN);
    const struct slab_class *const class = held->slab->class;

    return bytes <= class->bytes &&
           (bytes >= class->bytes / 2 || class == &model->classes[class_for(model, bytes, BLOCK_ALIGN)]);
}

static void model_resize(struct model *model, const struct step *step)
{
    struct held *const held = &model->held[step->block];

    if (!fits(model, held, step->bytes)) {
        struct held before = *held;
        *held = (struct held){.slab = NULL};
        model_take(model, step);
        model_give(model, &before);
        return;
    }
    if (held->slab != NULL)
        touch(model, held->slab, (size_t)held->block * held->slab->class->bytes, step->bytes > 0 ? step->bytes : 1);
    model->requested += (uint64_t)step->bytes - held->requested;
    held->requested = step->bytes;
}

static void orphan(struct model *model, struct slab_list *list, struct class_heap *orphans)
{
    while (list->oldest != NULL) {
        struct slab *const slab = list->oldest;
        list_remove(slab);
        slab->owner = orphans;
        slab_settle(model, slab);
    }
}

/* A thread ends: what is left of its slabs may be adopted. */
static void model_leave(struct model *model, uint16_t thread)
{
    struct heap *const heap = heap_of(model, thread);

    for (uint32_t i = 0; i < model->count; i++) {
        struct class_heap *const class = &heap->classes[i];
        if (class->current != NULL)
            let_go_of_current(model, class);
        orphan(model, &class->partial, &heap_of(model, 0)->classes[i]);
        orphan(model, &class->full, &heap_of(model, 0)->classes[i]);
    }
    free(heap);
    model->heaps[thread] = NULL;
}

static void model_apply(struct model *model, const struct step *step)
{
    if (step->operation == TRACE_GIVE)
        model_give(model, &model->held[step->block]);
    else if (step->operation == TRACE_RESIZE_TO)
        model_resize(model, step);
    else if (step->operation == TRACE_LEAVE)
        model_leave(model, step->thread);
    else
        model_take(model, step);
}

/* Replay all of `trace`, and print. */
static void model_run(struct model *model, const struct trace *trace, size_t peak, uint64_t requested)
{
    uint64_t blocks = 0, open = 0;

    model->held = zeroed(trace->blocks + 1, sizeof *model->held);
    for (size_t i = 0; i < trace->count; i++) {
        model_apply(model, &trace->steps[i]);
        if (i + 1 == peak) {
            if (model->requested != requested)
                fail("%s has %llu live bytes where the trace has %llu", model->name,
                     (unsigned long long)model->requested, (unsigned long long)requested);
            blocks = model->block_bytes;
            open = model->open_pages;
        }
    }
    printf("model %s granule=%u kept=%u blocks=%llu open=%llu most_open=%llu\n", model->name, model->granule_bytes,
           model->kept_bytes, (unsigned long long)blocks, (unsigned long long)open * PAGE_BYTES,
           (unsigned long long)model->most_open_pages * PAGE_BYTES);
}

/* ---- Models from the input --------------------------------------------------------------------------------------- */

static struct slab_class make_class(uint32_t bytes, uint32_t granule_bytes)
{
    uint32_t slab_bytes = granule_bytes;

    while (slab_bytes < BLOCKS_WANTED * bytes)
        slab_bytes *= 2;
    return (struct slab_class){bytes, slab_bytes, slab_bytes / bytes};
}

static void add_class(struct model *model, uint32_t bytes)
{
    const uint32_t before = model->count > 0 ? model->classes[model->count - 1].bytes : 0;

    if (model->count == CLASSES_MAX || bytes <= before || bytes % BLOCK_ALIGN != 0 || bytes > CLASS_BYTES_MAX)
        fail("%s: class %u of %u bytes", model->name, model->count, bytes);
    for (uint32_t i = before == 0 ? 0 : before / BLOCK_ALIGN + 1; i <= bytes / BLOCK_ALIGN; i++)
        model->class_of[i] = (uint16_t)model->count;
    model->classes[model->count++] = make_class(bytes, model->granule_bytes);
}

static struct model *model_parse(char *line)
{
    struct model *const model = zeroed(1, sizeof *model);
    int used = 0;

    if (sscanf(line, "%63s %u %u%n", model->name, &model->granule_bytes, &model->kept_bytes, &used) != 3 ||
        model->granule_bytes < PAGE_BYTES || model->granule_bytes > CLASS_BYTES_MAX ||
        (model->granule_bytes & (model->granule_bytes - 1)) != 0)
        fail("no model: %s", line);
    char *at = line + used, *end;
    for (unsigned long bytes = strtoul(at, &end, 10); end != at; bytes = strtoul(at = end, &end, 10))
        add_class(model, bytes < NONE ? (uint32_t)bytes : NONE);
    if (strspn(at, " \n") != strlen(at) || model->count == 0)
        fail("%s: classes are wanted, and nothing else", model->name);
    return model;
}

/* In a child, whose memory ends with it. */
static void run_apart(char *line, const struct trace *trace, size_t peak, uint64_t requested)
{
    int status;

    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        model_run(model_parse(line), trace, peak, requested);
        _exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE); /* exit() would wind the shared input back */
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("a model did not end well");
}

int main(int count, char **values)
{
    char *line = NULL;
    size_t room = 0;
    int64_t requested;

    if (count != 2)
        fail("usage: replay TRACE <MODELS");
    const struct trace trace = trace_read(values[1]);
    const size_t peak = find_peak(&trace, &requested);
    print_trace(&trace, peak, requested);
    while (getline(&line, &room, stdin) > 0)
        run_apart(line, &trace, peak, (uint64_t)requested);
    free(line);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
