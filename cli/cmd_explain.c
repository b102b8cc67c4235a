/* cmd_explain.c: `ashlar explain`: a page for each function and word, and an example that runs.
 *
 * The pages are text files (cli/explain), part of the command since it was built. */
#include "commands.h"

#include "deliver.h"
#include "embed.h"
#include "nearest.h"
#include "refuse.h"
#include "usage.h"

#include "lab/text.h"

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOPIC(name)                                                                                                    \
    EMBED(page_en_##name, "cli/explain/en/" #name ".txt");                                                             \
    EMBED(page_zh_##name, "cli/explain/zh/" #name ".txt");                                                             \
    EMBED(example_##name, "cli/explain/examples/" #name ".c");
#include "explain/topics.def"
#undef TOPIC

struct topic {
    const char *name;
    const char *page[LANGUAGES]; /* the first line is "name: what it is" */
    const char *example;         /* a whole program in C */
};

static const struct topic topics[] = {
#define TOPIC(name) {#name, {page_en_##name, page_zh_##name}, example_##name},
#include "explain/topics.def"
#undef TOPIC
};

enum { TOPICS = sizeof topics / sizeof *topics, KEY_LANG = 256 };

struct options {
    const char *topic; /* NULL: list them */
    enum language language;
};

static const struct argp_option option_table[] = {
    {.name = "lang", .key = KEY_LANG, .arg = "LANG", .doc = "en or zh (en)"},
    {0},
};

static error_t read_option(int key, char *value, struct argp_state *state)
{
    struct options *const options = state->input;

    switch (key) {
    case KEY_LANG:
        options->language = text_language(value);
        if (options->language == LANGUAGES)
            argp_error(state, "--lang is en or zh, not '%s'", value);
        return 0;
    case ARGP_KEY_ARG:
        if (options->topic != NULL)
            argp_error(state, "one topic at a time, not '%s' as well", value);
        options->topic = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = read_option,
    .args_doc = "[TOPIC]",
    .doc =
        "Explain a function for memory, or a word of the field: what it promises, how it fails, its traps, where that "
        "is written, and an example that runs.\vWithout TOPIC: list the topics.",
};

/* The topics whose pages have the word, ", " between them; "" for none. A word of two letters is on every page. */
static void find_mentions(const char *word, char list[], size_t room)
{
    enum { LEAST = 3 };
    size_t used = 0;

    list[0] = '\0';
    for (size_t i = 0; i < TOPICS && strlen(word) >= LEAST; i++)
        if (strcasestr(topics[i].page[ENGLISH], word) != NULL || strstr(topics[i].page[CHINESE], word) != NULL) {
            const int length = snprintf(list + used, room - used, "%s%s", used > 0 ? ", " : "", topics[i].name);
            if ((size_t)length >= room - used) {
                list[used] = '\0';
                return;
            }
            used += (size_t)length;
        }
}

/* What `name` may have been meant for: a topic that begins so, the topics whose pages have it, one that is spelt alike.
 */
static void tell_unknown(const char *name)
{
    const char *names[TOPICS];
    const char *likely = NULL;
    char mentions[128];

    for (size_t i = 0; i < TOPICS; i++) {
        names[i] = topics[i].name;
        if (*name != '\0' && strncasecmp(names[i], name, strlen(name)) == 0)
            likely = names[i]; /* "fragment" is the card of "fragmentation" */
    }
    find_mentions(name, mentions, sizeof mentions);
    if (likely == NULL && *mentions == '\0')
        likely = nearest_name(name, names, TOPICS);
    if (likely != NULL)
        complain("no topic is called '%s', did you mean '%s'? ('ashlar explain' lists them)", name, likely);
    else if (*mentions != '\0')
        complain("no topic is called '%s', but these have the word: %s", name, mentions);
    else
        complain("no topic is called '%s' ('ashlar explain' lists them)", name);
}

/* returns: NULL, after it has complained, when there is none. */
static const struct topic *find_topic(const char *name)
{
    for (size_t i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].name, name) == 0)
            return &topics[i];
    tell_unknown(name);
    return NULL;
}

static void put_list(FILE *out, enum language language)
{
    for (size_t i = 0; i < TOPICS; i++) {
        const char *const page = topics[i].page[language];

        (void)fprintf(out, "%.*s\n", (int)strcspn(page, "\n"), page);
    }
}

/* The example is indented, as code is in the page. */
static void put_topic(FILE *out, const struct topic *topic, enum language language)
{
    (void)fprintf(out, "%s\n%s\n", topic->page[language], language == CHINESE ? "示例" : "Example");
    for (const char *line = topic->example; *line != '\0';) {
        const size_t length = strcspn(line, "\n");

        (void)fprintf(out, "%s%.*s\n", length > 0 ? "    " : "", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

/* returns: the exit status. */
static int write_page(const struct topic *topic, enum language language)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *const out = open_memstream(&text, &bytes);

    if (out != NULL && topic != NULL)
        put_topic(out, topic, language);
    else if (out != NULL)
        put_list(out, language);
    if (out != NULL && fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    return deliver_status(0, deliver("page", "-", text));
}

int cmd_explain(int argc, char **argv)
{
    struct options options = {.language = ENGLISH};
    const struct topic *topic = NULL;

    usage_parse(&parser, "ashlar explain", argc, argv, &options);
    if (options.topic != NULL && (topic = find_topic(options.topic)) == NULL)
        return EXIT_USAGE;
    return write_page(topic, options.language);
}
