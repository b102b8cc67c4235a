/* deliver.c: a result on its way out, and what the user is told when it cannot get there. */
#include "deliver.h"

#include "output.h"
#include "refuse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(const char *path)
{
    if (path == NULL)
        return "standard error";
    return strcmp(path, "-") == 0 ? "standard output" : path;
}

bool deliver_can(const char *path, const char *undone)
{
    const int error = path != NULL ? output_check(path) : 0;

    if (error != 0)
        complain("%s cannot be written: %s; %s", path, strerror(error), undone);
    return error == 0;
}

bool deliver(const char *name, const char *path, char *text)
{
    int error = ENOMEM;

    if (text != NULL && path != NULL)
        error = output_write(path, text, strlen(text));
    else if (text != NULL)
        error = output_stream(stderr, text, strlen(text));
    free(text);
    if (error != 0)
        complain("the %s could not be written to %s: %s", name, name_of(path), strerror(error));
    return error == 0;
}

int deliver_status(int status, bool is_written) { return is_written || status != 0 ? status : EXIT_UNWRITTEN; }
