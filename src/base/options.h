/* options.h: the one table of options, options.def, and the strict reader of a configuration text.
 *
 * No state: what the values do is the business of the libraries that read ASHLAR_CONF, each for itself. */
#ifndef ASHLAR_BASE_OPTIONS_H
#define ASHLAR_BASE_OPTIONS_H

#include "base/format.h"

enum option_id {
#define OPTION(name, kind, initial, choices, changes, meaning) OPTION_##name,
#include "base/options.def"
#undef OPTION
    OPTION_COUNT
};

enum option_kind { OPTION_CHOICE, OPTION_SIZE, OPTION_STACK, OPTION_TIME, OPTION_FOLDER };
enum option_changes { OPTION_START, OPTION_LIVE };

struct option {
    const char *name;
    enum option_kind kind;
    const char *initial;
    const char *choices;
    enum option_changes changes;
    const char *meaning;
};

extern const struct option option_table[OPTION_COUNT] __attribute__((visibility("hidden")));

/* The number of a SIZE or FOLDER option that is set to the word at `position` of its choices. No size is so large. */
#define OPTION_WORD(position) (UINT64_MAX - (uint64_t)(position))

enum { OPTION_FOLDER_ROOM = 256, OPTION_ERROR_ROOM = 256 };

/* All options. A number is a choice's position, bytes, milliseconds, or an OPTION_WORD(). */
struct option_settings {
    uint64_t numbers[OPTION_COUNT];
    bool is_given[OPTION_COUNT];
    char folder[OPTION_FOLDER_ROOM]; /* of the one FOLDER option */
};

/* Every option has its initial value. */
void option_set_initial(struct option_settings *settings);

/* Read "key:value,key:value" into `settings`, which have their initial values.
 * returns: false when the text is wrong: `error` says how, and the settings are undefined. */
bool option_read(const char *configuration, struct option_settings *settings, struct text *error);

/* The option of that name, or -1. */
int option_find(const char *name);

/* Read one value. `folder`: room for a path. returns: false when it is none of the option's. */
bool option_read_value(const struct option *option, const char *value, uint64_t *number, char *folder);

/* Write a value as it would be given. `folder`: the path, where there is one. */
void option_put(struct text *text, const struct option *option, uint64_t number, const char *folder);

#endif
