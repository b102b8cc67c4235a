/* cmd_run.c: `ashlar run`: start a command with the library, prove that it is in effect, sum up.
 *
 *   options --> library, program: can it work? --> directory, environment --> launch --> pages --> summary
 *               no: reason, exit 125                                          the command's own status
 *
 * The command's status is the result of this one. Only where it is 0 may we have another opinion: 1 when a budget was
 * exceeded, 5 when the summary could not be written. */
#include "commands.h"

#include "bindings.h"
#include "clean.h"
#include "deliver.h"
#include "environment.h"
#include "find.h"
#include "launch.h"
#include "output.h"
#include "pages.h"
#include "place.h"
#include "program.h"
#include "summary.h"
#include "units.h"
#include "usage.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Options ---- */

struct options {
    bool json;
    bool plain;
    bool quiet;
    bool verbose;
    bool verify;
    const char *colour;    /* always, never, auto; NULL: auto */
    const char *output;    /* file for the summary; NULL: standard error */
    const char *library;   /* NULL: to be found */
    const char *check_mem; /* report, abort; NULL: copies are not looked at */
    struct budget peak;
    struct budget allocations;
    char **command; /* argv of the command, ended by NULL */
};

enum { KEY_JSON = 256, KEY_PLAIN, KEY_COLOUR, KEY_VERIFY, KEY_LIBRARY, KEY_CHECK_MEM, KEY_MAX_PEAK, KEY_MAX_ALLOCS };

static const struct argp_option option_table[] = {
    {.doc = "The summary:", .group = 1},
    {.name = "output",
     .key = 'o',
     .arg = "FILE",
     .doc = "write it to FILE (- is standard output), not to standard error"},
    {.name = "json", .key = KEY_JSON, .doc = "write it as JSON, schema ashlar.run/1"},
    {.name = "plain", .key = KEY_PLAIN, .doc = "write one fact per line: name, blank, exact value"},
    {.name = "color", .key = KEY_COLOUR, .arg = "WHEN", .doc = "always, never, or auto (a terminal, and no NO_COLOR)"},
    {.name = "quiet", .key = 'q', .doc = "write none to standard error; errors and exceeded budgets are still told"},
    {.name = "verbose", .key = 'v', .doc = "say what is done; show all size classes and all programs"},
    {.doc = "The proof:", .group = 2},
    {.name = "verify",
     .key = KEY_VERIFY,
     .doc = "have the loader say where malloc is bound (LD_DEBUG=bindings; slower)"},
    {.name = "library", .key = KEY_LIBRARY, .arg = "FILE", .doc = "preload this libashlar.so.1, not the one found"},
    {.doc = "The copies:", .group = 3},
    {.name = "check-mem",
     .key = KEY_CHECK_MEM,
     .arg = "WHAT",
     .flags = OPTION_ARG_OPTIONAL,
     .doc = "stop memcpy, memset, strcpy and their relatives at the end of a heap block: report (the usual) prints a "
            "line, abort ends the program"},
    {.doc = "Budgets, exceeded: exit status 1 where the command's is 0:", .group = 4},
    {.name = "max-peak", .key = KEY_MAX_PEAK, .arg = "SIZE", .doc = "no program may hold more heap (512K, 10M, 2G)"},
    {.name = "max-allocs", .key = KEY_MAX_ALLOCS, .arg = "N", .doc = "all programs together may allocate N blocks"},
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
    case 'v':
        options->verbose = true;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_PLAIN:
        options->plain = true;
        return 0;
    case KEY_VERIFY:
        options->verify = true;
        return 0;
    case KEY_LIBRARY:
        options->library = value;
        return 0;
    case KEY_CHECK_MEM:
        if (value != NULL && strcmp(value, "report") != 0 && strcmp(value, "abort") != 0)
            argp_error(state, "--check-mem is report or abort, not '%s'", value);
        options->check_mem = value != NULL ? value : "report";
        return 0;
    case KEY_COLOUR:
        if (strcmp(value, "auto") != 0 && strcmp(value, "always") != 0 && strcmp(value, "never") != 0)
            argp_error(state, "--color is always, never or auto, not '%s'", value);
        options->colour = value;
        return 0;
    case KEY_MAX_PEAK:
        if (!units_read_size(value, &options->peak.most))
            argp_error(state, "--max-peak is a size such as 512K, 10M or 2G, not '%s'", value);
        options->peak.set = true;
        return 0;
    case KEY_MAX_ALLOCS:
        if (!units_read_count(value, &options->allocations.most))
            argp_error(state, "--max-allocs is a whole number, not '%s'", value);
        options->allocations.set = true;
        return 0;
    case ARGP_KEY_ARG: /* the command: everything from here on is its own */
        options->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no command to run");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = read_option,
    .args_doc = "[--] COMMAND [ARGUMENT...]",
    .doc = "Run COMMAND with Ashlar's malloc, prove that it is in effect, and sum up on standard error."
           "\vThe exit status is the command's: its own, or 128 plus the signal that ended it. 125: Ashlar cannot be "
           "active in it, so it was not started; 126: it cannot be executed; 127: it was not found; 1: a budget was "
           "exceeded; 5: the summary could not be written. ASHLAR_CONF sets options of the library.",
};

/* ---- The run ---- */

/* What a run needs and leaves behind. */
struct run {
    struct options options;
    struct found_library library;
    struct program program;
    struct place place;
    struct launched launched;
    struct pages pages;
    struct bindings bindings;
    struct summary summary;
};

