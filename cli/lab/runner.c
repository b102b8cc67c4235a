/* runner.c: starts the children of an experiment, with their limits, and listens to them.
 *
 *   fork --> limits, pipe, environment --> exec of this command --> "metric x value", "skip reason", "allocator name"
 *
 * Each child leads a process group, so that what it started (a compiler) ends with it; and it dies with us. */
#include "runner.h"

#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SECONDS = 30, CHILD_SECONDS_QUICK = 4, TEXT_MOST = 4 << 20 };

/* A signal that comes just before poll() does not wake it: so often we look. */
enum { GLANCE_MS = 100 };

#define INTERNAL_NAME "lab-experiment" /* as in main.c */

/* ---- Signals to us ---- */

static volatile sig_atomic_t stopped_by;

static void note_signal(int signal) { stopped_by = signal; }

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { SIGNALS = sizeof signals / sizeof *signals };
static struct sigaction kept[SIGNALS];

void runner_catch_signals(void)
{
    const struct sigaction action = {.sa_handler = note_signal}; /* no SA_RESTART: poll shall come back */

    for (size_t i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &kept[i]) == 0 && kept[i].sa_handler != SIG_IGN) /* nohup(1) */
            (void)sigaction(signals[i], &action, NULL);
}

void runner_release_signals(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &kept[i], NULL);
}

int runner_signal(void) { return stopped_by; }

/* ---- The child's side of the fork ---- */

static void preload(const char *library)
{
    const char *const before = getenv("LD_PRELOAD");
    const bool any = before != NULL && *before != '\0';
    char *value;

    if (library == NULL)
        return;
    if (asprintf(&value, "%s%s%s", library, any ? ":" : "", any ? before : "") < 0 ||
        setenv("LD_PRELOAD", value, 1) != 0)
        child_skip(TEXT_skip_memory);
}

/* In the place of what the user has set: what is measured is this. */
static void set_check(const char *check_mem)
{
    char setting[32];

    if (snprintf(setting, sizeof setting, "check_mem:%s", check_mem) >= (int)sizeof setting ||
        setenv("ASHLAR_CONF", setting, 1) != 0)
        child_skip(TEXT_skip_memory);
}

/* Where memory runs out although each child has its limit, a child is to be killed and nobody's program. source:
 * proc(5). */
static void volunteer(void)
{
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (file >= 0) {
        (void)!write(file, "1000", 4);
        (void)close(file);
    }
}

static void connect(int pipe)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (dup2(pipe, STDOUT_FILENO) < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(nothing, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
}

static _Noreturn void become_child(const struct runner *runner, const struct lab_card *card,
                                   const struct lab_part *part, int pipe, pid_t parent)
{
    char seed[24], most[24];
    char *const words[] = {(char *)"ashlar",
                           (char *)INTERNAL_NAME,
                           (char *)card->id,
                           (char *)part->name,
                           seed,
                           most,
                           (char *)(runner->order.quick ? "quick" : "full"),
                           NULL};

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it ended before we asked */
    connect(pipe);
    volunteer();
    child_limit(RLIMIT_CORE, 0);
    if (part->stack != 0)
        child_limit(RLIMIT_STACK, part->stack);
    preload(part->check_mem != NULL ? runner->checking : runner->library);
    if (part->check_mem != NULL)
        set_check(part->check_mem);
    (void)setenv("TMPDIR", runner->place, 1);
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)runner->order.seed);
    (void)snprintf(most, sizeof most, "%zu", runner->order.most);
    (void)execv("/proc/self/exe", words);
    _exit(EXIT_FAILURE);
}

/* ---- Ours ---- */

struct child {
    pid_t pid;
    int pipe;
    uint64_t deadline_ns;
    bool is_last; /* what ends then is the lab's time, not the child's own */
    char *text;   /* all that it told */
    size_t bytes;
    bool late;
};

static bool start(const struct runner *runner, const struct lab_card *card, const struct lab_part *part,
                  struct child *child)
{
    const uint64_t most = (uint64_t)(runner->order.quick ? CHILD_SECONDS_QUICK : CHILD_SECONDS) * 1000000000;
    const uint64_t own = child_now_ns() + most;
    const pid_t self = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *child = (struct child){.pipe = ends[0], .deadline_ns = own, .is_last = runner->deadline_ns < own};
    if (child->is_last)
        child->deadline_ns = runner->deadline_ns;
    child->pid = fork();
    if (child->pid == 0)
        become_child(runner, card, part, ends[1], self);
    (void)close(ends[1]);
    if (child->pid > 0) /* the child does this, too: whoever comes first, finish() finds a group to end */
        (void)setpgid(child->pid, child->pid);
    if (child->pid < 0) {
        (void)close(ends[0]);
        return false;
    }
    return true;
}

/* Milliseconds that the child has left. */
static int patience(const struct child *child)
{
    const uint64_t now = child_now_ns();

    return now < child->deadline_ns ? (int)((child->deadline_ns - now) / 1000000 + 1) : 0;
}

