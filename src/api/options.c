/* options.c: ASHLAR_CONF="key:value,key:value", read once, strictly, all or nothing.
 *
 * Half a configuration never runs: an error prints one line, with the nearest valid name if one is near, and every
 * setting is ignored. Under AT_SECURE the variable is not looked at. Nothing here allocates; the environment block is
 * read in place. */
#include "api/api.h"

#include "base/words.h"

enum option_kind { CHOICE, SIZE, STACK, TIME, FOLDER };
enum option_changes { START, LIVE };

static const struct option {
    const char *name;
    enum option_kind kind;
    const char *initial;
    const char *choices;
    enum option_changes changes;
    const char *meaning;
} options[OPTION_COUNT] = {
#define OPTION(name, kind, initial, choices, changes, meaning) {#name, kind, initial, choices, changes, meaning},
#include "api/options.def"
#undef OPTION
};

enum { FOLDER_ROOM = 256, NOT_FOUND = -1 };

/* Numbers from here on stand for choices of a SIZE or FOLDER option: CHOICE_BASE - position. */
#define CHOICE_BASE UINT64_MAX

struct settings {
    uint64_t numbers[OPTION_COUNT];
    bool is_given[OPTION_COUNT];
    char folder[FOLDER_ROOM]; /* of the one FOLDER option */
};

static _Atomic uint64_t values[OPTION_COUNT];
static struct settings effective; /* written at start; `numbers` live on in `values` */
static bool is_read;

uint64_t option_value(enum option_id id) { return load_relaxed(&values[id]); }

const char *option_folder(enum option_id id) { return option_value(id) == CHOICE_BASE ? NULL : effective.folder; }

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

/* Print an error about `word`, with `hint` if there is one. returns: false, for the caller to pass on. */
static bool reject(const char *what, struct word word, struct word hint)
{
    char line[4 * WORD_ROOM];
    struct text text = {line, sizeof line, 0};

    text_put(&text, "ASHLAR_CONF: ");
    text_put(&text, what);
    text_put_word(&text, word);
    if (hint.length != 0) {
        text_put(&text, " (did you mean ");
        text_put_word(&text, hint);
        text_put(&text, "?)");
    }
    text_put(&text, "; all settings ignored");
    report_line(line);
    return false;
}

static bool reject_key(struct word key)
{
    struct word hint = {0};

    for (int id = 0; id < OPTION_COUNT; id++)
        hint = nearer(key, hint, word_of(options[id].name));
    return reject("unknown key ", key, hint);
}

static bool reject_value(const struct option *option, struct word value)
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
    return reject(what, value, hint);
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------------------- */

