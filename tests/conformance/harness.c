/* harness.c: the harness itself. This program starts itself with TEST_PLANTED set, which adds the planted tests below;
 * each of them is wrong in one way, and the runner must say so. */
#include "../lib/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Planted: all but the first two must come out as "not ok" ---------------------------------------------------- */

static void good(const void *unused)
{
    (void)unused;
    CHECK(true);
    CHECK_EQ(-1, SIZE_MAX);
    DIES("one line %d", 7)
    {
        fprintf(stderr, "one line 7\n");
        abort();
    }
    EXITS(3) { _exit(3); }
    EXITS(0) {}
    PRINTS(2, "a\nb\n")
    {
        fprintf(stderr, "a\nb\n");
        _exit(2);
    }
}

static void skipped(const void *unused)
{
    (void)unused;
    SKIP("planted");
}

static void false_check(const void *unused)
{
    (void)unused;
    CHECK(1 + 1 == 3);
}

static void unequal(const void *unused)
{
    (void)unused;
    CHECK_EQ(4, 5);
}

static void crash(const void *unused)
{
    (void)unused;
    raise(SIGUSR1); /* SIGSEGV would be a sanitizer's */
}

static void early_exit(const void *unused)
{
    (void)unused;
    _exit(0);
}

static void false_check_in_child(const void *unused)
{
    (void)unused;
    EXITS(1)
    { /* a failed check exits with 1: the count must betray it all the same */
        CHECK(false);
    }
}

static void child_that_lives(const void *unused)
{
    (void)unused;
    DIES("text") { fprintf(stderr, "text\n"); }
}

static void other_text(const void *unused)
{
    (void)unused;
    DIES("text")
    {
        fprintf(stderr, "Text\n");
        abort();
    }
}

static void further_text(const void *unused)
{
    (void)unused;
    DIES("text")
    {
        fprintf(stderr, "text\nmore\n");
        abort();
    }
}

static void other_signal(const void *unused)
{
    (void)unused;
    DIES("text")
    {
        fprintf(stderr, "text\n");
        raise(SIGTERM);
    }
}

static void noise(const void *unused)
{
    (void)unused;
    EXITS(0) { fprintf(stderr, "noise\n"); }
}

static void other_status(const void *unused)
{
    (void)unused;
    EXITS(0) { _exit(4); }
}

static void hang(const void *unused)
{
    (void)unused;
    pause();
}

static void skip_after_failure(const void *unused)
{
    (void)unused;
    if (fork() == 0)
        CHECK(false);
    wait(NULL);
    SKIP("planted");
}

static void skip_with_bad_status(const void *unused)
{
    (void)unused;
    if (fork() == 0)
        SKIP("planted");
    wait(NULL);
    _exit(66); /* as a sanitizer does that has found something */
}

static const struct {
    const char *name;
    void (*body)(const void *);
    const char *expected;
} planted[] = {
    {"good", good, "ok"},
    {"skipped", skipped, "ok"},
    {"false_check", false_check, "not ok"},
    {"unequal", unequal, "not ok"},
    {"crash", crash, "not ok"},
    {"early_exit", early_exit, "not ok"},
    {"false_check_in_child", false_check_in_child, "not ok"},
    {"child_that_lives", child_that_lives, "not ok"},
    {"other_text", other_text, "not ok"},
    {"further_text", further_text, "not ok"},
    {"other_signal", other_signal, "not ok"},
    {"noise", noise, "not ok"},
    {"other_status", other_status, "not ok"},
    {"hang", hang, "not ok"},
    {"skip_after_failure", skip_after_failure, "not ok"},
    {"skip_with_bad_status", skip_with_bad_status, "not ok"},
};

enum { PLANTED = sizeof planted / sizeof planted[0] };

TESTS(planted)
{
    if (getenv("TEST_PLANTED"))
        for (int i = 0; i < PLANTED; i++)
            test_add(planted[i].body, NULL, "planted_%s", planted[i].name);
}

/* ---- The test ---------------------------------------------------------------------------------------------------- */

TEST(every_fault_is_found)
{
    static char output[16384];
    setenv("TEST_PLANTED", "1", 1);
    setenv("TEST_TIMEOUT", "2", 1);
    char self[4096] = {0}, command[8192];
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    const char *runner = getenv("TEST_RUNNER");
    snprintf(command, sizeof command, "%s '%s' planted_", runner ? runner : "", self);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    int status = pclose(pipe);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);

    char *line = strstr(output, "1..");
    CHECK(line && atoi(line + 3) == PLANTED);
    for (int i = 0; i < PLANTED; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "\n%s %d - planted_%s", planted[i].expected, i + 1, planted[i].name);
        if (!strstr(output, wanted))
            test_fail(__FILE__, __LINE__, "no line \"%s\"", wanted + 1);
    }
    CHECK(strstr(output, "ok 2 - planted_skipped # SKIP planted\n"));
    CHECK(strstr(output, "4 (0x4) against 5 (0x5)"));
    CHECK(strstr(output, "ended by SIGUSR1"));
    CHECK(strstr(output, "ended by SIGALRM"));
}

TEST(same_seed_same_numbers)
{
    uint64_t one = 42, other = 42, first = test_random_from(&one);
    CHECK_EQ(first, test_random_from(&other));
    CHECK(test_random_from(&one) != first);
    CHECK(test_random() != test_random());
}

TEST(restart_sets_the_options_and_keeps_the_verdict)
{
    test_restart("confirm:off");
    const char *const options = getenv("ASHLAR_CONF");
    CHECK(options != NULL && strcmp(options, "confirm:off") == 0);
}
