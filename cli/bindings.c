/* bindings.c: which malloc each object of a program was bound to, from the loader's own account.
 *
 *      4711:	binding file /usr/bin/ls [0] to /usr/lib/libashlar.so.1 [0]: normal symbol `malloc' [GLIBC_2.2.5]
 *                           ^ from             ^ to                                     ^ name */
#include "bindings.h"

#include "clean.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const binding_names[BINDING_NAMES] = {
    "malloc",   "free",           "calloc",
    "realloc",  "reallocarray",   "aligned_alloc",
    "memalign", "posix_memalign", "malloc_usable_size",
    "_Znwm",    "_Znam",          "_ZdlPv",
    "_ZdlPvm",  "_ZdaPv",
};

const char *const binding_titles[BINDING_NAMES] = {
    "malloc",       "free",           "calloc",
    "realloc",      "reallocarray",   "aligned_alloc",
    "memalign",     "posix_memalign", "malloc_usable_size",
    "new",          "new[]",          "delete",
    "sized delete", "delete[]",
};

/* Copy what lies between `before` and `after` to `part`, and go on behind it. returns: NULL when it is not there. */
static const char *cut(const char *at, const char *before, const char *after, char part[BINDING_BYTES])
{
    const char *const start = strstr(at, before);
    const char *const text = start != NULL ? start + strlen(before) : NULL;
    const char *const end = text != NULL ? strstr(text, after) : NULL;

    if (end == NULL || (size_t)(end - text) >= BINDING_BYTES)
        return NULL;
    memcpy(part, text, (size_t)(end - text));
    part[end - text] = '\0';
    return end;
}

/* returns: false when the line speaks of something else. */
static bool read_line(const char *line, struct binding *binding)
{
    char symbol[BINDING_BYTES];
    const char *at = cut(line, "binding file ", " [", binding->from);

    if (at != NULL)
        at = cut(at, "] to ", " [", binding->to);
    if (at == NULL || cut(at, "symbol `", "'", symbol) == NULL)
        return false;
    for (binding->name = 0; binding->name < BINDING_NAMES; binding->name++)
        if (strcmp(symbol, binding_names[binding->name]) == 0)
            return true;
    return false;
}

/* Our own calls of the next malloc, for pointers that are not ours, are no loss. */
static void count(struct bindings *bindings, const struct binding *binding, const char *library)
{
    if (strcmp(binding->from, library) == 0)
        return;
    if (strcmp(binding->to, library) == 0) {
        bindings->ours[binding->name]++;
        bindings->ours_total++;
        return;
    }
    if (bindings->elsewhere_total < BINDINGS_SHOWN)
        bindings->elsewhere[bindings->elsewhere_total] = *binding;
    bindings->elsewhere_total++;
}

bool bindings_read(int directory, int pid, const char *library, struct bindings *bindings)
{
    char name[64];
    char *line = NULL;
    size_t room = 0;
    FILE *stream;
    int file;

    memset(bindings, 0, sizeof *bindings);
    (void)snprintf(name, sizeof name, "%s.%d", BINDINGS_FILE, pid);
    file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    stream = file >= 0 ? fdopen(file, "r") : NULL;
    if (stream == NULL)
        return false;
    while (getline(&line, &room, stream) >= 0) {
        struct binding binding;
        if (read_line(line, &binding))
            count(bindings, &binding, library);
    }
    free(line);
    (void)fclose(stream);
    return true;
}
