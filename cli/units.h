/* units.h: numbers for people, and what people type for numbers. */
#ifndef ASHLAR_CLI_UNITS_H
#define ASHLAR_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* A short text returned by value: `units_bytes(n).text` lives as long as the expression it is used in. */
struct units_text {
    char text[32];
};

/* Read "4096", "512K", "10M", "2G", "1T" (multiples of 1024), or a plain count: digits, one unit, nothing else, no
 * overflow. returns: false, and *number as it was, for anything else. */
bool units_read_size(const char *text, uint64_t *number);
bool units_read_count(const char *text, uint64_t *number);

struct units_text units_bytes(uint64_t bytes);                /* "812 B", "412.3 MiB" */
struct units_text units_count(uint64_t count);                /* "18,204,113" */
struct units_text units_seconds(uint64_t nanoseconds);        /* "41.20 s", "0.004 s" */
struct units_text units_share(uint64_t part, uint64_t whole); /* "41.2 %"; of nothing: "0.0 %" */

#endif
