/* judge.c: from samples to advice. What lies inside the noise changes nothing. */
#include "tune.h"

#include <math.h>

/* A difference below that is of no use to anybody. */
#define LEAST_MARGIN 0.02

/* Loops matter most where data are in the caches. */
#define LOOP_BYTES_MOST ((size_t)32 << 10)

static double at(const struct tune_round *round, enum tune_variant variant, int threading,
                 enum tune_operation operation, int size)
{
    return round->ns[variant][threading][operation][size];
}

static double ratio_in(const struct tune_round *round, enum tune_operation operation, int threading, int size,
                       enum tune_variant slow, enum tune_variant fast)
{
    return at(round, slow, threading, operation, size) / at(round, fast, threading, operation, size);
}

struct statistics tune_ratio(const struct tune_sweep *sweep, enum tune_operation operation, int threading, int size,
                             enum tune_variant slow, enum tune_variant fast)
{
    struct statistics_sample samples[TUNE_ROUNDS];
    double scratch[2 * TUNE_ROUNDS];

    for (int i = 0; i < sweep->rounds; i++)
        samples[i] =
            (struct statistics_sample){i, ratio_in(&sweep->samples[i], operation, threading, size, slow, fast)};
    return statistics_of(samples, (size_t)sweep->rounds, 1, scratch);
}

double tune_median(const struct tune_sweep *sweep, enum tune_variant variant, int threading,
                   enum tune_operation operation, int size)
{
    double values[TUNE_ROUNDS];

    for (int i = 0; i < sweep->rounds; i++)
        values[i] = at(&sweep->samples[i], variant, threading, operation, size);
    return statistics_quantile(values, (size_t)sweep->rounds, 0.5);
}

/* ---- Noise ---------------------------------------------------------------------------------------------------------------- */

/* What 95 of 100 comparisons of the default with itself stay below. */
static double noise_of(const struct tune_sweep *sweep)
{
    double differences[TUNE_OPERATIONS * TUNE_THREADINGS * TUNE_SIZES];
    size_t count = 0;

    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        for (int threading = 0; threading < sweep->threadings; threading++)
            for (int size = 0; size < sweep->size_count; size++)
                differences[count++] =
                    fabs(tune_ratio(sweep, (enum tune_operation)operation, threading, size, TUNE_AGAIN, TUNE_DEFAULT)
                             .median -
                         1);
    return statistics_quantile(differences, count, 0.95);
}

/* ---- Faster, slower ---------------------------------------------------------------------------------------------------------- */

enum verdict { WORSE = -1, SAME, BETTER };

/* What the median of the ratios of all rounds exceeds, however they are distributed; 0 when they are too few to say.
 * Of all comparisons of one way with one other that is the same, not one exceeds 1 in 19 of 20 sweeps: that is the
 * chance that so many of the rounds fall on one side of the median, divided among the comparisons. Sorts `ratios`.
 * source: Conover, "Practical Nonparametric Statistics", 1999, 3.2 (quantiles); Dunn, "Multiple comparisons among
 * means", Journal of the American Statistical Association 56, 1961. */
static double sure_bound(const struct tune_sweep *sweep, double ratios[])
{
    const double chance = 0.05 / (TUNE_OPERATIONS * sweep->threadings * sweep->size_count);
    double exactly = pow(0.5, sweep->rounds), at_most = exactly; /* `below` of the rounds are below the median */
    int below = 0;

    for (; at_most <= chance; below++) {
        exactly *= (double)(sweep->rounds - below) / (below + 1);
        at_most += exactly;
    }
    (void)statistics_quantile(ratios, (size_t)sweep->rounds, 0.5);
    return below > 0 ? ratios[below - 1] : 0;
}

static bool is_faster(const struct tune_sweep *sweep, double margin, enum tune_operation operation, int threading,
                      int size, enum tune_variant slow, enum tune_variant fast)
{
    double ratios[TUNE_ROUNDS];

    for (int i = 0; i < sweep->rounds; i++)
        ratios[i] = ratio_in(&sweep->samples[i], operation, threading, size, slow, fast);
    return sure_bound(sweep, ratios) > 1 + margin;
}

