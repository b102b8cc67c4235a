/* options.c: the text of ASHLAR_CONF, strict, all or nothing. On a played kernel the environment is never finished, so
 * that it can be read again and again, and every line that is printed lands in a buffer. */
#include "test.h"

#include "../lib/fake_os.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

static const char *const names[OPTION_COUNT] = {
#define OPTION(name, kind, initial, choices, changes, meaning) #name,
#include "base/options.def"
#undef OPTION
};
static const char *const initials[OPTION_COUNT] = {
#define OPTION(name, kind, initial, choices, changes, meaning) initial,
#include "base/options.def"
#undef OPTION
};

static void read_conf(const char *conf)
{
    fake_os.text_bytes = 0;
    fake_os.text[0] = '\0';
    fake_os.environment = conf;
    option_read_all();
}

static const char *value_of(const char *key)
{
    static char value[512];

    CHECK(ashlar_option(key, value, sizeof value) >= 0);
    return value;
}

static void check_value(const char *key, const char *expected)
{
    if (strcmp(value_of(key), expected) != 0)
        test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", key, value_of(key), expected);
}

static void check_all_initial(void)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        check_value(names[id], initials[id]);
}

static void check_printed(const char *expected)
{
    if (strcmp(fake_os.text, expected) != 0)
        test_fail(__FILE__, __LINE__, "for \"%s\": \"%s\", not \"%s\"", fake_os.environment, fake_os.text, expected);
}

/* ---- What is accepted ----------------------------------------------------------------------------------------------- */

TEST(without_a_configuration_everything_has_its_initial_value)
{
    read_conf(NULL);
    check_printed("");
    check_all_initial();
    read_conf("");
    check_printed("");
    check_all_initial();
}

static const struct accepted {
    const char *conf;
    const char *key;
    const char *value;
} accepted[] = {
    {"foreign:abort", "foreign", "abort"},
    {"foreign:auto", "foreign", "auto"},
    {"sized:off", "sized", "off"},
    {"warn:on", "warn", "on"},
    {"dirty:0", "dirty", "0"},
    {"dirty:1", "dirty", "1"},
    {"dirty:1023", "dirty", "1023"},
    {"dirty:1024", "dirty", "1K"},
    {"dirty:1K", "dirty", "1K"},
    {"dirty:1536K", "dirty", "1536K"},
    {"dirty:1024M", "dirty", "1G"},
    {"dirty:3T", "dirty", "3T"},
    {"dirty:00000000000000000000000000000000001M", "dirty", "1M"},
    {"dirty:9223372036854775807", "dirty", "9223372036854775807"},
    {"dirty:8388607T", "dirty", "8388607T"},
    {"soft_limit:none", "soft_limit", "none"},
    {"soft_limit:100M", "soft_limit", "100M"},
    {"hard_limit:2G", "hard_limit", "2G"},
    {"hard_limit:cgroup", "hard_limit", "cgroup"},
    {"purge_delay:0ms", "purge_delay", "0ms"},
    {"purge_delay:1ms", "purge_delay", "1ms"},
    {"purge_delay:1000ms", "purge_delay", "1s"},
    {"purge_delay:90s", "purge_delay", "90s"},
    {"purge_delay:120s", "purge_delay", "2m"},
    {"status:/", "status", "/"},
    {"status:/run/ash:lar", "status", "/run/ash:lar"},
    {"status:off", "status", "off"},
    {"side_stack:1M", "side_stack", "1M"},
    {"side_stack:4096M", "side_stack", "4G"},
    {"warn:on,dirty:3M,sized:warn", "dirty", "3M"},
    {"warn:on,dirty:3M,sized:warn", "sized", "warn"},
};

static void is_accepted(const void *argument)
{
    const struct accepted *const row = argument;

    read_conf(row->conf);
    check_printed("");
    check_value(row->key, row->value);
}

/* ---- What is refused ------------------------------------------------------------------------------------------------ */

