/* summary_json.c: the summary of a run for programs: schema "ashlar.run/1", cli/schemas/run.schema.json.
 *
 * Bytes and counts are exact, times are nanoseconds. A new version of the schema only gains fields. */
#include "summary.h"

#include "ashlar.h"
#include "clean.h"
#include "value.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Most of these return a new reference, or NULL without memory; jansson hands a NULL on to the whole. */

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

static json_t *classes(const struct totals *totals)
{
    struct summary_class rows[ASHLAR_STATS_CLASSES];
    const size_t count = summary_classes(totals, rows);
    json_t *const list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "block_bytes", value_number(rows[i].block_bytes),
                                                    "allocations", value_number(rows[i].allocations), "bytes",
                                                    value_number(rows[i].bytes)));
    return list;
}

static json_t *counts(const struct totals *totals)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "allocations", value_number(totals->allocations), "frees",
                     value_number(totals->frees), "remote_frees", value_number(totals->remote_frees),
                     "large_allocations", value_number(totals->large_allocations), "huge_allocations",
                     value_number(totals->huge_allocations), "purged_bytes", value_number(totals->purged_bytes),
                     "purge_calls", value_number(totals->purge_calls));
}

static json_t *errors(const struct totals *totals)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "reports", value_number(totals->reports), "foreign_frees",
                     value_number(totals->foreign_frees), "dropped_frees", value_number(totals->dropped_frees),
                     "unproved_frees", value_number(totals->unproved_frees), "refused_mappings",
                     value_number(totals->refused_mappings));
}

static json_t *process(const struct process *process, uint64_t run_started_ns)
{
    static const char *const ends[] = {
        [PAGE_EXITED] = "exit", [PAGE_EXECED] = "exec", [PAGE_CUT] = "cut", [PAGE_RUNNING] = "running"};
    const uint64_t started = process->started_ns > run_started_ns ? process->started_ns - run_started_ns : 0;

    return json_pack("{s:o, s:i, s:i, s:o, s:o, s:s, s:s, s:b, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "name", value_text(process_name(process)), "pid", process->pid, "parent_pid", process->parent_pid,
                     "program", value_text(process->program), "argument", value_text(process->argument), "made_by",
                     process->forked ? "fork" : "exec", "end", ends[process->end], "final", process->end == PAGE_EXITED,
                     "started_ns", value_number(started), "published", process->published, "figures_ns",
                     value_number(process->published_ns - process->started_ns), "peak_heap_bytes",
                     value_number(process->peak_bytes), "live_bytes", value_number(process->live_bytes), "live_blocks",
                     value_number(process->live_blocks), "allocations", value_number(process->allocations), "frees",
                     value_number(process->frees), "reports", value_number(process->reports), "last_report",
                     value_text(process->last_report));
}

static json_t *processes(const struct summary *summary)
{
    json_t *const list = json_array();

    for (size_t i = 0; i < summary->pages->count; i++)
        (void)json_array_append_new(list, process(&summary->pages->list[i], summary->launched->started_ns));
    return list;
}

static json_t *peak(const struct process *highest)
{
    if (highest == NULL)
        return json_null();
    return json_pack("{s:o, s:i, s:o}", "heap_bytes", value_number(highest->peak_bytes), "pid", highest->pid, "name",
                     value_text(process_name(highest)));
}

static json_t *live(const struct process *top)
{
    if (top == NULL || !top->published)
        return json_null();
    return json_pack("{s:o, s:o, s:b}", "bytes", value_number(top->live_bytes), "blocks",
                     value_number(top->live_blocks), "final", top->end == PAGE_EXITED);
}

/* One limit: null when it was not set. */
static json_t *limit(const struct budget *budget)
{
    if (!budget->set)
        return json_null();
    return json_pack("{s:o, s:b}", "most", value_number(budget->most), "exceeded", budget->exceeded);
}

static json_t *bindings(const struct bindings *bindings)
{
    json_t *names;
    json_t *list;

    if (bindings == NULL)
        return json_null();
    names = json_object();
    list = json_array();
    for (size_t i = 0; i < BINDING_NAMES; i++)
        (void)json_object_set_new(names, binding_names[i], value_number(bindings->ours[i]));
    for (size_t i = 0; i < bindings->elsewhere_total && i < BINDINGS_SHOWN; i++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:o, s:o}", "name", binding_names[bindings->elsewhere[i].name], "from",
                            value_text(bindings->elsewhere[i].from), "to", value_text(bindings->elsewhere[i].to)));
    return json_pack("{s:o, s:o, s:o, s:o}", "ashlar", names, "ashlar_total", value_number(bindings->ours_total),
                     "elsewhere_total", value_number(bindings->elsewhere_total), "elsewhere", list);
}

