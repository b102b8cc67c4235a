/* units.c: numbers for people, and what people type for numbers. */
#include "units.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Digits at the start of *text; moves *text behind them. */
static bool read_digits(const char **text, uint64_t *number)
{
    uint64_t value = 0;

    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); ++*text)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
            return false;
    *number = value;
    return true;
}

bool units_read_count(const char *text, uint64_t *number)
{
    uint64_t value;

    if (!read_digits(&text, &value) || *text != '\0')
        return false;
    *number = value;
    return true;
}

bool units_read_size(const char *text, uint64_t *number)
{
    static const char units[] = "KMGT";
    const char *unit;
    uint64_t value;
    uint64_t factor = 1;

    if (!read_digits(&text, &value))
        return false;
    if (*text != '\0') {
        unit = strchr(units, *text);
        if (unit == NULL || text[1] != '\0')
            return false;
        factor = UINT64_C(1) << (10 * (unit - units + 1));
    }
    if (__builtin_mul_overflow(value, factor, &value))
        return false;
    *number = value;
    return true;
}

struct units_text units_bytes(uint64_t bytes)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct units_text out;
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        (void)snprintf(out.text, sizeof out.text, "%u B", (unsigned)bytes);
        return out;
    }
    while (value >= 1023.95) { /* what would be printed as 1024.0 is 1.0 of the next unit */
        value /= 1024;
        unit++;
    }
    (void)snprintf(out.text, sizeof out.text, "%.1f %s", value, names[unit]);
    return out;
}

struct units_text units_count(uint64_t count)
{
    struct units_text digits;
    struct units_text out;
    char *at = out.text;
    const int length = snprintf(digits.text, sizeof digits.text, "%llu", (unsigned long long)count);

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits.text[i];
    }
    *at = '\0';
    return out;
}

struct units_text units_seconds(uint64_t nanoseconds)
{
    struct units_text out;
    const double seconds = (double)nanoseconds / 1e9;

    (void)snprintf(out.text, sizeof out.text, seconds < 1 ? "%.3f s" : "%.2f s", seconds);
    return out;
}

struct units_text units_share(uint64_t part, uint64_t whole)
{
    struct units_text out;

    (void)snprintf(out.text, sizeof out.text, "%.1f %%", whole > 0 ? 100.0 * (double)part / (double)whole : 0.0);
    return out;
}
