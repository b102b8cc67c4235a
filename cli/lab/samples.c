/* samples.c: what the children of one card told, on its way into the model. */
#include "samples.h"

#include "model.h"
#include "../statistics.h"

#include <stdlib.h>

void samples_add(struct samples *samples, struct sample sample)
{
    if (samples->count == samples->room) {
        samples->room = samples->room > 0 ? 2 * samples->room : 256;
        samples->list = model_grown(samples->list, samples->room * sizeof *samples->list);
    }
    samples->list[samples->count++] = sample;
}

void samples_free(struct samples *samples)
{
    free(samples->list);
    *samples = (struct samples){0};
}

static int compare(double a, double b) { return (a > b) - (a < b); }

/* By metric, then x, then child. */
static int by_place(const void *a, const void *b)
{
    const struct sample *const left = a;
    const struct sample *const right = b;

    if (left->metric != right->metric)
        return left->metric < right->metric ? -1 : 1;
    if (left->x != right->x)
        return compare(left->x, right->x);
    if (left->run != right->run)
        return left->run - right->run;
    return compare(left->value, right->value);
}

static bool belong_together(const struct sample *a, const struct sample *b)
{
    return a->metric == b->metric && a->x == b->x;
}

static json_t *metric_of(const struct sample *sample, struct statistics of)
{
    const struct metric_info *const info = metric_info(sample->metric);
    json_t *const metric = json_pack("{s:s, s:s}", "name", info->name, "unit", info->unit);

    if (sample->has_x)
        (void)json_object_set_new(metric, "x", model_real(sample->x));
    (void)json_object_set_new(metric, "median", model_real(of.median));
    (void)json_object_set_new(metric, "lo", model_real(of.lo));
    (void)json_object_set_new(metric, "hi", model_real(of.hi));
    (void)json_object_set_new(metric, "p99", model_real(of.p99));
    (void)json_object_set_new(metric, "n", json_integer((json_int_t)of.n));
    return metric;
}

json_t *samples_metrics(struct samples *samples, uint64_t seed)
{
    json_t *const metrics = json_array();
    struct statistics_sample *const group = model_grown(NULL, (samples->count + 1) * sizeof *group);
    double *const scratch = model_grown(NULL, (2 * samples->count + 1) * sizeof *scratch);

    if (samples->count > 0)
        qsort(samples->list, samples->count, sizeof *samples->list, by_place);
    for (size_t i = 0, end; i < samples->count; i = end) {
        for (end = i; end < samples->count && belong_together(&samples->list[i], &samples->list[end]); end++)
            group[end - i] = (struct statistics_sample){samples->list[end].run, samples->list[end].value};
        (void)json_array_append_new(metrics,
                                    metric_of(&samples->list[i], statistics_of(group, end - i, seed, scratch)));
    }
    free(scratch);
    free(group);
    return metrics;
}
