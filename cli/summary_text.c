/* summary_text.c: the summary of a run for people: at most some thirty lines, IEC units, the essential first. */
#include "summary.h"

#include "clean.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Colours, or empty strings. */
struct ink {
    const char *good;
    const char *bad;
    const char *faint;
    const char *off;
};

static struct ink ink_for(bool coloured)
{
    if (coloured)
        return (struct ink){.good = "\033[1;32m", .bad = "\033[1;31m", .faint = "\033[2m", .off = "\033[0m"};
    return (struct ink){.good = "", .bad = "", .faint = "", .off = ""};
}

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

/* ---- The heading ---- */

static void put_active(FILE *out, const struct summary *summary, struct ink ink)
{
    const struct process *const top = summary->top;
    const size_t others = summary->pages->count - 1;

    (void)fprintf(out, "ashlar: %sactive%s in %s (%d): ", ink.good, ink.off, clean_text(process_name(top)).text,
                  top->pid);
    if (top->allocations > 0)
        (void)fprintf(out, "%s allocations served", units_count(top->allocations).text);
    else
        (void)fputs(top->published ? "started, did not allocate" : "started, ended before it told its figures", out);
    if (others > 0)
        (void)fprintf(out, "; %s more program%s seen", units_count(others).text, others > 1 ? "s" : "");
    (void)fputc('\n', out);
}

static void put_heading(FILE *out, const struct summary *summary, struct ink ink)
{
    if (summary->top != NULL)
        put_active(out, summary, ink);
    else
        (void)fprintf(out, "ashlar: %snot active%s in %s (%d): %s\n", ink.bad, ink.off,
                      clean_text(clean_base(summary->command[0])).text, (int)summary->launched->pid, summary->why.text);
}

/* ---- Lines of figures ---- */

static void put_time(FILE *out, const struct launched *launched)
{
    (void)fprintf(out, "  time      %s wall, %s user, %s system\n", units_seconds(launched->wall_ns).text,
                  units_seconds(nanoseconds(launched->usage.ru_utime)).text,
                  units_seconds(nanoseconds(launched->usage.ru_stime)).text);
}

static void put_memory(FILE *out, const struct summary *summary)
{
    const struct process *const highest = summary->highest;
    const struct process *const top = summary->top;

    (void)fputs("  memory    ", out);
    if (highest != NULL) {
        (void)fprintf(out, "peak heap %s", units_bytes(highest->peak_bytes).text);
        if (highest != top)
            (void)fprintf(out, " in %s (%d)", clean_text(process_name(highest)).text, highest->pid);
        (void)fputs(", ", out);
    }
    (void)fprintf(out, "peak RSS %s", units_bytes((uint64_t)summary->launched->usage.ru_maxrss * 1024).text);
    if (top != NULL && top->published)
        (void)fprintf(out, ", live %s %s in %s blocks", top->end == PAGE_EXITED ? "at exit" : "when last seen",
                      units_bytes(top->live_bytes).text, units_count(top->live_blocks).text);
    (void)fputc('\n', out);
}

static void put_blocks(FILE *out, const struct totals *totals)
{
    (void)fprintf(out, "  blocks    %s allocated, %s freed, %s of these by another thread\n",
                  units_count(totals->allocations).text, units_count(totals->frees).text,
                  units_share(totals->remote_frees, totals->frees).text);
    (void)fprintf(out, "  purged    %s in %s calls\n", units_bytes(totals->purged_bytes).text,
                  units_count(totals->purge_calls).text);
}

/* One kind of error, if there was any. `separator` is what stands between it and the one before. */
static void put_error(FILE *out, uint64_t count, const char *one, const char *many, const char **separator)
{
    if (count == 0)
        return;
    (void)fprintf(out, "%s%s %s", *separator, units_count(count).text, count == 1 ? one : many);
    *separator = ", ";
}

