/* launch.c: start a command in the foreground and wait for it, as a shell would.
 *
 * Signals. All that concern us are blocked and taken one by one with sigtimedwait(), so there is no handler. A signal
 * from the terminal (its si_code is the kernel's) has reached the command by itself: it is in the same process group.
 * One that a process sent to us is meant for the command and is passed on.
 *
 * Peak RSS. A new process inherits the peak of the memory it was made from, and exec keeps it. So the child is made by
 * fork, which copies only our few anonymous pages; vfork or posix_spawn would let it start with all that we ever used.
 * source: Linux fs/exec.c, exec_mmap(), setmax_mm_hiwater_rss(). */
#include "launch.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 250 }; /* between two looks at the pages */

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

/* What the command gets back before it starts: it shall run as if we were not there. */
struct dispositions {
    sigset_t mask;
    struct sigaction child;
    struct sigaction pipe;
};

uint64_t launch_clock_ns(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* The signals taken one by one: `passed_on`, and SIGCHLD, which tells that the command changed. */
static sigset_t taken_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
        (void)sigaddset(&set, passed_on[i]);
    return set;
}

static void signals_take(struct dispositions *before)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    const sigset_t set = taken_signals();

    (void)sigprocmask(SIG_BLOCK, &set, &before->mask);
    (void)sigaction(SIGCHLD, &by_default, &before->child); /* ignored, it would take the exit status with it */
    (void)sigaction(SIGPIPE, &ignore, &before->pipe);      /* the summary may have no reader: an error, not an end */
}

static void signals_give_back(const struct dispositions *before)
{
    (void)sigaction(SIGCHLD, &before->child, NULL);
    (void)sigaction(SIGPIPE, &before->pipe, NULL);
    (void)sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* The child's side. An error goes back through `report`, which a successful exec closes. */
static _Noreturn void become(char *const command[], const struct dispositions *before, int report)
{
    int error;

    signals_give_back(before);
    output_give_back();
    (void)execvp(command[0], command);
    error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(EXIT_REFUSED);
}

/* Wait until the child has become the command. returns: 0, or the errno value of its exec. */
static int exec_error(int report)
{
    int error = 0;
    ssize_t length;

    do
        length = read(report, &error, sizeof error);
    while (length < 0 && errno == EINTR);
    return length == (ssize_t)sizeof error ? error : 0;
}

static bool start(char *const command[], const struct dispositions *before, struct launched *launched,
                  struct refusal *why)
{
    int report[2];
    int error;

    if (pipe2(report, O_CLOEXEC) != 0)
        return refuse(why, EXIT_REFUSED, "fork", "cannot start '%s': %s", command[0], strerror(errno));
    launched->started_ns = launch_clock_ns(CLOCK_MONOTONIC);
    launched->started_real_ns = launch_clock_ns(CLOCK_REALTIME);
    launched->pid = fork();
    if (launched->pid == 0)
        become(command, before, report[1]);
    error = errno;
    (void)close(report[1]);
    if (launched->pid < 0) {
        (void)close(report[0]);
        return refuse(why, EXIT_REFUSED, "fork", "cannot start '%s': %s", command[0], strerror(error));
    }
    error = exec_error(report[0]);
    (void)close(report[0]);
    if (error == 0)
        return true;
    (void)waitpid(launched->pid, NULL, 0);
    if (error == ENOENT) /* the file is there, it was looked up before: what it needs is not */
        return refuse(why, EXIT_NO_FILE, "not_found", "cannot run '%s': it, its loader or its interpreter is missing",
                      command[0]);
    return refuse(why, EXIT_NO_RUN, "not_executable", "cannot run '%s': %s", command[0], strerror(error));
}

/* The command was stopped. If that came from job control, the shell is to see us stop as well; it continues both of us.
 * Stopped in any other way, whoever did it will continue the command and does not know of us. */
static void stop_with(pid_t pid, int signal)
{
    const int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (terminal < 0)
        return;
    (void)close(terminal);
    if (signal != SIGTSTP && signal != SIGTTIN && signal != SIGTTOU)
        return;
    (void)kill(getpid(), SIGSTOP);
    (void)kill(pid, SIGCONT);
}

/* Whether the command has ended; then `launched` is complete. */
static bool has_ended(struct launched *launched)
{
    int status;

    while (wait4(launched->pid, &status, WNOHANG | WUNTRACED, &launched->usage) == launched->pid) {
        if (WIFSTOPPED(status)) {
            stop_with(launched->pid, WSTOPSIG(status));
            continue;
        }
        launched->wall_ns = launch_clock_ns(CLOCK_MONOTONIC) - launched->started_ns;
        launched->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        launched->status = WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
        return true;
    }
    return false;
}

static void wait_for(struct launched *launched, struct launch_pastime pastime)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    const sigset_t set = taken_signals();

    while (!has_ended(launched)) {
        siginfo_t info;
        const int signal = sigtimedwait(&set, &info, &pause);

        if (signal < 0)
            pastime.now_and_then(pastime.argument);
        else if (signal != SIGCHLD &&
                 info.si_code <= 0) /* sent by a process, sigaction(2): SI_USER, SI_QUEUE, SI_TKILL */
            (void)kill(launched->pid, signal);
    }
}

/* Signals that came too late to be passed on are dropped; from here on we may be interrupted like anybody. */
static void signals_drop(const struct dispositions *before)
{
    const struct timespec now = {0};
    const sigset_t set = taken_signals();

    while (sigtimedwait(&set, NULL, &now) > 0)
        continue;
    (void)sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

bool launch(char *const command[], struct launch_pastime pastime, struct launched *launched, struct refusal *why)
{
    struct dispositions before;

    signals_take(&before);
    if (!start(command, &before, launched, why))
        return false;
    wait_for(launched, pastime);
    signals_drop(&before);
    return true;
}
