/* refuse.c: refusals and messages. */
#include "refuse.h"

#include "clean.h"

#include <stdarg.h>
#include <stdio.h>

bool refuse(struct refusal *why, int status, const char *reason, const char *format, ...)
{
    va_list arguments;

    why->status = status;
    why->reason = reason;
    va_start(arguments, format);
    (void)vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return false;
}

void complain(const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    /* The line may carry names that others chose. */
    (void)fprintf(stderr, "ashlar: %s\n", clean_text(line).text);
}