static const struct refused {
    const char *conf;
    const char *complaint; /* between "ashlar: ASHLAR_CONF: " and "; all settings ignored" */
} refused[] = {
    {"nonsense:1", "unknown key \"nonsense\""},
    {"purge_dely:1s", "unknown key \"purge_dely\" (did you mean \"purge_delay\"?)"},
    {"purge-delay:1s", "unknown key \"purge-delay\" (did you mean \"purge_delay\"?)"},
    {"purgdely:1s", "unknown key \"purgdely\""}, /* three changes are too many */
    {"WARN:on", "unknown key \"WARN\""},
    {"Warn:on", "unknown key \"Warn\" (did you mean \"warn\"?)"},
    {" warn:on", "unknown key \" warn\" (did you mean \"warn\"?)"},
    {"warn :on", "unknown key \"warn \" (did you mean \"warn\"?)"},
    {":on", "unknown key \"\""},
    {":", "unknown key \"\""},
    {"warn", "no \":\" in \"warn\""},
    {"warn=on", "no \":\" in \"warn=on\""},
    {",", "no \":\" in \"\""},
    {"warn:on,", "no \":\" in \"\""},
    {",warn:on", "no \":\" in \"\""},
    {"warn:on,,sized:off", "no \":\" in \"\""},
    {"warn:on,warn:on", "given twice: \"warn\""},
    {"warn:", "bad value for \"warn\": \"\" (did you mean \"on\"?)"},
    {"warn:yes", "bad value for \"warn\": \"yes\""},
    {"warn:ON", "bad value for \"warn\": \"ON\" (did you mean \"on\"?)"},
    {"warn:on ", "bad value for \"warn\": \"on \" (did you mean \"on\"?)"},
    {"foreign:abrt", "bad value for \"foreign\": \"abrt\" (did you mean \"abort\"?)"},
    {"foreign:0", "bad value for \"foreign\": \"0\""},
    {"foreign:auto forward", "bad value for \"foreign\": \"auto forward\""},
    {"dirty:", "bad value for \"dirty\": \"\""},
    {"dirty:M", "bad value for \"dirty\": \"M\""},
    {"dirty:8m", "bad value for \"dirty\": \"8m\""},
    {"dirty:8MB", "bad value for \"dirty\": \"8MB\""},
    {"dirty:8 M", "bad value for \"dirty\": \"8 M\""},
    {"dirty:-1", "bad value for \"dirty\": \"-1\""},
    {"dirty:+1", "bad value for \"dirty\": \"+1\""},
    {"dirty:0x10", "bad value for \"dirty\": \"0x10\""},
    {"dirty:1.5M", "bad value for \"dirty\": \"1.5M\""},
    {"dirty:none", "bad value for \"dirty\": \"none\""},
    {"dirty:9223372036854775808", "bad value for \"dirty\": \"9223372036854775808\""},
    {"dirty:18446744073709551615", "bad value for \"dirty\": \"18446744073709551615\""},
    {"dirty:18446744073709551616", "bad value for \"dirty\": \"18446744073709551616\""},
    {"dirty:8388608T", "bad value for \"dirty\": \"8388608T\""},
    {"dirty:16777216T", "bad value for \"dirty\": \"16777216T\""}, /* 2^64: wraps to 0 */
    {"dirty:16777217T", "bad value for \"dirty\": \"16777217T\""},
    {"soft_limit:cgroup", "bad value for \"soft_limit\": \"cgroup\""},
    {"hard_limit:cgruop", "bad value for \"hard_limit\": \"cgruop\" (did you mean \"cgroup\"?)"},
    {"purge_delay:500", "bad value for \"purge_delay\": \"500\""},
    {"purge_delay:ms", "bad value for \"purge_delay\": \"ms\""},
    {"purge_delay:1h", "bad value for \"purge_delay\": \"1h\""},
    {"purge_delay:1S", "bad value for \"purge_delay\": \"1S\""},
    {"purge_delay:307445734561826m", "bad value for \"purge_delay\": \"307445734561826m\""},
    {"side_stack:1048575", "bad value for \"side_stack\": \"1048575\""},
    {"side_stack:4097M", "bad value for \"side_stack\": \"4097M\""},
    {"side_stack:none", "bad value for \"side_stack\": \"none\""},
    {"status:run", "bad value for \"status\": \"run\""},
    {"status:", "bad value for \"status\": \"\""},
    {"status:./run", "bad value for \"status\": \"./run\""},
    {"w\x1b[31mrn:on", "unknown key \"w?[31mrn\""}, /* nothing that a terminal would obey */
    {"warn:\xc3\xa4", "bad value for \"warn\": \"?\?\" (did you mean \"on\"?)"},
    {"sized:off,dirty:3M,warn:maybe", "bad value for \"warn\": \"maybe\""}, /* all or nothing */
};

static void is_refused(const void *argument)
{
    const struct refused *const row = argument;
    char line[512];

    snprintf(line, sizeof line, "ashlar: ASHLAR_CONF: %s; all settings ignored\n", row->complaint);
    read_conf(row->conf);
    check_printed(line);
    check_all_initial();
}

