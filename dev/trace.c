/* trace.c: a library to preload that writes down what a program asks of malloc. glibc's malloc does the work.
 *
 *   TRACE_DIRECTORY=/absolute/path LD_PRELOAD=./trace.so PROGRAM
 *
 * makes one file PROCESS.NUMBER in that directory for each program image; trace.h says what it holds. Each file is
 * written through a shared mapping that moves along it, so nothing is lost when a process ends by _exit, exec or a
 * signal.
 *
 * One lock is held over each call and its event: so the events of all threads stand in a true order, and an address is
 * never handed out again before its end is written down. A thread that is inside already (a signal handler, a fork
 * handler) is served and not recorded.
 *
 * glibc is called by its names __libc_malloc and so on, never by dlsym(), which itself allocates. A fork child begins
 * an empty file: the blocks that it inherits are not in it. */
#define _GNU_SOURCE 1
#include "trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *block);

enum { WINDOW_BYTES = 4 << 20, PAGE_BYTES = 4096 };

/* All guarded by `lock`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file = -1;
static off_t window_start; /* in the file */
static char *window;       /* NULL: the file is still to be made */
static size_t filled;      /* bytes of the window */
static uint16_t threads;
static pthread_key_t leaving; /* its destructor runs when a thread ends; not guarded */

static __thread bool is_inside __attribute__((tls_model("initial-exec")));
static __thread uint16_t number __attribute__((tls_model("initial-exec"))); /* of this thread; 0: none yet */

/* ---- The file ---------------------------------------------------------------------------------------------------- */

/* A trace with a gap would be worse than a run that ends. */
__attribute__((noreturn)) static void fail(const char *what)
{
    dprintf(STDERR_FILENO, "trace: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void window_open(void)
{
    if (ftruncate(file, window_start + WINDOW_BYTES) != 0)
        fail("ftruncate");
    window = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, window_start);
    if (window == MAP_FAILED)
        fail("mmap");
    filled = 0;
}

static void window_advance(void)
{
    munmap(window, WINDOW_BYTES);
    window_start += WINDOW_BYTES;
    window_open();
}

static void file_open(void)
{
    const char *const directory = getenv("TRACE_DIRECTORY");
    struct trace_header header = {TRACE_MAGIC, ""};
    char path[PATH_MAX];

    if (directory == NULL || directory[0] != '/') {
        errno = EINVAL;
        fail("TRACE_DIRECTORY is no absolute path");
    }
    for (int i = 0; file < 0; i++) {
        snprintf(path, sizeof path, "%s/%d.%d", directory, (int)getpid(), i);
        file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST)
            fail(path);
    }
    if (readlink("/proc/self/exe", header.program, sizeof header.program - 1) < 0)
        fail("/proc/self/exe");
    window_start = 0;
    window_open();
    memcpy(window, &header, sizeof header);
    filled = sizeof header;
}

/* ---- Recording: between enter() and leave() ---------------------------------------------------------------------- */

/* returns: whether this call is recorded; then leave() must follow. */
static bool enter(void)
{
    if (is_inside)
        return false;
    is_inside = true;
    pthread_mutex_lock(&lock);
    if (window == NULL) {
        const int kept = errno;
        file_open();
        errno = kept;
    }
    if (number == 0) {
        number = ++threads;
        (void)pthread_setspecific(leaving, &number);
    }
    return true;
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
    is_inside = false;
}

static void record(enum trace_operation operation, uintptr_t address, size_t bytes, size_t alignment)
{
    const uint64_t log2 = (uint64_t)__builtin_ctzll(alignment);
    struct trace_event *const event = (struct trace_event *)(void *)(window + filled);

    *event = (struct trace_event){(uint64_t)address << 16 | number, (uint64_t)bytes << 16 | log2 << 8 | operation};
    filled += sizeof *event;
    if (filled == WINDOW_BYTES)
        window_advance();
}

