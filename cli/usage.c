/* usage.c: options of subcommands, read with argp, and a hint when they make no sense.
 *
 * argp says "unrecognized option" and no more, and has no place to say it better. So the words are looked through once
 * before argp gets them, up to the first that is no option. */
#include "usage.h"

#include "nearest.h"
#include "refuse.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MOST = 48 };

/* The options of a subcommand, argp's own included. */
struct options {
    const char *command;
    size_t count;
    const char *names[OPTIONS_MOST];
    int letters[OPTIONS_MOST];
    bool valued[OPTIONS_MOST];
};

static void add(struct options *options, const char *name, int letter, bool valued)
{
    if (options->count == OPTIONS_MOST)
        abort();
    options->names[options->count] = name;
    options->letters[options->count] = letter;
    options->valued[options->count++] = valued;
}

/* The table ends with an entry of zeros; headings have only a text. */
static bool is_entry(const struct argp_option *option) { return option->name != NULL || option->doc != NULL; }

static struct options options_of(const struct argp *argp, const char *command)
{
    struct options options = {.command = command};

    add(&options, "help", '?', false);
    add(&options, "usage", 0, false);
    add(&options, "version", 'V', false);
    for (const struct argp_option *option = argp->options; option != NULL && is_entry(option); option++)
        if (option->name != NULL)
            add(&options, option->name, option->key, option->arg != NULL);
    return options;
}

/* The option that `name` is or begins. returns: its index; -1: none; -2: it begins several. */
static int find_long(const struct options *options, const char *name)
{
    int found = -1;

    for (size_t i = 0; i < options->count; i++) {
        if (strcmp(options->names[i], name) == 0)
            return (int)i;
        if (strncmp(options->names[i], name, strlen(name)) == 0)
            found = found == -1 ? (int)i : -2;
    }
    return found;
}

static _Noreturn void stop(const struct options *options, const char *what, const char *word, const char *hint)
{
    if (hint != NULL)
        complain("%s '%s', did you mean '--%s'? (see '%s --help')", what, word, hint, options->command);
    else
        complain("%s '%s' (see '%s --help')", what, word, options->command);
    exit(EXIT_USAGE);
}

/* Check "--name" or "--name=value". returns: whether the next word is its value. */
static bool check_long(const struct options *options, const char *word)
{
    const size_t length = strcspn(word + 2, "=");
    const bool has_value = word[2 + length] == '=';
    char name[64];
    int found;

    (void)snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name), word + 2);
    found = find_long(options, name);
    if (found == -2)
        stop(options, "ambiguous option", word, NULL);
    if (found < 0)
        stop(options, "unknown option", word, nearest_name(name, options->names, options->count));
    if (has_value && !options->valued[found])
        stop(options, "no value is taken by option", word, NULL);
    return options->valued[found] && !has_value;
}

/* Check "-abc". returns: whether the next word is a value: that of the last letter. */
static bool check_short(const struct options *options, const char *word)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        size_t i = 0;

        while (i < options->count && options->letters[i] != *letter)
            i++;
        if (i == options->count)
            stop(options, "unknown option", word, NULL);
        if (options->valued[i])
            return letter[1] == '\0';
    }
    return false;
}

static void check(const struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0' && strcmp(argv[i], "--") != 0; i++) {
        const char *const word = argv[i];
        const bool takes_next = word[1] == '-' ? check_long(options, word) : check_short(options, word);

        if (takes_next && ++i == argc)
            stop(options, "a value is needed by option", word, NULL);
    }
}

void usage_parse(const struct argp *argp, const char *command, int argc, char **argv, void *input)
{
    const struct options options = options_of(argp, command);
    char *const given = argv[0];

    check(&options, argc, argv);
    argv[0] = (char *)command; /* argp's messages begin with it; argp does not change it */
    if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input) != 0)
        exit(EXIT_USAGE);
    argv[0] = given;
}
