/* witness.c: an object, preloaded beside Ashlar, that testifies whose malloc each process of a case got.
 *
 * At the start of every process it appends one line to the file that ASHLAR_WITNESS names:
 *
 *     /usr/bin/sqlite3 <tab> /tmp/ashlar-programs/libashlar.so.1
 *
 * the executable, and the object that its calls of malloc are bound to. It allocates nothing, leaves no descriptor open
 * and changes no state of the process, so the program under test is the same with and without it; both runs have it.
 * A static executable has no loader and so leaves no line.
 *
 * Not taken: LD_DEBUG=bindings (tens of thousands of lines, and its descriptor stays open in programs that count
 * theirs); reading /proc/PID/maps from outside (misses processes that live for a millisecond). */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True when the symbol found at `function` is defined there. An executable at a fixed address that takes the address of
 * malloc has a symbol for it, undefined, which stands for its own jump into the library. */
static bool is_definition(void *function, Dl_info *info)
{
    const ElfW(Sym) *symbol = NULL;
    return dladdr1(function, info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL &&
           symbol->st_shndx != SHN_UNDEF;
}

/* Name of the object that defines `malloc` for this process, as the loader knows it. We stand first in LD_PRELOAD, so
 * the next object after us that has it is the one that everybody gets, unless the executable brings its own.
 * returns: a string of the loader's, or "unknown". */
static const char *malloc_owner(void)
{
    Dl_info info;
    void *const chosen = dlsym(RTLD_DEFAULT, "malloc");
    if (chosen != NULL && is_definition(chosen, &info)) {
        return info.dli_fname;
    }
    void *const next = dlsym(RTLD_NEXT, "malloc");
    return next != NULL && dladdr(next, &info) != 0 ? info.dli_fname : "unknown";
}

/* One write with O_APPEND: lines of processes that start together do not mix. */
static void append_line(const char *path, const char *executable, const char *owner)
{
    char line[2 * PATH_MAX + 2];
    const size_t executable_bytes = strnlen(executable, PATH_MAX);
    const size_t owner_bytes = strnlen(owner, PATH_MAX);
    memcpy(line, executable, executable_bytes);
    line[executable_bytes] = '\t';
    memcpy(line + executable_bytes + 1, owner, owner_bytes);
    line[executable_bytes + 1 + owner_bytes] = '\n';

    const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0) {
        return; /* the runner finds the line missing */
    }
    (void)!write(file, line, executable_bytes + owner_bytes + 2);
    close(file);
}

__attribute__((constructor)) static void testify(void)
{
    const char *const path = getenv("ASHLAR_WITNESS");
    char executable[PATH_MAX];
    if (path == NULL) {
        return;
    }
    const ssize_t bytes = readlink("/proc/self/exe", executable, sizeof executable - 1);
    executable[bytes > 0 ? bytes : 0] = '\0';
    append_line(path, executable, malloc_owner());
}
