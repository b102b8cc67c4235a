/* render_text.c: a report for a terminal. Curves of many points are told by their ends; HTML and JSON have all. */
#include "render.h"

#include "card.h"
#include "model.h"
#include "say.h"

#include "../clean.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 80, POINTS_SHOWN = 12 }; /* as wide as a terminal is at least */

/* ---- Lines ---- */

/* The character at `at`: its bytes, none at the end of the text, and the columns it takes: Chinese ones take two. */
static size_t measure(const char *at, int *columns)
{
    const unsigned char first = (unsigned char)*at;
    const size_t bytes = first == 0 ? 0 : first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    size_t there = bytes > 0;

    while (there < bytes && at[there] != '\0')
        there++;
    *columns = first >= 0xe3 ? 2 : 1; /* from U+3000 */
    return there;
}

static bool is_one_of(const char *at, const char *const marks[])
{
    for (size_t i = 0; marks[i] != NULL; i++)
        if (strncmp(at, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

/* Whether a mark begins here that must not begin a line. */
static bool closes(const char *at)
{
    static const char *const marks[] = {"，", "。", "；", "：", "）", "、", "”", "？", NULL};

    return is_one_of(at, marks);
}

/* Whether a mark begins here that must not end a line. */
static bool opens(const char *at)
{
    static const char *const marks[] = {"（", "“", NULL};

    return is_one_of(at, marks);
}

/* Bytes of what must not be torn apart: narrow characters in a row, or one wide one, and the marks around them. */
static size_t piece(const char *at, int *columns)
{
    size_t bytes = 0;
    bool goes_on;

    *columns = 0;
    do {
        const bool is_begun = opens(at + bytes);
        int width, next;

        bytes += measure(at + bytes, &width);
        *columns += width;
        (void)measure(at + bytes, &next);
        goes_on =
            at[bytes] != '\0' && at[bytes] != ' ' && (is_begun || closes(at + bytes) || (width == 1 && next == 1));
    } while (goes_on);
    return bytes;
}

/* `first` begins the first line, and so many blanks as it is wide the others. */
static void put_wrapped(FILE *out, const char *first, const char *text)
{
    const int indent = (int)strlen(first);
    int column = indent;
    int width;

    (void)fputs(first, out);
    while (*text != '\0') {
        const bool blank = *text == ' ';
        const size_t bytes = piece(text += blank, &width);

        if (column + blank + width > COLUMNS && column > indent) {
            (void)fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (blank && column > indent) {
            (void)fputc(' ', out);
            column++;
        }
        (void)fwrite(text, 1, bytes, out);
        text += bytes;
        column += width;
    }
    (void)fputc('\n', out);
}

/* As put_wrapped, of a text that was made for it. */
static void put_made(FILE *out, const char *first, char *text)
{
    put_wrapped(out, first, text);
    free(text);
}

/* ---- Metrics ---- */

static void put_scalar(FILE *out, const json_t *metric, enum language language)
{
    char *const label = say_label(metric, language);

    put_made(out, "      ", say_pair(label, say_value(metric, language).text, language));
    free(label);
}

/* The metrics from `first` to before `end`, all of one name, on one line: "name  x: value; x: value". */
static void put_series(FILE *out, const json_t *metrics, size_t first, size_t end, enum language language)
{
    const json_t *const one = json_array_get(metrics, first);
    const struct metric_info *const info = metric_info(metric_find(model_string(one, "name")));
    const bool is_long = end - first > POINTS_SHOWN;
    char *text = say_format(language == CHINESE ? "%s：" : "%s: ", info->label[language]);

    for (size_t i = first; i < end; i++) {
        const json_t *const metric = json_array_get(metrics, i);
        char *pair, *longer;

        if (is_long && i != first && i != end - 1)
            continue;
        pair = say_pair(metric_value(model_number(metric, "x"), info->x_unit, language).text,
                        say_value(metric, language).text, language);
        longer = say_format("%s%s%s", text, pair,
                            i + 1 == end          ? ""
                            : is_long             ? " … "
                            : language == CHINESE ? "；"
                                                  : "; ");
        free(pair);
        free(text);
        text = longer;
    }
    put_made(out, "      ", text);
}

static void put_metrics(FILE *out, const json_t *metrics, enum language language)
{
    const size_t count = json_array_size(metrics);

    for (size_t i = 0, end; i < count; i = end) {
        const char *const name = model_string(json_array_get(metrics, i), "name");

        for (end = i + 1; end < count && strcmp(model_string(json_array_get(metrics, end), "name"), name) == 0; end++)
            continue;
        if (json_object_get(json_array_get(metrics, i), "x") == NULL)
            put_scalar(out, json_array_get(metrics, i), language);
        else
            put_series(out, metrics, i, end, language);
    }
}

/* ---- Cards ---- */

static void put_result(FILE *out, const json_t *result, enum language language)
{
    const json_t *const metrics = json_object_get(result, "metrics");
    const json_t *value;
    size_t i;

    put_made(out, "    ",
             say_pair(clean_text(model_string(result, "allocator")).text,
                      say_verdict(model_string(result, "verdict"), language), language));
    json_array_foreach(json_object_get(result, "says"), i, value)
        put_made(out, "    * ", say_sentence(text_find(json_string_value(value)), language, metrics));
    put_metrics(out, metrics, language);
    json_array_foreach(json_object_get(result, "notes"), i, value)
    {
        char *const note = say_note(value, language);
        put_made(out, "    ! ", say_format("%s", clean_text(note).text));
        free(note);
    }
}

static void put_card(FILE *out, const json_t *document, const json_t *entry, enum language language)
{
    const char *const id = model_string(entry, "id");
    const struct lab_card *const card = card_find(id);
    char *const headline = say_headline(entry, language);
    const json_t *result;
    size_t i;

    (void)fputc('\n', out);
    put_made(out, "", say_format("%s %s", say_mark(model_string(entry, "verdict")), headline));
    free(headline);
    put_made(out, "  ",
             say_format("%s%s", text_get(TEXT_label_textbook, language), text_get(card->textbook, language)));
    (void)fprintf(out, "  %s\n", text_get(TEXT_label_here, language));
    json_array_foreach(json_object_get(document, "results"), i, result) if (strcmp(model_string(result, "id"), id) == 0)
        put_result(out, result, language);
    for (i = 0; i < CARD_TRAPS && card->traps[i] != TEXT_NONE; i++)
        put_made(out, "  ",
                 say_format("%s%s", text_get(TEXT_label_trap, language), text_get(card->traps[i], language)));
}

/* ---- The report ---- */

static void put_fact(FILE *out, const char *label, const char *value, enum language language)
{
    char *const line = say_pair(label, value, language);

    put_made(out, "  ", say_format("%s", clean_text(line).text));
    free(line);
}

static void put_machine(FILE *out, const json_t *document, enum language language)
{
    char *const seed = say_seed(document, language);
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(document, "machine"), name, value)
    {
        char *const text = say_fact_value(name, value, language);
        put_fact(out, say_fact_label(name, language), text, language);
        free(text);
    }
    put_fact(out, text_get(TEXT_machine_noise, language),
             metric_value(model_number(document, "noise_pct"), "%", language).text, language);
    put_fact(out, text_get(TEXT_machine_date, language), model_string(document, "date"), language);
    put_fact(out, text_get(TEXT_machine_seed, language), seed, language);
    free(seed);
}

char *render_text(const json_t *document, enum language language)
{
    const json_t *card;
    char *text = NULL;
    size_t bytes = 0;
    size_t i;
    FILE *const out = open_memstream(&text, &bytes);

    if (out == NULL)
        return NULL;
    put_made(out, "", say_count(document, language));
    put_machine(out, document, language);
    json_array_foreach(json_object_get(document, "cards"), i, card) put_card(out, document, card, language);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
