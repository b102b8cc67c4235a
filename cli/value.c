/* value.c: the values that every JSON result is made of. */
#include "value.h"

#include "clean.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

json_t *value_number(uint64_t number) { return json_integer(number <= INT64_MAX ? (json_int_t)number : INT64_MAX); }

json_t *value_text(const char *text)
{
    char *const clean = text != NULL ? clean_utf8(text) : NULL;
    json_t *const value = clean != NULL ? json_string(clean) : text == NULL ? json_null() : NULL;

    free(clean);
    return value;
}

json_t *value_words(char *const words[])
{
    json_t *const list = json_array();

    for (size_t i = 0; words[i] != NULL; i++)
        if (json_array_append_new(list, value_text(words[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *value_moment(uint64_t real_ns)
{
    const time_t seconds = (time_t)(real_ns / 1000000000);
    struct tm parts;
    char text[32];

    if (gmtime_r(&seconds, &parts) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return json_null();
    return json_string(text);
}

char *value_lines(const json_t *whole, size_t flags)
{
    char *const text = whole != NULL ? json_dumps(whole, flags) : NULL;
    const size_t length = text != NULL ? strlen(text) : 0;
    char *const lines = text != NULL ? realloc(text, length + 2) : NULL;

    if (lines == NULL) {
        free(text);
        return NULL;
    }
    memcpy(lines + length, "\n", 2);
    return lines;
}
