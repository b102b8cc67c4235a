/* markup.h: text in HTML and SVG. Every word that is not ours goes through markup_text(). */
#ifndef ASHLAR_CLI_LAB_MARKUP_H
#define ASHLAR_CLI_LAB_MARKUP_H

#include <stdio.h>

/* Write `text` so that it is text, in an element or a quoted attribute. */
void markup_text(FILE *out, const char *text);

/* The same, and free it. */
void markup_made(FILE *out, char *text);

#endif
