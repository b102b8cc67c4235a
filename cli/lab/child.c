/* child.c: what an experiment finds in the child process that it has to itself. */
#include "child.h"

#include "card.h"

#include "../refuse.h"
#include "../units.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 7, BATCH_NS = 40000, BATCH_NS_QUICK = 10000, ROUNDS_MOST = 1 << 20 };

static bool is_quick;

/* ---- Telling ---- */

void child_tell(enum metric metric, double value)
{
    (void)dprintf(STDOUT_FILENO, "%s - %.12g\n", metric_info(metric)->name, value);
}

void child_tell_at(enum metric metric, double x, double value)
{
    (void)dprintf(STDOUT_FILENO, "%s %.12g %.12g\n", metric_info(metric)->name, x, value);
}

void child_skip(enum text reason)
{
    (void)dprintf(STDOUT_FILENO, "skip %s\n", text_name(reason));
    _exit(0);
}

/* ---- Looking ---- */

uint64_t child_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

size_t child_page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* Read a short file into `text`. returns: whether there was something. */
static bool read_short(const char *path, char *text, size_t room)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (file < 0)
        return false;
    length = read(file, text, room - 1);
    (void)close(file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

size_t child_rss(void)
{
    char text[2048];
    unsigned long pages, shared;
    const char *at;

    if (read_short("/proc/self/smaps_rollup", text, sizeof text) && (at = strstr(text, "\nAnonymous:")) != NULL)
        return strtoul(at + strlen("\nAnonymous:"), NULL, 10) * 1024;
    if (!read_short("/proc/self/statm", text, sizeof text) || sscanf(text, "%*u %lu %lu", &pages, &shared) != 2)
        child_skip(TEXT_skip_proc);
    return (pages - shared) * child_page();
}

long child_faults(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

void *child_given(void *block)
{
    block = child_launder(block);
    if (block == NULL)
        child_skip(TEXT_skip_memory);
    return block;
}

size_t child_large(const struct child_order *order)
{
    const size_t wanted = (size_t)(order->quick ? 16 : 64) << 20;

    if (order->most < 3 * wanted)
        child_skip(TEXT_skip_most);
    return wanted;
}

void child_limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        child_skip(TEXT_skip_stack);
    limit.rlim_cur = most;
    if (limit.rlim_max < most)
        limit.rlim_max = most;
    if (setrlimit(resource, &limit) != 0)
        child_skip(TEXT_skip_stack);
}

void *child_map(size_t bytes)
{
    void *const memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        child_skip(TEXT_skip_memory);
    return memory;
}

/* ---- Measuring time ---- */

static void do_nothing(void *argument) { (void)child_launder(argument); }

/* Nanoseconds for `rounds` calls. */
static double time_rounds(child_operation *operation, void *argument, unsigned rounds)
{
    child_operation *const called = (child_operation *)(uintptr_t)child_launder((void *)(uintptr_t)operation);
    const uint64_t start = child_now_ns();

    for (unsigned i = 0; i < rounds; i++)
        called(argument);
    return (double)(child_now_ns() - start);
}

/* So many calls that a batch is long beside the clock's own cost. Two batches must be: one may have been interrupted,
 * and the very first warms up what is to be warm. */
static unsigned rounds_for(child_operation *operation, void *argument)
{
    const double long_enough = is_quick ? BATCH_NS_QUICK : BATCH_NS;
    unsigned rounds = 1;

    (void)time_rounds(operation, argument, rounds);
    while (rounds < ROUNDS_MOST &&
           fmin(time_rounds(operation, argument, rounds), time_rounds(operation, argument, rounds)) < long_enough)
        rounds *= 2;
    return rounds;
}

/* Nanoseconds for one empty call: the least of several batches, since nothing makes it shorter than it is. */
static double empty_call_ns(void)
{
    static double known = -1;
    enum { ROUNDS = 20000 };

    if (known >= 0)
        return known;
    for (int i = 0; i < BATCHES; i++) {
        const double ns = time_rounds(do_nothing, NULL, ROUNDS) / ROUNDS;
        known = i == 0 || ns < known ? ns : known;
    }
    return known;
}

static double at_least_zero(double value) { return value > 0 ? value : 0; }

double child_time(enum metric metric, double x, child_operation *operation, void *argument, unsigned things)
{
    const double empty = empty_call_ns();
    const unsigned rounds = rounds_for(operation, argument);
    double batches[BATCHES];

    for (size_t i = 0; i < BATCHES; i++) {
        const double ns = time_rounds(operation, argument, rounds) / rounds;
        batches[i] = at_least_zero(ns - empty) / things;
    }
    for (size_t i = 0; i < BATCHES && metric != METRIC_NONE; i++)
        child_tell_at(metric, x, batches[i]);
    return statistics_quantile(batches, BATCHES, 0.5);
}

double child_time_once(child_operation *operation, void *argument)
{
    const double clock = time_rounds(do_nothing, NULL, 1);

    return at_least_zero(time_rounds(operation, argument, 1) - clock);
}

/* ---- Walking into the end of a stack ---- */

/* Where the handler goes back to. One walk at a time. */
static sigjmp_buf way_back;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(way_back, 1);
}

