/* sizes_text.c: what was copied and filled, for people: at most some forty lines, the essential first. */
#include "sizes.h"

#include "clean.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES_SHOWN = 8, CALLERS_SHOWN = 10 };

static const uint64_t shares[] = {16, 32, 64, 128, 256};

enum { SHARES = sizeof shares / sizeof *shares };

static double part_of(uint64_t part, uint64_t whole) { return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0; }

/* ---- Functions ---- */

static void put_columns(FILE *out)
{
    (void)fprintf(out, "  %-20s %14s %12s %8s %8s %8s %12s", "function", "calls", "bytes", "median", "90 %", "99 %",
                  "most");
    for (size_t i = 0; i < SHARES; i++)
        (void)fprintf(out, "  <=%-3u", (unsigned)shares[i]);
    (void)fputc('\n', out);
}

/* One line of the table; quantiles above the exact sizes are upper ends of bins. */
static void put_row(FILE *out, const char *name, const struct sizes_sum *sum)
{
    (void)fprintf(out, "  %-20s %14s %12s %8s %8s %8s %12s", name, units_count(sum->calls).text,
                  units_bytes(sum->bytes).text, units_count(sizes_quantile(sum, 0.5)).text,
                  units_count(sizes_quantile(sum, 0.9)).text, units_count(sizes_quantile(sum, 0.99)).text,
                  units_count(sizes_quantile(sum, 1)).text);
    for (size_t i = 0; i < SHARES; i++)
        (void)fprintf(out, " %3.0f %%", part_of(sizes_up_to(sum, shares[i]), sum->calls));
    (void)fputc('\n', out);
}

static void put_functions(FILE *out, const struct record *record, enum record_kind kind, const struct sizes_sum *all,
                          struct sizes_sum *one)
{
    size_t called = 0;

    for (enum record_function function = 0; function < RECORD_FUNCTIONS; function++) {
        if (sizes_kinds[function] != kind)
            continue;
        memset(one, 0, sizeof *one);
        sizes_add(one, record, function);
        if (one->calls == 0)
            continue;
        put_row(out, sizes_names[function], one);
        called++;
    }
    if (called > 1)
        put_row(out, kind == RECORD_COPIES ? "all copies" : "all fills", all);
}

/* ---- More about each kind ---- */

/* The size below RECORD_EXACT with most calls that has fewer than `below` calls, or as many and is larger than `after`;
 * RECORD_EXACT when there is none. */
static size_t next_frequent(const struct sizes_sum *sum, uint64_t below, size_t after)
{
    size_t best = RECORD_EXACT;

    for (size_t bytes = 0; bytes < RECORD_EXACT; bytes++) {
        const uint64_t calls = sum->sizes[bytes];
        const bool follows = calls < below || (calls == below && bytes > after);

        if (calls > 0 && follows && (best == RECORD_EXACT || calls > sum->sizes[best]))
            best = bytes;
    }
    return best;
}

static void put_frequent(FILE *out, const char *title, const struct sizes_sum *sum)
{
    uint64_t below = UINT64_MAX;
    size_t bytes = RECORD_EXACT;

    (void)fprintf(out, "  %-12s", title);
    for (unsigned shown = 0; shown < SIZES_SHOWN; shown++) {
        bytes = next_frequent(sum, below, bytes);
        if (bytes == RECORD_EXACT)
            break;
        below = sum->sizes[bytes];
        (void)fprintf(out, "%s%zu (%.1f %%)", shown > 0 ? ", " : "", bytes, part_of(below, sum->calls));
    }
    (void)fputc('\n', out);
}

/* Share of the calls whose address is a multiple of `step`. */
static double aligned_share(const uint64_t calls[RECORD_LINE], uint64_t all, size_t step)
{
    uint64_t aligned = 0;

    for (size_t i = 0; i < RECORD_LINE; i += step)
        aligned += calls[i];
    return part_of(aligned, all);
}

static void put_alignment(FILE *out, const char *title, const uint64_t calls[RECORD_LINE], uint64_t all)
{
    (void)fprintf(out, "  %-12smultiples of 8: %.1f %%, of 16: %.1f %%, of 64: %.1f %%\n", title,
                  aligned_share(calls, all, 8), aligned_share(calls, all, 16), aligned_share(calls, all, 64));
}

static void put_copies(FILE *out, const struct sizes_sum *copies)
{
    if (copies->calls == 0)
        return;
    put_frequent(out, "copied", copies);
    put_alignment(out, "to", copies->to, copies->calls);
    put_alignment(out, "from", copies->from, copies->calls);
    (void)fprintf(out, "  overlap     %.2f %% of the copies; %.2f %% go to where they come from\n",
                  part_of(copies->overlapping, copies->calls), part_of(copies->in_place, copies->calls));
}

