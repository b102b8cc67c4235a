/* statistics.h: from samples to a median with its uncertainty. No state. */
#ifndef ASHLAR_CLI_STATISTICS_H
#define ASHLAR_CLI_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* The next number of a sequence that `state` (any start) determines. source: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014. */
uint64_t statistics_random(uint64_t *state);

/* One measured value, and the child that measured it. */
struct statistics_sample {
    int run;
    double value;
};

struct statistics {
    double median;
    double lo, hi; /* 95 % confidence interval of the median */
    double p99;
    size_t n;
};

/* Sort `values` and return their quantile q (0 to 1), interpolated; n > 0. */
double statistics_quantile(double values[], size_t n, double q);

/* Sum up n > 0 samples, those of one run side by side. The interval is a bootstrap in two stages, runs and then samples
 * of a run, because samples of one process resemble each other. `seed` determines the draws.
 * source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979; Kalibera, Jones,
 * "Rigorous benchmarking in reasonable time", ISMM 2013 (levels). `scratch` has room for 2 n values. */
struct statistics statistics_of(const struct statistics_sample samples[], size_t n, uint64_t seed, double scratch[]);

#endif
