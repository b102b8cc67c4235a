/* program.c: the proof before the run.
 *
 *   script --#!--> script --#!--> ELF file: dynamic? our machine? our C library? loader in secure mode? own malloc?
 *
 * What cannot work is refused here, with the reason, before anything runs. What passes is proved again by the page that
 * the library leaves: see pages.h. */
#include "program.h"

#include "binary.h"
#include "clean.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPTS_DEEP = 5,       /* source: execve(2), "Interpreter scripts": the kernel follows four more */
    SCRIPT_LINE_BYTES = 255 /* likewise: so much of a #! line counts since Linux 5.1 */
};

/* Read the start of `path`, ended by NUL. returns: its length, or -1 with errno. */
static ssize_t read_start(const char *path, char start[SCRIPT_LINE_BYTES + 1])
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (file < 0)
        return -1;
    length = read(file, start, SCRIPT_LINE_BYTES);
    (void)close(file);
    if (length >= 0)
        start[length] = '\0';
    return length;
}

/* The interpreter in a #! line, cut out in place; "" when there is none. */
static char *interpreter_in(char *line)
{
    char *const name = line + 2 + strspn(line + 2, " \t");

    name[strcspn(name, " \t\n")] = '\0';
    return name;
}

/* Follow #! lines from program->path to the file that the kernel starts. A text without such a line is a script for sh
 * (execvp(3)). An unreadable file ends the search: program->checked stays false. */
static bool follow_scripts(struct program *program, struct refusal *why)
{
    char start[SCRIPT_LINE_BYTES + 1];

    (void)snprintf(program->binary, sizeof program->binary, "%s", program->path);
    for (unsigned depth = 0; depth < SCRIPTS_DEEP; depth++) {
        const ssize_t length = read_start(program->binary, start);
        const char *interpreter = "/bin/sh";

        if (length < 0 && errno == EACCES)
            return true;
        if (length < 0)
            return refuse(why, EXIT_NO_RUN, "interpreter", "cannot run '%s': its interpreter '%s': %s", program->path,
                          program->binary, strerror(errno));
        if (strncmp(start, "\177ELF", 4) == 0) {
            program->checked = true;
            return true;
        }
        if (start[0] == '#' && start[1] == '!')
            interpreter = interpreter_in(start);
        (void)snprintf(program->binary, sizeof program->binary, "%s", interpreter);
    }
    return refuse(why, EXIT_NO_RUN, "interpreter", "cannot run '%s': %s", program->path, strerror(ELOOP));
}

static bool check_machine(const char *path, const struct binary *binary, const struct binary *own, struct refusal *why)
{
    if (binary->machine != own->machine || binary->class != own->class || binary->data != own->data)
        return refuse(why, EXIT_REFUSED, "machine",
                      "not active in %s: it is a program for another machine (%d-bit, ELF machine %d)", path,
                      binary->class == 1 ? 32 : 64, binary->machine);
    return true;
}

/* Static programs have no loader; those of another C library have another one, which cannot load ours. */
static bool check_loader(const char *path, const struct binary *binary, const struct binary *own,
                         enum program_guest guest, struct refusal *why)
{
    if (!binary->loaded)
        return refuse(why, EXIT_REFUSED, "static",
                      "not active in %s: it is statically linked, so no library can be preloaded%s", path,
                      guest == PROGRAM_MALLOC ? "; link it with libashlar.a" : "");
    if (own->loaded && strcmp(clean_base(binary->loader), clean_base(own->loader)) != 0)
        return refuse(why, EXIT_REFUSED, "loader",
                      "not active in %s: it is for another C library (loader %s, needed: %s)", path, binary->loader,
                      clean_base(own->loader));
    return true;
}

/* Whether the kernel gives a program in this place more rights than we have. source: execve(2), "Effect on process
 * attributes". */
static bool rights_are_given(const char *path)
{
    struct statvfs place;

    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 &&
           (statvfs(path, &place) != 0 || (place.f_flag & ST_NOSUID) == 0);
}

/* The loader drops LD_PRELOAD when a program runs with other rights than its caller's (ld.so(8), "Secure-execution
 * mode"). */
static bool check_rights(const char *path, struct refusal *why)
{
    struct stat file;

    if (!rights_are_given(path) || stat(path, &file) != 0)
        return true;
    if ((file.st_mode & S_ISUID) != 0 && file.st_uid != getuid())
        return refuse(
            why, EXIT_REFUSED, "setuid",
            "not active in %s: it is setuid to user %u, so the loader ignores LD_PRELOAD; run it as that user", path,
            (unsigned)file.st_uid);
    if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file.st_gid != getgid())
        return refuse(why, EXIT_REFUSED, "setuid",
                      "not active in %s: it is setgid to group %u, so the loader ignores LD_PRELOAD", path,
                      (unsigned)file.st_gid);
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return refuse(why, EXIT_REFUSED, "capabilities",
                      "not active in %s: it has file capabilities, so the loader ignores LD_PRELOAD", path);
    return true;
}

/* The executable comes first when names are bound: its malloc wins over any preloaded one. */
static bool check_malloc(const char *path, const struct binary *binary, struct refusal *why)
{
    if (binary->has_ashlar)
        return refuse(why, EXIT_REFUSED, "linked", "not active in %s: it is linked with Ashlar already; just start it",
                      path);
    if (binary->exports_malloc)
        return refuse(why, EXIT_REFUSED, "own_malloc", "not active in %s: it defines its own malloc", path);
    if (binary->hides_malloc)
        return refuse(why, EXIT_REFUSED, "own_malloc",
                      "not active in %s: it has its own malloc and free inside, hidden from the loader", path);
    return true;
}

bool program_check(struct program *program, enum program_guest guest, struct refusal *why)
{
    const char *const path = program->binary;
    struct binary binary;
    struct binary own;
    int error;

    program->checked = false;
    if (!follow_scripts(program, why))
        return false;
    if (!program->checked)
        return check_rights(path, why);
    error = binary_read(path, &binary);
    if (error == 0)
        error = binary_read("/proc/self/exe", &own);
    if (error != 0)
        return refuse(why, EXIT_REFUSED, "damaged", "not active in %s: its ELF file cannot be understood: %s", path,
                      strerror(error));
    return check_machine(path, &binary, &own, why) && check_loader(path, &binary, &own, guest, why) &&
           check_rights(path, why) && (guest != PROGRAM_MALLOC || check_malloc(path, &binary, why));
}
