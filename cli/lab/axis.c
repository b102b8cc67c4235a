/* axis.c: a scale, linear or logarithmic, with its marks. */
#include "axis.h"

#include <math.h>
#include <string.h>

enum { MARKS_WANTED = 5 };

struct axis axis_make(bool is_log, const char *unit)
{
    return (struct axis){.is_log = is_log, .unit = unit, .is_empty = true};
}

void axis_include(struct axis *axis, double value)
{
    if (axis->is_log && value <= 0)
        return;
    axis->low = axis->is_empty || value < axis->low ? value : axis->low;
    axis->high = axis->is_empty || value > axis->high ? value : axis->high;
    axis->is_empty = false;
}

static bool is_bytes(const struct axis *axis) { return strcmp(axis->unit, "B") == 0; }

/* 1, 2 or 5 times a power of ten; for bytes a power of two, which is round in their unit. */
static double round_step(const struct axis *axis, double least)
{
    const double ten = pow(10, floor(log10(least)));

    if (is_bytes(axis))
        return pow(2, ceil(log2(least)));
    if (least <= ten)
        return ten;
    return least <= 2 * ten ? 2 * ten : least <= 5 * ten ? 5 * ten : 10 * ten;
}

static void finish_linear(struct axis *axis)
{
    const double step = round_step(axis, (axis->high - axis->low) / MARKS_WANTED);

    axis->low = floor(axis->low / step) * step;
    axis->high = ceil(axis->high / step) * step;
    for (double at = axis->low; at <= axis->high + step / 2 && axis->count < AXIS_MARKS; at += step)
        axis->marks[axis->count++] = fabs(at) < step / 1e6 ? 0 : at;
}

/* Whole powers of the base, as many to a step that there are no more than wanted. */
static void finish_log(struct axis *axis)
{
    const double base = is_bytes(axis) ? 2 : 10;
    const double low = floor(log(axis->low) / log(base) + 1e-9);
    const double high = ceil(log(axis->high) / log(base) - 1e-9);
    const double step = fmax(1, ceil((high - low) / MARKS_WANTED));

    axis->low = pow(base, low);
    axis->high = pow(base, high);
    for (double power = low; power <= high && axis->count < AXIS_MARKS; power += step)
        axis->marks[axis->count++] = pow(base, power);
}

void axis_finish(struct axis *axis)
{
    if (axis->is_empty) {
        axis->low = axis->is_log ? 1 : 0;
        axis->is_empty = false;
        axis->high = axis->low;
    }
    if (axis->high <= axis->low)
        axis->high = axis->is_log ? axis->low * 2 : axis->low + 1;
    if (axis->is_log)
        finish_log(axis);
    else
        finish_linear(axis);
}

double axis_place(const struct axis *axis, double value)
{
    double place;

    if (axis->is_log)
        place = value > 0 ? (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low)) : 0;
    else
        place = (value - axis->low) / (axis->high - axis->low);
    return place < 0 ? 0 : place > 1 ? 1 : place;
}
