/* hooks.so.c: a library that puts itself in front of open, read, mmap and munmap and allocates in each of them, as
 * tracing tools do. It finds the real functions by dlsym, on the first call, which allocates too. A heap that called
 * libc for its files or its memory would meet itself here. Setting HOOKS_COUNT prints at the end how often the hooks
 * ran. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int calls;
static __thread int depth; /* of hooks within hooks: the inner ones only pass on */

static void *real(const char *name)
{
    if (depth++ == 0) {
        calls++;
        free(calloc(10, 100));
        free(realloc(malloc(100), 100000));
    }
    return dlsym(RTLD_NEXT, name);
}

/* On 64-bit systems the two names of each are one function. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
void *mmap64(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset)
    __attribute__((alias("mmap")));

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    int result = ((int (*)(const char *, int, ...))real("open"))(path, flags, mode);
    depth--;
    return result;
}

ssize_t read(int descriptor, void *buffer, size_t bytes)
{
    ssize_t result = ((ssize_t(*)(int, void *, size_t))real("read"))(descriptor, buffer, bytes);
    depth--;
    return result;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset)
{
    void *result = ((void *(*)(void *, size_t, int, int, int, off_t))real("mmap"))(address, bytes, protection, flags,
                                                                                   descriptor, offset);
    depth--;
    return result;
}

int munmap(void *address, size_t bytes)
{
    int result = ((int (*)(void *, size_t))real("munmap"))(address, bytes);
    depth--;
    return result;
}

__attribute__((destructor)) static void print_count(void)
{
    if (getenv("HOOKS_COUNT"))
        fprintf(stderr, "hooks: %d\n", calls);
}
