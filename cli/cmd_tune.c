/* cmd_tune.c: `ashlar tune`: which thresholds of the memory functions suit this machine?
 *
 *   sweep (tune/sweep.c) --> advice (tune/judge.c) --> table, sentences, and one line for ASHLAR_CONF
 *
 * It changes nothing: the line is printed, and written to a file that a shell, env(1) or systemd reads, if so asked. */
#include "commands.h"

#include "deliver.h"
#include "output.h"
#include "refuse.h"
#include "tune/tune.h"
#include "units.h"
#include "usage.h"
#include "value.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- Options ---- */

struct options {
    bool json;
    bool quiet;
    const char *output;
    const char *library;
    uint64_t seconds;
    uint64_t most; /* 0: by the memory that is free */
    uint64_t seed;
};

enum { KEY_JSON = 256, KEY_LIBRARY, KEY_SECONDS, KEY_MOST, KEY_SEED };
enum { SECONDS_USUAL = 60, SECONDS_MOST = 3600, MOST_LEAST = 64 << 10 };

static const struct argp_option option_table[] = {
    {.name = "output",
     .key = 'o',
     .arg = "FILE",
     .doc = "write the setting to FILE, as a line ASHLAR_CONF=..., which `env $(cat FILE)` and systemd's "
            "EnvironmentFile= read"},
    {.name = "json", .key = KEY_JSON, .doc = "print all medians and the advice as JSON, schema ashlar.tune/1"},
    {.name = "quiet", .key = 'q', .doc = "show no progress"},
    {.name = "seconds", .key = KEY_SECONDS, .arg = "N", .doc = "measure for about so long (default: 60)"},
    {.name = "max-size",
     .key = KEY_MOST,
     .arg = "SIZE",
     .doc = "largest copy, up to 256M (default: an eighth of what is available, for each thread)"},
    {.name = "seed", .key = KEY_SEED, .arg = "N", .doc = "of the order of measurements (default: from the clock)"},
    {.name = "library",
     .key = KEY_LIBRARY,
     .arg = "FILE",
     .doc = "take libashlar-mem.so.1 from beside this libashlar.so.1"},
    {0},
};

