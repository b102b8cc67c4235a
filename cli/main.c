/* main.c: the command `ashlar`: find the subcommand, hand over.
 *
 *   ashlar [--help|--version] SUBCOMMAND [options] ...     ashlar help [SUBCOMMAND] */
#include "commands.h"
#include "nearest.h"
#include "output.h"
#include "refuse.h"
#include "tune/tune.h"
#include "usage.h"

#include "ashlar.h"

#include <argp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *argp_program_version = "ashlar " ASHLAR_VERSION;

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    bool is_inner; /* for this command's own children: nobody is led to it */
};

static int cmd_help(int argc, char **argv);

static const struct subcommand subcommands[] = {
    {"run", cmd_run, false},   {"sizes", cmd_sizes, false},
    {"tune", cmd_tune, false}, {"tune-measure", tune_child, true},
    {"lab", cmd_lab, false},   {"explain", cmd_explain, false},
    {"help", cmd_help, false},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

/* What the command line asks for. */
struct call {
    char *name; /* of the subcommand */
    int first;  /* its place in argv */
};

static error_t read_subcommand(int key, char *value, struct argp_state *state);

static const struct argp parser = {
    .parser = read_subcommand,
    .args_doc = "SUBCOMMAND [ARGUMENT...]",
    .doc = "Run programs on Ashlar's malloc and look at their heaps."
           "\vSubcommands:\n"
           "  run      run a command with Ashlar's malloc, and sum up\n"
           "  sizes    run a command and count what it copies and fills\n"
           "  tune     measure which thresholds of memcpy and memset suit this machine\n"
           "  lab      measure what textbooks say about stack and heap\n"
           "  explain  explain malloc and its relatives, one page each\n"
           "  help     explain a subcommand\n\n"
           "'ashlar SUBCOMMAND --help' lists its options.",
};

/* The first word that is no option is the subcommand; all behind it is its own. */
static error_t read_subcommand(int key, char *value, struct argp_state *state)
{
    struct call *const call = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        call->name = value;
        call->first = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no subcommand");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Ends the process when there is none of that name. */
static const struct subcommand *find_subcommand(const char *name)
{
    const char *names[SUBCOMMANDS];
    size_t count = 0;
    const char *nearest;

    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
        if (!subcommands[i].is_inner)
            names[count++] = subcommands[i].name;
    }
    nearest = nearest_name(name, names, count);
    if (nearest != NULL)
        complain("unknown subcommand '%s', did you mean '%s'? (see 'ashlar --help')", name, nearest);
    else
        complain("unknown subcommand '%s' (see 'ashlar --help')", name);
    exit(EXIT_USAGE);
}

/* `ashlar help run` is `ashlar run --help`. */
static int cmd_help(int argc, char **argv)
{
    static char help[] = "--help";
    static char name[] = "ashlar";
    char *words[] = {argv[1], help, NULL};

    if (argc > 1 && strcmp(argv[1], "help") != 0 && argv[1][0] != '-')
        return find_subcommand(argv[1])->run(2, words);
    argp_help(&parser, stdout, ARGP_HELP_STD_HELP, name);
    return 0;
}

/* Standard streams that we were started without must not become the files that we open: a message would go there. For
 * programs that we start they stay closed. */
static void fill_streams(void)
{
    int stream;

    do
        stream = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (stream >= 0 && stream <= STDERR_FILENO);
    (void)close(stream);
}

int main(int argc, char **argv)
{
    struct call call = {0};

    fill_streams();
    output_begin();
    if (argc > 1 && strcmp(argv[1], "lab-experiment") == 0) /* before anything has used the heap */
        return cmd_lab_experiment(argc - 1, argv + 1);
    argp_err_exit_status = EXIT_USAGE;
    usage_parse(&parser, "ashlar", argc, argv, &call);
    return find_subcommand(call.name)->run(argc - call.first, argv + call.first);
}