/* The end of a stack cannot be reported on that stack. source: sigaltstack(2). */
static void catch_refusals(void)
{
    static char stack[64 * 1024];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};

    if (sigaltstack(&alternate, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0 ||
        sigaction(SIGBUS, &action, NULL) != 0)
        child_skip(TEXT_skip_signals);
}

bool child_survives(child_operation *operation, void *argument)
{
    catch_refusals();
    if (sigsetjmp(way_back, 1) != 0)
        return false;
    operation(argument);
    return true;
}

struct walk {
    char *at;
    size_t most;
    size_t page;
    volatile size_t reached;
};

static void walk_pages(void *argument)
{
    struct walk *const walk = argument;

    while (walk->reached < walk->most) {
        walk->at -= walk->page;
        *(volatile char *)child_launder(walk->at) = 1;
        walk->reached += walk->page;
    }
}

size_t child_walk_down(char *from, size_t most)
{
    /* Not on the stack: it is about to be written over. */
    static struct walk walked;

    walked = (struct walk){.at = from, .most = most, .page = child_page()};
    (void)child_survives(walk_pages, &walked);
    return walked.reached;
}

struct errand {
    child_operation *operation;
    void *argument;
};

static void *run_errand(void *argument)
{
    const struct errand *const errand = argument;

    errand->operation(errand->argument);
    return NULL;
}

bool child_on_stack(void *stack, size_t bytes, child_operation *operation, void *argument)
{
    struct errand errand = {operation, argument};
    pthread_attr_t attributes;
    pthread_t thread;
    bool done;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    done = pthread_attr_setstack(&attributes, stack, bytes) == 0 &&
           pthread_create(&thread, &attributes, run_errand, &errand) == 0 && pthread_join(thread, NULL) == 0;
    (void)pthread_attr_destroy(&attributes);
    return done;
}

/* ---- The child ---- */

enum { WORD_CARD = 1, WORD_PART, WORD_SEED, WORD_MOST, WORD_QUICK, WORDS };

static const struct lab_card *find_card(const char *id)
{
    return strcmp(id, card_noise.id) == 0 ? &card_noise : card_find(id);
}

int child_main(int argc, char **argv)
{
    struct child_order order;
    uint64_t most = 0;
    const struct lab_card *const card = argc == WORDS ? find_card(argv[WORD_CARD]) : NULL;
    const struct lab_part *const part = card != NULL ? card_part(card, argv[WORD_PART]) : NULL;

    if (part == NULL || !units_read_count(argv[WORD_SEED], &order.seed) || !units_read_count(argv[WORD_MOST], &most)) {
        complain("this subcommand is for 'ashlar lab' alone");
        return EXIT_USAGE;
    }
    order.most = most;
    order.quick = is_quick = strcmp(argv[WORD_QUICK], "quick") == 0;
    part->run(&order);
    return 0;
}
