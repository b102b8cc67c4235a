/* check.c: is there room for a copy in the heap blocks that it touches?
 *
 *     | block of 64 bytes         | next block
 *         | 48 bytes to be written    |            reported: 8 too many
 *
 * Most calls never come here: libashlar does what it can show to be right by itself (ashlar_memcpy_or and its
 * relatives, see libc.c). Of the rest it answers where a block ends (ashlar_bytes_left) and, when that is too near,
 * what lies there (ashlar_place_of). All take no lock, so this works in signal handlers and in children of vfork.
 *
 * Not taken: judging by where a pointer came from. An address one beyond a block is the next block's first. The idea of
 * checking copies by the allocator's own records is snmalloc's, docs/security/GuardedMemcpy.md. docs/design/024. */
#include "mem/check.h"
#include "mem/steps.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libashlar's, where it is loaded. */
#pragma weak ashlar_bytes_left
#pragma weak ashlar_place_of
#pragma weak ashlar_memcpy_or
#pragma weak ashlar_memmove_or
#pragma weak ashlar_memset_or
#pragma weak _dl_find_object /* glibc 2.35 */

struct mem_check mem_check;

enum { LINE_ROOM = 512 }; /* the longest file name, and the rest */

/* ---- Lines ------------------------------------------------------------------------------------------------------------- */

void mem_print(const char *line)
{
    char whole[LINE_ROOM + 16];
    struct text text = {whole, sizeof whole, 0};
    const int kept = errno;

    text_put(&text, "ashlar: ");
    text_put(&text, line);
    text_put_char(&text, '\n');
    /* Not write(), at which a thread may be cancelled: memcpy is no such place. Nobody is left to be told of a failure.
     */
    (void)syscall(SYS_write, STDERR_FILENO, text.at, text_written(&text));
    errno = kept;
}

static void put_address(struct text *text, uintptr_t address)
{
    text_put(text, "0x");
    text_put_hex(text, address);
}

static const char *last_part(const char *path)
{
    const char *last = path;

    for (; *path != '\0'; path++)
        if (*path == '/')
            last = path + 1;
    return last;
}

/* "in F, from LIB+0xO)" */
static void put_call(struct text *text, struct mem_call call)
{
    struct dl_find_object object;

    text_put(text, "in ");
    text_put(text, call.in);
    text_put(text, ", from ");
    if (&_dl_find_object != NULL && _dl_find_object((void *)(uintptr_t)call.caller, &object) == 0) {
        const char *const name = last_part(object.dlfo_link_map->l_name);
        text_put(text, name[0] != '\0' ? name : program_invocation_short_name);
        text_put_char(text, '+');
        put_address(text, (uintptr_t)call.caller - object.dlfo_link_map->l_addr);
    } else {
        put_address(text, (uintptr_t)call.caller);
    }
    text_put_char(text, ')');
}

/* ---- Once for each place in the program ---------------------------------------------------------------------------------- */

enum { SITES = 256 };

/* Whether `caller` is reported for the first time. When there were SITES others, nothing is, from then on. */
static bool is_new(const void *caller)
{
    static _Atomic uintptr_t sites[SITES];
    static _Atomic bool is_full;
    const uintptr_t site = (uintptr_t)caller;

    for (size_t i = 0; i < SITES; i++) {
        _Atomic uintptr_t *const place = &sites[(site + i) % SITES];
        uintptr_t known = 0;
        if (atomic_compare_exchange_strong_explicit(place, &known, site, memory_order_relaxed, memory_order_relaxed))
            return true;
        if (known == site)
            return false;
    }
    if (!atomic_exchange_explicit(&is_full, true, memory_order_relaxed))
        mem_print("check_mem: further reports suppressed");
    return false;
}

/* Print the line, once for each caller. `is_certain`: and abort, if so told. */
static void report(const struct text *line, struct mem_call call, bool is_certain)
{
    const bool aborts = is_certain && mem_check.mode == CHECK_ABORT;

    if (aborts || is_new(call.caller))
        mem_print(line->at);
    if (aborts)
        abort();
}

/* ---- Ranges ------------------------------------------------------------------------------------------------------------- */

struct range {
    uintptr_t start;
    size_t bytes;
    bool is_target;
};

static COLD void report_past_end(struct range range, const struct ashlar_place *place, struct mem_call call)
{
    char room[LINE_ROOM];
    struct text line = {room, sizeof room, 0};
    const size_t left = (uintptr_t)place->block + place->bytes - range.start;

    text_put(&line, range.is_target ? "write of " : "read of ");
    text_put_decimal(&line, range.bytes);
    text_put(&line, " bytes at ");
    put_address(&line, range.start);
    text_put(&line, " ends ");
    text_put_decimal(&line, range.bytes - left);
    text_put(&line, " past ");
    put_address(&line, (uintptr_t)place->block);
    text_put(&line, " (");
    text_put_decimal(&line, place->bytes);
    text_put(&line, "-byte block, ");
    put_call(&line, call);
    report(&line, call, true);
}

/* A freed block is recognised by a word in it, which the program might have written: so nobody aborts. */
static COLD void report_freed(struct range range, const struct ashlar_place *place, struct mem_call call)
{
    char room[LINE_ROOM];
    struct text line = {room, sizeof room, 0};

    text_put(&line, range.is_target ? "write to freed " : "read from freed ");
    put_address(&line, range.start);
    text_put(&line, " (");
    text_put_decimal(&line, place->bytes);
    text_put(&line, "-byte block at ");
    put_address(&line, (uintptr_t)place->block);
    text_put(&line, ", ");
    put_call(&line, call);
    report(&line, call, false);
}

