/* peak.c: run a program and tell its peak, in KiB: of resident memory, and of address space.
 *
 *     peak PROGRAM [ARGUMENT]...            prints "RESIDENT ADDRESSES"
 *
 * The kernel is asked at the program's exit, while its memory is still there: what wait4 tells begins at the peak of
 * the process that started it, and would hide a small program behind its launcher. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(125);
}

static void become(char **command)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        fail("ptrace");
    execv(command[0], command);
    fail(command[0]);
}

/* A line "NAME: N kB" of the process's status. */
static long status_of(pid_t process, const char *name)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", process);
    FILE *const status = fopen(path, "r");
    long kib = -1;
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtol(line + strlen(name) + 1, NULL, 10);
    if (kib < 0)
        fail(path);
    fclose(status);
    return kib;
}

/* Let `process` run to its exit, passing on its signals. */
static void run_to_exit(pid_t process)
{
    int status;
    if (waitpid(process, &status, 0) != process || !WIFSTOPPED(status))
        fail("waitpid");
    ptrace(PTRACE_SETOPTIONS, process, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
    for (int signal = 0;; signal = WSTOPSIG(status)) {
        ptrace(PTRACE_CONT, process, NULL, (long)signal);
        if (waitpid(process, &status, 0) != process || !WIFSTOPPED(status))
            fail("waitpid");
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
            return;
    }
}

int main(int count, char **arguments)
{
    (void)count;
    const pid_t process = fork();
    if (process == 0)
        become(arguments + 1);
    run_to_exit(process);
    printf("%ld %ld\n", status_of(process, "VmHWM"), status_of(process, "VmPeak"));
    int status;
    ptrace(PTRACE_CONT, process, NULL, NULL);
    waitpid(process, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 124;
}
