/* samples.h: what the children of one card told, on its way into the model. */
#ifndef ASHLAR_CLI_LAB_SAMPLES_H
#define ASHLAR_CLI_LAB_SAMPLES_H

#include "metric.h"

#include <jansson.h>
#include <stdint.h>

struct sample {
    enum metric metric;
    bool has_x;
    double x;
    int run; /* number of the child */
    double value;
};

struct samples {
    struct sample *list;
    size_t count;
    size_t room;
};

void samples_add(struct samples *samples, struct sample sample);
void samples_free(struct samples *samples);

/* One object for each metric at each x: name, unit, x where it has one, median, lo, hi, p99, n. Sorts the samples.
 * returns: a new reference. */
json_t *samples_metrics(struct samples *samples, uint64_t seed);

#endif
