/* judge.c: from samples to advice. What lies inside the noise changes nothing. */
#include "tune.h"

#include <math.h>
#include <string.h>

/* A difference below that is of no use to anybody. */
#define LEAST_MARGIN 0.02

/* Loops matter most where data are in the caches. */
#define LOOP_BYTES_MOST ((size_t)32 << 10)

static double at(const struct tune_round *round, enum tune_variant variant, int threading,
                 enum tune_operation operation, int size)
{
    return round->ns[variant][threading][operation][size];
}

struct statistics tune_ratio(const struct tune_sweep *sweep, enum tune_operation operation, int threading, int size,
                             enum tune_variant slow, enum tune_variant fast)
{
    struct statistics_sample samples[TUNE_ROUNDS];
    double scratch[2 * TUNE_ROUNDS];

    for (int i = 0; i < sweep->rounds; i++) {
        const struct tune_round *const round = &sweep->samples[i];
        samples[i] = (struct statistics_sample){i, at(round, slow, threading, operation, size) /
                                                       at(round, fast, threading, operation, size)};
    }
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

/* `fast` against `slow` at one size, with one thread and with two: BETTER is better somewhere and nowhere worse. */
static enum verdict compare(const struct tune_sweep *sweep, double margin, enum tune_operation operation, int size,
                            enum tune_variant slow, enum tune_variant fast)
{
    enum verdict verdict = SAME;

    for (int threading = 0; threading < sweep->threadings; threading++) {
        const struct statistics ratio = tune_ratio(sweep, operation, threading, size, slow, fast);
        if (ratio.hi < 1 / (1 + margin))
            return WORSE;
        if (ratio.lo > 1 + margin)
            verdict = BETTER;
    }
    return verdict;
}

/* ---- Level -------------------------------------------------------------------------------------------------------------------- */

/* How much longer the loops of `slow` take than those of `fast`: the geometric mean over all that is below
 * LOOP_BYTES_MOST. */
static struct statistics loop_ratio(const struct tune_sweep *sweep, enum tune_variant slow, enum tune_variant fast)
{
    struct statistics_sample samples[TUNE_ROUNDS];
    double scratch[2 * TUNE_ROUNDS];

    for (int i = 0; i < sweep->rounds; i++) {
        const struct tune_round *const round = &sweep->samples[i];
        double sum = 0;
        int count = 0;
        for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
            for (int threading = 0; threading < sweep->threadings; threading++)
                for (int size = 0; size < sweep->size_count && sweep->sizes[size] <= LOOP_BYTES_MOST; size++, count++)
                    sum += log(at(round, slow, threading, (enum tune_operation)operation, size) /
                               at(round, fast, threading, (enum tune_operation)operation, size));
        samples[i] = (struct statistics_sample){i, exp(sum / count)};
    }
    return statistics_of(samples, (size_t)sweep->rounds, 1, scratch);
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
    double gain = 1;

    for (enum tune_variant level = TUNE_SSE2; level <= TUNE_AVX512; level++) {
        if (!sweep->has[level])
            continue;
        const struct statistics ratio = loop_ratio(sweep, TUNE_AUTO_LOOP, level);
        if (ratio.lo > 1 + margin && ratio.median > gain && !is_worse_anywhere(sweep, margin, level)) {
            best = level;
            gain = ratio.median;
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

/* Whether that range is better than the default somewhere, and worse nowhere. */
static bool is_worth_it(const struct tune_sweep *sweep, double margin, enum tune_operation operation,
                        enum tune_variant loop, struct tune_range range)
{
    bool any = false;

    for (int size = 0; size < sweep->size_count; size++) {
        const bool is_in = sweep->sizes[size] >= range.least && sweep->sizes[size] < range.most;
        const enum verdict verdict = compare(sweep, margin, operation, size, TUNE_DEFAULT, is_in ? TUNE_STRING : loop);
        if (verdict == WORSE)
            return false;
        any = any || verdict == BETTER;
    }
    return any;
}

struct tune_advice tune_judge(const struct tune_sweep *sweep)
{
    struct tune_advice advice = {.noise = noise_of(sweep)};
    const double margin = advice.noise > LEAST_MARGIN ? advice.noise : LEAST_MARGIN;

    advice.level = best_level(sweep, margin);
    advice.changes_level = advice.level != TUNE_AUTO_LOOP;
    for (int i = 0; i < TUNE_OPERATIONS; i++) {
        const enum tune_operation operation = (enum tune_operation)i;
        advice.range[i] = range_of(sweep, margin, operation, advice.level);
        advice.changes[i] = is_worth_it(sweep, margin, operation, advice.level, advice.range[i]);
    }
    return advice;
}
