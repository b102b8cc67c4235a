/* self.h: what the kernel says about this process, read without allocating. */
#ifndef TEST_SELF_H
#define TEST_SELF_H

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A figure of /proc/self/status that the kernel gives in KiB, such as "VmHWM". returns: bytes. */
static inline size_t self_status(const char *field)
{
    char text[8192], label[32];
    const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0)
        SKIP("/proc/self/status cannot be read");
    close(file);
    text[length] = '\0';
    snprintf(label, sizeof label, "\n%s:", field);
    const char *found = strstr(text, label);
    if (!found)
        SKIP("/proc/self/status lacks a field of memory use");
    return strtoul(found + strlen(label), NULL, 10) * 1024;
}

/* Leave the test as skipped where resident sizes are not the heap's alone: a sanitizer keeps a shadow of what is
 * touched and memory for each thread. Called when the work is done, before sizes are judged, so that the sanitizer sees
 * it. */
static inline void self_needs_true_sizes(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer's shadow is resident too");
}

/* Let VmHWM begin anew from the present resident size. */
static inline void self_reset_peak(void)
{
    const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "5", 1) != 1)
        SKIP("/proc/self/clear_refs cannot be written");
    close(file);
}

/* One line of /proc/self/maps. */
struct self_mapping {
    uintptr_t start, end;
    char access[8];
    char name[256]; /* empty: anonymous */
};

/* Call visit(mapping, argument) for every mapping that `path` (/proc/PID/maps) lists. */
static inline void mappings_of(const char *path, void (*visit)(const struct self_mapping *, void *), void *argument)
{
    static char text[1 << 16];
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        SKIP("/proc cannot be read");
    size_t held = 0;
    for (ssize_t got; (got = read(file, text + held, sizeof text - 1 - held)) > 0;) {
        held += (size_t)got;
        text[held] = '\0';
        char *line = text;
        for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            struct self_mapping mapping = {0};
            *end = '\0';
            sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &mapping.start, &mapping.end, mapping.access,
                   mapping.name);
            visit(&mapping, argument);
        }
        held -= (size_t)(line - text);
        memmove(text, line, held);
    }
    close(file);
}

static inline void self_mappings(void (*visit)(const struct self_mapping *, void *), void *argument)
{
    mappings_of("/proc/self/maps", visit, argument);
}

static inline void self_count_mapping(const struct self_mapping *mapping, void *count)
{
    (void)mapping;
    ++*(size_t *)count;
}

static inline size_t self_mapping_count(void)
{
    size_t count = 0;
    self_mappings(self_count_mapping, &count);
    return count;
}

static inline void self_add_anonymous(const struct self_mapping *mapping, void *bytes)
{
    if (mapping->name[0] == '\0' || strncmp(mapping->name, "[anon", 5) == 0)
        *(size_t *)bytes += mapping->end - mapping->start;
}

/* Address space without files, break and main stack: the heap's, and the little that loader and libc take. */
static inline size_t self_anonymous_bytes(void)
{
    size_t bytes = 0;
    self_mappings(self_add_anonymous, &bytes);
    return bytes;
}

#endif
