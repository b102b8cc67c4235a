/* find.c: where things are: the program that was asked for, and our own library. */
#include "find.h"

#include "binary.h"
#include "clean.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_NAME "libashlar.so.1"
#define HELPER_NAME "libashlar-status.so"
#define MEMORY_NAME "libashlar-mem.so.1"
#define RECORDER_NAME "libashlar-sizes.so"

/* ---- The program ---- */

/* returns: 0 when `path` can be executed, else an errno value. */
static int executable_error(const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0)
        return errno;
    if (!S_ISREG(file.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static bool refuse_program(struct refusal *why, const char *name, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return refuse(why, EXIT_NO_FILE, "not_found", "cannot run '%s': %s", name,
                      strchr(name, '/') != NULL ? strerror(error) : "command not found");
    return refuse(why, EXIT_NO_RUN, "not_executable", "cannot run '%s': %s", name, strerror(error));
}

/* Look through PATH. returns: 0, or the errno value that execvp would give: a file without permission is remembered
 * while the search goes on. */
static int search_path(const char *name, char path[PATH_MAX])
{
    const char *place = getenv("PATH");
    int error = ENOENT;

    if (place == NULL)
        place = "/bin:/usr/bin"; /* source: execvp(3) */
    for (;;) {
        const size_t length = strcspn(place, ":");
        const int bytes = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, place, length > 0 ? "/" : "", name);

        if (bytes < PATH_MAX) {
            const int refused = executable_error(path);
            if (refused == 0)
                return 0;
            if (refused == EACCES)
                error = EACCES;
        }
        if (place[length] == '\0')
            return error;
        place += length + 1;
    }
}

bool find_program(const char *name, char path[PATH_MAX], struct refusal *why)
{
    int error;

    if (*name == '\0')
        error = ENOENT;
    else if (strchr(name, '/') == NULL)
        error = search_path(name, path);
    else if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
        error = ENAMETOOLONG;
    else
        error = executable_error(path);
    return error == 0 || refuse_program(why, name, error);
}

/* ---- Our own files ---- */

static bool is_file(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 && S_ISREG(file.st_mode);
}

/* Whether DIRECTORY/NAME is a file; then its real path is in `path`. */
static bool file_in(const char *directory, const char *name, char path[PATH_MAX])
{
    char candidate[PATH_MAX];

    return snprintf(candidate, sizeof candidate, "%s/%s", directory, name) < PATH_MAX && is_file(candidate) &&
           realpath(candidate, path) != NULL;
}

/* The directory of `path`, in place. */
static void cut_name(char *path)
{
    char *const slash = strrchr(path, '/');

    if (slash != NULL)
        *slash = '\0';
}

/* The directory of this command. */
static void find_home(char home[PATH_MAX])
{
    const ssize_t length = readlink("/proc/self/exe", home, PATH_MAX - 1);

    home[length > 0 ? length : 0] = '\0';
    cut_name(home);
}

/* Look for a file in every directory that `pattern`, relative to `base`, stands for. */
static bool search_pattern(const char *base, const char *pattern, const char *name, char path[PATH_MAX])
{
    char whole[PATH_MAX];
    glob_t matches;
    bool found = false;

    if (snprintf(whole, sizeof whole, "%s/%s", base, pattern) >= PATH_MAX || glob(whole, 0, NULL, &matches) != 0)
        return false;
    for (size_t i = 0; i < matches.gl_pathc && !found; i++)
        found = file_in(matches.gl_pathv[i], name, path);
    globfree(&matches);
    return found;
}

/* Look beside the command, then where an installation of the same prefix puts libraries (Debian's multiarch included).
 */
static bool search_places(const char *home, const char *name, char path[PATH_MAX])
{
    static const char *const places[] = {".", "../lib/*-linux-gnu*", "../lib64", "../lib"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (search_pattern(home, places[i], name, path))
            return true;
    return false;
}

/* Whether `path` is a shared object for this machine that has what we need. */
static bool check_library(const char *path, bool is_library, struct refusal *why)
{
    struct binary own;
    struct binary file;
    const int error = binary_read(path, &file);

    if (error != 0)
        return refuse(why, EXIT_REFUSED, "library", "%s cannot be used: %s", path,
                      error == ENOEXEC || error == EBADMSG ? "it is no shared object" : strerror(error));
    if (binary_read("/proc/self/exe", &own) == 0 &&
        (own.machine != file.machine || own.class != file.class || own.data != file.data))
        return refuse(why, EXIT_REFUSED, "library", "%s cannot be used: it is for another machine", path);
    if (is_library && !(file.exports_malloc && file.has_ashlar))
        return refuse(why, EXIT_REFUSED, "library", "%s cannot be used: it is not Ashlar's library", path);
    if (strpbrk(path, ": \t") != NULL)
        return refuse(why, EXIT_REFUSED, "library",
                      "%s cannot be used: LD_PRELOAD takes no path with a blank or a colon; move it or link to it",
                      path);
    return true;
}

/* Look for another library of ours beside the first one, then beside the command. */
static bool find_beside(const struct found_library *found, const char *name, char path[PATH_MAX], struct refusal *why)
{
    char directory[PATH_MAX];
    char home[PATH_MAX];

    (void)snprintf(directory, sizeof directory, "%s", found->library);
    cut_name(directory);
    find_home(home);
    if (!file_in(directory, name, path) && !file_in(home, name, path))
        return refuse(why, EXIT_REFUSED, "library",
                      "%s is neither beside the library (%s) nor beside this command (%s)", name, directory, home);
    return check_library(path, false, why);
}

bool find_library(const char *given, struct found_library *found, struct refusal *why)
{
    char home[PATH_MAX];

    find_home(home);
    if (given != NULL && realpath(given, found->library) == NULL)
        return refuse(why, EXIT_REFUSED, "library", "%s cannot be used: %s", given, strerror(errno));
    if (given == NULL && !search_places(home, LIBRARY_NAME, found->library))
        return refuse(
            why, EXIT_REFUSED, "library",
            "%s is neither beside this command (%s) nor in the lib directories next to it; name it with --library",
            LIBRARY_NAME, home);
    return check_library(found->library, true, why) && find_beside(found, HELPER_NAME, found->helper, why);
}

bool find_memory_functions(struct found_library *found, struct refusal *why)
{
    return find_beside(found, MEMORY_NAME, found->memory, why);
}

bool find_recorder(char path[PATH_MAX], struct refusal *why)
{
    char home[PATH_MAX];

    find_home(home);
    if (!search_places(home, RECORDER_NAME, path))
        return refuse(why, EXIT_REFUSED, "library",
                      "%s is neither beside this command (%s) nor in the lib directories next to it", RECORDER_NAME,
                      home);
    return check_library(path, false, why);
}
