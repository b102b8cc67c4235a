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
    char *const objects = join("%s:%s", found->library, found->helper);
    char *const all = preload(objects);

    free(objects);
    return all;
}

/* `settings` without those of key `status`, new. What is left is not looked at: the library judges it. */
static char *without_status(const char *settings)
{
    char *const kept = malloc(strlen(settings) + 1);
    char *at = kept;

    if (kept == NULL)
        return NULL;
    while (*settings != '\0') {
        const size_t length = strcspn(settings, ",");
        const size_t step = length + (settings[length] == ',');

        if (strncmp(settings, STATUS_KEY, sizeof STATUS_KEY - 1) != 0) {
            memcpy(at, settings, step);
            at += step;
        }
        settings += step;
    }
    *at = '\0';
    return kept;
}

static char *settings(const char *directory)
{
    const char *const before = getenv("ASHLAR_CONF");
    char *const kept = without_status(before != NULL ? before : "");
    const size_t length = kept != NULL ? strlen(kept) : 0;
    const bool comma = length > 0 && kept[length - 1] != ',';
    char *const all = kept != NULL ? join("%s%s" STATUS_KEY "%s", kept, comma ? "," : "", directory) : NULL;

    free(kept);
    return all;
}

bool environment_set(const struct found_library *found, const char *directory, bool verify, struct refusal *why)
{
    if (put("LD_PRELOAD", preload_library(found)) && put("ASHLAR_CONF", settings(directory)) &&
        (!verify ||
         (put("LD_DEBUG", join(BINDINGS_DEBUG)) && put("LD_DEBUG_OUTPUT", join("%s/" BINDINGS_FILE, directory)))))
        return true;
    return refuse(why, EXIT_REFUSED, "memory", "cannot set the environment: %s", strerror(ENOMEM));
}

bool environment_set_recorder(const char *recorder, const char *file, struct refusal *why)
{
    if (put("LD_PRELOAD", preload(recorder)) && put(RECORD_VARIABLE, join("%s", file)))
        return true;
    return refuse(why, EXIT_REFUSED, "memory", "cannot set the environment: %s", strerror(ENOMEM));
}
