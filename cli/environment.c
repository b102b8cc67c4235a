/* environment.c: what a program must find in its environment for Ashlar to be in it. */
#include "environment.h"

#include "bindings.h"
#include "sizes/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_KEY "status:"
#define CHECK_KEY "check_mem:"

/* Put `name`=`text` into the environment, and free the text. returns: false without memory. */
static bool put(const char *name, char *text)
{
    const bool done = text != NULL && setenv(name, text, 1) == 0;

    free(text);
    return done;
}

/* The formatted text, new; NULL without memory. */
__attribute__((format(printf, 1, 2))) static char *join(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return text;
}

/* `objects`, and what was preloaded before behind it. */
static char *preload(const char *objects)
{
    const char *const before = getenv("LD_PRELOAD");
    const bool any = before != NULL && *before != '\0';

    return objects != NULL ? join("%s%s%s", objects, any ? ":" : "", any ? before : "") : NULL;
}

static char *preload_library(const struct found_library *found)
{
    const bool copies = *found->memory != '\0';
    char *const objects = join("%s:%s%s%s", found->library, found->helper, copies ? ":" : "", found->memory);
    char *const all = preload(objects);

    free(objects);
    return all;
}

/* Whether the setting at `at` is one that we make: only one may stand there. */
static bool is_replaced(const char *at, const char *check_mem)
{
    return strncmp(at, STATUS_KEY, sizeof STATUS_KEY - 1) == 0 ||
           (check_mem != NULL && strncmp(at, CHECK_KEY, sizeof CHECK_KEY - 1) == 0);
}

/* `settings` without those that we make, new. What is left is not looked at: the library judges it. */
static char *without_ours(const char *settings, const char *check_mem)
{
    char *const kept = malloc(strlen(settings) + 1);
    char *at = kept;

    if (kept == NULL)
        return NULL;
    while (*settings != '\0') {
        const size_t length = strcspn(settings, ",");
        const size_t step = length + (settings[length] == ',');

        if (!is_replaced(settings, check_mem)) {
            memcpy(at, settings, step);
            at += step;
        }
        settings += step;
    }
    *at = '\0';
    return kept;
}

static char *settings(const struct environment *wanted)
{
    const char *const before = getenv("ASHLAR_CONF"), *const check_mem = wanted->check_mem;
    char *const kept = without_ours(before != NULL ? before : "", check_mem);
    const size_t length = kept != NULL ? strlen(kept) : 0;
    const bool comma = length > 0 && kept[length - 1] != ',';
    char *const all =
        kept != NULL ? join("%s%s%s%s%s" STATUS_KEY "%s", kept, comma ? "," : "", check_mem != NULL ? CHECK_KEY : "",
                            check_mem != NULL ? check_mem : "", check_mem != NULL ? "," : "", wanted->directory)
                     : NULL;

    free(kept);
    return all;
}

bool environment_set(const struct environment *wanted, struct refusal *why)
{
    if (put("LD_PRELOAD", preload_library(wanted->found)) && put("ASHLAR_CONF", settings(wanted)) &&
        (!wanted->verify || (put("LD_DEBUG", join(BINDINGS_DEBUG)) &&
                             put("LD_DEBUG_OUTPUT", join("%s/" BINDINGS_FILE, wanted->directory)))))
        return true;
    return refuse(why, EXIT_REFUSED, "memory", "cannot set the environment: %s", strerror(ENOMEM));
}

bool environment_set_recorder(const char *recorder, const char *file, struct refusal *why)
{
    if (put("LD_PRELOAD", preload(recorder)) && put(RECORD_VARIABLE, join("%s", file)))
        return true;
    return refuse(why, EXIT_REFUSED, "memory", "cannot set the environment: %s", strerror(ENOMEM));
}