/* The last line about misuse that any program printed; NULL when none did. */
static const char *last_report(const struct pages *pages)
{
    for (size_t i = pages->count; i > 0; i--)
        if (pages->list[i - 1].last_report != NULL)
            return pages->list[i - 1].last_report;
    return NULL;
}

static void put_errors(FILE *out, const struct summary *summary, struct ink ink)
{
    const struct totals *const totals = &summary->pages->totals;
    const char *const report = last_report(summary->pages);
    const bool none = totals->reports + totals->foreign_frees + totals->dropped_frees + totals->unproved_frees +
                          totals->refused_mappings ==
                      0;
    const char *separator = "";

    (void)fprintf(out, "  errors    %s", none ? "none" : ink.bad);
    put_error(out, totals->reports, "report", "reports", &separator);
    put_error(out, totals->foreign_frees, "free of a foreign pointer", "frees of foreign pointers", &separator);
    put_error(out, totals->dropped_frees, "free not carried out", "frees not carried out", &separator);
    put_error(out, totals->unproved_frees, "suspected double free", "suspected double frees", &separator);
    put_error(out, totals->refused_mappings, "refusal of memory", "refusals of memory", &separator);
    (void)fprintf(out, "%s\n", none ? "" : ink.off);
    if (report != NULL)
        (void)fprintf(out, "            last: %.*s\n", (int)strcspn(report, "\n"), clean_text(report).text);
}

/* ---- Tables ---- */

static void put_classes(FILE *out, const struct summary *summary, struct ink ink)
{
    const struct totals *const totals = &summary->pages->totals;
    struct summary_class classes[ASHLAR_STATS_CLASSES];
    const size_t count = summary_classes(totals, classes);
    const size_t shown = summary->everything || count < CLASSES_SHOWN ? count : CLASSES_SHOWN;
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += classes[i].bytes;
    if (shown > 0)
        (void)fprintf(out, "  %s%10s %16s %14s %10s%s\n", ink.faint, "size class", "allocations", "bytes", "share",
                      ink.off);
    for (size_t i = 0; i < shown; i++)
        (void)fprintf(out, "  %10s %16s %14s %10s\n", units_bytes(classes[i].block_bytes).text,
                      units_count(classes[i].allocations).text, units_bytes(classes[i].bytes).text,
                      units_share(classes[i].bytes, bytes).text);
    if (totals->large_allocations + totals->huge_allocations > 0)
        (void)fprintf(out, "  above the largest size class: %s large and %s huge blocks\n",
                      units_count(totals->large_allocations).text, units_count(totals->huge_allocations).text);
}

static void put_end(FILE *out, const struct process *process)
{
    if (process->end == PAGE_EXECED)
        (void)fputs("  went on as another program", out);
    else if (process->end == PAGE_RUNNING)
        (void)fputs("  still running", out);
    else if (process->end == PAGE_CUT && !process->published)
        (void)fputs("  ended by a signal or exec, before it told its figures", out);
    else if (process->end == PAGE_CUT)
        (void)fprintf(out, "  ended by a signal or exec; figures from %s after its start",
                      units_seconds(process->published_ns - process->started_ns).text);
}

static void put_program(FILE *out, const struct process *process, struct ink ink)
{
    char title[2 * sizeof(struct clean)];

    (void)snprintf(title, sizeof title, "%s (%d%s%d)", clean_text(process_name(process)).text, process->pid,
                   process->forked ? ", forked by " : ", child of ", process->parent_pid);
    (void)fprintf(out, "  %-42s %12s %16s", title, units_bytes(process->peak_bytes).text,
                  units_count(process->allocations).text);
    put_end(out, process);
    if (process->reports > 0)
        (void)fprintf(out, "  %s%s error%s reported%s", ink.bad, units_count(process->reports).text,
                      process->reports > 1 ? "s" : "", ink.off);
    (void)fputc('\n', out);
}

/* Highest peak first. */
static int by_peak(const void *a, const void *b)
{
    const struct process *const left = *(const struct process *const *)a;
    const struct process *const right = *(const struct process *const *)b;

    if (left->peak_bytes != right->peak_bytes)
        return left->peak_bytes < right->peak_bytes ? 1 : -1;
    return (left->started_ns > right->started_ns) - (left->started_ns < right->started_ns);
}

