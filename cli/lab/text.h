/* text.h: every sentence of the lab, in English and in Chinese, side by side in texts.def.
 *
 * A text may have places for measured values: {name} for the metric of that name, {name@x} for its value at x. */
#ifndef ASHLAR_CLI_LAB_TEXT_H
#define ASHLAR_CLI_LAB_TEXT_H

enum language { ENGLISH, CHINESE, LANGUAGES };

enum text {
    TEXT_NONE,
#define TEXT(name, english, chinese) TEXT_##name,
#include "texts.def"
#undef TEXT
    TEXTS
};

const char *text_get(enum text text, enum language language);

/* The name in texts.def: how JSON refers to a text. */
const char *text_name(enum text text);

/* returns: TEXT_NONE when there is none of that name. */
enum text text_find(const char *name);

/* Read "en" or "zh". returns: LANGUAGES for anything else. */
enum language text_language(const char *word);

#endif
