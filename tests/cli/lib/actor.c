/* actor.c: a program that does what it is told, for the tests of the command.
 *
 *   actor WORD [ARGUMENT...]     the words: see `acts` at the end
 *
 * Compiled with OWN_MALLOC it carries an allocator of its own; with OWN_MALLOC=hidden that is kept from the loader. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef OWN_MALLOC
#define STRING(x) #x
#define VISIBILITY(x) __attribute__((visibility(STRING(x))))

static char arena[1 << 20] __attribute__((aligned(16)));
static size_t arena_used;

VISIBILITY(OWN_MALLOC) void *malloc(size_t bytes)
{
    char *const block = arena + arena_used;

    arena_used += (bytes + 15) & ~(size_t)15;
    return arena_used <= sizeof arena ? block : NULL;
}

VISIBILITY(OWN_MALLOC) void free(void *block) { (void)block; }
#endif

/* Blocks go through here, so that no compiler may leave an allocation out. */
static void *volatile last;

static size_t number(const char *text) { return text != NULL ? strtoul(text, NULL, 0) : 0; }

/* Allocate `count` blocks of `bytes` bytes, touch and keep them. */
static void hold(size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        last = malloc(bytes);
        if (last == NULL)
            _exit(99);
        memset(last, 1, bytes);
    }
}

/* Allocate and free until the library has had reason and time to publish its figures. */
static void churn(void)
{
    const struct timespec nap = {.tv_nsec = 10 * 1000000};

    for (unsigned round = 0; round < 30; round++) {
        void *blocks[64];
        for (size_t i = 0; i < 64; i++)
            last = blocks[i] = malloc(100000);
        for (size_t i = 0; i < 64; i++)
            free(blocks[i]);
        (void)nanosleep(&nap, NULL);
    }
}

static int act_exit(char **words) { return (int)number(words[0]); }

static int act_underscore_exit(char **words)
{
    hold(10, 100);
    _exit((int)number(words[0]));
}

static int act_quick_exit(char **words)
{
    hold(10, 100);
    quick_exit((int)number(words[0]));
}

static int act_bare_exit(char **words)
{
    (void)syscall(SYS_exit_group, (int)number(words[0]));
    return 98;
}

static int act_hold(char **words)
{
    hold(number(words[0]), number(words[1]));
    return 0;
}

/* Hold blocks, and be killed by signal words[2]. */
static int act_die(char **words)
{
    hold(number(words[0]), number(words[1]));
    churn();
    (void)raise((int)number(words[2]));
    return 98;
}

/* A child by fork alone: it holds blocks and exits by exit(). */
static int act_fork(char **words)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        hold(number(words[0]), number(words[1]));
        exit(0);
    }
    (void)waitpid(pid, &status, 0);
    return status != 0;
}

/* As `fork`, but the child is killed. */
static int act_fork_die(char **words)
{
    const pid_t pid = fork();

    if (pid == 0)
        (void)act_die(words);
    (void)waitpid(pid, NULL, 0);
    return 0;
}

/* A vfork child that leaves by _exit: it shares our memory and must not touch our page. */
static int act_vfork(char **words)
{
    const int expected = (int)number(words[0]);
    int status = 0;
    pid_t pid;

    hold(100, 100);
    pid = vfork();
    if (pid == 0)
        _exit(expected);
    (void)waitpid(pid, &status, 0);
    hold(100, 100);
    return WEXITSTATUS(status) == expected ? 0 : 97;
}

/* A child made by _Fork, that is without any atfork handler: it has our page's address, but not the page. */
static int act_bare_fork(char **words)
{
    int status = 0;
    const pid_t pid = _Fork();

    (void)words;
    if (pid == 0)
        _exit(0);
    (void)waitpid(pid, &status, 0);
    return status != 0;
}

/* Become actor WORDS in the same process. */
static int act_exec(char **words)
{
    extern char *program_invocation_name;
    char *arguments[16] = {program_invocation_name};

    for (size_t i = 0; i < 14 && words[i] != NULL; i++)
        arguments[i + 1] = words[i];
    hold(50, 50);
    (void)execv("/proc/self/exe", arguments);
    return 98;
}

/* Become another program. */
static int act_become(char **words)
{
    (void)execv(words[0], words);
    return 98;
}

/* Take and print words[0] signals, one by one, and exit with status 7. */
static int act_signals(char **words)
{
    static const int taken[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        (void)sigaddset(&set, taken[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)!write(1, "ready\n", 6);
    for (size_t count = number(words[0]); count > 0; count--) {
        int signal;

        (void)sigwait(&set, &signal);
        printf("got %s\n", sigabbrev_np(signal));
        (void)fflush(stdout);
    }
    return 7;
}

/* Print "ready", then what a line of standard input says. */
static int act_echo(char **words)
{
    char line[100] = "";

    (void)words;
    (void)!write(1, "ready\n", 6);
    for (size_t i = 0; i + 1 < sizeof line && read(0, &line[i], 1) == 1 && line[i] != '\n'; i++)
        continue;
    printf("read %s", line);
    return 0;
}

/* Print the arguments, one per line. */
static int act_arguments(char **words)
{
    for (; *words != NULL; words++)
        printf("[%s]\n", *words);
    return 0;
}

/* Print the open descriptors and the signals that are blocked, ignored and caught. */
static int act_surroundings(char **words)
{
    DIR *const directory = opendir("/proc/self/fd");
    FILE *const status = fopen("/proc/self/status", "r");
    struct dirent *entry;
    char line[200];

    (void)words;
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.')
            printf("descriptor %s\n", entry->d_name);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "Sig", 3) == 0 && strncmp(line, "SigQ", 4) != 0)
            printf("%s", line);
    return 0;
}

static void *allocate_blocks(void *blocks)
{
    for (size_t i = 0; i < 1000; i++)
        ((void **)blocks)[i] = malloc(64);
    return NULL;
}

/* One thread allocates, another one frees. */
static int act_hand_over(char **words)
{
    static void *blocks[1000];
    pthread_t thread;

    (void)words;
    if (pthread_create(&thread, NULL, allocate_blocks, blocks) != 0 || pthread_join(thread, NULL) != 0)
        return 97;
    for (size_t i = 0; i < 1000; i++)
        free(blocks[i]);
    return 0;
}

static int act_free_twice(char **words)
{
    void *const block = malloc(24);

    (void)words;
    last = block;
    free(block);
    free(last);
    return 98;
}

static const struct act {
    const char *word;
    int (*act)(char **words);
} acts[] = {
    {"exit", act_exit},
    {"_exit", act_underscore_exit},
    {"quick_exit", act_quick_exit},
    {"bare_exit", act_bare_exit},
    {"hold", act_hold},
    {"die", act_die},
    {"fork", act_fork},
    {"fork_die", act_fork_die},
    {"vfork", act_vfork},
    {"bare_fork", act_bare_fork},
    {"exec", act_exec},
    {"become", act_become},
    {"signals", act_signals},
    {"echo", act_echo},
    {"arguments", act_arguments},
    {"surroundings", act_surroundings},
    {"hand_over", act_hand_over},
    {"free_twice", act_free_twice},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof acts / sizeof *acts; i++)
        if (strcmp(argv[1], acts[i].word) == 0)
            return acts[i].act(argv + 2);
    (void)fprintf(stderr, "actor: what?\n");
    return 96;
}
