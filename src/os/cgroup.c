/* cgroup.c: the memory limit that the process's control group sets, for the option hard_limit:cgroup. At start only.
 * source: Linux Documentation/admin-guide/cgroup-v2.rst, "memory.max"; cgroups(7), /proc/PID/cgroup. */
#include "base/format.h"
#include "os/os.h"

#include <fcntl.h>
#include <sys/syscall.h>

enum { PATH_ROOM = 512 };

/* Read a short file whole. returns: false when it cannot be read. */
static bool read_file(const char *path, char *content, size_t room)
{
    const int file = os_open(path, O_RDONLY | O_CLOEXEC, 0);

    if (file < 0)
        return false;
    const long length = os_call6(SYS_read, file, (long)content, (long)room - 1, 0, 0, 0);
    (void)os_close(file);
    if (length < 0)
        return false;
    content[length] = '\0';
    return true;
}

/* The number that `digits` starts with; SIZE_MAX for "max" or a number beyond it. */
static size_t limit_in(const char *digits)
{
    size_t limit = 0;

    if (*digits < '0' || *digits > '9')
        return SIZE_MAX;
    for (; *digits >= '0' && *digits <= '9'; digits++)
        if (__builtin_mul_overflow(limit, 10, &limit) || __builtin_add_overflow(limit, (size_t)(*digits - '0'), &limit))
            return SIZE_MAX;
    return limit;
}

/* The limit of the group at `path`, `length` characters of it. */
static size_t limit_of(const char *path, size_t length)
{
    char name[PATH_ROOM + 64];
    char content[32];
    struct text text = {name, sizeof name, 0};

    text_put(&text, "/sys/fs/cgroup");
    for (size_t i = 0; i < length; i++)
        text_put_char(&text, path[i]);
    text_put(&text, "/memory.max");
    return read_file(name, content, sizeof content) ? limit_in(content) : SIZE_MAX;
}

size_t os_cgroup_limit(void)
{
    char groups[PATH_ROOM];
    size_t limit = SIZE_MAX;

    if (!read_file("/proc/self/cgroup", groups, sizeof groups))
        return SIZE_MAX;
    for (const char *line = groups; *line != '\0';) {
        size_t length = 0;
        while (line[length] != '\0' && line[length] != '\n')
            length++;
        if (length > 3 && line[0] == '0' && line[1] == ':' && line[2] == ':') {
            const char *const path = line + 3;
            for (size_t end = length - 3; end > 0; end--) { /* the group and each of its parents */
                if (end != length - 3 && path[end] != '/')
                    continue;
                const size_t here = limit_of(path, end);
                limit = here < limit ? here : limit;
            }
        }
        line += length + (line[length] == '\n');
    }
    return limit;
}
