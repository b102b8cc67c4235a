/* text.c: every sentence of the lab, in English and in Chinese. */
#include "text.h"

#include <string.h>

struct row {
    const char *name;
    const char *in[LANGUAGES];
};

static const struct row rows[TEXTS] = {
    {"", {"", ""}},
#define TEXT(name, english, chinese) {#name, {english, chinese}},
#include "texts.def"
#undef TEXT
};

const char *text_get(enum text text, enum language language) { return rows[text].in[language]; }

const char *text_name(enum text text) { return rows[text].name; }

enum text text_find(const char *name)
{
    for (enum text i = 1; i < TEXTS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return TEXT_NONE;
}

enum language text_language(const char *word)
{
    return strcmp(word, "en") == 0 ? ENGLISH : strcmp(word, "zh") == 0 ? CHINESE : LANGUAGES;
}
