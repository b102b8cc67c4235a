/* after_report.c: what may run after a report. The line is out, abort() raises SIGABRT, and the program's handler may
 * still allocate and print; its frees do nothing. */
#include "misuse.h"

#include <execinfo.h>

static void allocate_much(void)
{
    static void *blocks[3000];
    for (size_t i = 0; i < COUNT(blocks); i++) { /* beyond the reserve of 64 KiB */
        blocks[i] = i % 500 == 499 ? malloc(5 * MIB) : malloc(i);
        CHECK(blocks[i] != NULL && is_aligned(blocks[i], 16));
        memset(blocks[i], (int)i, i);
    }
    for (size_t i = 0; i < COUNT(blocks); i++) {
        for (size_t byte = 0; i % 500 != 499 && byte < i; byte++)
            CHECK_EQ(((unsigned char *)blocks[i])[byte], i % 256);
        blocks[i] = realloc(blocks[i], i + 100);
        CHECK(blocks[i] != NULL);
        free(blocks[i]);
    }
    char *zeroed = calloc(100, 100);
    CHECK(zeroed != NULL && is_zero(zeroed, 10000));
    void *aligned = memalign(4096, 100);
    CHECK(aligned != NULL && is_aligned(aligned, 4096));
}

static void handler_that_allocates(int number)
{
    (void)number;
    allocate_much();
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    CHECK(stream != NULL);
    fprintf(stream, "%s", "in the handler");
    fclose(stream);
    CHECK_EQ(strcmp(text, "in the handler"), 0);
    free(text);
}

static void commit(const void *kind)
{
    char *block = victim.block;
    switch (*(const int *)kind) {
    case 0:
        free(block), free(block);
        break;
    case 1:
        free(block + 16);
        break;
    case 2:
        free(block + 1);
        break;
    case 3:
        free_sized(block, 7);
        break;
    }
}

static const int kinds[] = {0, 1, 2, 3};
static const char *const lines[] = {
    "ashlar: double free of 0x%1$lx (%2$zu-byte block, in free)",
    "ashlar: free of interior pointer 0x%3$lx (%2$zu-byte block at 0x%1$lx, in free)",
    "ashlar: free of misaligned pointer 0x%3$lx (in free)",
    "ashlar: wrong size for 0x%1$lx (%2$zu-byte block, 7 given, in free_sized)",
};
static const size_t offsets[] = {0, 16, 1, 0};

static void expect_line(int kind)
{
    char line[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof line, lines[kind], facts()->block, facts()->usable, facts()->block + offsets[kind]);
#pragma GCC diagnostic pop
    test_child_died(__FILE__, __LINE__, "%s", line);
}

static void handler_finishes(const void *kind)
{
    victim.bytes = 1000;
    allocate_victim(NULL);
    if (test_child_begin()) {
        signal(SIGABRT, handler_that_allocates);
        commit(kind);
        _exit(0);
    }
    expect_line(*(const int *)kind);
}

static int handler_calls;

static void handler_that_misuses(int number)
{
    (void)number;
    handler_calls++;
    free(victim.block), free(victim.block); /* says nothing more: this thread's frees do nothing */
    free(victim.block + 1);
    free(victim.neighbour);
    if (handler_calls > 1)
        _exit(9);
}

static void handler_may_misuse(const void *kind)
{
    victim.bytes = 1000;
    allocate_victim(NULL);
    if (test_child_begin()) {
        signal(SIGABRT, handler_that_misuses);
        commit(kind);
        _exit(0);
    }
    expect_line(*(const int *)kind);
}

static void handler_that_leaves(int number)
{
    (void)number;
    allocate_much();
    _exit(77);
}

TESTS(handlers)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        test_add(handler_finishes, &kinds[k], "a handler of SIGABRT may allocate, misuse %d", kinds[k]);
        test_add(handler_may_misuse, &kinds[k], "a handler of SIGABRT may free, misuse %d", kinds[k]);
    }
}

TEST(a_handler_may_leave_by_exit)
{
    victim.bytes = 100;
    allocate_victim(NULL);
    PRINTS(77, "ashlar: double free of 0x%lx (%zu-byte block, in free)\n", facts()->pointer, facts()->usable)
    {
        signal(SIGABRT, handler_that_leaves);
        free(victim.block);
        free(victim.block);
    }
}

TEST(a_blocked_or_ignored_sigabrt_still_ends_the_program)
{
    victim.bytes = 100;
    allocate_victim(NULL);
    DIES("ashlar: double free of 0x%lx (%zu-byte block, in free)", facts()->pointer, facts()->usable)
    {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        signal(SIGABRT, SIG_IGN);
        free(victim.block);
        free(victim.block);
    }
}

/* Loads libgcc, which allocates; the walk must pass our frames. */
static void handler_that_walks(int number)
{
    (void)number;
    void *frames[100];
    int depth = backtrace(frames, (int)COUNT(frames));
    char **symbols = backtrace_symbols(frames, depth);
    _exit(depth > 4 && symbols != NULL ? 33 : 34);
}

TEST(a_handler_may_walk_the_stack)
{
    victim.bytes = 100;
    allocate_victim(NULL);
    PRINTS(33, "ashlar: double free of 0x%lx (%zu-byte block, in free)\n", facts()->pointer, facts()->usable)
    {
        signal(SIGABRT, handler_that_walks);
        free(victim.block);
        free(victim.block);
    }
}

/* Another thread that is in the middle of its work is not disturbed before the process ends. */
static atomic_bool go_on;

static void *allocate_for_ever(void *unused)
{
    atomic_store(&go_on, true);
    for (;;) {
        void *block = malloc(100);
        CHECK(block != NULL);
        free(block);
    }
    return unused;
}

TEST(a_report_beside_busy_threads)
{
    victim.bytes = 100;
    allocate_victim(NULL);
    DIES("ashlar: double free of 0x%lx (%zu-byte block, in free)", facts()->pointer, facts()->usable)
    {
        signal(SIGABRT, handler_that_allocates);
        start_thread(allocate_for_ever, NULL);
        start_thread(allocate_for_ever, NULL);
        while (!atomic_load(&go_on))
            sched_yield();
        free(victim.block);
        free(victim.block);
    }
}

TEST(a_closed_descriptor_2_changes_nothing)
{
    victim.bytes = 100;
    allocate_victim(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        free(victim.block);
        free(victim.block);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT); /* the line is lost, the signal is not */
}
