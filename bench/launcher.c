/* launcher.c: run one command under one malloc and report what it cost.
 *
 *   launcher [--preload LIBRARY] [--cpu N] [--user N] [--ready SCRIPT --client SCRIPT] --report FD
 *            -- COMMAND [ARGUMENT...]
 *
 * Why a program of its own: the kernel's peak RSS of a process starts with that of the program which forked it, so a
 * big parent (an interpreter) would hide small children. This one is linked statically and touches well below 1 MiB. It
 * also keeps the preload away from whoever measures, and starts and stops the clock next to fork and wait.
 *
 * One line goes to descriptor FD: wall_ns user_us system_us peak_kib minor_faults major_faults voluntary involuntary,
 * each as name=value; and exit=STATUS or signal=NUMBER. CPU time, faults and peak cover the command and all the
 * children that it waited for; the peak is that of the largest single process. Exit status: 0 when the command ran,
 * whatever became of it; 125 when the launcher itself failed; 127 no such command.
 *
 * With --client the command is a server:
 *
 *   command: | starts ........ | serves .............. | SIGTERM, ends |
 *   ready:     | no | no | yes |
 *   client:                    | asks ... is answered  |
 *                              |<------- wall -------->|
 *
 * The shell runs the script --ready again and again until it succeeds, then the script --client, both without the
 * preload and on any processor. Wall time is the client's; all else in the report is the server's, from its start to
 * its end. The launcher fails when the client does, or when the server ends with success before it is told to; a
 * server that crashes is reported as any command is. The server never outlives the launcher, nor the launcher whoever
 * started it. The result is the client's output: what the server prints goes to stderr.
 *
 * --user is a number for user and group: some servers refuse to run as root. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct request {
    const char *preload; /* NULL: none */
    int cpu;             /* -1: any */
    int user;            /* of the command, and its group; -1: as we are */
    int report;          /* descriptor */
    const char *ready;   /* scripts, both or none */
    const char *client;
    char **command;
};

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("launcher: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(125);
}

static int number_of(const char *text)
{
    char *end;
    const long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 0 || number > 1 << 20)
        fail("'%s' is not a number from 0 to 2^20", text);
    return (int)number;
}

static struct request parse(int count, char **values)
{
    struct request request = {.preload = NULL, .cpu = -1, .user = -1, .report = -1};
    int i = 1;
    for (; i + 1 < count && strcmp(values[i], "--") != 0; i += 2) {
        if (strcmp(values[i], "--preload") == 0)
            request.preload = values[i + 1];
        else if (strcmp(values[i], "--cpu") == 0)
            request.cpu = number_of(values[i + 1]);
        else if (strcmp(values[i], "--user") == 0)
            request.user = number_of(values[i + 1]);
        else if (strcmp(values[i], "--ready") == 0)
            request.ready = values[i + 1];
        else if (strcmp(values[i], "--client") == 0)
            request.client = values[i + 1];
        else if (strcmp(values[i], "--report") == 0)
            request.report = number_of(values[i + 1]);
        else
            fail("unknown option %s", values[i]);
    }
    const int pairs = (request.ready == NULL) == (request.client == NULL);
    if (i + 1 >= count || strcmp(values[i], "--") != 0 || request.report < 0 || !pairs)
        fail("usage: launcher [--preload LIBRARY] [--cpu N] [--user N] [--ready SCRIPT --client SCRIPT] --report FD "
             "-- COMMAND [ARGUMENT...]");
    request.command = values + i + 1;
    return request;
}

/* In the child: settle what the command inherits, then become it. The user comes before the signal of our own end,
 * which a change of user forgets. */
__attribute__((noreturn)) static void become(const struct request *request)
{
    if (request->cpu >= 0) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET((size_t)request->cpu, &only);
        if (sched_setaffinity(0, sizeof only, &only) != 0)
            fail("processor %d: %s", request->cpu, strerror(errno));
    }
    const gid_t group = (gid_t)request->user;
    if (request->user >= 0 && (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid((uid_t)request->user) != 0))
        fail("user %d: %s", request->user, strerror(errno));
    if (request->preload != NULL && setenv("LD_PRELOAD", request->preload, 1) != 0)
        fail("LD_PRELOAD: %s", strerror(errno));
    if (request->client != NULL && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        fail("dup2: %s", strerror(errno));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a crash is a result here, not something to keep */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(request->command[0], request->command);
    fprintf(stderr, "launcher: %s: %s\n", request->command[0], strerror(errno));
    _exit(127);
}

static int64_t nanoseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static long long microseconds(struct timeval time) { return (long long)time.tv_sec * 1000000 + time.tv_usec; }

static void report(int descriptor, int64_t wall, const struct rusage *usage, int status)
{
    dprintf(descriptor,
            "wall_ns=%lld user_us=%lld system_us=%lld peak_kib=%ld minor_faults=%ld major_faults=%ld voluntary=%ld "
            "involuntary=%ld %s=%d\n",
            (long long)wall, microseconds(usage->ru_utime), microseconds(usage->ru_stime), usage->ru_maxrss,
            usage->ru_minflt, usage->ru_majflt, usage->ru_nvcsw, usage->ru_nivcsw,
            WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Run a script by the shell. returns: its wait status. */
static int run_script(const char *script, int quiet)
{
    const pid_t child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (quiet && (dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0))
            _exit(127);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) != child)
        if (errno != EINTR)
            fail("waitpid: %s", strerror(errno));
    return status;
}

/* Whether the child has ended; it stays to be waited for. */
static int has_ended(pid_t child)
{
    siginfo_t end = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == child;
}

/* Wait until the server is ready, run the client, and tell the server to end.
 * returns: nanoseconds of the client; -1 when it failed or the server ended by itself. */
static int64_t serve(const struct request *request, pid_t server)
{
    while (run_script(request->ready, 1) != 0) {
        if (has_ended(server))
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    const int64_t start = nanoseconds_now();
    const int status = run_script(request->client, 0);
    const int64_t wall = nanoseconds_now() - start;
    const int served = status == 0 && !has_ended(server);
    kill(server, SIGTERM);
    return served ? wall : -1;
}

int main(int count, char **values)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever measures is gone: so is the measurement */
    const struct request request = parse(count, values);
    if (fcntl(request.report, F_SETFD, FD_CLOEXEC) != 0)
        fail("descriptor %d: %s", request.report, strerror(errno));
    unsetenv("LD_PRELOAD");
    const int64_t start = nanoseconds_now();
    const pid_t child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child == 0)
        become(&request);
    const int64_t client = request.client != NULL ? serve(&request, child) : 0;
    struct rusage usage;
    int status;
    while (wait4(child, &status, 0, &usage) != child)
        if (errno != EINTR)
            fail("wait4: %s", strerror(errno));
    const int64_t wall = nanoseconds_now() - start;
    if (client < 0 && status == 0)
        fail("the client failed, or the server ended before it was told to");
    report(request.report, client > 0 ? client : wall, &usage, status);
    return 0;
}
