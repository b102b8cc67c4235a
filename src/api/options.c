/* options.c: ASHLAR_CONF read once, and what the options do. How the text is read: base/options.c. Under AT_SECURE the
 * variable is not looked at. */
#include "api/api.h"

static _Atomic uint64_t values[OPTION_COUNT];
static struct option_settings effective; /* written at start; `numbers` live on in `values` */
static bool is_read;

uint64_t option_value(enum option_id id) { return load_relaxed(&values[id]); }

const struct option_settings *option_settings(void) { return &effective; }

const char *option_folder(enum option_id id) { return option_value(id) == OPTION_WORD(0) ? NULL : effective.folder; }

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

    if (value == OPTION_WORD(NONE))
        return SIZE_MAX;
    return value == OPTION_WORD(CGROUP) ? cgroup_limit() : (size_t)value;
}

static void apply(void)
{
    store_relaxed(&page_bounds.purge_delay_ms, option_value(OPTION_purge_delay));
    store_relaxed(&page_bounds.dirty_floor, (size_t)option_value(OPTION_dirty));
    store_relaxed(&page_bounds.soft_limit, limit_of_option(OPTION_soft_limit));
    store_relaxed(&page_bounds.hard_limit, limit_of_option(OPTION_hard_limit));
}

static void confirm(void)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        char line[OPTION_FOLDER_ROOM + 64];
        struct text text = {line, sizeof line, 0};
        text_put(&text, "confirm: ");
        text_put(&text, option_table[id].name);
        text_put_char(&text, ':');
        option_put(&text, &option_table[id], option_value((enum option_id)id), effective.folder);
        text_put(&text, effective.is_given[id] ? " (ASHLAR_CONF)" : " (default)");
        report_line(line);
    }
}

void option_read_all(void)
{
    bool ready;
    const char *const configuration = os_environment("ASHLAR_CONF", &ready);
    char line[OPTION_ERROR_ROOM];
    struct text error = {line, sizeof line, 0};

    if (is_read)
        return;
    is_read = ready;
    option_set_initial(&effective);
    if (configuration != NULL && !page_ground.secure && !option_read(configuration, &effective, &error)) {
        report_line(line);
        option_set_initial(&effective);
    }
    for (int id = 0; id < OPTION_COUNT; id++)
        store_relaxed(&values[id], effective.numbers[id]);
    apply();
    if (option_value(OPTION_confirm) != 0)
        confirm();
}

/* ---- While the program runs ---------------------------------------------------------------------------------------------------------------- */

EXPORT int ashlar_option(const char *key, char *value, size_t bytes)
{
    const int id = key != NULL ? option_find(key) : -1;
    struct text text = {value, bytes, 0};

    if (id < 0)
        return -1;
    api_ready();
    option_put(&text, &option_table[id], option_value((enum option_id)id), effective.folder);
    return (int)text.length;
}

EXPORT int ashlar_option_set(const char *key, const char *value)
{
    const int id = key != NULL && value != NULL ? option_find(key) : -1;
    char folder[OPTION_FOLDER_ROOM];
    uint64_t number;

    if (id < 0)
        return EINVAL;
    if (option_table[id].changes != OPTION_LIVE)
        return EPERM;
    if (!option_read_value(&option_table[id], value, &number, folder))
        return EINVAL;
    api_ready();
    store_relaxed(&values[id], number);
    apply();
    return 0;
}
