/* render_html.c: a report as one HTML file: no scripts, nothing to fetch, light and dark, on paper and on a telephone.
 */
#include "render.h"

#include "card.h"
#include "markup.h"
#include "model.h"
#include "picture.h"
#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--paper:#fdfdfb;--card:#fff;--ink:#1d2329;--faint:#66717b;--rule:#dfe3e6;"
    "--good:#1a7f4b;--part:#9a6700;--bad:#c0362c;"
    "--c0:#1f6fb4;--c1:#d0601f;--c2:#2a8a4a;--c3:#a3358f;--c4:#7a5c2e;--c5:#0b8a94;--c6:#b8354a;--c7:#5a5fb8;--c8:#"
    "4d6b1f;--c9:#8a4b12}"
    "@media(prefers-color-scheme:dark){:root{--paper:#14181c;--card:#1b2025;--ink:#e4e8eb;--faint:#98a3ad;"
    "--rule:#323a42;--good:#5cc98a;--part:#e0b04a;--bad:#ff8378;"
    "--c0:#6fb3ec;--c1:#f0975c;--c2:#6fce8f;--c3:#dd86cd;--c4:#cdab74;--c5:#58cbd5;--c6:#f08496;--c7:#a4a8f2;--c8:#"
    "a9c46c;--c9:#e0a878}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:1.2rem;max-width:76rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif}"
    "h1{font-size:1.7rem;margin:.4rem 0}h2{font-size:1.25rem;margin:0 0 .6rem}h3{font-size:1rem;margin:1.1rem 0 .3rem}"
    ".lead{font-size:1.1rem}.faint,figcaption,caption{color:var(--faint)}"
    ".card{background:var(--card);border:1px solid var(--rule);border-left:.35rem solid var(--faint);"
    "border-radius:.4rem;padding:1rem 1.2rem;margin:1.2rem 0}"
    ".agrees{border-left-color:var(--good)}.depends{border-left-color:var(--part)}.differs{border-left-color:var(--bad)"
    "}"
    ".agrees .mark{color:var(--good)}.depends .mark{color:var(--part)}.differs .mark{color:var(--bad)}"
    "blockquote{margin:.4rem 0;padding-left:.9rem;border-left:2px solid var(--rule);font-style:italic}"
    ":lang(zh) blockquote{font-style:normal}"
    ".heaps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:0 2rem}"
    ".heaps>div{min-width:0}ul{padding-left:1.2rem;margin:.4rem 0}"
    "figure{margin:.9rem 0}figcaption{font-size:.9rem;margin-bottom:.25rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;margin:.5rem 0}"
    "caption{text-align:left}th,td{padding:.18rem .7rem .18rem 0;border-bottom:1px solid var(--rule);text-align:left;"
    "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.x{white-space:nowrap}details{margin:.5rem 0}summary{cursor:pointer;color:var(--faint);font-size:.9rem}"
    ".trap{margin:.7rem 0 0;padding:.5rem .8rem;border:1px dashed var(--part);border-radius:.3rem}"
    "a{color:var(--c0)}"
    "@media(max-width:40rem){body{padding:.6rem}.card{padding:.8rem .7rem}}"
    "@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--faint:#444;--rule:#bbb}"
    "body{font-size:11px;max-width:none}figure,.trap,tr{break-inside:avoid}h2,h3{break-after:avoid}"
    ".heaps{grid-template-columns:1fr 1fr}}"
    "@media print{details::details-content{content-visibility:visible;display:block}}";

/* What a part of the page is made from. */
struct page {
    FILE *out;
    const json_t *document;
    enum language language;
};

static void put_text(const struct page *page, enum text text)
{
    markup_text(page->out, text_get(text, page->language));
}

/* ---- Tables ---- */

/* A value with its exact number beside what people read. */
static void put_value(const struct page *page, const json_t *metric)
{
    if (metric != NULL) {
        (void)fprintf(page->out, "<data value=\"%.*g\">", MODEL_DIGITS, model_number(metric, "median"));
        markup_text(page->out, say_value(metric, page->language).text);
        (void)fputs("</data>", page->out);
    }
}

static bool is_in(const struct lab_picture *picture, const char *name)
{
    for (size_t i = 0; i < PICTURE_METRICS && picture->metrics[i] != METRIC_NONE; i++)
        if (strcmp(metric_info(picture->metrics[i])->name, name) == 0)
            return true;
    return false;
}

/* Pictures of curves and strips have tables of their own: x down, curves across. */
static bool has_own_table(const struct lab_picture *picture)
{
    return picture->title != TEXT_NONE && (picture->kind == PICTURE_LINES || picture->kind == PICTURE_STRIP);
}

static bool is_in_own_table(const struct lab_card *card, const char *name)
{
    for (size_t i = 0; i < CARD_PICTURES; i++)
        if (has_own_table(&card->pictures[i]) && is_in(&card->pictures[i], name))
            return true;
    return false;
}