/* What is known of every run, refused ones included. */
static json_t *head(const struct summary *summary)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:i}", "schema", "ashlar.run/1", "version",
                     ASHLAR_VERSION, "command", value_words(summary->command), "program", value_text(summary->program),
                     "library", value_text(summary->library), "started", summary->launched != NULL, "active",
                     summary->top != NULL, "reason", value_text(summary->why.reason), "message",
                     value_text(summary->why.reason != NULL ? summary->why.text : NULL), "status", summary->status);
}

/* What is known once the command has run. */
static json_t *body(const struct summary *summary)
{
    const struct launched *const launched = summary->launched;
    const struct rusage *const usage = &launched->usage;

    return json_pack(
        "{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o}",
        "pid", (int)launched->pid, "command_status", launched->status, "command_signal",
        launched->signal != 0 ? json_integer(launched->signal) : json_null(), "started_at",
        value_moment(launched->started_real_ns), "wall_ns", value_number(launched->wall_ns), "user_ns",
        value_number(nanoseconds(usage->ru_utime)), "system_ns", value_number(nanoseconds(usage->ru_stime)),
        "peak_rss_bytes", value_number((uint64_t)usage->ru_maxrss * 1024), "minor_faults",
        value_number((uint64_t)usage->ru_minflt), "major_faults", value_number((uint64_t)usage->ru_majflt), "peak",
        peak(summary->highest), "live_at_exit", live(summary->top), "counts", counts(&summary->pages->totals), "errors",
        errors(&summary->pages->totals), "classes", classes(&summary->pages->totals), "budget", "max_peak_bytes",
        limit(&summary->peak), "max_allocations", limit(&summary->allocations), "bindings", bindings(summary->bindings),
        "processes", processes(summary), "unreadable_pages",
        value_number(summary->pages->unreadable + summary->pages->unmade + summary->pages->unseen));
}

static json_t *whole(const struct summary *summary)
{
    json_t *const all = head(summary);
    json_t *rest;

    if (all == NULL || summary->launched == NULL)
        return all;
    rest = body(summary);
    if (rest == NULL || json_object_update(all, rest) != 0) {
        json_decref(all);
        json_decref(rest);
        return NULL;
    }
    json_decref(rest);
    return all;
}

char *summary_json(const struct summary *summary)
{
    json_t *const all = whole(summary);
    char *const text = value_lines(all, JSON_INDENT(2));

    json_decref(all);
    return text;
}

/* ---- Plain: the same tree, one leaf per line ---- */

static void put_leaves(FILE *out, const char *name, json_t *value);

static void put_member(FILE *out, const char *name, const char *member, json_t *value)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s%s%s", name, *name != '\0' ? "." : "", member);
    put_leaves(out, path, value);
}

static void put_leaf(FILE *out, const char *name, json_t *value)
{
    if (json_is_string(value)) {
        (void)fprintf(out, "%s %s\n", name, clean_text(json_string_value(value)).text);
    } else {
        char *const text = json_dumps(value, JSON_ENCODE_ANY);
        (void)fprintf(out, "%s %s\n", name, text != NULL ? text : "?");
        free(text);
    }
}

static void put_leaves(FILE *out, const char *name, json_t *value)
{
    const char *member;
    json_t *part;
    size_t i;

    if (json_is_object(value)) {
        json_object_foreach(value, member, part) put_member(out, name, member, part);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, part)
        {
            char index[24];
            (void)snprintf(index, sizeof index, "%zu", i);
            put_member(out, name, index, part);
        }
    } else {
        put_leaf(out, name, value);
    }
}

char *summary_plain(const struct summary *summary)
{
    json_t *const all = whole(summary);
    char *text = NULL;
    size_t bytes = 0;
    FILE *const out = all != NULL ? open_memstream(&text, &bytes) : NULL;

    if (out != NULL)
        put_leaves(out, "", all);
    json_decref(all);
    if (out == NULL || fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