TESTS(rows)
{
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
        test_add(is_accepted, &accepted[i], "accepted_%s_as_%s", accepted[i].conf, accepted[i].value);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        test_add(is_refused, &refused[i], "refused_row_%zu", i);
}

TEST(a_very_long_word_is_cut_in_the_message)
{
    char conf[2000], expected[256];

    memset(conf, 'x', sizeof conf);
    conf[sizeof conf - 1] = '\0';
    read_conf(conf);
    snprintf(expected, sizeof expected, "ashlar: ASHLAR_CONF: no \":\" in \"%.64s\"; all settings ignored\n", conf);
    check_printed(expected);
    check_all_initial();
}

TEST(a_folder_has_its_room_and_no_more)
{
    char conf[400] = "status:/";

    memset(conf + 8, 'd', 254);
    conf[8 + 254] = '\0';
    read_conf(conf);
    check_printed("");
    CHECK_EQ(strlen(option_folder(OPTION_status)), 255);
    strcat(conf, "d");
    read_conf(conf);
    CHECK(strstr(fake_os.text, "bad value for \"status\"") != NULL);
    CHECK_EQ(option_folder(OPTION_status), NULL);
}

/* ---- When it is read ------------------------------------------------------------------------------------------------ */

TEST(once_libc_has_set_the_environment_it_is_read_for_the_last_time)
{
    read_conf(NULL);
    fake_os.environment_ready = true;
    read_conf("warn:on");
    check_value("warn", "on");
    read_conf("warn:off,dirty:1M");
    check_value("warn", "on");
    check_value("dirty", "8M");
}

TEST(where_the_environment_is_not_to_be_trusted_it_is_not_looked_at)
{
    page_ground.secure = true;
    read_conf("warn:on,confirm:on,status:/tmp");
    check_printed("");
    check_all_initial();
    read_conf("rubbish");
    check_printed("");
}

TEST(confirm_prints_every_setting_once_and_where_it_comes_from)
{
    char expected[4096] = "";

    read_conf("dirty:3M,confirm:on");
    for (int id = 0; id < OPTION_COUNT; id++) {
        const bool given = id == OPTION_dirty || id == OPTION_confirm;
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "ashlar: confirm: %s:%s (%s)\n",
                 names[id], value_of(names[id]), given ? "ASHLAR_CONF" : "default");
    }
    check_printed(expected);
}

/* ---- What it changes ------------------------------------------------------------------------------------------------ */

TEST(settings_reach_the_floor_that_obeys_them)
{
    read_conf("purge_delay:2s,dirty:3M,soft_limit:4M,hard_limit:5M");
    CHECK_EQ(load_relaxed(&page_bounds.purge_delay_ms), 2000);
    CHECK_EQ(load_relaxed(&page_bounds.dirty_floor), 3 * MIB);
    CHECK_EQ(load_relaxed(&page_bounds.soft_limit), 4 * MIB);
    CHECK_EQ(load_relaxed(&page_bounds.hard_limit), 5 * MIB);
    read_conf("hard_limit:none");
    CHECK_EQ(load_relaxed(&page_bounds.hard_limit), SIZE_MAX);
    CHECK_EQ(load_relaxed(&page_bounds.dirty_floor), 8 * MIB);
}

TEST(a_setting_that_lives_can_be_changed_and_a_bad_value_changes_nothing)
{
    read_conf("dirty:3M");
    CHECK_EQ(ashlar_option_set("dirty", "4M"), 0);
    check_value("dirty", "4M");
    CHECK_EQ(load_relaxed(&page_bounds.dirty_floor), 4 * MIB);
    CHECK_EQ(ashlar_option_set("dirty", "4X"), EINVAL);
    CHECK_EQ(ashlar_option_set("dirty", ""), EINVAL);
    CHECK_EQ(ashlar_option_set("dirty", NULL), EINVAL);
    CHECK_EQ(ashlar_option_set(NULL, "4M"), EINVAL);
    CHECK_EQ(ashlar_option_set("dirtyy", "4M"), EINVAL);
    CHECK_EQ(ashlar_option_set("", "4M"), EINVAL);
    CHECK_EQ(ashlar_option_set("confirm", "on"), EPERM);
    CHECK_EQ(ashlar_option_set("status", "/tmp"), EPERM);
    check_value("dirty", "4M");
    CHECK_EQ(ashlar_option_set("hard_limit", "none"), 0);
    check_value("hard_limit", "none");
    check_printed(""); /* whoever calls gets an error value, not a line */
}