/* All values that stand in no table of a picture. */
static void put_values(const struct page *page, const struct lab_card *card, const json_t *metrics)
{
    const json_t *metric;
    size_t i;

    (void)fputs("<div class=\"wide\"><table>", page->out);
    json_array_foreach(metrics, i, metric)
    {
        if (is_in_own_table(card, model_string(metric, "name")))
            continue;
        (void)fputs("<tr><td>", page->out);
        markup_made(page->out, say_label(metric, page->language));
        (void)fputs("</td><td class=\"n\">", page->out);
        put_value(page, metric);
        (void)fprintf(page->out, "</td><td class=\"n faint\">n = %.0f</td></tr>", model_number(metric, "n"));
    }
    (void)fputs("</table></div>", page->out);
}

static int by_number(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Every x of the picture's metrics, once, in order. returns: how many; *list is new. */
static size_t find_places(const struct lab_picture *picture, const json_t *metrics, double **list)
{
    double *const all = model_grown(NULL, (json_array_size(metrics) + 1) * sizeof *all);
    const json_t *metric;
    size_t count = 0, kept = 0;
    size_t i;

    json_array_foreach(metrics, i, metric) if (is_in(picture, model_string(metric, "name"))) all[count++] =
        model_number(metric, "x");
    qsort(all, count, sizeof *all, by_number);
    for (i = 0; i < count; i++)
        if (kept == 0 || all[kept - 1] != all[i])
            all[kept++] = all[i];
    *list = all;
    return kept;
}

static void put_heads(const struct page *page, const struct lab_picture *picture)
{
    (void)fputs("<tr><th>", page->out);
    put_text(page, picture->kind == PICTURE_LINES ? picture->x : TEXT_axis_cell);
    (void)fputs("</th>", page->out);
    for (size_t i = 0; i < PICTURE_METRICS && picture->metrics[i] != METRIC_NONE; i++) {
        (void)fputs("<th class=\"n\">", page->out);
        markup_text(page->out, metric_info(picture->metrics[i])->label[page->language]);
        (void)fputs("</th>", page->out);
    }
    (void)fputs("</tr>", page->out);
}

static void put_row(const struct page *page, const struct lab_picture *picture, const json_t *metrics, double x)
{
    (void)fputs("<tr><td class=\"x\">", page->out);
    markup_text(page->out, metric_value(x, metric_info(picture->metrics[0])->x_unit, page->language).text);
    (void)fputs("</td>", page->out);
    for (size_t i = 0; i < PICTURE_METRICS && picture->metrics[i] != METRIC_NONE; i++) {
        (void)fputs("<td class=\"n\">", page->out);
        put_value(page, model_metric(metrics, metric_info(picture->metrics[i])->name, &x));
        (void)fputs("</td>", page->out);
    }
    (void)fputs("</tr>", page->out);
}

static void put_picture_table(const struct page *page, const struct lab_picture *picture, const json_t *metrics)
{
    double *places;
    const size_t count = find_places(picture, metrics, &places);

    (void)fputs("<details><summary>", page->out);
    put_text(page, TEXT_label_table);
    (void)fputs("</summary><div class=\"wide\"><table>", page->out);
    put_heads(page, picture);
    for (size_t i = 0; i < count; i++)
        put_row(page, picture, metrics, places[i]);
    (void)fputs("</table></div></details>", page->out);
    free(places);
}

/* ---- Cards ---- */

static void put_picture(const struct page *page, const struct lab_picture *picture, const json_t *result)
{
    if (!picture_has_data(picture, result))
        return;
    (void)fputs("<figure><figcaption>", page->out);
    put_text(page, picture->title);
    (void)fputs("</figcaption>", page->out);
    picture_put(page->out, picture, result, page->document, page->language);
    if (has_own_table(picture))
        put_picture_table(page, picture, json_object_get(result, "metrics"));
    (void)fputs("</figure>", page->out);
}

static void put_sentences(const struct page *page, const json_t *result)
{
    const json_t *value;
    size_t i;

    (void)fputs("<ul>", page->out);
    json_array_foreach(json_object_get(result, "says"), i, value)
    {
        (void)fputs("<li>", page->out);
        markup_made(page->out, say_sentence(text_find(json_string_value(value)), page->language,
                                            json_object_get(result, "metrics")));
        (void)fputs("</li>", page->out);
    }
    json_array_foreach(json_object_get(result, "notes"), i, value)
    {
        (void)fputs("<li class=\"faint\">", page->out);
        markup_made(page->out, say_note(value, page->language));
        (void)fputs("</li>", page->out);
    }
    (void)fputs("</ul>", page->out);
}

static void put_result(const struct page *page, const struct lab_card *card, const json_t *result)
{
    const char *const verdict = model_string(result, "verdict");

    (void)fputs("<div><h3>", page->out);
    markup_text(page->out, model_string(result, "allocator"));
    (void)fprintf(page->out, " <span class=\"faint\">%s ", say_mark(verdict));
    markup_text(page->out, say_verdict(verdict, page->language));
    (void)fputs("</span></h3>", page->out);
    put_sentences(page, result);
    for (size_t i = 0; i < CARD_PICTURES; i++)
        put_picture(page, &card->pictures[i], result);
    if (json_array_size(json_object_get(result, "metrics")) > 0)
        put_values(page, card, json_object_get(result, "metrics"));
    (void)fputs("</div>", page->out);
}

static void put_card(const struct page *page, const json_t *entry)
{
    const char *const id = model_string(entry, "id");
    const char *const verdict = model_string(entry, "verdict");
    const struct lab_card *const card = card_find(id);
    const json_t *result;
    size_t i;

    (void)fprintf(page->out, "<section class=\"card %s\" id=\"%s\"><h2><span class=\"mark\">%s</span> ", verdict, id,
                  say_mark(verdict));
    markup_made(page->out, say_headline(entry, page->language));
    (void)fputs("</h2><blockquote>", page->out);
    put_text(page, card->textbook);
    (void)fputs("</blockquote><p>", page->out);
    put_text(page, TEXT_label_here);
    (void)fputs("</p><div class=\"heaps\">", page->out);
    json_array_foreach(json_object_get(page->document, "results"), i,
                       result) if (strcmp(model_string(result, "id"), id) == 0) put_result(page, card, result);
    (void)fputs("</div>", page->out);
    for (i = 0; i < CARD_TRAPS && card->traps[i] != TEXT_NONE; i++) {
        (void)fputs("<p class=\"trap\">", page->out);
        put_text(page, TEXT_label_trap);
        put_text(page, card->traps[i]);
        (void)fputs("</p>", page->out);
    }
    (void)fputs("</section>\n", page->out);
}

/* ---- The page ---- */

static void put_contents(const struct page *page)
{
    const json_t *entry;
    size_t i;

    (void)fputs("<ul>", page->out);
    json_array_foreach(json_object_get(page->document, "cards"), i, entry)
    {
        const char *const verdict = model_string(entry, "verdict");

        (void)fprintf(page->out, "<li class=\"%s\"><span class=\"mark\">%s</span> <a href=\"#%s\">", verdict,
                      say_mark(verdict), model_string(entry, "id"));
        markup_made(page->out, say_headline(entry, page->language));
        (void)fputs("</a></li>", page->out);
    }
    (void)fputs("</ul>\n", page->out);
}

static void put_fact(const struct page *page, const char *label, const char *value)
{
    (void)fputs("<tr><td>", page->out);
    markup_text(page->out, label);
    (void)fputs("</td><td>", page->out);
    markup_text(page->out, value);
    (void)fputs("</td></tr>", page->out);
}

static void put_machine(const struct page *page)
{
    const char *name;
    json_t *fact;
    char *seed;

    (void)fputs("<div class=\"wide\"><table><caption>", page->out);
    put_text(page, TEXT_label_machine);
    (void)fputs("</caption>", page->out);
    json_object_foreach(json_object_get(page->document, "machine"), name, fact)
    {
        char *const value = say_fact_value(name, fact, page->language);
        put_fact(page, say_fact_label(name, page->language), value);
        free(value);
    }
    put_fact(page, text_get(TEXT_machine_noise, page->language),
             metric_value(model_number(page->document, "noise_pct"), "%", page->language).text);
    put_fact(page, text_get(TEXT_machine_date, page->language), model_string(page->document, "date"));
    seed = say_seed(page->document, page->language);
    put_fact(page, text_get(TEXT_machine_seed, page->language), seed);
    free(seed);
    (void)fputs("</table></div>\n", page->out);
}

static void put_page(const struct page *page)
{
    const json_t *entry;
    size_t i;

    (void)fprintf(
        page->out,
        "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
        page->language == CHINESE ? "zh-CN" : "en");
    put_text(page, TEXT_report_title);
    (void)fprintf(page->out, "</title>\n<style>%s%s</style>\n</head>\n<body>\n<h1>", style, picture_style);
    put_text(page, TEXT_report_title);
    (void)fputs("</h1>\n<p class=\"lead\">", page->out);
    markup_made(page->out, say_count(page->document, page->language));
    (void)fputs("</p>\n<p class=\"faint\">", page->out);
    put_text(page, TEXT_report_lead);
    (void)fputs("</p>\n", page->out);
    put_contents(page);
    json_array_foreach(json_object_get(page->document, "cards"), i, entry) put_card(page, entry);
    put_machine(page);
    (void)fputs("</body>\n</html>\n", page->out);
}

char *render_html(const json_t *document, enum language language)
{
    char *text = NULL;
    size_t bytes = 0;
    struct page page = {open_memstream(&text, &bytes), document, language};

    if (page.out == NULL)
        return NULL;
    put_page(&page);
    if (fclose(page.out) == 0)
        return text;
    free(text);
    return NULL;
}
