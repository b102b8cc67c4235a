/* copies.c: calls of every function that libashlar-mem checks, right ones and wrong ones. checks.py starts it.
 *
 *   copies right COUNT SEED    random calls that stay in their blocks, or lie in memory that is nobody's block
 *   copies wrong COUNT SEED    random calls that leave a block, each in a child that has to abort with the right line
 *   copies one NAME            one call that leaves a block by a byte; NAME may also be overlap, freed, unused
 *
 * exit status: 0, or 1 with a line that says what was wrong. */
#define _GNU_SOURCE
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

typedef unsigned char byte;

extern void *__memcpy_chk(void *, const void *, size_t, size_t), *__memmove_chk(void *, const void *, size_t, size_t);
extern void *__mempcpy_chk(void *, const void *, size_t, size_t), *__memset_chk(void *, int, size_t, size_t);
extern void __explicit_bzero_chk(void *, size_t, size_t);
extern wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wmempcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wmemset_chk(wchar_t *, wchar_t, size_t, size_t);
extern char *__strcpy_chk(char *, const char *, size_t), *__stpcpy_chk(char *, const char *, size_t);
extern char *__strcat_chk(char *, const char *, size_t), *__strncpy_chk(char *, const char *, size_t, size_t);
extern char *__stpncpy_chk(char *, const char *, size_t, size_t), *__strncat_chk(char *, const char *, size_t, size_t);

/* Each writes `n` bytes at `to`, and reads as many at `from` (strncat: one less). Where a string is needed, prepare()
 * has made it. */
typedef void call(byte *to, const byte *from, size_t n);

#define CALL(name, expression)                                                                                         \
    static void call_##name(byte *to, const byte *from, size_t n)                                                      \
    {                                                                                                                  \
        __typeof__(&name) volatile called = &name; /* the compiler would take one function for another */              \
        (void)from;                                                                                                    \
        (void)n;                                                                                                       \
        (void)(expression);                                                                                            \
    }
#define WIDE(pointer) ((wchar_t *)(void *)(pointer))
#define WIDE_FROM ((const wchar_t *)(const void *)from)
#define TEXT_TO ((char *)to)
#define TEXT_FROM ((const char *)from)

CALL(memcpy, called(to, from, n))
CALL(memmove, called(to, from, n))
CALL(mempcpy, called(to, from, n))
CALL(memset, called(to, 7, n))
CALL(bzero, (called(to, n), 0))
CALL(bcopy, (called(from, to, n), 0))
CALL(explicit_bzero, (called(to, n), 0))
CALL(wmemcpy, called(WIDE(to), WIDE_FROM, n / 4))
CALL(wmemmove, called(WIDE(to), WIDE_FROM, n / 4))
CALL(wmempcpy, called(WIDE(to), WIDE_FROM, n / 4))
CALL(wmemset, called(WIDE(to), L'x', n / 4))
CALL(__memcpy_chk, called(to, from, n, SIZE_MAX))
CALL(__memmove_chk, called(to, from, n, SIZE_MAX))
CALL(__mempcpy_chk, called(to, from, n, SIZE_MAX))
CALL(__memset_chk, called(to, 7, n, SIZE_MAX))
CALL(__explicit_bzero_chk, (called(to, n, SIZE_MAX), 0))
CALL(__wmemcpy_chk, called(WIDE(to), WIDE_FROM, n / 4, SIZE_MAX))
CALL(__wmemmove_chk, called(WIDE(to), WIDE_FROM, n / 4, SIZE_MAX))
CALL(__wmempcpy_chk, called(WIDE(to), WIDE_FROM, n / 4, SIZE_MAX))
CALL(__wmemset_chk, called(WIDE(to), L'x', n / 4, SIZE_MAX))
CALL(strcpy, called(TEXT_TO, TEXT_FROM))
CALL(stpcpy, called(TEXT_TO, TEXT_FROM))
CALL(strcat, called(TEXT_TO, TEXT_FROM))
CALL(strncpy, called(TEXT_TO, TEXT_FROM, n))
CALL(stpncpy, called(TEXT_TO, TEXT_FROM, n))
CALL(strncat, called(TEXT_TO, TEXT_FROM, n - 1))
CALL(__strcpy_chk, called(TEXT_TO, TEXT_FROM, SIZE_MAX))
CALL(__stpcpy_chk, called(TEXT_TO, TEXT_FROM, SIZE_MAX))
CALL(__strcat_chk, called(TEXT_TO, TEXT_FROM, SIZE_MAX))
CALL(__strncpy_chk, called(TEXT_TO, TEXT_FROM, n, SIZE_MAX))
CALL(__stpncpy_chk, called(TEXT_TO, TEXT_FROM, n, SIZE_MAX))
CALL(__strncat_chk, called(TEXT_TO, TEXT_FROM, n - 1, SIZE_MAX))

enum source { NONE, BYTES, STRING, APPENDED, PART, APPENDED_PART };

