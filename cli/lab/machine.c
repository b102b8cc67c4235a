/* machine.c: the machine that a report is about. */
#include "machine.h"

#include "../clean.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER __VERSION__ /* which begins with its name */
#else
#define COMPILER "gcc " __VERSION__
#endif

enum { LINE = 512 };

/* ---- Reading files ---- */

/* The rest of the first line of `path` that begins with `start`, without blanks and a colon around it. */
static bool find_line(const char *path, const char *start, char rest[LINE])
{
    FILE *const file = fopen(path, "re");
    char line[4096]; /* the flags of a processor are one long line */
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, start, strlen(start)) == 0;
    if (file != NULL)
        (void)fclose(file);
    if (!found)
        return false;
    line[strcspn(line, "\n")] = '\0';
    (void)snprintf(rest, LINE, "%.*s", LINE - 1, line + strlen(start) + strspn(line + strlen(start), " \t:"));
    return true;
}

/* The number in `path`; SIZE_MAX where there is none ("max"). */
static size_t number_in(const char *path)
{
    char line[LINE];
    char *end;
    unsigned long long number;

    if (!find_line(path, "", line))
        return SIZE_MAX;
    errno = 0;
    number = strtoull(line, &end, 10);
    return end != line && errno == 0 ? number : SIZE_MAX;
}

/* Whether some line of `path` contains `word`. */
static bool mentions(const char *path, const char *word)
{
    FILE *const file = fopen(path, "re");
    char line[4096];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, word) != NULL;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

/* ---- Facts ---- */

static void add(json_t *facts, const char *name, const char *value)
{
    char *const clean = clean_utf8(value);

    if (clean != NULL)
        (void)json_object_set_new(facts, name, json_string(clean));
    free(clean);
}

static void add_processor(json_t *facts)
{
    char line[LINE];
    char count[24];

    if (find_line("/proc/cpuinfo", "model name", line) || find_line("/proc/device-tree/model", "", line))
        add(facts, "processor", line);
    (void)snprintf(count, sizeof count, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    add(facts, "processors", count);
    add(facts, "virtual",
        mentions("/proc/cpuinfo", " hypervisor") || access("/sys/hypervisor/type", F_OK) == 0 ? "yes" : "no");
}

/* The chosen word of "always [madvise] never". */
static void add_huge_pages(json_t *facts)
{
    char line[LINE];
    const char *start;

    if (!find_line("/sys/kernel/mm/transparent_hugepage/enabled", "", line) || (start = strchr(line, '[')) == NULL)
        return;
    line[strcspn(line, "]")] = '\0';
    add(facts, "huge_pages", start + 1);
}

static void add_limit(json_t *facts, const char *name, __rlimit_resource_t resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        return;
    (void)json_object_set_new(facts, name,
                              limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT64_MAX
                                  ? json_string("unlimited")
                                  : json_integer((json_int_t)limit.rlim_cur));
}

static void add_kernel(json_t *facts)
{
    struct utsname system;
    char text[LINE];

    if (uname(&system) == 0) {
        (void)snprintf(text, sizeof text, "%s %s %s", system.sysname, system.release, system.machine);
        add(facts, "kernel", text);
    }
    (void)snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    add(facts, "libc", text);
}

json_t *machine_facts(void)
{
    json_t *const facts = json_object();
    char line[LINE];

    add_processor(facts);
    add_kernel(facts);
    (void)json_object_set_new(facts, "page_bytes", json_integer(sysconf(_SC_PAGESIZE)));
    add_huge_pages(facts);
    if (find_line("/proc/sys/vm/overcommit_memory", "", line))
        add(facts, "overcommit", line);
    if (find_line("/proc/sys/kernel/randomize_va_space", "", line))
        add(facts, "aslr", line);
    add_limit(facts, "stack_limit_bytes", RLIMIT_STACK);
    add_limit(facts, "address_limit_bytes", RLIMIT_AS);
    add(facts, "compiler", COMPILER);
    add(facts, "flags", LAB_FLAGS);
    return facts;
}

/* ---- Memory ---- */

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* What a limit leaves beside what is used; SIZE_MAX without a limit. */
static size_t left_of(const char *directory, const char *limit_name, const char *used_name)
{
    char path[PATH_MAX + LINE];
    size_t limit, used;

    (void)snprintf(path, sizeof path, "%s/%s", directory, limit_name);
    limit = number_in(path);
    (void)snprintf(path, sizeof path, "%s/%s", directory, used_name);
    used = limit != SIZE_MAX ? number_in(path) : 0;
    return limit == SIZE_MAX || used == SIZE_MAX ? SIZE_MAX : limit > used ? limit - used : 0;
}

/* The least that the group at `path`, or one above it, leaves. Both versions of the interface. */
static size_t left_along(const char *root, const char *path, const char *limit_name, const char *used_name)
{
    char directory[PATH_MAX];
    size_t left = SIZE_MAX;
    int length = snprintf(directory, sizeof directory, "%s%s", root, path);

    if (length >= (int)sizeof directory)
        return SIZE_MAX;
    while (length >= (int)strlen(root)) {
        left = smaller(left, left_of(directory, limit_name, used_name));
        char *const slash = strrchr(directory, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        length = (int)(slash - directory);
    }
    return left;
}

static size_t left_in_group(void)
{
    FILE *const file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX];
    size_t left = SIZE_MAX;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *const path = strrchr(line, ':');

        if (path == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0)
            left = smaller(left, left_along("/sys/fs/cgroup", path + 1, "memory.max", "memory.current"));
        else if (strstr(line, ":memory:") != NULL)
            left = smaller(
                left, left_along("/sys/fs/cgroup/memory", path + 1, "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
    if (file != NULL)
        (void)fclose(file);
    return left;
}

size_t machine_memory_to_touch(void)
{
    char line[LINE];
    size_t available = SIZE_MAX;

    if (find_line("/proc/meminfo", "MemAvailable", line))
        available = strtoull(line, NULL, 10) * 1024;
    available = smaller(available, left_in_group());
    return smaller(available / 4, (size_t)1 << 30);
}

uint64_t machine_stolen_ticks(void)
{
    char line[LINE];
    unsigned long long stolen = 0;

    /* user nice system idle iowait irq softirq steal */
    if (find_line("/proc/stat", "cpu ", line))
        (void)sscanf(line, "%*u %*u %*u %*u %*u %*u %*u %llu", &stolen);
    return stolen;
}

const char *machine_distortion(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return "sanitizer";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
    return "sanitizer";
#endif
#endif
    if (mentions("/proc/self/maps", "vgpreload") || mentions("/proc/self/maps", "/valgrind/"))
        return "valgrind";
    if (mentions("/proc/self/maps", "libasan") || mentions("/proc/self/maps", "libtsan") ||
        mentions("/proc/self/maps", "libclang_rt."))
        return "sanitizer";
    return NULL;
}