static void put_fills(FILE *out, const struct sizes_sum *fills)
{
    if (fills->calls == 0)
        return;
    put_frequent(out, "filled", fills);
    put_alignment(out, "at", fills->to, fills->calls);
}

/* ---- Callers ---- */

static uint64_t all_samples(const struct sizes_caller *callers, size_t count)
{
    uint64_t samples = 0;

    for (size_t i = 0; i < count; i++)
        samples += callers[i].samples;
    return samples;
}

static void put_caller(FILE *out, const struct sizes_caller *caller, uint64_t samples)
{
    (void)fprintf(out, "  %6.1f %%  %-20s ", part_of(caller->samples, samples), sizes_names[caller->function]);
    if (caller->object == NULL)
        (void)fputs("code in no file\n", out);
    else
        (void)fprintf(out, "%s+0x%llx\n", clean_text(clean_base(caller->object)).text,
                      (unsigned long long)caller->offset);
}

static void put_callers(FILE *out, const struct record *record)
{
    struct sizes_caller *const callers = calloc(RECORD_CALLERS, sizeof *callers);
    const size_t count = callers != NULL ? sizes_callers(record, callers) : 0;
    const uint64_t samples = all_samples(callers, count);

    if (count > 0)
        (void)fprintf(out, "  callers, of one call in %d:\n", 1 << RECORD_SAMPLING_SHIFT);
    for (size_t i = 0; i < count && i < CALLERS_SHOWN; i++)
        put_caller(out, &callers[i], samples);
    if (count > CALLERS_SHOWN)
        (void)fprintf(out, "  and %s more\n", units_count(count - CALLERS_SHOWN).text);
    if (record->lost_samples > 0)
        (void)fprintf(out, "  note: %s samples had no room\n", units_count(record->lost_samples).text);
    free(callers);
}

/* ---- All of it ---- */

static void put_nothing(FILE *out, const struct sizes *sizes)
{
    if (sizes->launched == NULL)
        (void)fprintf(out, "ashlar: %s\n", clean_text(sizes->why.text).text);
    else
        (void)fprintf(out, "ashlar: nothing recorded in %s (%d): %s\n", clean_text(clean_base(sizes->command[0])).text,
                      (int)sizes->launched->pid, sizes->why.text);
}

static void put_heading(FILE *out, const struct sizes *sizes, const struct sizes_sum *copies,
                        const struct sizes_sum *fills)
{
    const uint64_t programs = sizes->record->programs;

    (void)fprintf(out, "ashlar: %s copies and %s fills recorded in %s (%d), %s program%s\n",
                  units_count(copies->calls).text, units_count(fills->calls).text,
                  clean_text(clean_base(sizes->command[0])).text, (int)sizes->launched->pid, units_count(programs).text,
                  programs > 1 ? "s" : "");
}

static void put_unseen(FILE *out, const struct record *record)
{
    (void)fputs("  not seen: copies and fills that the compiler put in line, and those inside libc (fread, qsort, "
                "printf, realloc)\n",
                out);
    if (record->early > 0)
        (void)fprintf(out, "  not counted: %s calls before the programs had started\n",
                      units_count(record->early).text);
}

/* `sums` has room for three. */
static void put_record(FILE *out, const struct sizes *sizes, struct sizes_sum sums[3])
{
    struct sizes_sum *const copies = &sums[0], *const fills = &sums[1];

    sizes_add_kind(copies, sizes->record, RECORD_COPIES);
    sizes_add_kind(fills, sizes->record, RECORD_FILLS);
    put_heading(out, sizes, copies, fills);
    put_columns(out);
    put_functions(out, sizes->record, RECORD_COPIES, copies, &sums[2]);
    put_functions(out, sizes->record, RECORD_FILLS, fills, &sums[2]);
    put_copies(out, copies);
    put_fills(out, fills);
    put_callers(out, sizes->record);
    put_unseen(out, sizes->record);
}

char *sizes_text(const struct sizes *sizes)
{
    char *text = NULL;
    size_t bytes = 0;
    struct sizes_sum *const sums = calloc(3, sizeof *sums);
    FILE *const out = sums != NULL ? open_memstream(&text, &bytes) : NULL;

    if (out != NULL && sizes->why.reason == NULL)
        put_record(out, sizes, sums);
    else if (out != NULL)
        put_nothing(out, sizes);
    free(sums);
    if (out == NULL || fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