static const struct unit time_units[] = {{"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { TIME_UNITS = sizeof time_units / sizeof time_units[0] };

static bool parse_folder(struct word value, char *folder)
{
    if (value.length == 0 || value.length >= FOLDER_ROOM || value.start[0] != '/')
        return false;
    __builtin_memcpy(folder, value.start, value.length);
    folder[value.length] = '\0';
    return true;
}

static bool parse_value(const struct option *option, struct word value, uint64_t *number, char *folder)
{
    const int position = choice_position(option->choices, value);

    if (position != NOT_FOUND && value.length > 0) {
        *number = option->kind == CHOICE ? (uint64_t)position : CHOICE_BASE - (uint64_t)position;
        return true;
    }
    switch (option->kind) {
    case CHOICE:
        return false;
    case SIZE:
        return parse_number(value, size_units, SIZE_UNITS, number);
    case STACK:
        return parse_side_stack(value, number);
    case TIME:
        return parse_number(value, time_units, TIME_UNITS, number);
    case FOLDER:
        *number = 0;
        return parse_folder(value, folder);
    }
    return false;
}

/* ---- The whole text --------------------------------------------------------------------------------------------------------------------- */

static int option_named(struct word key)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        if (same_words(key, word_of(options[id].name)))
            return id;
    return NOT_FOUND;
}

static bool parse_pair(struct word pair, struct settings *settings)
{
    struct word value = pair;
    const struct word key = next_part(&value, ':');
    const int id = option_named(key);

    if (key.length == pair.length)
        return reject("no \":\" in ", pair, (struct word){0});
    if (id == NOT_FOUND)
        return reject_key(key);
    if (settings->is_given[id])
        return reject("given twice: ", key, (struct word){0});
    settings->is_given[id] = true;
    return parse_value(&options[id], value, &settings->numbers[id], settings->folder) ||
           reject_value(&options[id], value);
}

static bool parse_all(const char *configuration, struct settings *settings)
{
    struct word rest = word_of(configuration);

    while (rest.length > 0) {
        const bool ends_with_comma = rest.start[rest.length - 1] == ',';
        if (!parse_pair(next_part(&rest, ','), settings))
            return false;
        if (rest.length == 0 && ends_with_comma)
            return reject("no \":\" in ", rest, (struct word){0});
    }
    return true;
}

static void set_initial(struct settings *settings)
{
    *settings = (struct settings){0};
    for (int id = 0; id < OPTION_COUNT; id++)
        (void)parse_value(&options[id], word_of(options[id].initial), &settings->numbers[id], settings->folder);
}

/* ---- Effects ---------------------------------------------------------------------------------------------------------------------------- */

/* The control group's limit, asked for once. */
static size_t cgroup_limit(void)
{
    static size_t limit; /* 0: not asked yet */

    if (limit == 0)
        limit = os_cgroup_limit();
    return limit;
}

static size_t limit_of_option(enum option_id id)
{
    enum { NONE, CGROUP };
    const uint64_t value = option_value(id);

    if (value == CHOICE_BASE - NONE)
        return SIZE_MAX;
    return value == CHOICE_BASE - CGROUP ? cgroup_limit() : (size_t)value;
}

static void apply(void)
{
    store_relaxed(&page_bounds.purge_delay_ms, option_value(OPTION_purge_delay));
    store_relaxed(&page_bounds.dirty_floor, (size_t)option_value(OPTION_dirty));
    store_relaxed(&page_bounds.soft_limit, limit_of_option(OPTION_soft_limit));
    store_relaxed(&page_bounds.hard_limit, limit_of_option(OPTION_hard_limit));
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

static void put_value(struct text *text, enum option_id id)
{
    const struct option *const option = &options[id];
    const uint64_t value = option_value(id);

    if (option->kind == CHOICE)
        put_choice(text, option, value);
    else if (option->kind != TIME && value > REQUEST_BYTES_MAX)
        put_choice(text, option, CHOICE_BASE - value);
    else if (option->kind == FOLDER)
        text_put(text, effective.folder);
    else if (option->kind == TIME)
        put_number(text, value, time_units, TIME_UNITS);
    else
        put_number(text, value, size_units, SIZE_UNITS);
}

static void confirm(void)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        char line[FOLDER_ROOM + WORD_ROOM];
        struct text text = {line, sizeof line, 0};
        text_put(&text, "confirm: ");
        text_put(&text, options[id].name);
        text_put_char(&text, ':');
        put_value(&text, (enum option_id)id);
        text_put(&text, effective.is_given[id] ? " (ASHLAR_CONF)" : " (default)");
        report_line(line);
    }
}

void option_read_all(void)
{
    bool ready;
    const char *const configuration = os_environment("ASHLAR_CONF", &ready);

    if (is_read)
        return;
    is_read = ready;
    set_initial(&effective);
    if (configuration != NULL && !page_ground.secure && !parse_all(configuration, &effective))
        set_initial(&effective);
    for (int id = 0; id < OPTION_COUNT; id++)
        store_relaxed(&values[id], effective.numbers[id]);
    apply();
    if (option_value(OPTION_confirm) != 0)
        confirm();
}

/* ---- While the program runs ---------------------------------------------------------------------------------------------------------------- */

EXPORT int ashlar_option(const char *key, char *value, size_t bytes)
{
    const int id = key != NULL ? option_named(word_of(key)) : NOT_FOUND;
    struct text text = {value, bytes, 0};

    if (id == NOT_FOUND)
        return -1;
    api_ready();
    put_value(&text, (enum option_id)id);
    return (int)text.length;
}

EXPORT int ashlar_option_set(const char *key, const char *value)
{
    const int id = key != NULL && value != NULL ? option_named(word_of(key)) : NOT_FOUND;
    char folder[FOLDER_ROOM];
    uint64_t number;

    if (id == NOT_FOUND)
        return EINVAL;
    if (options[id].changes != LIVE)
        return EPERM;
    if (!parse_value(&options[id], word_of(value), &number, folder))
        return EINVAL;
    api_ready();
    store_relaxed(&values[id], number);
    apply();
    return 0;
}
