/* sizes_json.c: what was copied and filled, for programs: schema "ashlar.sizes/1", cli/schemas/sizes.schema.json.
 *
 * Counts are exact. A new version of the schema only gains fields. The order of calls is long: its alignments and
 * functions are one character for each call. */
#include "sizes.h"

#include "ashlar.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

/* Functions return a new reference, or NULL without memory; jansson hands a NULL on to the whole. */

static json_t *numbers(const uint64_t *values, size_t count)
{
    json_t *const list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, value_number(values[i]));
    return list;
}

/* ---- Functions ---- */

static json_t *bins(const struct sizes_sum *sum)
{
    json_t *const list = json_array();

    for (size_t bin = 0; bin < RECORD_BINS; bin++)
        if (sum->sizes[bin] > 0)
            (void)json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "least", value_number(record_bin_least(bin)),
                                                        "most", value_number(record_bin_most(bin)), "calls",
                                                        value_number(sum->sizes[bin])));
    return list;
}

/* The letter that stands for a function in the order. */
static char letter_of(unsigned function) { return (char)('a' + (int)function); }

static json_t *function(enum record_function function, const struct sizes_sum *sum)
{
    const bool copies = sizes_kinds[function] == RECORD_COPIES;

    return json_pack("{s:s, s:s%, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", sizes_names[function], "letter",
                     &(char){letter_of(function)}, (size_t)1, "kind", copies ? "copy" : "fill", "calls",
                     value_number(sum->calls), "bytes", value_number(sum->bytes), "overlapping",
                     value_number(sum->overlapping), "in_place", value_number(sum->in_place), "sizes", bins(sum), "to",
                     numbers(sum->to, RECORD_LINE), "from", copies ? numbers(sum->from, RECORD_LINE) : json_null());
}

static json_t *functions(const struct record *record)
{
    struct sizes_sum *const sum = malloc(sizeof *sum);
    json_t *const list = sum != NULL ? json_array() : NULL;

    for (enum record_function i = 0; list != NULL && i < RECORD_FUNCTIONS; i++) {
        memset(sum, 0, sizeof *sum);
        sizes_add(sum, record, i);
        if (sum->calls > 0)
            (void)json_array_append_new(list, function(i, sum));
    }
    free(sum);
    return list;
}

/* ---- Order ---- */

/* An order, taken apart into columns. */
struct columns {
    json_t *bytes;
    char functions[RECORD_ORDER];
    char to[RECORD_ORDER];
    char from[RECORD_ORDER];
    size_t count;
};

/* source of the characters: RFC 4648, table 1. */
static char character_of(unsigned alignment)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return characters[alignment];
}

static void take_apart(const struct record_order *order, struct columns *columns)
{
    for (size_t i = 0; i < RECORD_ORDER; i++) {
        const uint64_t call = order->calls[i];

        if (call == 0 || record_call_function(call) >= RECORD_FUNCTIONS)
            continue;
        (void)json_array_append_new(columns->bytes, value_number(record_call_bytes(call)));
        columns->functions[columns->count] = letter_of(record_call_function(call));
        columns->to[columns->count] = character_of(record_call_to(call));
        columns->from[columns->count++] = character_of(record_call_from(call));
    }
}

static json_t *order(const struct record *record, enum record_kind kind)
{
    struct columns *const columns = calloc(1, sizeof *columns);
    json_t *whole;

    if (columns == NULL)
        return NULL;
    columns->bytes = json_array();
    take_apart(&record->orders[kind], columns);
    whole = json_pack("{s:o, s:s%, s:s%}", "bytes", columns->bytes, "functions", columns->functions, columns->count,
                      "to", columns->to, columns->count);
    if (kind == RECORD_COPIES)
        (void)json_object_set_new(whole, "from", json_stringn(columns->from, columns->count));
    free(columns);
    return whole;
}

/* ---- Callers ---- */

static json_t *callers(const struct record *record)
{
    struct sizes_caller *const all = calloc(RECORD_CALLERS, sizeof *all);
    const size_t count = all != NULL ? sizes_callers(record, all) : 0;
    json_t *const list = all != NULL ? json_array() : NULL;

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:o, s:o, s:o}", "function", sizes_names[all[i].function],
                                              "object", value_text(all[i].object), "offset",
                                              value_number(all[i].offset), "samples", value_number(all[i].samples)));
    free(all);
    return list;
}

/* ---- All of it ---- */

/* What is known of every command, refused ones included. */
static json_t *head(const struct sizes *sizes)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:i}", "schema", "ashlar.sizes/1", "version",
                     ASHLAR_VERSION, "command", value_words(sizes->command), "program", value_text(sizes->program),
                     "recorder", value_text(sizes->recorder), "started", sizes->launched != NULL, "active",
                     sizes->record != NULL && sizes->record->programs > 0, "reason", value_text(sizes->why.reason),
                     "message", value_text(sizes->why.reason != NULL ? sizes->why.text : NULL), "status",
                     sizes->status);
}

/* What is known once it has run. */
static json_t *body(const struct sizes *sizes)
{
    const struct launched *const launched = sizes->launched;
    const struct record *const record = sizes->record;

    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:i, s:o, s:o}", "pid", (int)launched->pid,
                     "command_status", launched->status, "command_signal",
                     launched->signal != 0 ? json_integer(launched->signal) : json_null(), "started_at",
                     value_moment(launched->started_real_ns), "wall_ns", value_number(launched->wall_ns), "programs",
                     value_number(record->programs), "early_calls", value_number(record->early), "functions",
                     functions(record), "order", "copies", order(record, RECORD_COPIES), "fills",
                     order(record, RECORD_FILLS), "sampling", 1 << RECORD_SAMPLING_SHIFT, "lost_samples",
                     value_number(record->lost_samples), "callers", callers(record));
}

char *sizes_json(const struct sizes *sizes)
{
    json_t *const all = head(sizes);
    json_t *const rest = all != NULL && sizes->record != NULL ? body(sizes) : NULL;
    char *text = NULL;

    if (all != NULL && (sizes->record == NULL || (rest != NULL && json_object_update(all, rest) == 0)))
        text = value_lines(all, JSON_COMPACT);
    json_decref(all);
    json_decref(rest);
    return text;
}