static error_t read_option(int key, char *value, struct argp_state *state)
{
    struct options *const options = state->input;

    switch (key) {
    case 'o':
        options->output = value;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_LIBRARY:
        options->library = value;
        return 0;
    case KEY_SECONDS:
        if (!units_read_count(value, &options->seconds) || options->seconds < 1 || options->seconds > SECONDS_MOST)
            argp_error(state, "--seconds is a whole number from 1 to 3600, not '%s'", value);
        return 0;
    case KEY_MOST:
        if (!units_read_size(value, &options->most) || options->most < MOST_LEAST)
            argp_error(state, "--max-size is a size of at least 64K, not '%s'", value);
        return 0;
    case KEY_SEED:
        if (!units_read_count(value, &options->seed) || options->seed > INT64_MAX) /* JSON has to tell it */
            argp_error(state, "--seed is a whole number below 2^63, not '%s'", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = read_option,
    .doc =
        "Measure memcpy and memset of libashlar-mem on this machine, in all the ways they have, and say which options "
        "would make them faster here."
        "\vNothing is changed. The exit status is 0 whether or not something would; 2: the command line makes no "
        "sense; 5: the file could not be written; 125: it could not be measured.",
};

/* ---- Progress ---- */

static bool shows_progress;

static void show_progress(double done)
{
    if (shows_progress)
        (void)fprintf(stderr, "\rashlar tune: %3.0f %%", done < 1 ? done * 100 : 100);
}

static void end_progress(void)
{
    if (shows_progress)
        (void)fputs("\r                    \r", stderr);
}

/* ---- Text ---- */

static const char *const operation_names[TUNE_OPERATIONS] = {[TUNE_COPY] = "copy", [TUNE_SET] = "set"};

/* The median of the fastest variant at one size. */
static double best_ns(const struct tune_sweep *sweep, int threading, enum tune_operation operation, int size)
{
    double best = 0;

    for (int variant = 0; variant < TUNE_VARIANTS; variant++)
        if (tune_has(sweep, (enum tune_variant)variant, operation)) {
            const double ns = tune_median(sweep, (enum tune_variant)variant, threading, operation, size);
            best = best == 0 || ns < best ? ns : best;
        }
    return best;
}

static void put_row(FILE *text, const struct tune_sweep *sweep, int threading, enum tune_operation operation, int size)
{
    const double best = best_ns(sweep, threading, operation, size);
    const double ours = tune_median(sweep, TUNE_DEFAULT, threading, operation, size);

    (void)fprintf(text, "%10s", units_bytes(sweep->sizes[size]).text);
    for (int variant = 0; variant < TUNE_AGAIN; variant++)
        if (tune_has(sweep, (enum tune_variant)variant, operation))
            (void)fprintf(text, " %8.1f",
                          (double)sweep->sizes[size] /
                              tune_median(sweep, (enum tune_variant)variant, threading, operation, size));
    (void)fprintf(text, " %8.0f %%\n", 100 * best / ours);
}

static void put_table(FILE *text, const struct tune_sweep *sweep, int threading, enum tune_operation operation)
{
    (void)fprintf(text, "\n%s, %d thread%s: bytes a nanosecond (medians)\n      size", operation_names[operation],
                  threading + 1, threading == 0 ? "" : "s, each");
    for (int variant = 0; variant < TUNE_AGAIN; variant++)
        if (tune_has(sweep, (enum tune_variant)variant, operation))
            (void)fprintf(text, " %8s", tune_variants[variant].name);
    (void)fputs("  default/best\n", text);
    for (int size = 0; size < sweep->size_count; size++)
        put_row(text, sweep, threading, operation, size);
}

static void put_string_part(FILE *text, struct tune_range range)
{
    if (range.least == SIZE_MAX) {
        (void)fputs("the string instruction is nowhere faster than loops", text);
        return;
    }
    (void)fprintf(text, "the string instruction is faster from %s on", units_bytes(range.least).text);
    if (range.most != SIZE_MAX)
        (void)fprintf(text, ", and slower from %s on", units_bytes(range.most).text);
}

static void put_nt_part(FILE *text, size_t from)
{
    if (from == SIZE_MAX)
        (void)fputs("stores past the caches are slower", text);
    else
        (void)fprintf(text, "stores past the caches are faster from %s on", units_bytes(from).text);
}

static void put_sentence(FILE *text, const struct tune_ways *ways, enum tune_operation operation)
{
    (void)fprintf(text, "%s: ", operation_names[operation]);
    if (tune_changes_string(ways))
        put_string_part(text, ways->string);
    if (tune_changes_string(ways) && tune_changes_nt(ways))
        (void)fputs("; ", text);
    if (tune_changes_nt(ways))
        put_nt_part(text, ways->nt_from);
    if (!tune_changes_string(ways) && !tune_changes_nt(ways))
        (void)fputs("no significant difference; default kept", text);
    (void)fputc('\n', text);
}

static char *as_text(const struct tune_sweep *sweep, const struct tune_advice *advice, const char *conf, uint64_t seed)
{
    char *whole = NULL;
    size_t bytes;
    FILE *const text = open_memstream(&whole, &bytes);

    if (text == NULL)
        return NULL;
    (void)fprintf(text, "%d rounds, %d more discarded (the host took time away), seed %llu; noise %.1f %%\n",
                  sweep->rounds, sweep->discarded, (unsigned long long)seed, 100 * advice->noise);
    if (sweep->disturbed > 0)
        (void)fprintf(text, "note: in %d of the rounds the host took time away, and there was none for others\n",
                      sweep->disturbed);
    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        for (int threading = 0; threading < sweep->threadings; threading++)
            put_table(text, sweep, threading, (enum tune_operation)operation);
    (void)fputs("\nlevel: ", text);
    if (advice->changes_level)
        (void)fprintf(text, "loops of %s are faster than those of the default\n", tune_variants[advice->level].name);
    else
        (void)fputs("no significant difference; default kept\n", text);
    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        put_sentence(text, &advice->ways[operation], (enum tune_operation)operation);
    if (*conf != '\0')
        (void)fprintf(text, "ASHLAR_CONF=%s\n", conf);
    tune_put_tunables(text, advice);
    return fclose(text) == 0 ? whole : NULL;
}

/* ---- JSON ---- */

static json_t *bound_or_null(size_t bytes)
{
    return bytes == SIZE_MAX || bytes == TUNE_NT_AUTO ? json_null() : json_integer((json_int_t)bytes);
}

static json_t *cells(const struct tune_sweep *sweep)
{
    json_t *const rows = json_array();

    for (int operation = 0; operation < TUNE_OPERATIONS; operation++)
        for (int threading = 0; threading < sweep->threadings; threading++)
            for (int size = 0; size < sweep->size_count; size++)
                for (int variant = 0; variant < TUNE_VARIANTS; variant++) {
                    if (!tune_has(sweep, (enum tune_variant)variant, (enum tune_operation)operation))
                        continue;
                    const struct statistics against = tune_ratio(sweep, (enum tune_operation)operation, threading, size,
                                                                 TUNE_DEFAULT, (enum tune_variant)variant);
                    (void)json_array_append_new(
                        rows, json_pack("{s:s, s:i, s:I, s:s, s:f, s:f, s:f, s:f}", "operation",
                                        operation_names[operation], "threads", threading + 1, "bytes",
                                        (json_int_t)sweep->sizes[size], "variant", tune_variants[variant].name, "ns",
                                        tune_median(sweep, (enum tune_variant)variant, threading,
                                                    (enum tune_operation)operation, size),
                                        "default_over_this", against.median, "lo", against.lo, "hi", against.hi));
                }
    return rows;
}

static json_t *ways_of(const struct tune_ways *ways, enum tune_operation operation)
{
    json_t *const told = json_pack("{s:o, s:o, s:b}", "string_from", bound_or_null(ways->string.least), "string_below",
                                   bound_or_null(ways->string.most), "changes", tune_changes_string(ways));

    if (operation == TUNE_COPY) {
        (void)json_object_set_new(told, "nt_from", bound_or_null(ways->nt_from));
        (void)json_object_set_new(told, "changes_nt", json_boolean(tune_changes_nt(ways)));
    }
    return told;
}

static char *as_json(const struct tune_sweep *sweep, const struct tune_advice *advice, const char *conf, uint64_t seed)
{
    json_t *const told = json_pack(
        "{s:s, s:I, s:i, s:i, s:i, s:f, s:s, s:o, s:o, s:s, s:b, s:o}", "schema", "ashlar.tune/1", "seed",
        (json_int_t)seed, "rounds", sweep->rounds, "discarded", sweep->discarded, "disturbed", sweep->disturbed,
        "noise", advice->noise, "conf", conf, "copy", ways_of(&advice->ways[TUNE_COPY], TUNE_COPY), "set",
        ways_of(&advice->ways[TUNE_SET], TUNE_SET), "level", tune_variants[advice->level].name, "changes_level",
        advice->changes_level, "cells", cells(sweep));
    char *const text = value_lines(told, JSON_INDENT(1));

    json_decref(told);
    return text;
}

/* ---- The whole ---- */

/* An eighth of the available memory for each thread, half of it for each buffer: a quarter in all. */
static size_t most_by_memory(void)
{
    enum { MOST = 256 << 20 };
    unsigned long available = 0;
    char line[128];
    FILE *const file = fopen("/proc/meminfo", "re");

    while (file != NULL && available == 0 && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "MemAvailable: %lu kB", &available);
    if (file != NULL)
        (void)fclose(file);
    const size_t share = (size_t)available * 1024 / 16;
    return share > MOST ? MOST : share < MOST_LEAST ? MOST_LEAST : share;
}

/* Write the line, if a file is named: none when there is nothing to set, so that nobody's own settings are wiped out.
 * returns: exit status. */
static int write_conf(const char *path, const char *conf)
{
    char *line = NULL;
    const bool any = path != NULL && *conf != '\0';
    const int bytes = any ? asprintf(&line, "ASHLAR_CONF=%s\n", conf) : 0;
    const int error = path == NULL ? 0 : bytes < 0 ? ENOMEM : output_write(path, any ? line : "", (size_t)bytes);

    if (bytes > 0)
        free(line);
    if (error != 0)
        complain("%s could not be written: %s", path, strerror(error));
    return error == 0 ? 0 : EXIT_UNWRITTEN;
}

static int tell(const struct options *options, const struct tune_sweep *sweep)
{
    const struct tune_advice advice = tune_judge(sweep);
    char *const conf = tune_conf(&advice);
    char *text = NULL;

    if (conf != NULL)
        text =
            options->json ? as_json(sweep, &advice, conf, options->seed) : as_text(sweep, &advice, conf, options->seed);
    int status = deliver_status(0, deliver("table", "-", text));

    if (conf != NULL && write_conf(options->output, conf) != 0)
        status = EXIT_UNWRITTEN;
    free(conf);
    return status;
}

int cmd_tune(int argc, char **argv)
{
    static struct tune_sweep sweep; /* some hundred KiB of samples */
    static struct found_library found;
    struct options options = {.seconds = SECONDS_USUAL, .seed = (uint64_t)time(NULL)};
    struct refusal why = {0};

    usage_parse(&parser, "ashlar tune", argc, argv, &options);
    if (!deliver_can(options.output, "nothing was measured"))
        return EXIT_UNWRITTEN;
    shows_progress = !options.quiet && isatty(STDERR_FILENO);
    tune_plan(&sweep, options.most != 0 ? (size_t)options.most : most_by_memory());
    const bool done = find_library(options.library, &found, &why) && find_memory_functions(&found, &why) &&
                      tune_measure(&sweep, &found, (double)options.seconds, options.seed, show_progress, &why);
    end_progress();
    if (!done) {
        complain("%s", why.text);
        return why.status;
    }
    return tell(&options, &sweep);
}