/* `fast` against `slow` at one size, with one thread and with two: BETTER is better somewhere and nowhere worse. For
 * worse less will do: in doubt nothing is changed. */
static enum verdict compare(const struct tune_sweep *sweep, double margin, enum tune_operation operation, int size,
                            enum tune_variant slow, enum tune_variant fast)
{
    enum verdict verdict = SAME;

    for (int threading = 0; threading < sweep->threadings; threading++) {
        if (tune_ratio(sweep, operation, threading, size, slow, fast).hi < 1 / (1 + margin))
            return WORSE;
        if (is_faster(sweep, margin, operation, threading, size, slow, fast))
            verdict = BETTER;
    }
    return verdict;
}

/* ---- Level -------------------------------------------------------------------------------------------------------------------- */

/* How much longer the default's loops take than those of `level` in one round: the geometric mean over all that is up
 * to LOOP_BYTES_MOST. */
static double loop_ratio(const struct tune_sweep *sweep, const struct tune_round *round, enum tune_variant level)
{
    double sum = 0;
    int count = 0;

    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        for (int threading = 0; threading < sweep->threadings; threading++)
            for (int size = 0; size < sweep->size_count && sweep->sizes[size] <= LOOP_BYTES_MOST; size++, count++)
                sum += log(ratio_in(round, (enum tune_operation)operation, threading, size, TUNE_AUTO_LOOP, level));
    return exp(sum / count);
}

/* Whether the loops of `level` are clearly slower than the default's at some size. */
static bool is_worse_anywhere(const struct tune_sweep *sweep, double margin, enum tune_variant level)
{
    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        for (int size = 0; size < sweep->size_count; size++)
            if (compare(sweep, margin, (enum tune_operation)operation, size, TUNE_AUTO_LOOP, level) == WORSE)
                return true;
    return false;
}

static enum tune_variant best_level(const struct tune_sweep *sweep, double margin)
{
    enum tune_variant best = TUNE_AUTO_LOOP;
    double gain = 1 + margin;

    for (enum tune_variant level = TUNE_SSE2; level <= TUNE_AVX512; level++) {
        double ratios[TUNE_ROUNDS];
        if (!sweep->has[level])
            continue;
        for (int i = 0; i < sweep->rounds; i++)
            ratios[i] = loop_ratio(sweep, &sweep->samples[i], level);
        const double sure = sure_bound(sweep, ratios);
        if (sure > gain && !is_worse_anywhere(sweep, margin, level)) {
            best = level;
            gain = sure;
        }
    }
    return best;
}

/* ---- The string instruction ----------------------------------------------------------------------------------------------------- */

/* Where the string instruction is better than the loop, from the first such size on, as long as it is not worse. */
static struct tune_range range_of(const struct tune_sweep *sweep, double margin, enum tune_operation operation,
                                  enum tune_variant loop)
{
    struct tune_range range = {SIZE_MAX, SIZE_MAX};

    if (!sweep->has[TUNE_STRING])
        return range;
    for (int size = 0; size < sweep->size_count; size++) {
        const enum verdict verdict = compare(sweep, margin, operation, size, loop, TUNE_STRING);
        if (range.least == SIZE_MAX && verdict == BETTER)
            range.least = sweep->sizes[size];
        if (range.least != SIZE_MAX && verdict == WORSE) {
            range.most = sweep->sizes[size];
            break;
        }
    }
    return range;
}

/* ---- Ways by size --------------------------------------------------------------------------------------------------------------- */

/* The way that `ways` take where they do not go past the caches. */
static enum tune_variant cached_way(const struct tune_sweep *sweep, const struct tune_ways *ways, int size)
{
    const size_t bytes = sweep->sizes[size];

    return bytes >= ways->string.least && bytes < ways->string.most ? TUNE_STRING : ways->loop;
}

