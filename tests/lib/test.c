/* test.c: the runner. Nothing here allocates: text is built on the stack and written in one piece, test processes
 * report through one page of shared memory, which a process that restarts itself finds again by the descriptor behind
 * it. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096, WORDS_MAX = 32, ENVIRONMENT_MAX = 4096, DEFAULT_TIMEOUT_SECONDS = 300 };

/* What a test's processes tell the runner. */
struct verdict {
    atomic_int failures;
    atomic_int skipped;
    atomic_int finished; /* the body came to its end */
    char reason[256];    /* of the skip */
    _Alignas(16) unsigned char shared[TEST_SHARED_BYTES];
};

static struct test_case *first_test;
static struct test_case **next_link = &first_test;
static struct test_case generated[TEST_GENERATED_MAX];
static char generated_names[TEST_GENERATED_MAX][TEST_NAME_BYTES];
static int generated_count;

static struct verdict *verdict;
static int verdict_descriptor;
static uint64_t seed;
static const char *current_name;
static bool restarted; /* this image was started by test_restart() */

/* The child of the last DIES, EXITS or PRINTS. */
static int child_status;
static char child_stderr[TEXT_BYTES];

/* ---- Output ------------------------------------------------------------------------------------------------------ */

static void write_all(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(STDOUT_FILENO, text, bytes);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
}

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print(const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_all(text, length < (int)sizeof text ? (size_t)length : sizeof text - 1);
}

void test_note(const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print("# %.2000s\n", text);
}

void test_fail(const char *file, int line, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *end = text; (end = strchr(end, '\n'));)
        *end = '|'; /* a note is one line */
    print("# %s:%d: in %s: %.2000s\n", file, line, current_name, text);
    atomic_fetch_add(&verdict->failures, 1);
    _exit(1);
}

void test_equal(const char *file, int line, const char *text, intmax_t a, intmax_t b)
{
    if (a != b)
        test_fail(file, line, "%s: %jd (0x%jx) against %jd (0x%jx)", text, a, (uintmax_t)a, b, (uintmax_t)b);
}

void test_skip(const char *reason)
{
    snprintf(verdict->reason, sizeof verdict->reason, "%s", reason);
    atomic_store(&verdict->skipped, 1);
    _exit(0);
}

/* ---- Random numbers ---------------------------------------------------------------------------------------------- */