static void *recorded(void *block, size_t bytes, size_t alignment)
{
    if (block != NULL)
        record(TRACE_TAKE, (uintptr_t)block, bytes, alignment);
    return block;
}

/* What else the thread allocates as it ends counts as another thread's. */
static void thread_end(void *unused)
{
    (void)unused;
    if (!enter())
        return;
    record(TRACE_LEAVE, 0, 0, 1);
    number = 0;
    leave();
}

/* ---- Forks ------------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    is_inside = true;
}

static void after_fork(void) { leave(); }

/* The window is the parent's: leave its file alone. */
static void child_after_fork(void)
{
    if (window != NULL) {
        munmap(window, WINDOW_BYTES);
        close(file);
    }
    window = NULL;
    file = -1;
    leave();
}

__attribute__((constructor)) static void start(void)
{
    errno = pthread_atfork(before_fork, after_fork, child_after_fork);
    if (errno == 0)
        errno = pthread_key_create(&leaving, thread_end);
    if (errno != 0)
        fail("start");
}

/* ---- The names of malloc ----------------------------------------------------------------------------------------- */

enum { USUAL_ALIGNMENT = 16 };

void *malloc(size_t bytes)
{
    if (!enter())
        return __libc_malloc(bytes);
    void *const block = recorded(__libc_malloc(bytes), bytes, USUAL_ALIGNMENT);

    leave();
    return block;
}

void *calloc(size_t count, size_t bytes)
{
    if (!enter())
        return __libc_calloc(count, bytes);
    void *const block = recorded(__libc_calloc(count, bytes), count * bytes, USUAL_ALIGNMENT);

    leave();
    return block;
}

void free(void *block)
{
    if (block == NULL || !enter()) {
        __libc_free(block);
        return;
    }
    record(TRACE_GIVE, (uintptr_t)block, 0, USUAL_ALIGNMENT);
    __libc_free(block);
    leave();
}

void *realloc(void *block, size_t bytes)
{
    const uintptr_t before = (uintptr_t)block;

    if (block == NULL)
        return malloc(bytes);
    if (!enter())
        return __libc_realloc(block, bytes);
    void *const after = __libc_realloc(block, bytes);

    if (after != NULL) {
        record(TRACE_RESIZE_FROM, before, 0, USUAL_ALIGNMENT);
        record(TRACE_RESIZE_TO, (uintptr_t)after, bytes, USUAL_ALIGNMENT);
    } else if (bytes == 0) { /* glibc frees */
        record(TRACE_GIVE, before, 0, USUAL_ALIGNMENT);
    }
    leave();
    return after;
}

void *memalign(size_t alignment, size_t bytes)
{
    if (alignment <= USUAL_ALIGNMENT)
        return malloc(bytes);
    if (!enter())
        return __libc_memalign(alignment, bytes);
    const size_t power = (size_t)1 << (64 - __builtin_clzll(alignment - 1)); /* as glibc rounds it up */
    void *const block = recorded(__libc_memalign(alignment, bytes), bytes, power);

    leave();
    return block;
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **result, size_t alignment, size_t bytes)
{
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *const block = memalign(alignment, bytes);

    if (block == NULL)
        return ENOMEM;
    *result = block;
    return 0;
}

void *valloc(size_t bytes) { return memalign(PAGE_BYTES, bytes); }

void *pvalloc(size_t bytes) { return memalign(PAGE_BYTES, (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1)); }

/* For programs that are linked with another malloc, whose malloc_usable_size() would misread glibc's blocks. */
size_t malloc_usable_size(void *block)
{
    static size_t (*ask)(void *);

    if (ask == NULL) {
        void *const libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
        void *const found = libc != NULL ? dlsym(libc, "malloc_usable_size") : NULL;
        if (found == NULL)
            fail("no malloc_usable_size in libc.so.6");
        memcpy(&ask, &found, sizeof ask);
    }
    return ask(block);
}
