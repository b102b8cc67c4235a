/* judged.c: what cli/tune/judge.c and cli/statistics.c make of made-up samples. judge.py starts it.
 *
 *   judged median < NUMBERS                     median, low and high of numbers, each from a run of its own
 *   judged sweep ROUNDS NOISE SEED [CHANGE...]  advice for a sweep of made-up times: "LEVEL COPY SET", where COPY is
 *                                               "kept" or "FROM-BELOW" in bytes, with "/FROM" behind it
 *                                               where copies past the caches are told it; then the
 *                                               settings for ASHLAR_CONF, and the line with those for
 *                                               GLIBC_TUNABLES
 *
 * All ways take as long, with a spread of NOISE (a share of 1) in each time. A CHANGE is
 * VARIANT:OPERATION:FROM:TO:FACTOR: that variant takes FACTOR times as long for sizes from FROM up to TO. Copies past
 * the caches are looked at from NT_LEAST on. */
#include "tune/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MOST = 1000, NT_LEAST = 16 << 20 };

static uint64_t state;

/* About normal: mean 1, deviation `noise`. */
static double disturbed(double noise)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += (double)(statistics_random(&state) >> 11) * 0x1p-53;
    return exp(noise * sum);
}

static void make_sweep(struct tune_sweep *sweep, double noise)
{
    sweep->size_count = TUNE_SIZES;
    sweep->threadings = TUNE_THREADINGS;
    sweep->nt_least = NT_LEAST;
    for (int size = 0; size < TUNE_SIZES; size++)
        sweep->sizes[size] = (size_t)TUNE_LEAST << size;
    for (int variant = 0; variant < TUNE_VARIANTS; variant++) {
        sweep->has[variant] = true;
        for (int round = 0; round < sweep->rounds; round++)
            for (int threading = 0; threading < TUNE_THREADINGS; threading++)
                for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
                    for (int size = 0; size < TUNE_SIZES; size++)
                        sweep->samples[round].ns[variant][threading][operation][size] = 100 * disturbed(noise);
    }
}

static bool change(struct tune_sweep *sweep, const char *text)
{
    char variant[16], operation[8];
    size_t from, to;
    double factor;
    int which = 0;

    if (sscanf(text, "%15[^:]:%7[^:]:%zu:%zu:%lf", variant, operation, &from, &to, &factor) != 5)
        return false;
    while (which < TUNE_VARIANTS && strcmp(tune_variants[which].name, variant) != 0)
        which++;
    if (which == TUNE_VARIANTS)
        return false;
    for (int round = 0; round < sweep->rounds; round++)
        for (int threading = 0; threading < TUNE_THREADINGS; threading++)
            for (int size = 0; size < TUNE_SIZES; size++)
                if (sweep->sizes[size] >= from && sweep->sizes[size] < to)
                    sweep->samples[round].ns[which][threading][strcmp(operation, "set") == 0][size] *= factor;
    return true;
}

static void print_ways(const struct tune_ways *ways)
{
    if (tune_changes_string(ways))
        (void)printf(" %zd-%zd", (ssize_t)ways->string.least, (ssize_t)ways->string.most);
    else
        (void)printf(" kept");
    if (tune_changes_nt(ways))
        (void)printf("/%zd", (ssize_t)ways->nt_from);
}

static int judge_sweep(int argc, char **argv)
{
    static struct tune_sweep sweep;

    if (argc < 5 || (sweep.rounds = atoi(argv[2])) < 1 || sweep.rounds > TUNE_ROUNDS)
        return 2;
    state = strtoull(argv[4], NULL, 10);
    make_sweep(&sweep, atof(argv[3]));
    for (int i = 5; i < argc; i++)
        if (!change(&sweep, argv[i]))
            return 2;
    const struct tune_advice advice = tune_judge(&sweep);
    char *const conf = tune_conf(&advice);
    if (conf == NULL)
        return 1;
    (void)printf("%s", tune_variants[advice.level].name);
    print_ways(&advice.ways[TUNE_COPY]);
    print_ways(&advice.ways[TUNE_SET]);
    (void)printf("\n%s\n", conf);
    tune_put_tunables(stdout, &advice);
    free(conf);
    return 0;
}

static int sum_up(void)
{
    static struct statistics_sample samples[NUMBERS_MOST];
    static double scratch[2 * NUMBERS_MOST];
    size_t n = 0;

    while (n < NUMBERS_MOST && scanf("%lf", &samples[n].value) == 1) {
        samples[n].run = (int)n;
        n++;
    }
    if (n == 0)
        return 2;
    const struct statistics sum = statistics_of(samples, n, 1, scratch);
    (void)printf("%.17g %.17g %.17g %.17g\n", sum.median, sum.lo, sum.hi, sum.p99);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sweep") == 0)
        return judge_sweep(argc, argv);
    return argc == 2 && strcmp(argv[1], "median") == 0 ? sum_up() : 2;
}
