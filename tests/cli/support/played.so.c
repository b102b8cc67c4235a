/* played.so.c: files of /proc and /sys that a test plays. Where PLAYED_ROOT/PATH exists, it is opened instead of PATH;
 * where PLAYED_ROOT/PATH.absent exists, PATH is said not to be there. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The path to open for `path`; NULL: none, with errno. `room` has PATH_MAX bytes. */
static const char *played(const char *path, char *room)
{
    const char *root = getenv("PLAYED_ROOT");

    if (root == NULL || path[0] != '/')
        return path;
    if (snprintf(room, PATH_MAX, "%s%s.absent", root, path) < PATH_MAX && access(room, F_OK) == 0) {
        errno = ENOENT;
        return NULL;
    }
    if (snprintf(room, PATH_MAX, "%s%s", root, path) < PATH_MAX && access(room, F_OK) == 0)
        return room;
    return path;
}

int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    char room[PATH_MAX];
    va_list arguments;

    va_start(arguments, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    path = played(path, room);
    return path != NULL ? real(path, flags, mode) : -1;
}

FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    char room[PATH_MAX];

    path = played(path, room);
    return path != NULL ? real(path, mode) : NULL;
}
