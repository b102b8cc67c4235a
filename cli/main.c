/* main.c: the command `ashlar`: find the subcommand, hand over.
 *
 *   ashlar [--help|--version] SUBCOMMAND [options] ...     ashlar help [SUBCOMMAND] */
#include "commands.h"
#include "nearest.h"
#include "refuse.h"
#include "usage.h"

#include "ashlar.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "ashlar " ASHLAR_VERSION;

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
};

static int cmd_help(int argc, char **argv);

static const struct subcommand subcommands[] = {
    {"run", cmd_run},
    {"help", cmd_help},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static const struct argp_option no_options[] = {{0}};

static error_t read_subcommand(int key, char *value, struct argp_state *state);

static const struct argp parser = {
    .options = no_options,
    .parser = read_subcommand,
    .args_doc = "SUBCOMMAND [ARGUMENT...]",
    .doc = "Run programs on Ashlar's malloc and look at their heaps."
           "\vSubcommands:\n"
           "  run    run a command with Ashlar's malloc, and sum up\n"
           "  help   explain a subcommand\n\n"
           "'ashlar SUBCOMMAND --help' lists its options.",
};

/* The first word that is no option is the subcommand; all behind it is its own. */
static error_t read_subcommand(int key, char *value, struct argp_state *state)
{
    int *const first = state->input;

    (void)value;
    switch (key) {
    case ARGP_KEY_ARG:
        *first = state->next - 1;
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
    const char *nearest;

    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
        names[i] = subcommands[i].name;
    }
    nearest = nearest_name(name, names, SUBCOMMANDS);
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
    char *const name = argc > 1 ? argv[1] : NULL;
    char *words[] = {name, help, NULL};
    int first;

    if (name == NULL || strcmp(name, "help") == 0 || name[0] == '-') {
        words[0] = argv[0];
        usage_parse(&parser, "ashlar", 2, words, &first);
    }
    return find_subcommand(name)->run(2, words);
}

int main(int argc, char **argv)
{
    int first = 0;

    argp_err_exit_status = EXIT_USAGE;
    usage_parse(&parser, "ashlar", argc, argv, &first);
    return find_subcommand(argv[first])->run(argc - first, argv + first);
}
