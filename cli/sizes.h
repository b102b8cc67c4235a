/* sizes.h: what programs copied and filled, as the recorder left it, as text for people and as JSON for programs. */
#ifndef ASHLAR_CLI_SIZES_H
#define ASHLAR_CLI_SIZES_H

#include "launch.h"
#include "place.h"
#include "refuse.h"
#include "sizes/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Everything that is known when the command has ended, or was refused. All pointers are borrowed. */
struct sizes {
    char *const *command;            /* argv, ended by NULL */
    const char *program;             /* file that the kernel started; NULL: not found */
    const char *recorder;            /* that was preloaded; NULL: not found */
    const struct launched *launched; /* NULL: the command was not started */
    const struct record *record;     /* a copy of what was counted; NULL: not started, or it cannot be read */
    struct refusal why;              /* why nothing was recorded; reason NULL: something was */
    int status;                      /* that `ashlar sizes` will exit with */
};

/* The file that programs count in. */
struct sizes_file {
    char path[PLACE_BYTES + 16];
    int file; /* open descriptor, close-on-exec */
};

/* Make the file in `place`, with room for all of it, so that no program can be killed by touching a page that the file
 * system has none for. On failure: "no_room". */
bool sizes_file_make(const struct place *place, struct sizes_file *file, struct refusal *why);

/* A copy of what the file holds, and close it. What it says is the programs' doing, but every word of it can be used.
 * returns: NULL with `why` ("memory", "damaged"). */
struct record *sizes_file_take(struct sizes_file *file, struct refusal *why);

extern const char *const sizes_names[RECORD_FUNCTIONS];
extern const enum record_kind sizes_kinds[RECORD_FUNCTIONS];

/* Counts of one function, or of several together, as plain numbers. */
struct sizes_sum {
    uint64_t calls; /* the sum of `sizes` */
    uint64_t bytes;
    uint64_t overlapping;
    uint64_t in_place;
    uint64_t to[RECORD_LINE];
    uint64_t from[RECORD_LINE];
    uint64_t sizes[RECORD_BINS];
};

/* Add what one function did. */
void sizes_add(struct sizes_sum *sum, const struct record *record, enum record_function function);

/* All functions of a kind together. */
void sizes_add_kind(struct sizes_sum *sum, const struct record *record, enum record_kind kind);

/* The smallest size such that at least `share` (0 .. 1) of the calls are no larger: the upper end of its bin. */
uint64_t sizes_quantile(const struct sizes_sum *sum, double share);

/* Calls of at most `most` bytes; most < RECORD_EXACT. */
uint64_t sizes_up_to(const struct sizes_sum *sum, uint64_t most);

/* A place from which was called. */
struct sizes_caller {
    enum record_function function;
    const char *object; /* path; NULL: code that is in no object, or one that did not come to write down its name */
    uint64_t offset;    /* of the return address in the object, as its symbols count */
    uint64_t samples;
};

/* All of them, most samples first. returns: their number. */
size_t sizes_callers(const struct record *record, struct sizes_caller callers[RECORD_CALLERS]);

/* Both return a new text, ended by a newline; NULL without memory. */
char *sizes_text(const struct sizes *sizes);
char *sizes_json(const struct sizes *sizes);

#endif
