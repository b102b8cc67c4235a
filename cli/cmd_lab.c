/* cmd_lab.c: `ashlar lab`: the sentences of the textbook, measured on this machine.
 *
 *   experiments, or --from FILE --> document --> text | JSON (-o, standard output), and HTML (--html)
 *
 * Exit status: 0 when everything asked for was measured, also where the textbook is contradicted; 1: something is
 * inconclusive; 4: the file of --from is no report; 5: a result could not be written. */
#include "commands.h"

#include "deliver.h"
#include "find.h"
#include "lab/card.h"
#include "lab/child.h"
#include "lab/lab.h"
#include "lab/machine.h"
#include "lab/model.h"
#include "lab/render.h"
#include "lab/runner.h"
#include "nearest.h"
#include "units.h"
#include "usage.h"

#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_SEED = 1 };

#define UNDONE "nothing was measured"

struct options {
    bool json;
    bool list;
    const char *html;   /* file; NULL: none */
    const char *output; /* file for text or JSON; "-": standard output */
    const char *from;   /* a saved report; NULL: measure */
    enum language language;
    bool wants[LAB_CARDS];
    bool chosen; /* by --only */
    struct lab_wish wish;
};

enum { KEY_ONLY = 256, KEY_QUICK, KEY_JSON, KEY_HTML, KEY_FROM, KEY_SEED, KEY_MOST, KEY_LIST, KEY_LANG };

static const struct argp_option option_table[] = {
    {.doc = "What is measured:", .group = 1},
    {.name = "only", .key = KEY_ONLY, .arg = "ID,...", .doc = "these cards alone; --list names them"},
    {.name = "quick", .key = KEY_QUICK, .doc = "less of everything: 15 s at most, not 90 s"},
    {.name = "seed", .key = KEY_SEED, .arg = "N", .doc = "sizes and orders are drawn from N (1)"},
    {.name = "max-touch", .key = KEY_MOST, .arg = "SIZE", .doc = "touch at most SIZE bytes at a time (512K, 10M, 2G)"},
    {.name = "from",
     .key = KEY_FROM,
     .arg = "FILE",
     .doc = "measure nothing: read a report saved with --json (- is standard input)"},
    {.name = "list", .key = KEY_LIST, .doc = "name the cards and measure nothing"},
    {.doc = "The report:", .group = 2},
    {.name = "output", .key = 'o', .arg = "FILE", .doc = "write it to FILE (- is standard output)"},
    {.name = "json", .key = KEY_JSON, .doc = "write it as JSON, schema ashlar.lab/1"},
    {.name = "html", .key = KEY_HTML, .arg = "FILE", .doc = "write it to FILE as one HTML page as well"},
    {.name = "lang", .key = KEY_LANG, .arg = "LANG", .doc = "en or zh (en)"},
    {0},
};

/* ---- Options ---- */

/* Whether two results would go to one place, where the second wipes out or follows the first. */
static bool is_one_place(const char *a, const char *b)
{
    struct stat left, right;

    return strcmp(a, b) == 0 || (stat(a, &left) == 0 && stat(b, &right) == 0 && S_ISREG(left.st_mode) &&
                                 left.st_dev == right.st_dev && left.st_ino == right.st_ino);
}

/* Choose the card named by the first `length` characters. returns: false when there is none. */
static bool choose(struct options *options, const char *id, size_t length)
{
    for (size_t i = 0; i < LAB_CARDS; i++)
        if (strlen(lab_cards[i]->id) == length && strncmp(lab_cards[i]->id, id, length) == 0)
            return options->wants[i] = options->chosen = true;
    return false;
}

