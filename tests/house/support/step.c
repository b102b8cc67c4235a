/* step.c: count the instructions that malloc and free of a library really execute on their hot paths.
 *
 *     step LIBRARY          prints "malloc N" and "free N", the most of all rounds
 *
 *   step --fork, exec itself with LD_PRELOAD--> child: warms up, stops; calls malloc and free; stops; ...
 *     `-- steps the child, one instruction at a time, and counts from the entry of a function to its return
 *
 * The child warms its lists, so every call of a round is a hot one: the list of the size is not empty, and the slab
 * does not become empty. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 64, LARGEST = 1024, TAKES_MAX = 10000 };

static void fail(const char *what)
{
    perror(what);
    exit(125);
}

/* ---- The child -------------------------------------------------------------------------------------------------- */

static void *warm_block[BLOCKS];

/* Whether `block` is one of those that warm() frees. */
static int was_freed(const void *block)
{
    for (int i = 0; i < BLOCKS; i += 2)
        if (block == warm_block[i])
            return 1;
    return 0;
}

/* Leave half of the blocks of a size in use and half of them free, and take blocks until one of the freed comes back:
 * the others are on the list behind it. */
static void warm(size_t bytes)
{
    for (int i = 0; i < BLOCKS; i++)
        warm_block[i] = malloc(bytes);
    for (int i = 0; i < BLOCKS; i += 2)
        free(warm_block[i]);
    for (int i = 0; i < TAKES_MAX && !was_freed(malloc(bytes)); i++)
        ;
}

/* Tell the tracer where the functions are, then stop before and after every pair of calls. */
static int run_child(void)
{
    void *(*volatile take)(size_t) = malloc;
    void (*volatile give)(void *) = free;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    dprintf(STDOUT_FILENO, "%p %p\n", (void *)(uintptr_t)take, (void *)(uintptr_t)give);
    for (size_t bytes = 1; bytes <= LARGEST; bytes += 61) {
        warm(bytes);
        raise(SIGSTOP);
        give(take(bytes));
        raise(SIGSTOP);
    }
    return 0;
}

/* ---- The tracer ------------------------------------------------------------------------------------------------- */

/* A function under the count. */
struct counted {
    const char *name;
    uintptr_t entry;
    int most; /* instructions of its longest call */
};

static uintptr_t instruction_pointer(pid_t child, uintptr_t *stack)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, child, NULL, &registers) != 0)
        fail("ptrace: registers");
    *stack = registers.rsp;
    return registers.rip;
}

/* Step until the child stops by itself; it does so when it executes `raise`. Calls of `functions` are counted. */
static void step_to_stop(pid_t child, struct counted *functions)
{
    struct counted *inside = NULL;
    uintptr_t return_address = 0, stack;
    int steps = 0;
    for (;;) {
        int status;
        ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            fail("step: the child ended");
        if (WSTOPSIG(status) == SIGSTOP)
            return;
        const uintptr_t here = instruction_pointer(child, &stack);
        for (struct counted *f = functions; !inside && f->name; f++) {
            if (here == f->entry) {
                inside = f;
                steps = 0;
                return_address = (uintptr_t)ptrace(PTRACE_PEEKDATA, child, (void *)stack, NULL);
            }
        }
        if (inside && here == return_address) {
            inside->most = steps > inside->most ? steps : inside->most;
            inside = NULL;
        }
        steps++;
    }
}

/* Let the child run on to its next stop. returns: 0 when it has exited. */
static int run_to_stop(pid_t child)
{
    int status;
    ptrace(PTRACE_CONT, child, NULL, NULL);
    return waitpid(child, &status, 0) == child && WIFSTOPPED(status);
}

static pid_t start_child(const char *library, FILE **output)
{
    int ends[2];
    if (pipe(ends) != 0)
        fail("pipe");
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv("LD_PRELOAD", library, 1);
        execl("/proc/self/exe", "step", "--child", (char *)NULL);
        fail("exec");
    }
    close(ends[1]);
    *output = fdopen(ends[0], "r");
    return child;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--child") == 0)
        return run_child();
    if (count != 2)
        return 2;
    FILE *output;
    void *entries[2];
    const pid_t child = start_child(arguments[1], &output);
    if (fscanf(output, "%p %p", &entries[0], &entries[1]) != 2)
        fail("the child did not start");
    struct counted functions[] = {{"malloc", (uintptr_t)entries[0], 0}, {"free", (uintptr_t)entries[1], 0}, {0}};

    int status;
    waitpid(child, &status, 0);
    do
        step_to_stop(child, functions);
    while (run_to_stop(child));
    for (struct counted *f = functions; f->name; f++)
        printf("%s %d\n", f->name, f->most);
    return functions[0].most > 0 && functions[1].most > 0 ? 0 : 1;
}
