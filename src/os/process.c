/* process.c: the process's own identity, its start-up facts, and the few file calls of the status page. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t soft_limit_of(int resource)
{
    struct rlimit64 limit = {RLIM64_INFINITY, RLIM64_INFINITY};

    (void)os_call6(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0); /* refused: as if there were none */
    return limit.rlim_cur;
}

void os_start(struct os_facts *facts)
{
    const int kept = errno; /* getauxval sets it where an entry is missing */
    const uintptr_t random = getauxval(AT_RANDOM);
    const size_t page = getauxval(AT_PAGESZ);

    facts->page_bytes = page != 0 ? page : 4096;
    facts->secure = getauxval(AT_SECURE) != 0;
    facts->short_of_space = soft_limit_of(RLIMIT_AS) != RLIM64_INFINITY;
    facts->random[0] = (uintptr_t)facts; /* without AT_RANDOM (odd emulators): what address randomisation gives */
    facts->random[1] = os_thread_pointer();
    if (random != 0)
        __builtin_memcpy(facts->random, (const void *)random, sizeof facts->random);
    os_clock_start(getauxval(AT_SYSINFO_EHDR));
    errno = kept;
}

/* The text behind "name=" in `entry`, or NULL when it is another variable. */
static const char *value_in(const char *entry, const char *name)
{
    while (*name != '\0')
        if (*entry++ != *name++)
            return NULL;
    return *entry == '=' ? entry + 1 : NULL;
}

static char **first_environment;

void os_environment_is(char **block) { first_environment = block; }

const char *os_environment(const char *name, bool *ready)
{
    char **const block = environ != NULL ? environ : first_environment;

    *ready = block != NULL;
    if (block == NULL)
        return NULL;
    for (char **entry = block; *entry != NULL; entry++) {
        const char *const value = value_in(*entry, name);
        if (value != NULL)
            return value;
    }
    return NULL;
}

int os_pid(void) { return (int)os_call6(SYS_getpid, 0, 0, 0, 0, 0, 0); }

int os_parent_pid(void) { return (int)os_call6(SYS_getppid, 0, 0, 0, 0, 0, 0); }

void os_write(int descriptor, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const long written = os_call6(SYS_write, descriptor, (long)text, (long)bytes, 0, 0, 0);
        if (written <= 0 && written != -EINTR)
            return;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
}

int os_open(const char *path, int flags, unsigned mode)
{
    return (int)os_call6(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}

int os_close(int descriptor) { return (int)-os_call6(SYS_close, descriptor, 0, 0, 0, 0, 0); }

int os_truncate(int descriptor, size_t bytes)
{
    if (bytes > soft_limit_of(RLIMIT_FSIZE)) /* it would be told by a signal that ends the program: SIGXFSZ */
        return EFBIG;
    return (int)-os_call6(SYS_fallocate, descriptor, 0, 0, (long)bytes, 0, 0);
}

ssize_t os_readlink(const char *path, char *buffer, size_t bytes)
{
    return os_call6(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)bytes, 0, 0);
}
