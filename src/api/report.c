/* report.c: the lines that Ashlar prints about mistakes of the program. One line, built on the stack, one write to
 * descriptor 2, no allocation, no lock held; then abort(). The texts are a contract: tests compare them to the letter.
 */
#include "api/api.h"

#include <stdlib.h>

enum { LINE_ROOM = 200 };

void report_line(const char *line)
{
    char whole[LINE_ROOM + 16];
    struct text text = {whole, sizeof whole, 0};

    text_put(&text, "ashlar: ");
    text_put(&text, line);
    text_put_char(&text, '\n');
    os_write(2, text.at, text_written(&text));
    prof_status_report(line);
}

void report_and_abort(const char *line)
{
    report_line(line);
    heap_thread_reserve(); /* a handler of SIGABRT may allocate: it must finish */
    abort();
}

static void put_hex(struct text *text, uintptr_t number)
{
    text_put(text, "0x");
    text_put_hex(text, number);
}

static void put_in(struct text *text, const char *in)
{
    text_put(text, "in ");
    text_put(text, in);
    text_put_char(text, ')');
}

/* " (N-byte block" */
static void put_block(struct text *text, size_t bytes, const char *what)
{
    text_put(text, " (");
    text_put_decimal(text, bytes);
    text_put(text, what);
}

void report_misuse(const struct heap_misuse *misuse)
{
    static const char *const openings[] = {
        [MISUSE_DOUBLE_FREE] = "double free of ",
        [MISUSE_INTERIOR] = "free of interior pointer ",
        [MISUSE_MISALIGNED] = "free of misaligned pointer ",
        [MISUSE_UNALLOCATED] = "free of unallocated address ",
        [MISUSE_DAMAGED_LIST] = "damaged free list at ",
    };
    char line[LINE_ROOM];
    struct text text = {line, sizeof line, 0};

    text_put(&text, openings[misuse->kind]);
    put_hex(&text, misuse->address);
    if (misuse->kind == MISUSE_MISALIGNED || misuse->kind == MISUSE_UNALLOCATED)
        text_put(&text, " (");
    else
        put_block(&text, misuse->bytes, misuse->kind == MISUSE_DAMAGED_LIST ? "-byte blocks, " : "-byte block");
    if (misuse->kind == MISUSE_INTERIOR) {
        text_put(&text, " at ");
        put_hex(&text, misuse->block);
    }
    if (misuse->kind == MISUSE_INTERIOR || misuse->kind == MISUSE_DOUBLE_FREE)
        text_put(&text, ", ");
    put_in(&text, misuse->in);
    report_and_abort(line);
}

static void report_sized(const char *opening, const void *address, size_t usable, size_t given, const char *in)
{
    char line[LINE_ROOM];
    struct text text = {line, sizeof line, 0};

    text_put(&text, opening);
    put_hex(&text, (uintptr_t)address);
    put_block(&text, usable, "-byte block, ");
    text_put_decimal(&text, given);
    text_put(&text, " given, ");
    put_in(&text, in);
    if (option_value(OPTION_sized) == SIZED_WARN)
        report_line(line);
    else
        report_and_abort(line);
}

void report_wrong_size(const void *address, size_t usable, size_t bytes, const char *in)
{
    report_sized("wrong size for ", address, usable, bytes, in);
}

void report_wrong_alignment(const void *address, size_t usable, size_t alignment, const char *in)
{
    report_sized("wrong alignment for ", address, usable, alignment, in);
}
