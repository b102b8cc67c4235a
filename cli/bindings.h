/* bindings.h: which malloc each object of a program was bound to, from the loader's own account. */
#ifndef ASHLAR_CLI_BINDINGS_H
#define ASHLAR_CLI_BINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum { BINDING_NAMES = 14, BINDINGS_SHOWN = 8, BINDING_BYTES = 256 };

/* The names that are looked for, in the order in which they are shown. C++ operators by their symbol. */
extern const char *const binding_names[BINDING_NAMES];
extern const char *const binding_titles[BINDING_NAMES];

struct binding {
    char from[BINDING_BYTES]; /* the object that calls */
    char to[BINDING_BYTES];   /* the object that answers */
    size_t name;              /* index into binding_names */
};

struct bindings {
    size_t ours[BINDING_NAMES]; /* bindings of each name to our library */
    size_t ours_total;
    size_t elsewhere_total;                   /* to any other object */
    struct binding elsewhere[BINDINGS_SHOWN]; /* the first of these */
};

/* What the loader is to be told in LD_DEBUG and LD_DEBUG_OUTPUT. source: ld.so(8). */
#define BINDINGS_DEBUG "bindings"
#define BINDINGS_FILE "bindings" /* in the run's directory; the loader appends .PID */

/* Read what the loader wrote about process `pid`. `library`: the path that was preloaded.
 * returns: false when there is nothing to read. */
bool bindings_read(int directory, int pid, const char *library, struct bindings *bindings);

#endif
