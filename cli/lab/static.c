/* static.c: memory of fixed size, and memory whose size is known at run time only.
 *
 * One program (programs/static.c) is compiled four times, with the same bytes in .data, in .bss, on the stack and on
 * the heap; each is started several times. Then each is asked for more than there is: the linker, the kernel and malloc
 * refuse in their own ways. Needs a C compiler. */
#include "card.h"

#include "../embed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STARTS = LAB_TIMED, STARTS_QUICK = 5 };

EMBED(static_program, "cli/lab/programs/static.c");

/* A program in the lab's own directory, which is removed by the lab. */
struct build {
    char source[PATH_MAX];
    char binary[PATH_MAX];
};

/* Start and wait. returns: the wait status; -1 when it could not be started. Output goes where ours goes. */
static int run_program(const char *file, char *const words[])
{
    pid_t pid;
    int status;

    if (posix_spawnp(&pid, file, NULL, NULL, words, environ) != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

static void write_source(const char *path, const char *text)
{
    FILE *const file = fopen(path, "we");
    const bool written = file != NULL && fputs(text, file) >= 0;

    if (file == NULL || fclose(file) != 0 || !written)
        child_skip(TEXT_skip_directory);
}

static struct build build_in_place(const char *text)
{
    const char *const directory = getenv("TMPDIR");
    struct build build;

    if (directory == NULL || snprintf(build.source, PATH_MAX, "%s/static.c", directory) >= PATH_MAX ||
        snprintf(build.binary, PATH_MAX, "%s/static", directory) >= PATH_MAX)
        child_skip(TEXT_skip_directory);
    write_source(build.source, text);
    return build;
}

enum { WORDS_OF_CC = 56, WORDS = WORDS_OF_CC + 8 };

/* The words of $CC, which may have options, as make(1) takes it; "cc" where there are none. `text` holds them. returns:
 * how many. */
static size_t compiler_words(char text[PATH_MAX], char *words[WORDS_OF_CC])
{
    const char *const wanted = getenv("CC");
    size_t count = 0;
    char *rest = NULL;

    (void)snprintf(text, PATH_MAX, "%s", wanted != NULL && wanted[strspn(wanted, " \t")] != '\0' ? wanted : "cc");
    for (char *word = strtok_r(text, " \t", &rest); word != NULL && count < WORDS_OF_CC;
         word = strtok_r(NULL, " \t", &rest))
        words[count++] = word;
    return count;
}

/* returns: whether the compiler, and the linker after it, made a program. */
static bool compile(struct build *build, const char *where, size_t bytes)
{
    char text[PATH_MAX], place[32], size[48];
    char optimise[] = "-O1", output[] = "-o", silent[] = "-w";
    char *const options[] = {silent, optimise, place, size, build->source, output, build->binary, NULL};
    char *words[WORDS];

    (void)snprintf(place, sizeof place, "-DIN_%s", where);
    (void)snprintf(size, sizeof size, "-DBYTES=%zu", bytes);
    memcpy(words + compiler_words(text, words), options, sizeof options);
    const int status = run_program(words[0], words);
    if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
        child_skip(TEXT_skip_compiler);
    return status == 0;
}

static int start(struct build *build)
{
    char now[24];
    char *const words[] = {build->binary, now, NULL};

    (void)snprintf(now, sizeof now, "%llu", (unsigned long long)child_now_ns());
    return run_program(build->binary, words);
}

/* As many bytes as the lab may touch in a file, its object and a process. */
static size_t bytes_for(const struct child_order *order)
{
    const size_t wanted = (order->quick ? 16 : 64) * MIB;

    if (order->most < 64 * MIB)
        child_skip(TEXT_skip_most);
    return order->most >= 3 * wanted ? wanted : 16 * MIB;
}

static void measure(const struct child_order *order, const char *where, enum metric file_bytes)
{
    const size_t bytes = bytes_for(order);
    struct build build = build_in_place(static_program);
    struct stat file;

    if (strcmp(where, "stack") == 0)
        child_limit(RLIMIT_STACK, bytes + 4 * MIB);
    if (!compile(&build, where, bytes) || stat(build.binary, &file) != 0)
        child_skip(TEXT_skip_compiler);
    child_tell(METRIC_static_bytes, (double)bytes);
    child_tell(file_bytes, (double)file.st_size);
    for (int i = 0; i < (order->quick ? STARTS_QUICK : STARTS); i++) {
        const int status = start(&build);

        if (status == -1)
            child_skip(TEXT_skip_directory); /* where nothing may be executed */
        if (status != 0)
            abort(); /* it has all that it needs: an unexpected death */
    }
}

static void run_data(const struct child_order *order) { measure(order, "data", METRIC_static_file_data); }
static void run_bss(const struct child_order *order) { measure(order, "bss", METRIC_static_file_bss); }
static void run_stack(const struct child_order *order) { measure(order, "stack", METRIC_static_file_stack); }
static void run_heap(const struct child_order *order) { measure(order, "heap", METRIC_static_file_heap); }

/* ---- More than there is ---- */

/* Two arrays of 3 GiB: whichever lies behind is beyond what code of the usual model can address. */
static void run_too_much(const struct child_order *order)
{
    static const char source[] = "char one[3UL << 30], other[3UL << 30];\n"
                                 "int main(int argc, char **argv)\n"
                                 "{ (void)argv; one[argc] = 1; other[argc] = 2; return one[0] + other[0]; }\n";
    const size_t bytes = bytes_for(order);
    struct build build = build_in_place(source);

    child_tell(METRIC_static_link_refused, !compile(&build, "bss", bytes));
    build = build_in_place(static_program);
    child_limit(RLIMIT_STACK, bytes / 2);
    if (!compile(&build, "stack", bytes))
        child_skip(TEXT_skip_compiler);
    for (int i = 0; i < STARTS_QUICK; i++) {
        const int status = start(&build);

        if (status == -1)
            child_skip(TEXT_skip_directory);
        child_tell(METRIC_static_stack_signal, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    child_tell(METRIC_static_heap_null, child_launder(malloc(PTRDIFF_MAX)) == NULL);
}

/* ---- Judging ---- */

static void judge(struct judgement *j)
{
    const struct judge_value bytes = judge_get(j, METRIC_static_bytes);
    const struct judge_value data = judge_get(j, METRIC_static_file_data);
    const struct judge_value bss = judge_get(j, METRIC_static_file_bss);
    const struct judge_value link = judge_get(j, METRIC_static_link_refused);
    const struct judge_value stack = judge_get(j, METRIC_static_stack_signal);
    const struct judge_value heap = judge_get(j, METRIC_static_heap_null);

    if (bytes.known && data.known)
        judge_claim(j, data.median >= bytes.median, TEXT_static_data_in_file, TEXT_static_data_not);
    if (bss.known)
        judge_claim(j, bss.median < MIB, TEXT_static_bss_free, TEXT_static_bss_not);
    if (link.known && stack.known && heap.known)
        judge_claim(j, link.median == 1 && stack.median == SIGSEGV && heap.median == 1, TEXT_static_fails_as_said,
                    TEXT_static_fails_otherwise);
    if (judge_get_at(j, METRIC_static_touch_bss, 100).known)
        judge_remark(j, TEXT_static_touch_remark);
}

const struct lab_card card_static = {
    .id = "static",
    .title = TEXT_static_title,
    .textbook = TEXT_static_textbook,
    .traps = {TEXT_static_trap_zero},
    .parts = {{.name = "data", .run = run_data, .runs = 1},
              {.name = "bss", .run = run_bss, .runs = 1},
              {.name = "stack", .run = run_stack, .runs = 1},
              {.name = "heap", .run = run_heap, .runs = 1},
              {.name = "too_much", .run = run_too_much, .runs = 1}},
    .claims = 3,
    .judge = judge,
    .pictures = {{.kind = PICTURE_LINES,
                  .title = TEXT_static_picture,
                  .x = TEXT_axis_touched,
                  .metrics = {METRIC_static_touch_data, METRIC_static_touch_bss, METRIC_static_touch_stack,
                              METRIC_static_touch_heap}},
                 {.kind = PICTURE_BARS,
                  .title = TEXT_static_file_picture,
                  .log_x = true,
                  .metrics = {METRIC_static_file_data, METRIC_static_file_bss, METRIC_static_file_stack,
                              METRIC_static_file_heap}}},
};
