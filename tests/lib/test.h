/* test.h: tests of a malloc, by a harness that never calls malloc itself.
 *
 *   main --fork--> one process per test --fork--> the child of a DIES or an EXITS
 *     |                  |                               |
 *     +-- waits, prints  +----- a CHECK that fails ------+--> "# file:line: ..." on stdout, counted in a shared page,
 *         the TAP line                                        _exit
 *
 * A failed CHECK ends its process, so it may stand in a helper, in any thread, in a signal handler and in any child. A
 * test that crashes, hangs or leaves early fails alone; the others run on. Every test sees a process in which no other
 * test ran.
 *
 *   program                 runs everything and prints TAP
 *   program WORD...         only the tests whose names contain one of the words
 *   program --here WORD     the first such test without the fork, for a debugger
 *
 * Environment: TEST_SEED (decimal, default from the clock), TEST_TIMEOUT (seconds for one test, default 300),
 * TEST_RUNNER (a command that starts the program, for example "qemu-aarch64 -L /usr/aarch64-linux-gnu"). */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* so this header comes first */
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a sanitizer shares the process. gcc and clang say so in different ways.
 * The thread sanitizer ends a thread before its last round of destructors, holds signals back until the next call that
 * it knows, and does not bear a main thread that leaves by pthread_exit(). */
#if defined(__SANITIZE_ADDRESS__)
#define TEST_UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define TEST_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define TEST_UNDER_TSAN 1
#endif
#endif
#ifndef TEST_UNDER_ASAN
#define TEST_UNDER_ASAN 0
#endif
#ifndef TEST_UNDER_TSAN
#define TEST_UNDER_TSAN 0
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct test_case {
    const char *name;
    void (*body)(void);              /* either this */
    void (*body_with)(const void *); /* or this, with `argument` */
    const void *argument;
    struct test_case *next;
};

/* TEST(story) { ... }: define a test and register it before main. */
#define TEST(story)                                                                                                    \
    static void story(void);                                                                                           \
    static struct test_case test_case_##story = {#story, story, NULL, NULL, NULL};                                     \
    __attribute__((constructor)) static void test_register_##story(void) { test_register(&test_case_##story); }        \
    static void story(void)

/* TESTS(group) { test_add(...); }: register tests that are rows of a table; runs before main. */
#define TESTS(group) __attribute__((constructor)) static void test_register_##group(void)

void test_register(struct test_case *test);

/* Register body(argument) under a printed name. `argument` must stay valid. At most TEST_GENERATED_MAX in a program. */
void test_add(void (*body)(const void *), const void *argument, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));
enum { TEST_GENERATED_MAX = 4096, TEST_NAME_BYTES = 104 };

/* CHECK(condition): if false, record file, line and text, and leave the test. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                                           \
    } while (0)

/* CHECK_EQ(a, b): integers or pointers; both values are printed when they differ. */
#define CHECK_EQ(a, b) test_equal(__FILE__, __LINE__, #a " == " #b, (intmax_t)(a), (intmax_t)(b))

/* SKIP("reason"): leave the test as skipped. For what this machine cannot do, never for what is broken. */
#define SKIP(reason) test_skip(reason)

/* DIES("format", ...) { code }: run code in a forked child; it must print exactly this one line on stderr and end by
 * SIGABRT. The arguments are evaluated here, not in the child. The code may not break, return or continue. */
#define DIES(...)                                                                                                      \
    for (bool test_in_child = test_child_begin(); test_in_child || test_child_died(__FILE__, __LINE__, __VA_ARGS__);   \
         test_child_end())

/* EXITS(status) { code }: run code in a forked child; it must exit with this status and print nothing on stderr.
 * Running off the end of the code is _exit(0). */
#define EXITS(status)                                                                                                  \
    for (bool test_in_child = test_child_begin(); test_in_child || test_child_exited(__FILE__, __LINE__, (status));    \
         test_child_end())

/* PRINTS(status, "format", ...) { code }: as EXITS, with exactly this text on stderr (several lines are fine). */
#define PRINTS(status, ...)                                                                                            \
    for (bool test_in_child = test_child_begin();                                                                      \
         test_in_child || test_child_printed(__FILE__, __LINE__, (status), __VA_ARGS__); test_child_end())

/* Begin this test anew in a fresh process image in which no test code has run, with ASHLAR_CONF as given (NULL: unset).
 * The first statement of a test; what follows runs in the new image only. */
void test_restart(const char *ashlar_conf);

/* Whether this image was started by test_restart(). */
bool test_restarted(void);

/* TEST_SHARED_BYTES of memory that all processes of a test share, those of new images too; zero at its start. */
void *test_shared(void);
enum { TEST_SHARED_BYTES = 2048 };

/* A random 64-bit number; xorshift64*. Every thread has a stream of its own, started from the seed and the order in
 * which threads first ask. */
uint64_t test_random(void);

/* The same generator on a state of the caller's (any value but 0). */
uint64_t test_random_from(uint64_t *state);

/* Whether an emulator runs the program (TEST_RUNNER is set): slow, and without resource limits of its own. */
bool test_emulated(void);

/* Print "# ..." on stdout in one write. */
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print "# file:line: ..." , count a failure and end the process. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, cold, format(printf, 3, 4)));

/* What the macros above call. */
void test_equal(const char *file, int line, const char *text, intmax_t a, intmax_t b);
void test_skip(const char *reason) __attribute__((noreturn));
bool test_child_begin(void);
void test_child_end(void) __attribute__((noreturn));
bool test_child_died(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool test_child_exited(const char *file, int line, int status);

/* For outcomes that vary: how the child ended that test_child_begin() forked last, and what it printed on stderr. */
int test_child_status(void);
const char *test_child_stderr(void);

bool test_child_printed(const char *file, int line, int status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef __cplusplus
}
#endif

#endif
