/* sweep.c: rounds of children. In each round every variant is measured once, with one thread and with two, in a fresh
 * random order; a round in which the host took processor time away is measured again while there is time. */
#include "tune.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_SECONDS = 60, PAIRS = TUNE_VARIANTS * TUNE_THREADINGS };

/* Eight second-level caches of a core: who reads a smaller copy afterwards would pay for what the copy saved, and a
 * sweep does not read. A size that is not told, or hardly true, is replaced as src/mem/level.c does it. */
static size_t nt_least(void)
{
    enum { CACHES = 8, UNKNOWN = 512 << 10, LEAST = 128 << 10, MOST = 4 << 20 };
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    const long cache = bytes <= 0 ? UNKNOWN : bytes < LEAST ? LEAST : bytes > MOST ? MOST : bytes;

    return CACHES * (size_t)cache;
}

void tune_plan(struct tune_sweep *sweep, size_t most)
{
    cpu_set_t allowed;

    sweep->size_count = 0;
    for (size_t bytes = TUNE_LEAST; bytes <= most && sweep->size_count < TUNE_SIZES; bytes *= 2)
        sweep->sizes[sweep->size_count++] = bytes;
    sweep->threadings =
        sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1 ? TUNE_THREADINGS : 1;
    sweep->nt_least = nt_least();
    for (int variant = 0; variant < TUNE_VARIANTS; variant++)
        sweep->has[variant] = true;
#if defined(__x86_64__)
    sweep->has[TUNE_AVX2] = __builtin_cpu_supports("avx2");
    sweep->has[TUNE_AVX512] = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    sweep->has[TUNE_SSE2] = sweep->has[TUNE_AVX2] = sweep->has[TUNE_AVX512] = false;
    sweep->has[TUNE_STRING] = sweep->has[TUNE_NT] = false;
#endif
}

/* ---- One child ----------------------------------------------------------------------------------------------------------- */

struct child {
    enum tune_variant variant;
    int threading;
};

/* In the child: become the one that measures. The variables are its own. */
static _Noreturn void become(const struct child *child, const struct found_library *found, size_t most)
{
    const char *const options = tune_variants[child->variant].options;
    char threads[16], bytes[32];
    char *words[] = {(char[]){"ashlar"}, (char[]){"tune-measure"}, threads, bytes, NULL};

    (void)snprintf(threads, sizeof threads, "%d", child->threading + 1);
    (void)snprintf(bytes, sizeof bytes, "%zu", most);
    (void)unsetenv("LD_PRELOAD");
    (void)unsetenv("ASHLAR_CONF");
    if (options != NULL &&
        (setenv("LD_PRELOAD", found->memory, 1) != 0 || (*options != '\0' && setenv("ASHLAR_CONF", options, 1) != 0)))
        _exit(EXIT_REFUSED);
    (void)execv("/proc/self/exe", words);
    _exit(EXIT_NO_RUN);
}