uint64_t test_random_from(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t test_random(void)
{
    static atomic_uint_fast64_t threads;
    static _Thread_local uint64_t state;
    while (state == 0)
        state = (seed + 1 + atomic_fetch_add(&threads, 1)) * UINT64_C(0x9e3779b97f4a7c15);
    return test_random_from(&state);
}

static void choose_seed(void)
{
    const char *given = getenv("TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

void test_register(struct test_case *test)
{
    *next_link = test;
    next_link = &test->next;
}

void test_add(void (*body)(const void *), const void *argument, const char *name_format, ...)
{
    if (generated_count == TEST_GENERATED_MAX) {
        print("Bail out! more than %d generated tests\n", TEST_GENERATED_MAX);
        _exit(1);
    }
    char *name = generated_names[generated_count];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, TEST_NAME_BYTES, name_format, arguments);
    va_end(arguments);
    struct test_case *test = &generated[generated_count++];
    *test = (struct test_case){.name = name, .body_with = body, .argument = argument};
    test_register(test);
}

static bool is_wanted(const struct test_case *test, char **words)
{
    if (*words == NULL)
        return true;
    for (; *words; words++)
        if (strstr(test->name, *words))
            return true;
    return false;
}

/* ---- One test in its process ------------------------------------------------------------------------------------- */

static unsigned timeout_seconds(void)
{
    const char *given = getenv("TEST_TIMEOUT");
    return given ? (unsigned)strtoul(given, NULL, 10) : DEFAULT_TIMEOUT_SECONDS;
}

/* Ends with its parent and with the time allowed, and leaves no core file. */
static void tame_this_process(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(timeout_seconds());
}

static void __attribute__((noreturn)) run_here(const struct test_case *test)
{
    current_name = test->name;
    tame_this_process();
    pid_t self = getpid();
    if (test->body)
        test->body();
    else
        test->body_with(test->argument);
    if (getpid() != self)
        test_fail(__FILE__, __LINE__, "a forked child returned from the test");
    atomic_store(&verdict->finished, 1);
    _exit(0);
}

/* returns: whether the test passed or was skipped. A sanitizer that found something changes the exit status, of a
 * skipped test too. */
static bool print_verdict(int number, const char *name, int status)
{
    bool sound = verdict->failures == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool skipped = sound && verdict->skipped;
    bool passed = sound && verdict->finished;
    if (skipped)
        print("ok %d - %s # SKIP %s\n", number, name, verdict->reason);
    else if (passed)
        print("ok %d - %s\n", number, name);
    else
        print("not ok %d - %s\n", number, name);
    if (skipped || passed)
        return true;
    if (WIFSIGNALED(status))
        print("#   ended by SIG%s\n", sigabbrev_np(WTERMSIG(status)));
    else if (verdict->failures == 0)
        print("#   left with status %d%s\n", WEXITSTATUS(status),
              verdict->skipped || verdict->finished ? "" : " before its end");
    return false;
}

/* returns: whether the test passed or was skipped. */
static bool run(const struct test_case *test, int number)
{
    memset(verdict, 0, sizeof *verdict);
    pid_t child = fork();
    if (child == 0)
        run_here(test);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0)
        print("# fork: %s\n", strerror(errno));
    return print_verdict(number, test->name, child < 0 ? SIGKILL : status);
}

/* ---- A new image of this program --------------------------------------------------------------------------------- */

/* Split `text` at blanks into `words`. returns: how many. */
static int split_words(char *text, char **words, int words_max)
{
    int count = 0;
    for (char *word = strtok(text, " "); word && count < words_max; word = strtok(NULL, " "))
        words[count++] = word;
    return count;
}

static bool has_name(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

void test_restart(const char *ashlar_conf)
{
    if (restarted)
        return;
    static char conf[TEXT_BYTES], state[64], seed_text[64], self[TEXT_BYTES], runner[TEXT_BYTES];
    static char *environment[ENVIRONMENT_MAX + 4], *words[WORDS_MAX + 4];
    int count = 0;
    for (char **entry = environ; *entry && count < ENVIRONMENT_MAX; entry++)
        if (!has_name(*entry, "ASHLAR_CONF") && !has_name(*entry, "TEST_SEED"))
            environment[count++] = *entry;
    snprintf(state, sizeof state, "TEST_STATE=%d", verdict_descriptor);
    environment[count++] = state;
    snprintf(seed_text, sizeof seed_text, "TEST_SEED=%llu", (unsigned long long)seed);
    environment[count++] = seed_text;
    if (ashlar_conf) {
        snprintf(conf, sizeof conf, "ASHLAR_CONF=%s", ashlar_conf);
        environment[count++] = conf;
    }

    const char *given = getenv("TEST_RUNNER");
    snprintf(runner, sizeof runner, "%s", given ? given : "");
    int length = split_words(runner, words, WORDS_MAX);
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    if (bytes < 0)
        test_fail(__FILE__, __LINE__, "/proc/self/exe: %s", strerror(errno));
    words[length++] = self;
    words[length++] = (char *)"--restarted";
    words[length++] = (char *)current_name;
    execvpe(words[0], words, environment);
    test_fail(__FILE__, __LINE__, "cannot start %s: %s", words[0], strerror(errno));
}

bool test_restarted(void) { return restarted; }

bool test_emulated(void) { return getenv("TEST_RUNNER") != NULL; }

void *test_shared(void) { return verdict->shared; }

static void map_verdict(void)
{
    const char *inherited = restarted ? getenv("TEST_STATE") : NULL;
    verdict_descriptor = inherited ? atoi(inherited) : memfd_create("test-verdict", 0);
    if (!inherited && ftruncate(verdict_descriptor, sizeof *verdict) != 0)
        verdict_descriptor = -1;
    verdict = mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED, verdict_descriptor, 0);
    if (verdict == MAP_FAILED) {
        print("Bail out! no shared memory: %s\n", strerror(errno));
        _exit(1);
    }
}

/* ---- Children of DIES, EXITS and PRINTS -------------------------------------------------------------------------- */

/* Read everything, keep the beginning. */
static void drain(int descriptor, char *text, size_t bytes)
{
    size_t kept = 0;
    char rest[512];
    for (;;) {
        size_t room = bytes - 1 - kept;
        ssize_t got = read(descriptor, room ? text + kept : rest, room ? room : sizeof rest);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        if (got > 0 && room)
            kept += (size_t)got;
    }
    text[kept] = '\0';
}

/* An emulator adds a line of its own to what a child that dies of a signal has printed. */
static void drop_emulators_line(char *text)
{
    char *line = strstr(text, "qemu: uncaught target signal");
    if (line && (line == text || line[-1] == '\n'))
        *line = '\0';
}

bool test_child_begin(void)
{
    int ends[2];
    if (pipe(ends) != 0)
        test_fail(__FILE__, __LINE__, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        test_fail(__FILE__, __LINE__, "fork: %s", strerror(errno));
    if (child == 0) {
        tame_this_process();
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        return true;
    }
    close(ends[1]);
    drain(ends[0], child_stderr, sizeof child_stderr);
    if (test_emulated())
        drop_emulators_line(child_stderr);
    close(ends[0]);
    while (waitpid(child, &child_status, 0) < 0 && errno == EINTR)
        ;
    return false;
}

int test_child_status(void) { return child_status; }

const char *test_child_stderr(void) { return child_stderr; }

void test_child_end(void) { _exit(0); }

static void describe_status(char *text, size_t bytes, int status)
{
    if (WIFSIGNALED(status))
        snprintf(text, bytes, "ended by SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(text, bytes, "exited with %d", WEXITSTATUS(status));
}

static void compare_child(const char *file, int line, int status, const char *expected)
{
    bool ended_so = WIFSIGNALED(status) == WIFSIGNALED(child_status) &&
                    (WIFSIGNALED(status) ? WTERMSIG(status) == WTERMSIG(child_status)
                                         : WEXITSTATUS(status) == WEXITSTATUS(child_status));
    if (ended_so && strcmp(expected, child_stderr) == 0)
        return;
    char wanted[128], got[128];
    describe_status(wanted, sizeof wanted, status);
    describe_status(got, sizeof got, child_status);
    test_fail(file, line, "the child %s and printed \"%.800s\"; wanted: %s and \"%.800s\"", got, child_stderr, wanted,
              expected);
}

bool test_child_died(const char *file, int line, const char *format, ...)
{
    char expected[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(expected, sizeof expected - 1, format, arguments);
    va_end(arguments);
    strcpy(expected + length, "\n");
    compare_child(file, line, SIGABRT, expected);
    return false;
}

bool test_child_exited(const char *file, int line, int status)
{
    compare_child(file, line, status << 8, "");
    return false;
}

bool test_child_printed(const char *file, int line, int status, const char *format, ...)
{
    char expected[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    compare_child(file, line, status << 8, expected);
    return false;
}

/* ---- The program ------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) run_without_fork(char **words, bool exact)
{
    for (struct test_case *test = first_test; test; test = test->next)
        if (exact ? strcmp(test->name, words[0]) == 0 : is_wanted(test, words))
            run_here(test);
    print("Bail out! no such test: %s\n", words[0] ? words[0] : "");
    _exit(1);
}

int main(int argc, char **argv)
{
    (void)argc;
    char **words = argv + 1;
    bool here = words[0] && strcmp(words[0], "--here") == 0;
    restarted = words[0] && strcmp(words[0], "--restarted") == 0;
    choose_seed();
    map_verdict();
    if (here || restarted)
        run_without_fork(words + 1, restarted);

    int count = 0, number = 0;
    for (struct test_case *test = first_test; test; test = test->next)
        count += is_wanted(test, words);
    print("TAP version 13\n1..%d\n# seed %llu\n", count, (unsigned long long)seed);
    bool passed = count > 0;
    for (struct test_case *test = first_test; test; test = test->next)
        if (is_wanted(test, words))
            passed &= run(test, ++number);
    return passed ? 0 : 1;
}
