/* metric.c: everything the lab measures, and numbers as people read them. */
#include "metric.h"

#include "../units.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct metric_info infos[METRICS] = {
    {"", "", "", {"", ""}},
#define METRIC(name, unit, x_unit, english, chinese) {#name, unit, x_unit, {english, chinese}},
#include "metrics.def"
#undef METRIC
};

const struct metric_info *metric_info(enum metric metric) { return &infos[metric]; }

enum metric metric_find(const char *name)
{
    for (enum metric i = 1; i < METRICS; i++)
        if (strcmp(infos[i].name, name) == 0)
            return i;
    return METRIC_NONE;
}

/* ---- Numbers ---- */

/* Steps from one name to the next. */
struct scale {
    double step;
    const char *names[7];
};

static const struct scale bytes_scale = {1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}};
static const struct scale time_scale = {1000, {"ns", "µs", "ms", "s", "ks", "Ms", "Gs"}};

/* Three significant digits, and of whole numbers all. */
static void put_plain(struct metric_text *out, double value, const char *blank, const char *unit)
{
    const double size = fabs(value);

    if (size < 1e15 && (size >= 99.95 || size == floor(size)))
        (void)snprintf(out->text, sizeof out->text, "%s%s%s%s", value < 0 ? "-" : "",
                       units_count((uint64_t)(size + 0.5)).text, blank, unit);
    else
        (void)snprintf(out->text, sizeof out->text, "%.*f%s%s",
                       size < 9.995   ? 2
                       : size < 99.95 ? 1
                                      : 0,
                       value, blank, unit);
}

static void put_scaled(struct metric_text *out, double value, const struct scale *scale)
{
    size_t i = 0;

    /* what would be printed as 1024 is 1 of the next unit */
    while (i < 6 && fabs(value) >= scale->step - 0.5) {
        value /= scale->step;
        i++;
    }
    put_plain(out, value, " ", scale->names[i]);
}

static void put_word(struct metric_text *out, const char *before, const char *word)
{
    (void)snprintf(out->text, sizeof out->text, "%s%s", before, word != NULL ? word : "?");
}

struct metric_text metric_value(double value, const char *unit, enum language language)
{
    struct metric_text out;
    const int whole = value >= 0 && value < 1000 ? (int)value : -1;

    if (strcmp(unit, "B") == 0)
        put_scaled(&out, value, &bytes_scale);
    else if (strcmp(unit, "ns") == 0)
        put_scaled(&out, value, &time_scale);
    else if (strcmp(unit, "yes") == 0)
        put_word(&out, "", text_get(value != 0 ? TEXT_yes : TEXT_no, language));
    else if (whole == 0 && (strcmp(unit, "signal") == 0 || strcmp(unit, "errno") == 0))
        put_word(&out, "", text_get(TEXT_none, language));
    else if (strcmp(unit, "signal") == 0)
        put_word(&out, "SIG", sigabbrev_np(whole));
    else if (strcmp(unit, "errno") == 0)
        put_word(&out, "", strerrorname_np(whole));
    else if (strcmp(unit, "x") == 0)
        put_plain(&out, value, " ", text_get(TEXT_times, language));
    else
        put_plain(&out, value, *unit != '\0' && !(language == CHINESE && *unit == '%') ? " " : "", unit);
    return out;
}

/* The unit at the end of a text, its blank included; "" where there is none. */
static const char *unit_in(const char *text)
{
    const char *const blank = strchr(text, ' ');

    return blank != NULL ? blank : "";
}

struct metric_text metric_spread(double median, double lo, double hi, const char *unit, enum language language)
{
    struct metric_text out = metric_value(median, unit, language);
    struct metric_text low = metric_value(lo, unit, language);
    const struct metric_text high = metric_value(hi, unit, language);
    const size_t used = strlen(out.text);

    if (strcmp(low.text, out.text) == 0 && strcmp(high.text, out.text) == 0)
        return out;
    if (strcmp(unit_in(low.text), unit_in(high.text)) == 0) /* "3.4 ms (3.1–3.6 ms)" */
        low.text[strlen(low.text) - strlen(unit_in(low.text))] = '\0';
    (void)snprintf(out.text + used, sizeof out.text - used, " (%.24s–%.24s)", low.text, high.text);
    return out;
}