static void put_programs(FILE *out, const struct summary *summary, struct ink ink)
{
    const struct pages *const pages = summary->pages;
    const struct process **const sorted = calloc(pages->count + 1, sizeof(struct process *));
    const size_t shown = summary->everything || pages->count < PROGRAMS_SHOWN ? pages->count : PROGRAMS_SHOWN;

    if (sorted == NULL)
        return;
    for (size_t i = 0; i < pages->count; i++)
        sorted[i] = &pages->list[i];
    qsort(sorted, pages->count, sizeof *sorted, by_peak);
    (void)fprintf(out, "  %s%-42s %12s %16s%s\n", ink.faint, "program", "peak heap", "allocations", ink.off);
    for (size_t i = 0; i < shown; i++)
        put_program(out, sorted[i], ink);
    if (pages->count > shown)
        (void)fprintf(out, "  and %s more\n", units_count(pages->count - shown).text);
    free(sorted);
}

static void put_bindings(FILE *out, const struct bindings *bindings)
{
    (void)fputs("  bound    ", out);
    for (size_t i = 0; i < BINDING_NAMES; i++)
        if (bindings->ours[i] > 0)
            (void)fprintf(out, " %s", binding_titles[i]);
    (void)fprintf(out, "%s to Ashlar in %zu places, elsewhere in %zu\n", bindings->ours_total > 0 ? "" : " nothing",
                  bindings->ours_total, bindings->elsewhere_total);
    for (size_t i = 0; i < bindings->elsewhere_total && i < BINDINGS_SHOWN; i++)
        (void)fprintf(out, "            %s in %s is bound to %s\n", binding_titles[bindings->elsewhere[i].name],
                      clean_text(bindings->elsewhere[i].from).text, clean_text(bindings->elsewhere[i].to).text);
}

/* ---- What must not be overlooked ---- */

/* A program that exited, yet has no last figures: it became one that we are not in. */
static void put_doubts(FILE *out, const struct summary *summary)
{
    const struct pages *const pages = summary->pages;

    if (summary->top != NULL && summary->top->end == PAGE_CUT && summary->launched->signal == 0)
        (void)fprintf(
            out, "  note: %s (%d) went on as a program that Ashlar is not in, or left by a system call of its own\n",
            clean_text(process_name(summary->top)).text, summary->top->pid);
    if (pages->unmade > 0)
        (void)fprintf(out, "  note: there was no room for the pages of %s programs\n", units_count(pages->unmade).text);
    if (pages->unreadable + pages->unseen > 0)
        (void)fprintf(out, "  note: %s pages could not be read\n", units_count(pages->unreadable + pages->unseen).text);
}

static void put_summary(FILE *out, const struct summary *summary, struct ink ink)
{
    put_heading(out, summary, ink);
    put_time(out, summary->launched);
    put_memory(out, summary);
    (void)fprintf(out, "  faults    %s minor, %s major\n",
                  units_count((uint64_t)summary->launched->usage.ru_minflt).text,
                  units_count((uint64_t)summary->launched->usage.ru_majflt).text);
    if (summary->pages->count > 0) {
        put_blocks(out, &summary->pages->totals);
        put_errors(out, summary, ink);
        put_classes(out, summary, ink);
    }
    if (summary->pages->count > 1)
        put_programs(out, summary, ink);
    if (summary->bindings != NULL)
        put_bindings(out, summary->bindings);
    put_doubts(out, summary);
}

char *summary_text(const struct summary *summary, bool coloured)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *const out = open_memstream(&text, &bytes);

    if (out == NULL)
        return NULL;
    if (summary->launched != NULL)
        put_summary(out, summary, ink_for(coloured));
    else
        (void)fprintf(out, "ashlar: %s\n", clean_text(summary->why.text).text);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
