/* clean.h: names and texts that other programs chose, made safe to show.
 *
 * A program may be called anything: control characters that repaint the terminal, marks that turn the writing
 * direction, bytes that are no UTF-8. */
#ifndef ASHLAR_CLI_CLEAN_H
#define ASHLAR_CLI_CLEAN_H

#include <stddef.h>

struct clean {
    char text[1400];
};

/* `dirty` for a terminal or a text file: bytes that are not printable UTF-8 become \xNN, a long text is cut and ends in
 * "...". The result lives as long as the expression it is used in. */
struct clean clean_text(const char *dirty);

/* `dirty` as valid UTF-8 for JSON: each byte that belongs to no character becomes U+FFFD. Control characters stay: JSON
 * has its own escapes. returns: a new string; NULL without memory. */
char *clean_utf8(const char *dirty);

/* Last part of a path: "/usr/bin/python3" gives "python3". returns: a place inside `path`. */
const char *clean_base(const char *path);

#endif