TEST(a_value_is_written_as_snprintf_would)
{
    char value[16];

    read_conf("purge_delay:1234ms");
    memset(value, '#', sizeof value);
    CHECK_EQ(ashlar_option("purge_delay", value, 4), 6);
    CHECK_EQ(memcmp(value, "123", 4), 0);
    CHECK_EQ(value[4], '#');
    CHECK_EQ(ashlar_option("purge_delay", NULL, 0), 6);
    CHECK_EQ(ashlar_option("purge_delay", value, 1), 6);
    CHECK_EQ(value[0], '\0');
    CHECK_EQ(ashlar_option("purge_delay", value, 7), 6);
    CHECK_EQ(memcmp(value, "1234ms", 7), 0);
    CHECK_EQ(ashlar_option("purge_delayed", value, 7), -1);
    CHECK_EQ(ashlar_option("", value, 7), -1);
    CHECK_EQ(ashlar_option(NULL, value, 7), -1);
}

/* ---- Any text at all ------------------------------------------------------------------------------------------------ */

enum { CONF_BYTES = 4096, TEXTS = 100000 };

/* A page that ends where nothing is readable: whoever looks beyond the text falls. */
static char *edge_of_memory(void)
{
    char *const page = mmap(NULL, 2 * CONF_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(page != MAP_FAILED);
    CHECK_EQ(mprotect(page + CONF_BYTES, CONF_BYTES, PROT_NONE), 0);
    return page + CONF_BYTES;
}

/* Random pieces of what a configuration is made of, with a rare random byte. returns: its length. */
static size_t random_text(char *text, size_t room)
{
    static const char *const pieces[] = {":", ",",  "on", "off", "1", "0",   "7",    "999999999", "K",    "M",
                                         "T", "ms", "s",  "m",   "/", "tmp", "none", "cgroup",    "warn", "x"};
    size_t length = 0;

    for (uint64_t count = test_random() % 12; count > 0 && length + 40 < room; count--) {
        const uint64_t kind = test_random() % 16;
        if (kind == 0)
            text[length++] = (char)(1 + test_random() % 255);
        else if (kind < 5)
            length += (size_t)sprintf(text + length, "%s%s:", length == 0 || kind == 1 ? "" : ",",
                                      names[test_random() % OPTION_COUNT]);
        else if (kind < 8)
            length += (size_t)sprintf(text + length, "%s", initials[test_random() % OPTION_COUNT]);
        else
            length += (size_t)sprintf(text + length, "%s", pieces[test_random() % (sizeof pieces / sizeof pieces[0])]);
    }
    return length;
}

/* Exactly one line, which any terminal can bear. */
static void check_complaint(void)
{
    static const char opening[] = "ashlar: ASHLAR_CONF: ";
    static const char closing[] = "; all settings ignored\n";

    CHECK(fake_os.text_bytes > sizeof opening + sizeof closing);
    CHECK(fake_os.text_bytes < 256);
    CHECK_EQ(memcmp(fake_os.text, opening, sizeof opening - 1), 0);
    CHECK_EQ(strcmp(fake_os.text + fake_os.text_bytes - (sizeof closing - 1), closing), 0);
    for (size_t i = 0; i + 1 < fake_os.text_bytes; i++)
        CHECK(fake_os.text[i] >= ' ' && fake_os.text[i] <= '~');
    check_all_initial();
}

/* All settings as one text, which must be read as the same settings. */
static void check_round_trip(void)
{
    char conf[2 * CONF_BYTES] = "", before[OPTION_COUNT][300];

    for (int id = 0; id < OPTION_COUNT; id++) {
        strcpy(before[id], value_of(names[id]));
        snprintf(conf + strlen(conf), sizeof conf - strlen(conf), "%s%s:%s", id == 0 ? "" : ",", names[id], before[id]);
    }
    read_conf(conf);
    for (int id = 0; id < OPTION_COUNT; id++)
        check_value(names[id], before[id]);
}

TEST(any_text_is_read_whole_or_refused_whole_in_one_line)
{
    char *const edge = edge_of_memory();
    uint64_t read_whole = 0;

    for (int i = 0; i < TEXTS; i++) {
        char text[CONF_BYTES];
        const size_t length = random_text(text, sizeof text);
        memcpy(edge - length - 1, text, length);
        edge[-1] = '\0';
        read_conf(edge - length - 1);
        if (strstr(fake_os.text, "all settings ignored") != NULL) {
            check_complaint();
        } else {
            CHECK(fake_os.text_bytes == 0 || option_value(OPTION_confirm) != 0);
            check_round_trip();
            read_whole++;
        }
    }
    CHECK(read_whole > TEXTS / 100 && read_whole < TEXTS / 100 * 99); /* both were tried */
}
