/* metric.h: everything the lab measures, with its unit and its name in both languages: metrics.def. */
#ifndef ASHLAR_CLI_LAB_METRIC_H
#define ASHLAR_CLI_LAB_METRIC_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

enum metric {
    METRIC_NONE,
#define METRIC(name, unit, x_unit, english, chinese) METRIC_##name,
#include "metrics.def"
#undef METRIC
    METRICS
};

/* Units: "B", "ns", "%", "GB/s", "TiB", "x" (a ratio), "" (a count), and three whose numbers stand for something else:
 * "yes" (0 or 1), "signal", "errno" (0: none). */
struct metric_info {
    const char *name;
    const char *unit;
    const char *x_unit; /* of what it depends on, where it does */
    const char *label[LANGUAGES];
};

const struct metric_info *metric_info(enum metric metric);

/* returns: METRIC_NONE when there is none of that name. */
enum metric metric_find(const char *name);

/* A value as people read it, "3.42 MiB", by value. */
struct metric_text {
    char text[64];
};
struct metric_text metric_value(double value, const char *unit, enum language language);

/* The same with its spread: "3.42 MiB (3.40–3.51 MiB)"; without, where it does not show. */
struct metric_text metric_spread(double median, double lo, double hi, const char *unit, enum language language);

#endif
