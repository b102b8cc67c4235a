/* axis.h: a scale, linear or logarithmic, with its marks. */
#ifndef ASHLAR_CLI_LAB_AXIS_H
#define ASHLAR_CLI_LAB_AXIS_H

#include <stdbool.h>
#include <stddef.h>

enum { AXIS_MARKS = 12 };

struct axis {
    bool is_log;
    const char *unit; /* as in metric.h; bytes are marked at powers of two */
    double low, high; /* after axis_finish: where the axis begins and ends */
    bool is_empty;
    double marks[AXIS_MARKS];
    size_t count;
};

struct axis axis_make(bool is_log, const char *unit);

/* Stretch it so that it holds `value`; a logarithmic axis leaves out what is not above 0. */
void axis_include(struct axis *axis, double value);

/* Round the ends outward and set the marks. */
void axis_finish(struct axis *axis);

/* Where `value` lies, 0 at the beginning and 1 at the end; what lies outside is at the nearer end. */
double axis_place(const struct axis *axis, double value);

#endif
