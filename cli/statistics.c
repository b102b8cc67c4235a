/* statistics.c: from samples to a median with its uncertainty. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

enum { RESAMPLES = 400, RUNS_MOST = 64 };

uint64_t statistics_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;

    return (left > right) - (left < right);
}

static double sorted_quantile(const double sorted[], size_t n, double q)
{
    const double place = q * (double)(n - 1);
    const size_t below = (size_t)place;
    const double rest = place - (double)below;

    return rest > 0 ? sorted[below] + rest * (sorted[below + 1] - sorted[below]) : sorted[below];
}

double statistics_quantile(double values[], size_t n, double q)
{
    qsort(values, n, sizeof *values, by_value);
    return sorted_quantile(values, n, q);
}

/* Where the samples of each run begin; starts[returned] is n. */
static size_t find_runs(const struct statistics_sample samples[], size_t n, size_t starts[RUNS_MOST + 1])
{
    size_t runs = 0;

    for (size_t i = 0; i < n; i++)
        if (i == 0 || (samples[i].run != samples[i - 1].run && runs < RUNS_MOST))
            starts[runs++] = i;
    starts[runs] = n;
    return runs;
}

/* The median of as many samples as there are, drawn with replacement: first the runs, then samples of each. */
static double resampled_median(const struct statistics_sample samples[], const size_t starts[], size_t runs,
                               double drawn[], uint64_t *state)
{
    size_t count = 0;

    for (size_t i = 0; i < runs; i++) {
        const size_t run = statistics_random(state) % runs;
        const size_t size = starts[run + 1] - starts[run];

        for (size_t k = starts[i]; k < starts[i + 1]; k++)
            drawn[count++] = samples[starts[run] + statistics_random(state) % size].value;
    }
    return statistics_quantile(drawn, count, 0.5);
}

struct statistics statistics_of(const struct statistics_sample samples[], size_t n, uint64_t seed, double scratch[])
{
    double medians[RESAMPLES];
    size_t starts[RUNS_MOST + 1];
    const size_t runs = find_runs(samples, n, starts);
    double *const values = scratch;
    struct statistics result = {.n = n};

    for (size_t i = 0; i < n; i++)
        values[i] = samples[i].value;
    result.median = statistics_quantile(values, n, 0.5);
    result.p99 = sorted_quantile(values, n, 0.99);
    result.lo = result.hi = result.median;
    if (values[0] < values[n - 1]) {
        for (size_t i = 0; i < RESAMPLES; i++)
            medians[i] = resampled_median(samples, starts, runs, scratch + n, &seed);
        result.lo = fmin(result.median, statistics_quantile(medians, RESAMPLES, 0.025));
        result.hi = fmax(result.median, sorted_quantile(medians, RESAMPLES, 0.975));
    }
    return result;
}