/* Read until the child closes its end, is late, or we are stopped. */
static void listen_to(struct child *child)
{
    struct pollfd wait = {.fd = child->pipe, .events = POLLIN};
    size_t room = 0;

    while (stopped_by == 0) {
        const int left = patience(child);
        const int ready = poll(&wait, 1, left < GLANCE_MS ? left : GLANCE_MS);

        if ((ready == 0 && left > GLANCE_MS) || (ready < 0 && errno == EINTR))
            continue;
        child->late = ready <= 0 || child->bytes >= TEXT_MOST;
        if (child->late)
            return;
        if (child->bytes + 4096 > room)
            child->text = model_grown(child->text, room += 65536);
        const ssize_t length = read(child->pipe, child->text + child->bytes, room - child->bytes - 1);
        if (length <= 0)
            return;
        child->bytes += (size_t)length;
    }
}

/* Wait for the end, which may have to be brought about. returns: the wait status. */
static int finish(struct child *child)
{
    int status = 0;

    /* A child that closed its pipe is about to end; one that does not is late. */
    while (!child->late && stopped_by == 0) {
        const pid_t ended = waitpid(child->pid, &status, WNOHANG);

        if (ended == child->pid)
            break;
        child->late = patience(child) == 0;
        (void)poll(NULL, 0, 1);
    }
    (void)kill(-child->pid, SIGKILL); /* the rest of its group, if there is one */
    if (child->late || stopped_by != 0)
        while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
            continue;
    (void)close(child->pipe);
    return status;
}

/* ---- What it told ---- */

struct told {
    struct samples *samples;
    int run;
    enum text reason; /* it skipped */
    bool garbled;
};

static void take_line(struct runner *runner, struct told *told, const char *line)
{
    char name[48], x[40];
    struct sample sample = {.run = told->run};

    if (strncmp(line, "allocator ", 10) == 0) {
        (void)snprintf(runner->allocator, sizeof runner->allocator, "%s", line + 10);
    } else if (strncmp(line, "skip ", 5) == 0) {
        told->reason = text_find(line + 5);
        told->garbled = told->garbled || told->reason == TEXT_NONE;
    } else if (sscanf(line, "%47s %39s %lf", name, x, &sample.value) == 3 &&
               (sample.metric = metric_find(name)) != METRIC_NONE) {
        sample.has_x = strcmp(x, "-") != 0;
        sample.x = sample.has_x ? strtod(x, NULL) : 0;
        samples_add(told->samples, sample);
    } else {
        told->garbled = true;
    }
}

/* Lines that have their end; a child that died may have left half a one. */
static void take_text(struct runner *runner, struct told *told, struct child *child)
{
    char *line = child->text;

    if (line == NULL)
        return;
    child->text[child->bytes] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        take_line(runner, told, line);
    }
}

static struct part_result judge_end(const struct lab_part *part, const struct told *told, const struct child *child,
                                    int status)
{
    if (stopped_by != 0)
        return (struct part_result){.end = PART_STOPPED};
    if (child->late)
        return (struct part_result){.end = child->is_last ? PART_UNTRIED : PART_LATE};
    if (told->reason != TEXT_NONE)
        return (struct part_result){.end = PART_SKIPPED, .reason = told->reason};
    if (told->garbled || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
        return (struct part_result){.end = PART_DIED};
    if (WIFSIGNALED(status) && part->death == METRIC_NONE)
        return (struct part_result){.end = PART_DIED, .signal = WTERMSIG(status)};
    return (struct part_result){.end = PART_DONE};
}

/* One child from its start to its end. */
static struct part_result run_child(struct runner *runner, const struct lab_card *card, const struct lab_part *part,
                                    struct samples *samples, int run)
{
    struct told told = {.samples = samples, .run = run};
    struct part_result result;
    struct child child;
    int status;

    if (!start(runner, card, part, &child))
        return (struct part_result){.end = PART_SKIPPED, .reason = TEXT_skip_memory};
    listen_to(&child);
    status = finish(&child);
    take_text(runner, &told, &child);
    result = judge_end(part, &told, &child, status);
    if (result.end == PART_DONE && part->death != METRIC_NONE)
        samples_add(
            samples,
            (struct sample){.metric = part->death, .run = run, .value = WIFSIGNALED(status) ? WTERMSIG(status) : 0});
    free(child.text);
    return result;
}

static int runs_of(const struct runner *runner, const struct lab_part *part)
{
    const int wanted = part->runs != 0 ? part->runs : LAB_RUNS;
    const int third = wanted / 3 > LAB_RUNS ? wanted / 3 : LAB_RUNS;

    return runner->order.quick && wanted > LAB_RUNS ? third : wanted;
}

struct part_result runner_part(struct runner *runner, const struct lab_card *card, const struct lab_part *part,
                               struct samples *samples)
{
    const int runs = runs_of(runner, part);
    struct part_result result = {.end = PART_DONE};

    if (part->check_mem != NULL && runner->checking == NULL)
        return (struct part_result){.end = PART_SKIPPED, .reason = TEXT_skip_library};
    for (int run = 0; run < runs && result.end == PART_DONE; run++)
        result = child_now_ns() < runner->deadline_ns ? run_child(runner, card, part, samples, run)
                                                      : (struct part_result){.end = PART_UNTRIED};
    return result;
}
