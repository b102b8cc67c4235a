/* output.h: where a result goes: a stream, or a file that is either complete or untouched. */
#ifndef ASHLAR_CLI_OUTPUT_H
#define ASHLAR_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* From now on a file that would grow beyond the limit of file sizes is an error to be told, and a part of it to be
 * removed: no signal that ends us before. source: setrlimit(2), RLIMIT_FSIZE. */
void output_begin(void);

/* In a child that becomes the user's command: that signal as we found it. */
void output_give_back(void);

/* Whether `path` can probably be written: asked before a long run, so that its result is not lost.
 * returns: 0 or an errno value. */
int output_check(const char *path);

/* Write `text` to `path`, whole or not at all: into a new file beside it, which then takes its name. "-" is standard
 * output; what is no regular file (a terminal, a pipe, /dev/null) is written directly. returns: 0 or an errno value. */
int output_write(const char *path, const char *text, size_t bytes);

/* Write `text` to a stream and flush it. returns: 0 or an errno value. */
int output_stream(FILE *stream, const char *text, size_t bytes);

/* Whether texts on `stream` are to be coloured: "always", "never", or NULL and "auto": a terminal that is not dumb, and
 * no NO_COLOR (https://no-color.org). */
bool output_coloured(const char *when, FILE *stream);

#endif
