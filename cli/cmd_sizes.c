/* cmd_sizes.c: `ashlar sizes`: start a command with the recorder, and tell what it copied and filled.
 *
 *   options --> program: can it work? --> directory, record, environment --> launch --> the record, read --> result
 *               no: reason, exit 125                                    the command's own status
 *
 * The command's status is the result of this one, but for 5 when the result could not be written. */
#include "commands.h"

#include "clean.h"
#include "deliver.h"
#include "environment.h"
#include "find.h"
#include "launch.h"
#include "place.h"
#include "program.h"
#include "sizes.h"
#include "usage.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Options ---- */

struct options {
    bool json;
    bool verbose;
    const char *output; /* file for the result; NULL: standard error */
    char **command;     /* argv of the command, ended by NULL */
};

enum { KEY_JSON = 256 };

static const struct argp_option option_table[] = {
    {.name = "output",
     .key = 'o',
     .arg = "FILE",
     .doc = "write the result to FILE (- is standard output), not to standard error"},
    {.name = "json", .key = KEY_JSON, .doc = "write it as JSON, schema ashlar.sizes/1: all of it, calls in order, too"},
    {.name = "verbose", .key = 'v', .doc = "say what is done"},
    {0},
};

static error_t read_option(int key, char *value, struct argp_state *state)
{
    struct options *const options = state->input;

    switch (key) {
    case 'o':
        options->output = value;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case KEY_JSON:
        options->json = true;
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
    .doc =
        "Run COMMAND, count what it and its children copy and fill by memcpy, memmove, memset and their relatives, and "
        "tell the sizes, alignments and callers on standard error."
        "\vThe exit status is the command's: its own, or 128 plus the signal that ended it. 125: it cannot be "
        "recorded, so it was not started; 126: it cannot be executed; 127: it was not found; 5: the result could not "
        "be written.",
};

/* ---- The run ---- */

/* What a run needs and leaves behind. */
struct run {
    struct options options;
    char recorder[PATH_MAX];
    struct program program;
    struct place place;
    struct sizes_file file;
    struct launched launched;
    struct record *record;
    struct sizes sizes;
};

/* Everything that can say no before the command runs. */
static bool prepare(struct run *run)
{
    struct refusal *const why = &run->sizes.why;

    if (!find_program(run->options.command[0], run->program.path, why))
        return false;
    run->sizes.program = run->program.path;
    if (!find_recorder(run->recorder, why))
        return false;
    run->sizes.recorder = run->recorder;
    if (!program_check(&run->program, PROGRAM_RECORDER, why))
        return false;
    run->sizes.program = run->program.binary;
    return true;
}

static void tell_plan(const struct run *run)
{
    complain("recorder %s", run->recorder);
    complain("program %s%s", run->program.binary, run->program.checked ? "" : " (not readable, so not checked)");
    complain("record %s", run->file.path);
}

static void only_wait(void *nothing) { (void)nothing; }

/* Start the command and take what was counted. returns: whether it was started. */
static bool record(struct run *run)
{
    struct sizes *const sizes = &run->sizes;

    if (!sizes_file_make(&run->place, &run->file, &sizes->why))
        return false;
    if (run->options.verbose)
        tell_plan(run);
    if (!environment_set_recorder(run->recorder, run->file.path, &sizes->why) ||
        !launch(run->options.command, (struct launch_pastime){only_wait, NULL}, &run->launched, &sizes->why)) {
        (void)close(run->file.file);
        return false;
    }
    sizes->launched = &run->launched;
    sizes->status = run->launched.status;
    run->record = sizes_file_take(&run->file, &sizes->why);
    sizes->record = run->record;
    return true;
}

/* The directory is gone afterwards, however the command ended. */
static bool carry_out(struct run *run)
{
    bool started;

    if (!place_make(&run->place, &run->sizes.why))
        return false;
    started = record(run);
    place_remove(&run->place);
    return started;
}

/* ---- What came of it ---- */

/* The proof after the run is the count of programs that have mapped the record. */
static void judge(struct sizes *sizes)
{
    if (sizes->record != NULL && sizes->record->programs == 0)
        (void)refuse(&sizes->why, sizes->status, "not_loaded",
                     "it did not open the record, so the recorder was not loaded");
}

/* What must be told although the result went elsewhere. */
static void tell_findings(const struct sizes *sizes, const struct options *options)
{
    if (sizes->why.reason == NULL || options->output == NULL)
        return; /* it is in the result */
    if (sizes->launched == NULL)
        complain("%s", sizes->why.text);
    else
        complain("nothing recorded in %s (%d): %s", clean_base(sizes->command[0]), (int)sizes->launched->pid,
                 sizes->why.text);
}

/* Tell what is known. returns: the exit status. */
static int finish(const struct sizes *sizes, const struct options *options)
{
    char *const text = options->json ? sizes_json(sizes) : sizes_text(sizes);
    const bool is_written = deliver("result", options->output, text);

    tell_findings(sizes, options);
    return deliver_status(sizes->status, is_written);
}

int cmd_sizes(int argc, char **argv)
{
    static struct run run; /* some 20 KiB of paths */
    struct options *const options = &run.options;
    int status;

    usage_parse(&parser, "ashlar sizes", argc, argv, options);
    if (!deliver_can(options->output, "nothing was run"))
        return EXIT_UNWRITTEN;
    run.sizes.command = options->command;
    if (prepare(&run) && carry_out(&run))
        judge(&run.sizes);
    else
        run.sizes.status = run.sizes.why.status;
    status = finish(&run.sizes, options);
    free(run.record);
    return status;
}
