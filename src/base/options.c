/* options.c: reading ASHLAR_CONF="key:value,key:value": strictly, all or nothing.
 *
 * Half a configuration never runs: an error makes one line, with the nearest valid name if one is near, and every
 * setting is ignored. Nothing here allocates; the text is read in place. */
#include "base/options.h"
#include "base/words.h"

const struct option option_table[OPTION_COUNT] = {
#define OPTION(name, kind, initial, choices, changes, meaning)                                                         \
    {#name, OPTION_##kind, initial, choices, OPTION_##changes, meaning},
#include "base/options.def"
#undef OPTION
};

enum { NOT_FOUND = -1 };

/* ---- Words --------------------------------------------------------------------------------------------------------------------------- */

/* Position of `word` in the blank-separated list `choices`, or NOT_FOUND. */
static int choice_position(const char *choices, struct word word)
{
    struct word rest = word_of(choices);

    for (int position = 0; rest.length > 0; position++)
        if (same_words(next_part(&rest, ' '), word))
            return position;
    return NOT_FOUND;
}

static struct word choice_at(const char *choices, uint64_t position)
{
    struct word rest = word_of(choices);

    for (; position > 0; position--)
        (void)next_part(&rest, ' ');
    return next_part(&rest, ' ');
}

/* Number of insertions, deletions and replacements between two short words.
 * source: Wagner, Fischer, "The String-to-String Correction Problem", JACM 21, 1974. */
static size_t edit_distance(struct word a, struct word b)
{
    size_t row[WORD_ROOM + 1];

    if (a.length > WORD_ROOM || b.length > WORD_ROOM)
        return WORD_ROOM;
    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            const size_t replaced = diagonal + (a.start[i - 1] != b.start[j - 1]);
            const size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[b.length];
}

/* ---- Errors ---------------------------------------------------------------------------------------------------------------------------- */

/* The nearer of `best` and `candidate` to `word`, if it is near at all. */
static struct word nearer(struct word word, struct word best, struct word candidate)
{
    enum { NEAR = 2 };
    const size_t distance = edit_distance(word, candidate);

    return distance <= NEAR && (best.length == 0 || distance < edit_distance(word, best)) ? candidate : best;
}

/* Write the error about `word`, with `hint` if there is one. returns: false, for the caller to pass on. */
static bool reject(struct text *error, const char *what, struct word word, struct word hint)
{
    text_put(error, "ASHLAR_CONF: ");
    text_put(error, what);
    text_put_word(error, word);
    if (hint.length != 0) {
        text_put(error, " (did you mean ");
        text_put_word(error, hint);
        text_put(error, "?)");
    }
    text_put(error, "; all settings ignored");
    return false;
}

static bool reject_key(struct text *error, struct word key)
{
    struct word hint = {0};

    for (int id = 0; id < OPTION_COUNT; id++)
        hint = nearer(key, hint, word_of(option_table[id].name));
    return reject(error, "unknown key ", key, hint);
}

static bool reject_value(struct text *error, const struct option *option, struct word value)
{
    struct word rest = word_of(option->choices);
    struct word hint = {0};
    char what[WORD_ROOM + 32];
    struct text text = {what, sizeof what, 0};

    while (rest.length > 0)
        hint = nearer(value, hint, next_part(&rest, ' '));
    text_put(&text, "bad value for ");
    text_put_word(&text, word_of(option->name));
    text_put(&text, ": ");
    return reject(error, what, value, hint);
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------------------- */

static const struct unit time_units[] = {{"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { TIME_UNITS = sizeof time_units / sizeof time_units[0] };

static bool parse_folder(struct word value, char *folder)
{
    if (value.length == 0 || value.length >= OPTION_FOLDER_ROOM || value.start[0] != '/')
        return false;
    __builtin_memcpy(folder, value.start, value.length);
    folder[value.length] = '\0';
    return true;
}

static bool parse_value(const struct option *option, struct word value, uint64_t *number, char *folder)
{
    const int position = choice_position(option->choices, value);

    if (position != NOT_FOUND && value.length > 0) {
        *number = option->kind == OPTION_CHOICE ? (uint64_t)position : OPTION_WORD(position);
        return true;
    }
    switch (option->kind) {
    case OPTION_CHOICE:
        return false;
    case OPTION_SIZE:
        return parse_number(value, size_units, SIZE_UNITS, number);
    case OPTION_STACK:
        return parse_side_stack(value, number);
    case OPTION_TIME:
        return parse_number(value, time_units, TIME_UNITS, number);
    case OPTION_FOLDER:
        *number = 0;
        return parse_folder(value, folder);
    }
    return false;
}

/* ---- The whole text --------------------------------------------------------------------------------------------------------------------- */

static int find(struct word key)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        if (same_words(key, word_of(option_table[id].name)))
            return id;
    return NOT_FOUND;
}

static bool read_pair(struct word pair, struct option_settings *settings, struct text *error)
{
    struct word value = pair;
    const struct word key = next_part(&value, ':');
    const int id = find(key);

    if (key.length == pair.length)
        return reject(error, "no \":\" in ", pair, (struct word){0});
    if (id == NOT_FOUND)
        return reject_key(error, key);
    if (settings->is_given[id])
        return reject(error, "given twice: ", key, (struct word){0});
    settings->is_given[id] = true;
    return parse_value(&option_table[id], value, &settings->numbers[id], settings->folder) ||
           reject_value(error, &option_table[id], value);
}

bool option_read(const char *configuration, struct option_settings *settings, struct text *error)
{
    struct word rest = word_of(configuration);

    while (rest.length > 0) {
        const bool ends_with_comma = rest.start[rest.length - 1] == ',';
        if (!read_pair(next_part(&rest, ','), settings, error))
            return false;
        if (rest.length == 0 && ends_with_comma)
            return reject(error, "no \":\" in ", rest, (struct word){0});
    }
    return true;
}

void option_set_initial(struct option_settings *settings)
{
    *settings = (struct option_settings){0};
    for (int id = 0; id < OPTION_COUNT; id++)
        (void)parse_value(&option_table[id], word_of(option_table[id].initial), &settings->numbers[id],
                          settings->folder);
}

/* ---- One option ------------------------------------------------------------------------------------------------------- */

int option_find(const char *name) { return find(word_of(name)); }

bool option_read_value(const struct option *option, const char *value, uint64_t *number, char *folder)
{
    return parse_value(option, word_of(value), number, folder);
}

static void put_number(struct text *text, uint64_t number, const struct unit *units, int unit_count)
{
    int i = 0;

    while (i < unit_count - 1 && (number == 0 || number % units[i].factor != 0))
        i++;
    text_put_decimal(text, number / units[i].factor);
    text_put(text, units[i].name);
}

static void put_choice(struct text *text, const struct option *option, uint64_t position)
{
    const struct word word = choice_at(option->choices, position);

    for (size_t i = 0; i < word.length; i++)
        text_put_char(text, word.start[i]);
}

void option_put(struct text *text, const struct option *option, uint64_t number, const char *folder)
{
    if (option->kind == OPTION_CHOICE)
        put_choice(text, option, number);
    else if (option->kind != OPTION_TIME && number > REQUEST_BYTES_MAX)
        put_choice(text, option, OPTION_WORD(number));
    else if (option->kind == OPTION_FOLDER)
        text_put(text, folder);
    else if (option->kind == OPTION_TIME)
        put_number(text, number, time_units, TIME_UNITS);
    else
        put_number(text, number, size_units, SIZE_UNITS);
}
