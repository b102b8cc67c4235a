/* tune.h: what `ashlar tune` measures, and what it concludes.
 *
 *   sweep.c    rounds of children, each with one variant preloaded -->  samples
 *   measure.c  in the child: time every size                              |
 *   judge.c    samples --> where which variant is faster, and what that would change
 *   settings.c as options: what forces a variant, and what an advice comes to
 *   ../cmd_tune.c   the command line, tables, sentences */
#ifndef ASHLAR_CLI_TUNE_TUNE_H
#define ASHLAR_CLI_TUNE_TUNE_H

#include "../find.h"
#include "../refuse.h"
#include "../statistics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum tune_operation { TUNE_COPY, TUNE_SET, TUNE_OPERATIONS };

/* Ways to do it. Each is forced by the options that anybody may set. */
enum tune_variant {
    TUNE_LIBC, /* what the system has */
    TUNE_SSE2, /* loops of vectors only */
    TUNE_AVX2,
    TUNE_AVX512,
    TUNE_AUTO_LOOP, /* loops of the vectors that would be chosen */
    TUNE_STRING,    /* the string instruction, wherever it may be used at all */
    TUNE_NT,        /* copies past the caches, likewise; fills are the default's */
    TUNE_DEFAULT,   /* as without any option */
    TUNE_AGAIN,     /* the same: the difference to it is noise */
    TUNE_VARIANTS
};

/* One and two threads. With fewer rounds none of so many comparisons could be sure: sure_bound() in judge.c. */
enum { TUNE_LEAST = 64, TUNE_THREADINGS = 2, TUNE_SIZES = 23, TUNE_ROUNDS = 48, TUNE_LEAST_ROUNDS = 11 };

struct tune_variant_info {
    const char *name;
    const char *options; /* NULL: nothing is preloaded */
};

/* Nanoseconds a call. */
struct tune_round {
    double ns[TUNE_VARIANTS][TUNE_THREADINGS][TUNE_OPERATIONS][TUNE_SIZES];
};

struct tune_sweep {
    size_t sizes[TUNE_SIZES]; /* TUNE_LEAST and its doubles */
    int size_count;
    int threadings;          /* 1 where there is one processor for us */
    size_t nt_least;         /* copies past the caches are judged from here on: below, their readers would pay */
    bool has[TUNE_VARIANTS]; /* what the processor can do */
    int rounds;
    int discarded; /* rounds in which the host took more than 1 % of the time */
    int disturbed; /* such rounds that count, since there was no time for others */
    struct tune_round samples[TUNE_ROUNDS];
};

/* Whether `variant` is a way of its own to do that: past the caches, only copies go. */
static inline bool tune_has(const struct tune_sweep *sweep, enum tune_variant variant, enum tune_operation operation)
{
    return sweep->has[variant] && (variant != TUNE_NT || operation == TUNE_COPY);
}

/* Fill in what is to be measured: sizes up to `most`. */
void tune_plan(struct tune_sweep *sweep, size_t most);

/* Measure for about `seconds`. returns: false when a child failed. */
bool tune_measure(struct tune_sweep *sweep, const struct found_library *found, double seconds, uint64_t seed,
                  void (*progress)(double done), struct refusal *why);

/* The body of the hidden subcommand that the children run: argv is its name, threads, largest size. */
int tune_child(int argc, char **argv);

/* ---- judge.c ---- */

/* From `least` bytes on and below `most`; SIZE_MAX: no end. `least` SIZE_MAX: never. */
struct tune_range {
    size_t least, most;
};

/* The `nt_from` that leaves it to the default. */
#define TUNE_NT_AUTO ((size_t)0)

/* Which way is taken at which size. */
struct tune_ways {
    enum tune_variant loop;   /* where neither of these is; TUNE_DEFAULT: `string` is left to the default, too */
    struct tune_range string; /* the string instruction */
    size_t nt_from;           /* copies from here on go past the caches; SIZE_MAX: none; or TUNE_NT_AUTO */
};

static inline bool tune_changes_string(const struct tune_ways *ways) { return ways->loop != TUNE_DEFAULT; }

static inline bool tune_changes_nt(const struct tune_ways *ways) { return ways->nt_from != TUNE_NT_AUTO; }

struct tune_advice {
    double noise;            /* the most that two runs of the same differ, as a share of 1 */
    enum tune_variant level; /* the fastest loop, TUNE_AUTO_LOOP if no other is clearly faster */
    bool changes_level;
    struct tune_ways ways[TUNE_OPERATIONS]; /* clearly faster than the default somewhere, and nowhere slower; or it */
};

/* How much longer `slow` takes than `fast`. */
struct statistics tune_ratio(const struct tune_sweep *sweep, enum tune_operation operation, int threading, int size,
                             enum tune_variant slow, enum tune_variant fast);

double tune_median(const struct tune_sweep *sweep, enum tune_variant variant, int threading,
                   enum tune_operation operation, int size);

struct tune_advice tune_judge(const struct tune_sweep *sweep);

/* ---- settings.c ---- */

extern const struct tune_variant_info tune_variants[TUNE_VARIANTS];

/* The settings for ASHLAR_CONF that an advice comes to, "" when it is to leave everything. The caller frees them.
 * returns: NULL when there is no memory. */
char *tune_conf(const struct tune_advice *advice);

/* A line with what gives libc's own memcpy and memset the same, or none. source: glibc manual, "Hardware Capability
 * Tunables". */
void tune_put_tunables(FILE *text, const struct tune_advice *advice);

#endif
