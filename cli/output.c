/* output.c: where a result goes: a stream, or a file that is either complete or untouched. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What `path` means. */
struct target {
    char file[PATH_MAX];      /* the file itself, symbolic links followed */
    char directory[PATH_MAX]; /* where it is */
    bool direct;              /* it exists and is no regular file */
    mode_t mode;              /* permissions that the file has, or will get */
};

static void directory_of(const char *file, char directory[PATH_MAX])
{
    const char *const slash = strrchr(file, '/');

    if (slash == NULL)
        (void)snprintf(directory, PATH_MAX, ".");
    else /* that of "/name" is "/" */
        (void)snprintf(directory, PATH_MAX, "%.*s", slash == file ? 1 : (int)(slash - file), file);
}

static mode_t mode_for_new_files(void)
{
    const mode_t mask = umask(0);

    (void)umask(mask);
    return 0666 & ~mask;
}

static int resolve(const char *path, struct target *target)
{
    struct stat file;

    target->direct = false;
    target->mode = mode_for_new_files();
    if (realpath(path, target->file) != NULL && stat(target->file, &file) == 0) {
        target->direct = !S_ISREG(file.st_mode);
        target->mode = file.st_mode & 07777;
    } else if (snprintf(target->file, sizeof target->file, "%s", path) >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    directory_of(target->file, target->directory);
    return 0;
}

int output_check(const char *path)
{
    struct target target;
    struct stat file;
    int error;

    if (strcmp(path, "-") == 0)
        return 0;
    error = resolve(path, &target);
    if (error != 0)
        return error;
    if (stat(target.file, &file) == 0 && S_ISDIR(file.st_mode))
        return EISDIR;
    error = faccessat(AT_FDCWD, target.direct ? target.file : target.directory, target.direct ? W_OK : W_OK | X_OK,
                      AT_EACCESS);
    return error == 0 ? 0 : errno;
}

/* ---- The limit of file sizes ---- */

static struct sigaction as_we_found_it;

void output_begin(void)
{
    const struct sigaction ignored = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGXFSZ, &ignored, &as_we_found_it);
}

void output_give_back(void) { (void)sigaction(SIGXFSZ, &as_we_found_it, NULL); }

/* ---- Files ---- */

static int write_whole(int file, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t written = write(file, text, bytes);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        text += written;
        bytes -= (size_t)written;
    }
    return 0;
}

static int write_direct(const char *path, const char *text, size_t bytes)
{
    const int file = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    int error;

    if (file < 0)
        return errno;
    error = write_whole(file, text, bytes);
    if (close(file) != 0 && error == 0)
        error = errno;
    return error;
}

/* fsync before rename: after a crash the name must not lead to an empty file. source: rename(2), fsync(2). */
static int write_beside(const struct target *target, const char *text, size_t bytes)
{
    char temporary[PATH_MAX];
    int file;
    int error;

    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", target->file) >= PATH_MAX)
        return ENAMETOOLONG;
    file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0)
        return errno;
    error = write_whole(file, text, bytes);
    if (error == 0 && (fchmod(file, target->mode) != 0 || fsync(file) != 0))
        error = errno;
    if (close(file) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(temporary, target->file) != 0)
        error = errno;
    if (error != 0)
        (void)unlink(temporary);
    return error;
}

int output_write(const char *path, const char *text, size_t bytes)
{
    struct target target;
    int error;

    if (strcmp(path, "-") == 0)
        return output_stream(stdout, text, bytes);
    error = resolve(path, &target);
    if (error != 0)
        return error;
    return target.direct ? write_direct(target.file, text, bytes) : write_beside(&target, text, bytes);
}

int output_stream(FILE *stream, const char *text, size_t bytes)
{
    errno = 0;
    if (fwrite(text, 1, bytes, stream) == bytes && fflush(stream) == 0)
        return 0;
    return errno != 0 ? errno : EIO;
}

bool output_coloured(const char *when, FILE *stream)
{
    const char *const none = getenv("NO_COLOR");
    const char *const terminal = getenv("TERM");

    if (when != NULL && strcmp(when, "always") == 0)
        return true;
    if (when != NULL && strcmp(when, "never") == 0)
        return false;
    return isatty(fileno(stream)) && (none == NULL || *none == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}