static void read_only(struct options *options, const char *value, const struct argp_state *state)
{
    const char *names[LAB_CARDS];

    for (size_t i = 0; i < LAB_CARDS; i++)
        names[i] = lab_cards[i]->id;
    for (const char *at = value;; at++) {
        const size_t length = strcspn(at, ",");

        if (!choose(options, at, length)) {
            char word[64];
            const char *nearest;

            (void)snprintf(word, sizeof word, "%.*s", (int)length, at);
            nearest = nearest_name(word, names, LAB_CARDS);
            argp_error(state, "no card is called '%s'%s%s%s (see --list)", word,
                       nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?" : "");
        }
        at += length;
        if (*at == '\0')
            return;
    }
}

static void read_number(int key, const char *value, struct options *options, const struct argp_state *state)
{
    uint64_t number = 0;

    if (key == KEY_SEED && (!units_read_count(value, &number) || number > INT64_MAX))
        argp_error(state, "--seed is a whole number, not '%s'", value);
    if (key == KEY_MOST && (!units_read_size(value, &number) || number == 0))
        argp_error(state, "--max-touch is a size such as 512K, 10M or 2G, not '%s'", value);
    if (key == KEY_SEED)
        options->wish.seed = number;
    else
        options->wish.most = number;
}

static error_t read_option(int key, char *value, struct argp_state *state)
{
    struct options *const options = state->input;

    switch (key) {
    case KEY_ONLY:
        read_only(options, value, state);
        return 0;
    case KEY_QUICK:
        options->wish.quick = true;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_HTML:
        options->html = value;
        return 0;
    case KEY_FROM:
        options->from = value;
        return 0;
    case KEY_LIST:
        options->list = true;
        return 0;
    case KEY_SEED:
    case KEY_MOST:
        read_number(key, value, options, state);
        return 0;
    case KEY_LANG:
        options->language = text_language(value);
        if (options->language == LANGUAGES)
            argp_error(state, "--lang is en or zh, not '%s'", value);
        return 0;
    case 'o':
        options->output = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is one word too many", value);
        return 0;
    case ARGP_KEY_SUCCESS:
        if (options->html != NULL && is_one_place(options->output, options->html))
            argp_error(state, "two reports cannot go to one place: with --html=%s, -o names another", options->html);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = read_option,
    .doc =
        "Measure on this machine what textbooks say about stack and heap, and about the functions for memory."
        "\vEach experiment runs in processes of its own, with the malloc that is there and with Ashlar's. Exit status: "
        "0: measured, whatever the textbook says; 1: something is inconclusive; 4: the file of --from is no report; "
        "5: a result could not be written.",
};

/* ---- The report ---- */

static int list_cards(enum language language)
{
    for (size_t i = 0; i < LAB_CARDS; i++)
        (void)printf("%-12s %s\n", lab_cards[i]->id, text_get(lab_cards[i]->title, language));
    return fflush(stdout) == 0 ? 0 : EXIT_UNWRITTEN;
}

/* The page first: where the text goes into a pipe that nobody reads, this process ends. */
static bool write_report(const json_t *document, const struct options *options)
{
    const bool written =
        options->html == NULL || deliver("report", options->html, render_html(document, options->language));
    char *const text = options->json ? model_text(document) : render_text(document, options->language);

    return deliver("report", options->output, text) && written;
}

static json_t *measure(const struct options *options, struct refusal *why)
{
    bool all[LAB_CARDS];
    struct lab_wish wish = options->wish;
    struct found_library found;
    char both[2 * PATH_MAX];
    struct refusal no_library;
    const char *const distortion = machine_distortion();

    if (distortion != NULL) {
        (void)refuse(why, EXIT_FINDING, "distorted", "nothing that is measured under %s would be true",
                     strcmp(distortion, "valgrind") == 0 ? "Valgrind" : "a sanitizer");
        return NULL;
    }
    memset(all, true, sizeof all);
    wish.wants = options->chosen ? options->wants : all;
    wish.shows_progress = isatty(STDERR_FILENO) != 0;
    if (find_library(NULL, &found, &no_library)) {
        wish.library = found.library;
        if (find_memory_functions(&found, &no_library) &&
            snprintf(both, sizeof both, "%s:%s", found.library, found.memory) < (int)sizeof both)
            wish.checking = both;
    } else {
        complain("Ashlar's library cannot be preloaded, so the malloc of the environment alone is measured");
    }
    return lab_make(&wish, why);
}

/* End as somebody wished us to, now that nothing is left behind. */
static void end_by_signal(int number)
{
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

int cmd_lab(int argc, char **argv)
{
    struct options options = {.language = ENGLISH, .output = "-", .wish = {.seed = DEFAULT_SEED}};
    struct refusal why = {0};
    json_t *document;
    int status = 0;

    usage_parse(&parser, "ashlar lab", argc, argv, &options);
    if (options.list)
        return list_cards(options.language);
    /* before anything is measured: its result must not be lost */
    if (!deliver_can(options.output, UNDONE) || !deliver_can(options.html, UNDONE))
        return EXIT_UNWRITTEN;
    document = options.from != NULL ? model_read(options.from, &why) : measure(&options, &why);
    if (document == NULL && runner_signal() != 0)
        end_by_signal(runner_signal());
    if (document == NULL) {
        complain("%s", why.text);
        return why.status;
    }
    if (lab_is_inconclusive(document))
        status = EXIT_FINDING;
    if (!write_report(document, &options))
        status = EXIT_UNWRITTEN;
    json_decref(document);
    return status;
}

int cmd_lab_experiment(int argc, char **argv) { return child_main(argc, argv); }