static COLD void report_unused(struct range range, struct mem_call call)
{
    char room[LINE_ROOM];
    struct text line = {room, sizeof room, 0};

    text_put(&line, range.is_target ? "write to unallocated " : "read from unallocated ");
    put_address(&line, range.start);
    text_put(&line, " (");
    put_call(&line, call);
    report(&line, call, true);
}

static void look(struct range range, struct mem_call call)
{
    struct ashlar_place place;

    mem_check.place_of((const void *)range.start, &place);
    switch (place.kind) {
    case ASHLAR_PLACE_UNKNOWN:
        return;
    case ASHLAR_PLACE_BLOCK:
        if (range.bytes > (uintptr_t)place.block + place.bytes - range.start)
            report_past_end(range, &place, call);
        return;
    case ASHLAR_PLACE_FREED:
        report_freed(range, &place, call);
        return;
    case ASHLAR_PLACE_UNUSED:
        report_unused(range, call);
        return;
    }
}

static inline void judge(struct range range, struct mem_call call)
{
    const void *const start = (const void *)range.start;

    if (range.bytes == 0 || mem_check_passes(start, start, range.bytes) ||
        (mem_check.small == CHECK_FAST && likely(mem_check.bytes_left(start) >= range.bytes)))
        return;
    look(range, call);
}

void mem_check_write(const void *to, size_t n, struct mem_call call)
{
    judge((struct range){(uintptr_t)to, n, true}, call);
}

void mem_check_read(const void *from, size_t n, struct mem_call call)
{
    if (mem_check.scope == CHECK_BOTH)
        judge((struct range){(uintptr_t)from, n, false}, call);
}

static COLD void report_overlap(const void *to, const void *from, size_t n, struct mem_call call)
{
    char room[LINE_ROOM];
    struct text line = {room, sizeof room, 0};

    text_put(&line, "overlap: ");
    text_put_decimal(&line, n);
    text_put(&line, " bytes from ");
    put_address(&line, (uintptr_t)from);
    text_put(&line, " to ");
    put_address(&line, (uintptr_t)to);
    text_put(&line, " (");
    put_call(&line, call);
    report(&line, call, true);
}

void mem_check_copy(const void *to, const void *from, size_t n, bool may_overlap, struct mem_call call)
{
    mem_check_write(to, n, call);
    mem_check_read(from, n, call);
    if (!may_overlap && unlikely(mem_overlap(to, from, n)))
        report_overlap(to, from, n, call);
}

/* ---- Start --------------------------------------------------------------------------------------------------------------- */

static size_t all_is_room(const void *address)
{
    (void)address;
    return SIZE_MAX;
}

static void all_is_unknown(const void *address, struct ashlar_place *place)
{
    (void)address;
    place->kind = ASHLAR_PLACE_UNKNOWN;
}

/* Where nothing is to be let pass at once. */
static void *copy_looked_at(void *to, const void *from, size_t n, const char *in, const void *caller,
                            ashlar_copy_otherwise otherwise)
{
    return otherwise(to, from, n, in, caller);
}

static void *fill_looked_at(void *to, int c, size_t n, const char *in, const void *caller,
                            ashlar_fill_otherwise otherwise)
{
    return otherwise(to, c, n, in, caller);
}

void mem_check_start(const struct option_settings *settings)
{
    const bool has_heap = &ashlar_bytes_left != NULL && &ashlar_place_of != NULL;
    const uint64_t mode = settings->numbers[OPTION_check_mem];

    if (mode != CHECK_OFF && !has_heap)
        mem_print("check_mem: libashlar is not loaded: memcpy is checked for overlap, and nothing for its blocks");
    mem_check.scope = (uint8_t)settings->numbers[OPTION_check_mem_scope];
    mem_check.small = (uint8_t)settings->numbers[OPTION_check_mem_small];
    mem_check.bytes_left = has_heap ? ashlar_bytes_left : all_is_room;
    mem_check.place_of = has_heap ? ashlar_place_of : all_is_unknown;
    /* An older libashlar does not have them. */
    const bool has_short_way = &ashlar_memcpy_or != NULL && &ashlar_memmove_or != NULL && &ashlar_memset_or != NULL;
    const bool hands_on = has_heap && has_short_way && mem_check.scope == CHECK_BOTH && mem_check.small == CHECK_FAST;

    mem_check.memcpy_or = hands_on ? ashlar_memcpy_or : copy_looked_at;
    mem_check.memmove_or = hands_on ? ashlar_memmove_or : copy_looked_at;
    mem_check.memset_or = hands_on ? ashlar_memset_or : fill_looked_at;
    mem_check.mode = (uint8_t)mode;
    const bool asks_nothing = mode == CHECK_OFF && short_is_right();

    mem_check.small_lines = asks_nothing ? SMALL_LINES : 0;
    mem_check.more_bits = asks_nothing ? UINT32_MAX : 0;
    /* release: whoever sees it, also a thread that another constructor started, sees the rest; pairs with the
     * acquire in mem_check_is_on(). */
    __atomic_store_n(&mem_check.is_on, mode != CHECK_OFF, __ATOMIC_RELEASE);
}
