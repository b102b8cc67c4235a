/* markup.c: text in HTML and SVG. */
#include "markup.h"

#include <stdlib.h>
#include <string.h>

void markup_text(FILE *out, const char *text)
{
    while (*text != '\0') {
        const size_t plain = strcspn(text, "<>&\"'");

        (void)fwrite(text, 1, plain, out);
        text += plain;
        if (*text != '\0')
            (void)fprintf(out, "&#%d;", *text++);
    }
}

void markup_made(FILE *out, char *text)
{
    markup_text(out, text);
    free(text);
}
