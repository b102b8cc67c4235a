/* say.c: sentences with the measured values in their places. */
#include "say.h"

#include "card.h"
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *say_format(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        model_out_of_memory();
    va_end(arguments);
    return text;
}

char *say_pair(const char *label, const char *value, enum language language)
{
    return say_format(language == CHINESE ? "%s：%s" : "%s: %s", label, value);
}

static const struct metric_info *info_of(const json_t *metric)
{
    return metric_info(metric_find(model_string(metric, "name")));
}

struct metric_text say_value(const json_t *metric, enum language language)
{
    return metric_spread(model_number(metric, "median"), model_number(metric, "lo"), model_number(metric, "hi"),
                         info_of(metric)->unit, language);
}

char *say_label(const json_t *metric, enum language language)
{
    const struct metric_info *const info = info_of(metric);
    const json_t *const x = json_object_get(metric, "x");

    if (x == NULL)
        return say_format("%s", info->label[language]);
    return say_format(language == CHINESE ? "%s，%s" : "%s, %s", info->label[language],
                      metric_value(json_number_value(x), info->x_unit, language).text);
}

/* ---- Sentences ---- */

/* The value for a place, `length` characters of "name" or "name@x". */
static struct metric_text value_for(const char *place, size_t length, enum language language, const json_t *metrics)
{
    char name[64];
    char *at;
    double x = 0;
    const json_t *metric;

    (void)snprintf(name, sizeof name, "%.*s", (int)length, place);
    at = strchr(name, '@');
    if (at != NULL) {
        x = strtod(at + 1, NULL);
        *at = '\0';
    }
    metric = model_metric(metrics, name, at != NULL ? &x : NULL);
    if (metric == NULL)
        return (struct metric_text){"?"};
    return metric_value(model_number(metric, "median"), info_of(metric)->unit, language);
}

/* Open a text that grows; the process ends without memory. */
static FILE *open_text(char **text, size_t *bytes)
{
    FILE *const out = open_memstream(text, bytes);

    if (out == NULL)
        model_out_of_memory();
    return out;
}

char *say_sentence(enum text text, enum language language, const json_t *metrics)
{
    const char *at = text_get(text, language);
    char *sentence = NULL;
    size_t bytes = 0;
    FILE *const out = open_text(&sentence, &bytes);

    while (*at != '\0') {
        const size_t plain = strcspn(at, "{");

        (void)fwrite(at, 1, plain, out);
        at += plain;
        if (*at == '{') {
            const size_t length = strcspn(at + 1, "}");
            (void)fputs(value_for(at + 1, length, language, metrics).text, out);
            at += length + 2;
        }
    }
    (void)fclose(out);
    return sentence;
}

/* ---- Verdicts ---- */

/* The text called PREFIX_WORD. */
static const char *text_called(const char *prefix, const char *word, enum language language)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s_%s", prefix, word);
    return text_get(text_find(name), language);
}

const char *say_verdict(const char *verdict, enum language language)
{
    return text_called("verdict", verdict, language);
}

const char *say_mark(const char *verdict)
{
    static const char *const marks[VERDICTS] = {"✓", "◐", "✗", "?", "–"};

    for (enum verdict i = 0; i < VERDICTS; i++)
        if (strcmp(card_verdict_name(i), verdict) == 0)
            return marks[i];
    return "?";
}

char *say_headline(const json_t *card, enum language language)
{
    const struct lab_card *const known = card_find(model_string(card, "id"));

    return say_pair(text_get(known->title, language), text_called("headline", model_string(card, "verdict"), language),
                    language);
}

char *say_count(const json_t *document, enum language language)
{
    const json_t *const counts = json_object_get(document, "counts");
    const size_t cards = json_array_size(json_object_get(document, "cards"));
    long of[VERDICTS];

    for (enum verdict i = 0; i < VERDICTS; i++)
        of[i] = (long)json_integer_value(json_object_get(counts, card_verdict_name(i)));
    return language == CHINESE
               ? say_format(
                     "共 %zu 张卡片：%ld 张与教科书一致，%ld 张部分一致，%ld 张与之相反，%ld 张没有结论，%ld 张跳过。",
                     cards, of[VERDICT_AGREES], of[VERDICT_DEPENDS], of[VERDICT_DIFFERS], of[VERDICT_INCONCLUSIVE],
                     of[VERDICT_SKIPPED])
               : say_format("%zu %s: %ld in agreement with the textbook, %ld in part, %ld contradicting it, "
                            "%ld inconclusive, %ld skipped.",
                            cards, cards == 1 ? "card" : "cards", of[VERDICT_AGREES], of[VERDICT_DEPENDS],
                            of[VERDICT_DIFFERS], of[VERDICT_INCONCLUSIVE], of[VERDICT_SKIPPED]);
}

char *say_note(const json_t *note, enum language language)
{
    const json_t *const signal = json_object_get(note, "signal");
    const char *const why = text_get(text_find(model_string(note, "why")), language);
    const char *const part = model_string(note, "part");

    if (signal == NULL)
        return say_pair(part, why, language);
    return say_format(language == CHINESE ? "%s：%s（%s）" : "%s: %s (%s)", part, why,
                      metric_value(json_number_value(signal), "signal", language).text);
}

/* ---- The machine ---- */

const char *say_fact_label(const char *name, enum language language)
{
    char key[64];
    enum text text;

    (void)snprintf(key, sizeof key, "machine_%s", name);
    text = text_find(key);
    return text != TEXT_NONE ? text_get(text, language) : name;
}

char *say_seed(const json_t *document, enum language language)
{
    const bool is_quick = json_is_true(json_object_get(document, "quick"));

    return say_format("%" JSON_INTEGER_FORMAT "%s", json_integer_value(json_object_get(document, "seed")),
                      is_quick ? text_get(TEXT_machine_quick, language) : "");
}

char *say_fact_value(const char *name, const json_t *value, enum language language)
{
    const char *const word = json_string_value(value);

    if (word == NULL)
        return say_format(
            "%s", metric_value(json_number_value(value), strstr(name, "_bytes") != NULL ? "B" : "", language).text);
    if (strcmp(word, "yes") == 0 || strcmp(word, "no") == 0)
        return say_format("%s", text_get(word[0] == 'y' ? TEXT_yes : TEXT_no, language));
    return say_format("%s", strcmp(word, "unlimited") == 0 ? text_get(TEXT_unlimited, language) : word);
}