static const struct function {
    const char *name;
    call *call;
    enum source source;
    size_t unit;
} functions[] = {
#define FUNCTION(name, source, unit) {#name, call_##name, source, unit},
    FUNCTION(memcpy, BYTES, 1) FUNCTION(memmove, BYTES, 1) FUNCTION(mempcpy, BYTES, 1) FUNCTION(memset, NONE, 1)
        FUNCTION(bzero, NONE, 1) FUNCTION(bcopy, BYTES, 1) FUNCTION(explicit_bzero, NONE, 1) FUNCTION(wmemcpy, BYTES, 4)
            FUNCTION(wmemmove, BYTES, 4) FUNCTION(wmempcpy, BYTES, 4) FUNCTION(wmemset, NONE, 4)
                FUNCTION(__memcpy_chk, BYTES, 1) FUNCTION(__memmove_chk, BYTES, 1) FUNCTION(__mempcpy_chk, BYTES, 1)
                    FUNCTION(__memset_chk, NONE, 1) FUNCTION(__explicit_bzero_chk, NONE, 1)
                        FUNCTION(__wmemcpy_chk, BYTES, 4) FUNCTION(__wmemmove_chk, BYTES, 4)
                            FUNCTION(__wmempcpy_chk, BYTES, 4) FUNCTION(__wmemset_chk, NONE, 4)
                                FUNCTION(strcpy, STRING, 1) FUNCTION(stpcpy, STRING, 1) FUNCTION(strcat, APPENDED, 1)
                                    FUNCTION(strncpy, PART, 1) FUNCTION(stpncpy, PART, 1)
                                        FUNCTION(strncat, APPENDED_PART, 1) FUNCTION(__strcpy_chk, STRING, 1)
                                            FUNCTION(__stpcpy_chk, STRING, 1) FUNCTION(__strcat_chk, APPENDED, 1)
                                                FUNCTION(__strncpy_chk, PART, 1) FUNCTION(__stpncpy_chk, PART, 1)
                                                    FUNCTION(__strncat_chk, APPENDED_PART, 1)};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) * below >> 31;
}

/* A loop that no compiler takes for a call of what is tested. */
static void paint(byte *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile byte *)at)[i] = 'a';
}

