/* clean.c: names and texts that other programs chose, made safe to show. */
#include "clean.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct character {
    uint32_t code;
    size_t bytes; /* 0: no UTF-8 starts here */
};

/* The character at `at`. source: Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
static struct character decode(const char *at)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = (uint8_t)at[0];
    const size_t bytes = first < 0x80   ? 1
                         : first < 0xc2 ? 0
                         : first < 0xe0 ? 2
                         : first < 0xf0 ? 3
                         : first < 0xf5 ? 4
                                        : 0;
    uint32_t code = bytes == 1 ? first : (uint32_t)(first & (0x7f >> bytes));

    for (size_t i = 1; i < bytes; i++) {
        if (((uint8_t)at[i] & 0xc0) != 0x80) /* the closing NUL ends up here as well */
            return (struct character){0, 0};
        code = code << 6 | ((uint8_t)at[i] & 0x3f);
    }
    if (code < smallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return (struct character){0, 0};
    return (struct character){code, bytes};
}

/* Control characters of both sets, and the marks that turn or hide text (Unicode TR 36, "Bidirectional Text Spoofing").
 */
static bool printable(struct character c)
{
    return c.bytes > 0 && c.code >= 0x20 && !(c.code >= 0x7f && c.code < 0xa0) &&
           !(c.code >= 0x200b && c.code <= 0x200f) && !(c.code >= 0x2028 && c.code <= 0x202e) &&
           !(c.code >= 0x2066 && c.code <= 0x2069) && c.code != 0xfeff;
}

struct clean clean_text(const char *dirty)
{
    enum { LONGEST = 16, MARK = 4 }; /* four escaped bytes; "..." */
    struct clean clean;
    size_t used = 0;

    while (*dirty != '\0') {
        const struct character c = decode(dirty);
        const size_t taken = c.bytes > 0 ? c.bytes : 1;

        if (used + LONGEST + MARK > sizeof clean.text) {
            memcpy(clean.text + used, "...", MARK);
            return clean;
        }
        if (printable(c)) {
            memcpy(clean.text + used, dirty, taken);
            used += taken;
        } else {
            for (size_t i = 0; i < taken; i++)
                used += (size_t)sprintf(clean.text + used, "\\x%02x", (unsigned)(uint8_t)dirty[i]);
        }
        dirty += taken;
    }
    clean.text[used] = '\0';
    return clean;
}

char *clean_utf8(const char *dirty)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    char *const clean = malloc(strlen(dirty) * (sizeof replacement - 1) + 1);
    char *at = clean;

    if (clean == NULL)
        return NULL;
    while (*dirty != '\0') {
        const struct character c = decode(dirty);
        const char *const source = c.bytes > 0 ? dirty : replacement;
        const size_t bytes = c.bytes > 0 ? c.bytes : sizeof replacement - 1;

        memcpy(at, source, bytes);
        at += bytes;
        dirty += c.bytes > 0 ? c.bytes : 1;
    }
    *at = '\0';
    return clean;
}

const char *clean_base(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}