/* Read all that the child prints. returns: false when it says nothing for CHILD_SECONDS, or does not end. */
static bool read_all(int from, char *text, size_t room)
{
    struct pollfd ready = {.fd = from, .events = POLLIN};
    size_t length = 0;
    ssize_t got = 1;

    while (got > 0 && length < room - 1 && poll(&ready, 1, CHILD_SECONDS * 1000) > 0) {
        got = read(from, text + length, room - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    text[length] = '\0';
    return got == 0;
}

/* Put a line "copy BYTES NS" where it belongs. returns: false for anything else. */
static bool take_line(const char *line, const struct tune_sweep *sweep, struct tune_round *round,
                      const struct child *child)
{
    char word[8];
    size_t bytes;
    double ns;

    if (sscanf(line, "%7s %zu %lf", word, &bytes, &ns) != 3 || ns <= 0)
        return false;
    if (strcmp(word, "copy") != 0 && strcmp(word, "set") != 0)
        return false;
    const enum tune_operation operation = strcmp(word, "copy") == 0 ? TUNE_COPY : TUNE_SET;

    for (int size = 0; size < sweep->size_count; size++)
        if (sweep->sizes[size] == bytes) {
            round->ns[child->variant][child->threading][operation][size] = ns;
            return true;
        }
    return false;
}

/* The first line names the library whose memcpy was measured: it has to be ours where ours was preloaded. */
static bool take_text(char *text, const struct tune_sweep *sweep, struct tune_round *round, const struct child *child)
{
    const bool wants_ours = tune_variants[child->variant].options != NULL;
    char *rest = NULL;
    const char *line = strtok_r(text, "\n", &rest);
    int lines = 0;

    if (line == NULL || (strstr(line, "libashlar-mem") != NULL) != wants_ours)
        return false;
    while ((line = strtok_r(NULL, "\n", &rest)) != NULL)
        lines += take_line(line, sweep, round, child);
    return lines == TUNE_OPERATIONS * sweep->size_count;
}

static bool measure_one(const struct tune_sweep *sweep, const struct found_library *found, struct tune_round *round,
                        const struct child *child, struct refusal *why)
{
    const char *const name = tune_variants[child->variant].name;
    char text[4096];
    int ends[2], status = 0;

    if (pipe(ends) != 0)
        return refuse(why, EXIT_REFUSED, "child", "cannot start a child: %s", strerror(errno));
    const pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        become(child, found, sweep->sizes[sweep->size_count - 1]);
    }
    (void)close(ends[1]);
    const bool ended = pid > 0 && read_all(ends[0], text, sizeof text);
    (void)close(ends[0]);
    if (pid < 0)
        return refuse(why, EXIT_REFUSED, "child", "cannot start a child: %s", strerror(errno));
    if (!ended)
        (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    if (!ended || status != 0 || !take_text(text, sweep, round, child))
        return refuse(why, EXIT_REFUSED, "child", "measuring %s with %d threads failed%s", name, child->threading + 1,
                      ended ? "" : ": it did not end");
    return true;
}

/* ---- Rounds ---------------------------------------------------------------------------------------------------------------- */

/* Processor time that the host gave to others, and all of it, in ticks. source: proc(5), /proc/stat. */
static void read_steal(unsigned long long *steal, unsigned long long *all)
{
    unsigned long long field[8] = {0};
    FILE *const file = fopen("/proc/stat", "re");

    *steal = *all = 0;
    if (file == NULL)
        return;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &field[0], &field[1], &field[2], &field[3],
               &field[4], &field[5], &field[6], &field[7]) == 8) {
        *steal = field[7];
        for (int i = 0; i < 8; i++)
            *all += field[i];
    }
    (void)fclose(file);
}

/* Put the pairs of this sweep in a random order. returns: how many. */
static int draw_order(const struct tune_sweep *sweep, struct child order[PAIRS], uint64_t *state)
{
    int count = 0;

    for (int variant = 0; variant < TUNE_VARIANTS; variant++)
        for (int threading = 0; threading < sweep->threadings && sweep->has[variant]; threading++)
            order[count++] = (struct child){(enum tune_variant)variant, threading};
    for (int i = count - 1; i > 0; i--) {
        const int k = (int)(statistics_random(state) % (uint64_t)(i + 1));
        const struct child swapped = order[i];
        order[i] = order[k];
        order[k] = swapped;
    }
    return count;
}

static double now_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool tune_measure(struct tune_sweep *sweep, const struct found_library *found, double seconds, uint64_t seed,
                  void (*progress)(double done), struct refusal *why)
{
    const double start = now_seconds();
    uint64_t state = seed;
    double longest = 0;

    while (sweep->rounds < TUNE_ROUNDS) {
        const double begun = now_seconds();
        struct child order[PAIRS];
        unsigned long long steal[2], all[2];
        const int count = draw_order(sweep, order, &state);

        if (sweep->rounds >= TUNE_LEAST_ROUNDS && begun - start + longest > seconds)
            break;
        read_steal(&steal[0], &all[0]);
        for (int i = 0; i < count; i++) {
            if (!measure_one(sweep, found, &sweep->samples[sweep->rounds], &order[i], why))
                return false;
            progress((now_seconds() - start) / seconds);
        }
        read_steal(&steal[1], &all[1]);
        longest = now_seconds() - begun > longest ? now_seconds() - begun : longest;
        const bool is_disturbed = (steal[1] - steal[0]) * 100 > all[1] - all[0];
        if (is_disturbed && now_seconds() - start < seconds) {
            sweep->discarded++;
            continue;
        }
        sweep->disturbed += is_disturbed;
        sweep->rounds++;
    }
    return true;
}