/* Everything that can say no before the command runs. */
static bool prepare(struct run *run)
{
    struct refusal *const why = &run->summary.why;

    if (!find_program(run->options.command[0], run->program.path, why))
        return false;
    run->summary.program = run->program.path;
    if (!find_library(run->options.library, &run->library, why))
        return false;
    run->summary.library = run->library.library;
    if (run->options.check_mem != NULL && !find_memory_functions(&run->library, why))
        return false;
    if (!program_check(&run->program, PROGRAM_MALLOC, why))
        return false;
    run->summary.program = run->program.binary;
    return true;
}

static void tell_plan(const struct run *run)
{
    complain("library %s", run->library.library);
    complain("program %s%s", run->program.binary, run->program.checked ? "" : " (not readable, so not checked)");
    complain("pages in %s", run->place.path);
}

static void clear_pages(void *pages) { pages_clear(pages); }

/* Take in what the processes left. */
static void gather(struct run *run)
{
    struct summary *const summary = &run->summary;

    pages_finish(&run->pages);
    summary->launched = &run->launched;
    summary->pages = &run->pages;
    summary->top = pages_last_of(&run->pages, run->launched.pid);
    summary->highest = pages_highest(&run->pages);
    summary->status = run->launched.status;
    if (run->options.verify &&
        bindings_read(run->place.directory, run->launched.pid, run->library.library, &run->bindings))
        summary->bindings = &run->bindings;
}

/* Start the command and gather what it leaves. The directory is gone afterwards, however the command ended. */
static bool carry_out(struct run *run)
{
    struct refusal *const why = &run->summary.why;
    const struct environment environment = {&run->library, run->place.path, run->options.verify,
                                            run->options.check_mem};
    bool started;

    if (!place_make(&run->place, why))
        return false;
    run->pages.directory = run->place.directory;
    if (run->options.verbose)
        tell_plan(run);
    started = environment_set(&environment, why) &&
              launch(run->options.command, (struct launch_pastime){clear_pages, &run->pages}, &run->launched, why);
    if (started)
        gather(run);
    place_remove(&run->place);
    return started;
}

/* ---- What came of it ---- */

/* The proof after the run is the page that the library's constructor leaves. There is none: why? */
static void doubt(struct summary *summary, bool configured)
{
    if (summary->pages->unmade > 0)
        (void)refuse(&summary->why, summary->status, "no_room", "there was no room for its page");
    else if (summary->pages->unreadable > 0)
        (void)refuse(&summary->why, summary->status, "bad_page",
                     "its page cannot be read; is the library of another version than this command?");
    else
        (void)refuse(&summary->why, summary->status, "no_page", "it left no page, so the library was not loaded%s",
                     configured ? ", or it refused ASHLAR_CONF and with it the setting that asks for a page" : "");
}

static void judge(struct summary *summary, bool configured)
{
    if (summary->top == NULL)
        doubt(summary, configured);
    summary->peak.exceeded =
        summary->peak.set && summary->highest != NULL && summary->highest->peak_bytes > summary->peak.most;
    summary->allocations.exceeded =
        summary->allocations.set && summary->pages->totals.allocations > summary->allocations.most;
    if ((summary->peak.exceeded || summary->allocations.exceeded) && summary->status == 0)
        summary->status = EXIT_FINDING;
}

/* Whether standard error gets the summary: then nothing of it is said twice. */
static bool on_stderr(const struct options *options) { return options->output == NULL && !options->quiet; }

static void tell_findings(const struct summary *summary, const struct options *options)
{
    const bool structured = options->json || options->plain;

    if (on_stderr(options) && structured)
        return; /* it is all in there, and a line of ours would spoil it */
    if (summary->why.reason != NULL && summary->launched == NULL && !on_stderr(options))
        complain("%s", summary->why.text);
    if (summary->why.reason != NULL && summary->launched != NULL && !on_stderr(options))
        complain("not active in %s (%d): %s", clean_base(summary->command[0]), (int)summary->launched->pid,
                 summary->why.text);
    if (summary->peak.exceeded)
        complain("over budget: %s (%d) held %s bytes of heap, --max-peak allows %s", process_name(summary->highest),
                 summary->highest->pid, units_count(summary->highest->peak_bytes).text,
                 units_count(summary->peak.most).text);
    if (summary->allocations.exceeded)
        complain("over budget: %s allocations, --max-allocs allows %s",
                 units_count(summary->pages->totals.allocations).text, units_count(summary->allocations.most).text);
}

static char *render(const struct summary *summary, const struct options *options)
{
    if (options->json)
        return summary_json(summary);
    if (options->plain)
        return summary_plain(summary);
    return summary_text(summary, options->output == NULL && output_coloured(options->colour, stderr));
}

/* Tell what is known. returns: the exit status. */
static int finish(const struct summary *summary, const struct options *options)
{
    const bool is_silent = options->quiet && options->output == NULL;
    const bool is_written = is_silent || deliver("summary", options->output, render(summary, options));

    tell_findings(summary, options);
    return deliver_status(summary->status, is_written);
}

int cmd_run(int argc, char **argv)
{
    static struct run run; /* some 30 KiB of paths and sums */
    struct options *const options = &run.options;
    struct summary *const summary = &run.summary;
    const bool configured = getenv("ASHLAR_CONF") != NULL;
    int status;

    usage_parse(&parser, "ashlar run", argc, argv, options);
    if (!deliver_can(options->output, "nothing was run"))
        return EXIT_UNWRITTEN;
    summary->command = options->command;
    summary->peak = options->peak;
    summary->allocations = options->allocations;
    summary->everything = options->verbose;
    if (prepare(&run) && carry_out(&run))
        judge(summary, configured);
    else
        summary->status = summary->why.status;
    status = finish(summary, options);
    pages_free(&run.pages);
    return status;
}