/* Lay out `n` bytes at `from` for `function`, and what its target has to hold. */
static void prepare(const struct function *function, byte *to, byte *from, size_t n)
{
    if (function->source == NONE)
        return;
    paint(from, n);
    if (function->source == STRING || function->source == APPENDED)
        from[n - 1] = '\0';
    if (function->source == APPENDED || function->source == APPENDED_PART)
        to[0] = '\0';
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------------ */

enum { BLOCKS = 64, BIG = 1 << 20 };

static byte *blocks[BLOCKS];

/* Mostly small, some medium, few large. */
static size_t draw_size(void)
{
    const uint64_t kind = draw(1000);

    return 1 + (kind < 700   ? draw(1024)
                : kind < 950 ? draw(65536)
                : kind < 998 ? draw(600 << 10)
                             : (33 << 20) + draw(4096));
}

/* A new block in place of another. Targets and sources have places of their own: neither frees the other. */
static byte *draw_block(int is_target)
{
    byte **const place = &blocks[2 * draw(BLOCKS / 2) + (is_target != 0)];

    free(*place);
    *place = draw(4) != 0 ? malloc(draw_size()) : memalign((size_t)16 << draw(9), draw_size());
    if (*place == NULL)
        exit(2);
    return *place;
}

/* ---- Right ones ---------------------------------------------------------------------------------------------------------- */

static byte global[2 * BIG];

/* A place with room for some bytes. `*room`: how many. */
static byte *draw_place(byte *on_stack, size_t stack_bytes, int is_target, size_t *room)
{
    byte *at;
    size_t bytes;

    switch (draw(8)) {
    case 0:
        at = on_stack;
        bytes = stack_bytes;
        break;
    case 1:
        at = global;
        bytes = BIG;
        break;
    default:
        at = draw_block(is_target);
        bytes = malloc_usable_size(at);
    }
    const size_t offset = draw(3) == 0 ? 0 : draw(bytes);

    *room = bytes - offset;
    return at + offset;
}

/* Blocks that the library has to clear: what it does by itself is nobody's mistake. */
static void clear_large_blocks(void)
{
    for (size_t i = 0; i < 200; i++) {
        byte *const used = malloc((100 << 10) + draw(3 << 20));
        paint(used, 100 << 10);
        free(used);
        byte *const block = calloc(1, (100 << 10) + draw(3 << 20)), *const grown = realloc(block, draw(4 << 20) + 1);
        if (grown == NULL || grown[0] != 0)
            exit(2);
        free(grown);
    }
}

static int right(size_t count)
{
    byte stack[2][4096];

    clear_large_blocks();
    for (size_t i = 0; i < count; i++) {
        const struct function *const function = &functions[draw(FUNCTIONS)];
        size_t room, readable;
        byte *const to = draw_place(stack[0], sizeof stack[0], 1, &room);
        byte *const from = draw(8) != 0 ? global + BIG + draw(64) : draw_place(stack[1], sizeof stack[1], 0, &readable);
        if (from >= global + BIG && from < global + 2 * BIG)
            readable = BIG - 64;
        const size_t most = room < readable ? room : readable;
        size_t n = (draw(4) == 0 ? most : 1 + draw(most < 4096 ? most : 4096)) / function->unit * function->unit;
        if (n == 0 || (function->source != NONE && to < from + n && from < to + n))
            continue; /* it would be another mistake */
        prepare(function, to, from, n);
        function->call(to, from, n);
    }
    return 0;
}

/* ---- Wrong ones ---------------------------------------------------------------------------------------------------------- */

static const byte *watched;

/* The target may not have been written. */
static void on_abort(int number)
{
    (void)number;
    _exit(watched[0] == 'w' ? 70 : 71);
}

/* Make the call in a child. returns: its exit status; `line`: what it printed. */
static int in_child(const struct function *function, byte *to, const byte *from, size_t n, char line[512])
{
    int pipes[2], status;

    if (pipe(pipes) != 0)
        exit(2);
    const pid_t child = fork();
    if (child == 0) {
        (void)dup2(pipes[1], 2);
        (void)signal(SIGABRT, on_abort);
        watched = to;
        if (function->source != APPENDED && function->source != APPENDED_PART)
            to[0] = 'w';
        else
            watched = (const byte *)"w";
        function->call(to, from, n);
        _exit(0);
    }
    (void)close(pipes[1]);
    const ssize_t length = read(pipes[0], line, 511);
    (void)close(pipes[0]);
    line[length > 0 ? length : 0] = '\0';
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One that leaves `block` by `excess` bytes from `offset`, as its target or as its source. */
static int wrong_at(const struct function *function, byte *block, size_t offset, size_t excess, int is_target)
{
    byte *const at = block + offset;
    const size_t usable = malloc_usable_size(block), left = usable - offset;
    size_t n = (left + excess + function->unit - 1) / function->unit * function->unit, told = n;
    char line[512], expected[512];

    if (n + 16 > BIG)
        return 0;
    if (is_target) {
        prepare(function, at, global, n);
    } else {
        paint(at, left);
        global[BIG] = '\0';
        if (function->source != BYTES)
            told = left + 1; /* it stops where nothing can end the string */
    }
    const int status =
        is_target ? in_child(function, at, global, n, line) : in_child(function, global + BIG, at, n, line);
    (void)snprintf(expected, sizeof expected,
                   "ashlar: %s of %zu bytes at %p ends %zu past %p (%zu-byte block, in %s, from copies+0x",
                   is_target ? "write" : "read", told, (void *)at, told - left, (void *)block, usable, function->name);
    if (status == 70 && strncmp(line, expected, strlen(expected)) == 0 && strchr(line, '\n') == line + strlen(line) - 1)
        return 0;
    printf("%s: status %d, printed: %s\nexpected: %s\n", function->name, status, line, expected);
    return 1;
}

static int wrong(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct function *const function = &functions[i % FUNCTIONS];
        byte *const block = draw_block(1);
        const size_t usable = malloc_usable_size(block);
        const size_t offset = draw(2) == 0 ? draw(usable) : usable - 1 - draw(usable < 64 ? usable : 64);
        const int is_target = function->source == NONE || draw(2) == 0;
        /* strncat reads one byte less than it writes. */
        const size_t least = function->source == APPENDED_PART && !is_target ? 2 : 1;
        const size_t excess = least + draw(draw(2) == 0 ? 1 : 5000);
        if (wrong_at(function, block, offset, excess, is_target) != 0)
            return 1;
    }
    return 0;
}

/* ---- One ------------------------------------------------------------------------------------------------------------------ */

static int one(const char *name)
{
    byte *const block = calloc(1, 100), *const other = calloc(1, 100);
    byte *volatile freed = malloc(3000);
    call *volatile copy = call_memcpy, *volatile set = call_memset; /* of which the compiler knows nothing */

    for (size_t i = 0; i < FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0) {
            const size_t n = malloc_usable_size(block) + functions[i].unit;
            prepare(&functions[i], block, global, n);
            functions[i].call(block, global, n);
            return 0;
        }
    if (strcmp(name, "overlap") == 0) {
        copy(block, block + 1, 50);
    } else if (strcmp(name, "freed") == 0) {
        free(freed);
        copy(other, freed, 50);
        call_strcpy(other, freed, 0);
        set(freed, NULL, 50);
    } else if (strcmp(name, "unused") == 0) {
        byte *const large = malloc(1 << 20);
        free(large);
        set(large + 600000, NULL, 50);
    } else {
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "one") == 0)
        return one(argv[2]);
    if (argc != 4)
        return 2;
    state = strtoull(argv[3], NULL, 10);
    const size_t count = strtoull(argv[2], NULL, 10);

    return strcmp(argv[1], "right") == 0 ? right(count) : strcmp(argv[1], "wrong") == 0 ? wrong(count) : 2;
}
