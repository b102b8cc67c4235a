/* place.c: the private directory in which the processes of one run leave their pages. */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether pages may go below `base`: it is absolute, has no character with a meaning in ASHLAR_CONF, and leaves room
 * for names. A runtime directory that another user owns is what sudo leaves behind. */
static bool usable(const char *base, bool ours)
{
    struct stat file;

    return base != NULL && base[0] == '/' && strlen(base) < PLACE_BYTES - sizeof "/ashlar-run.XXXXXX" &&
           strpbrk(base, ", \t\n") == NULL && stat(base, &file) == 0 && S_ISDIR(file.st_mode) &&
           (!ours || file.st_uid == geteuid());
}

static bool make_below(struct place *place, const char *base)
{
    (void)snprintf(place->path, sizeof place->path, "%s/ashlar-run.XXXXXX", base);
    return mkdtemp(place->path) != NULL;
}

bool place_make(struct place *place, struct refusal *why)
{
    const char *const runtime = getenv("XDG_RUNTIME_DIR");
    const char *const temporary = getenv("TMPDIR");

    if (!(usable(runtime, true) && make_below(place, runtime)) &&
        !(usable(temporary, false) && make_below(place, temporary)) && !make_below(place, "/tmp"))
        return refuse(why, EXIT_REFUSED, "directory", "cannot make a directory in /tmp: %s", strerror(errno));
    place->directory = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->directory < 0) {
        const int error = errno;
        (void)rmdir(place->path);
        return refuse(why, EXIT_REFUSED, "directory", "cannot open %s: %s", place->path, strerror(error));
    }
    return true;
}

static void remove_files(const char *path)
{
    DIR *const directory = opendir(path);
    struct dirent *entry;

    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    (void)closedir(directory);
}

void place_remove(struct place *place)
{
    enum { ATTEMPTS = 10 };

    (void)close(place->directory);
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        remove_files(place->path);
        if (rmdir(place->path) == 0 || errno != ENOTEMPTY)
            return;
    }
}