/* Whether the default goes past the caches there, for all that can be told: it takes as long. */
static bool default_seems_past(const struct tune_sweep *sweep, double margin, enum tune_operation operation, int size)
{
    return tune_has(sweep, TUNE_NT, operation) && sweep->sizes[size] >= sweep->nt_least &&
           compare(sweep, margin, operation, size, TUNE_DEFAULT, TUNE_NT) == SAME;
}

/* The way that `ways` take at one size. Where they leave it to the default whether to go past the caches, and that may
 * do so, they are the default. */
static enum tune_variant way_at(const struct tune_sweep *sweep, double margin, enum tune_operation operation,
                                const struct tune_ways *ways, int size)
{
    if (ways->nt_from != TUNE_NT_AUTO)
        return sweep->sizes[size] >= ways->nt_from ? TUNE_NT : cached_way(sweep, ways, size);
    return default_seems_past(sweep, margin, operation, size) ? TUNE_DEFAULT : cached_way(sweep, ways, size);
}

/* Whether `ways` are better than `before` somewhere, and worse nowhere. */
static bool is_worth_it(const struct tune_sweep *sweep, double margin, enum tune_operation operation,
                        const struct tune_ways *before, const struct tune_ways *ways)
{
    bool any = false;

    for (int size = 0; size < sweep->size_count; size++) {
        const enum verdict verdict =
            compare(sweep, margin, operation, size, way_at(sweep, margin, operation, before, size),
                    way_at(sweep, margin, operation, ways, size));
        if (verdict == WORSE)
            return false;
        any = any || verdict == BETTER;
    }
    return any;
}

/* The same ways, past the caches from where on that is better than not, and at no larger size worse; or never, where
 * the default goes there and is worse for it; else that is left to the default. */
static struct tune_ways judge_past(const struct tune_sweep *sweep, double margin, enum tune_operation operation,
                                   struct tune_ways ways)
{
    const struct tune_ways never = {ways.loop, ways.string, SIZE_MAX};

    ways.nt_from = TUNE_NT_AUTO;
    if (!tune_has(sweep, TUNE_NT, operation))
        return ways;
    for (int size = 0; size < sweep->size_count; size++) {
        if (sweep->sizes[size] < sweep->nt_least)
            continue;
        const enum verdict verdict = compare(sweep, margin, operation, size, cached_way(sweep, &ways, size), TUNE_NT);
        if (verdict == WORSE)
            ways.nt_from = TUNE_NT_AUTO;
        else if (verdict == BETTER && ways.nt_from == TUNE_NT_AUTO)
            ways.nt_from = sweep->sizes[size];
    }
    return ways.nt_from == TUNE_NT_AUTO && is_worth_it(sweep, margin, operation, &ways, &never) ? never : ways;
}

/* What to advise, with loops of `level`: to go past the caches, and the string instruction's range only if that brings
 * something more. Each is judged as a whole: loops may be worse where stores past the caches are better than both. */
static struct tune_ways best_ways(const struct tune_sweep *sweep, double margin, enum tune_operation operation,
                                  enum tune_variant level)
{
    const struct tune_ways by_default = {TUNE_DEFAULT, {SIZE_MAX, SIZE_MAX}, TUNE_NT_AUTO};
    const struct tune_ways ranged = {level, range_of(sweep, margin, operation, level), TUNE_NT_AUTO};
    const struct tune_ways candidates[] = {judge_past(sweep, margin, operation, by_default),
                                           judge_past(sweep, margin, operation, ranged)};
    struct tune_ways best = by_default;

    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
        if (is_worth_it(sweep, margin, operation, &by_default, &candidates[i]) &&
            is_worth_it(sweep, margin, operation, &best, &candidates[i]))
            best = candidates[i];
    return best;
}

struct tune_advice tune_judge(const struct tune_sweep *sweep)
{
    struct tune_advice advice = {.noise = noise_of(sweep)};
    const double margin = advice.noise > LEAST_MARGIN ? advice.noise : LEAST_MARGIN;

    advice.level = best_level(sweep, margin);
    advice.changes_level = advice.level != TUNE_AUTO_LOOP;
    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        advice.ways[operation] = best_ways(sweep, margin, (enum tune_operation)operation, advice.level);
    return advice;
}
