/* picture.c: pictures as inline SVG: curves, bars, a strip of memory, a column of addresses. */
#include "picture.h"

#include "axis.h"
#include "markup.h"
#include "model.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 360, LEFT = 62, RIGHT = 26, TOP = 10, PLOT = 210, UNDER = 42, LINE = 16, SHAPES = 10 };

const char picture_style[] = "svg{display:block;width:100%;max-width:33rem;height:auto}"
                             "svg text{font:11px system-ui,'Noto Sans CJK SC',sans-serif;fill:var(--ink)}"
                             "svg .faint{fill:var(--faint)}"
                             "svg .grid{stroke:var(--rule);stroke-width:1}"
                             "svg .frame{fill:none;stroke:var(--faint);stroke-width:1}"
                             "svg .curve{fill:none;stroke-width:1.6;stroke-linejoin:round}"
                             "svg .spread{stroke-width:1;opacity:.6}"
                             "svg .point{stroke-width:1.4}"
                             ".s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}"
                             ".s4{stroke:var(--c4)}.s5{stroke:var(--c5)}.s6{stroke:var(--c6)}.s7{stroke:var(--c7)}"
                             ".f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}"
                             ".f4{fill:var(--c4)}.f5{fill:var(--c5)}.f6{fill:var(--c6)}.f7{fill:var(--c7)}"
                             ".s8{stroke:var(--c8)}.s9{stroke:var(--c9)}.f8{fill:var(--c8)}.f9{fill:var(--c9)}"
                             "svg .hollow{fill:var(--card)}";

/* What a picture is drawn from. */
struct scene {
    FILE *out;
    const struct lab_picture *picture;
    const json_t *metrics;
    enum language language;
    struct axis x, y;
};

/* ---- Reading the metrics ---- */

/* Call `act` for each metric of `metrics` that the picture shows, with the index of its curve. */
typedef void picture_visitor(void *context, const json_t *metric, int series);

static void visit(const struct lab_picture *picture, const json_t *metrics, picture_visitor *act, void *context)
{
    const json_t *metric;
    size_t i;

    for (int series = 0; series < PICTURE_METRICS && picture->metrics[series] != METRIC_NONE; series++) {
        const char *const name = metric_info(picture->metrics[series])->name;

        json_array_foreach(metrics, i, metric) if (strcmp(model_string(metric, "name"), name) == 0)
            act(context, metric, series);
    }
}

static void count_one(void *context, const json_t *metric, int series)
{
    (void)metric;
    (void)series;
    ++*(int *)context;
}

static int count_values(const struct lab_picture *picture, const json_t *metrics)
{
    int count = 0;

    visit(picture, metrics, count_one, &count);
    return count;
}

bool picture_has_data(const struct lab_picture *picture, const json_t *result)
{
    return picture->title != TEXT_NONE && count_values(picture, json_object_get(result, "metrics")) > 0;
}

static void stretch(void *context, const json_t *metric, int series)
{
    struct scene *const scene = context;

    (void)series;
    axis_include(&scene->x, model_number(metric, "x"));
    if (scene->picture->kind == PICTURE_BARS) /* the shortest of logarithmic bars has a length, too */
        axis_include(&scene->y, model_number(metric, "lo") / 4);
    axis_include(&scene->y, model_number(metric, "lo"));
    axis_include(&scene->y, model_number(metric, "hi"));
}

static const char *unit_of(const struct lab_picture *picture) { return metric_info(picture->metrics[0])->unit; }

/* The scale that all results of one card share. Lengths begin at zero where they are not logarithmic. */
static void find_scale(struct scene *scene, const json_t *document, const char *id)
{
    const struct lab_picture *const picture = scene->picture;
    const json_t *result;
    size_t i;

    scene->x = axis_make(picture->log_x && picture->kind == PICTURE_LINES, metric_info(picture->metrics[0])->x_unit);
    scene->y = axis_make(picture->kind == PICTURE_BARS ? picture->log_x : picture->log_y, unit_of(picture));
    if (!scene->y.is_log)
        axis_include(&scene->y, 0);
    json_array_foreach(json_object_get(document, "results"), i, result) if (strcmp(model_string(result, "id"), id) == 0)
        visit(picture, json_object_get(result, "metrics"), stretch, scene);
    axis_finish(&scene->x);
    axis_finish(&scene->y);
}

/* ---- The frame ---- */

static void open_picture(const struct scene *scene, int height)
{
    const int count = count_values(scene->picture, scene->metrics);

    (void)fprintf(scene->out, "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>", WIDTH, height);
    markup_text(scene->out, text_get(scene->picture->title, scene->language));
    (void)fputs("</title><desc>", scene->out);
    markup_made(scene->out, say_format("%d%s%s%s%s%s", count, text_get(TEXT_picture_values, scene->language),
                                       metric_value(scene->y.low, scene->y.unit, scene->language).text,
                                       text_get(TEXT_picture_to, scene->language),
                                       metric_value(scene->y.high, scene->y.unit, scene->language).text,
                                       text_get(TEXT_picture_table, scene->language)));
    (void)fputs("</desc>", scene->out);
}

static void put_words(FILE *out, double x, double y, const char *anchor, const char *class, const char *words)
{
    (void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y, anchor, class);
    markup_text(out, words);
    (void)fputs("</text>", out);
}

/* ---- Curves ---- */

static double plot_x(const struct scene *scene, double value)
{
    return LEFT + axis_place(&scene->x, value) * (WIDTH - LEFT - RIGHT);
}

static double plot_y(const struct scene *scene, double value)
{
    return TOP + (1 - axis_place(&scene->y, value)) * PLOT;
}

static void put_line(FILE *out, const char *class, double x1, double y1, double x2, double y2)
{
    (void)fprintf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, x1, y1, x2, y2);
}

static void put_axes(const struct scene *scene)
{
    FILE *const out = scene->out;

    for (size_t i = 0; i < scene->y.count; i++) {
        const double y = plot_y(scene, scene->y.marks[i]);

        put_line(out, "grid", LEFT, y, WIDTH - RIGHT, y);
        put_words(out, LEFT - 5, y + 4, "end", " class=\"faint\"",
                  metric_value(scene->y.marks[i], scene->y.unit, scene->language).text);
    }
    for (size_t i = 0; i < scene->x.count; i++) {
        const double x = plot_x(scene, scene->x.marks[i]);

        put_line(out, "grid", x, TOP, x, TOP + PLOT);
        put_words(out, x, TOP + PLOT + 15, "middle", " class=\"faint\"",
                  metric_value(scene->x.marks[i], scene->x.unit, scene->language).text);
    }
    put_words(out, LEFT + (WIDTH - LEFT - RIGHT) / 2.0, TOP + PLOT + 31, "middle", "",
              text_get(scene->picture->x, scene->language));
}

/* The shape of curve `series` at a place. */
static void put_point(FILE *out, int series, double x, double y)
{
    static const char *const shapes[SHAPES] = {
        "<circle r=\"3\"",
        "<path d=\"M-3-3H3V3H-3Z\"",
        "<path d=\"M0-4 4 3H-4Z\"",
        "<path d=\"M0-4 4 0 0 4-4 0Z\"",
        "<path d=\"M-3-3 3 3M-3 3 3-3\"",
        "<path d=\"M0-4V4M-4 0H4\"",
        "<path d=\"M0 4 4-3H-4Z\"",
        "<path d=\"M-4-2H4V2H-4Z\"",
        "<path d=\"M-2-4H2V4H-2Z\"",
        "<path d=\"M-4-3V3L4 0Z\"",
    };
    const int shape = series % SHAPES;

    (void)fprintf(out, "%s class=\"point s%d f%d%s\" transform=\"translate(%.1f %.1f)\"/>", shapes[shape], shape, shape,
                  series % 2 == 0 ? " hollow" : "", x, y);
}

/* A curve on its way: where the last point was. */
struct curve {
    const struct scene *scene;
    int series;
    bool is_open;
};

static void put_step(void *context, const json_t *metric, int series)
{
    struct curve *const curve = context;

    if (series != curve->series)
        return;
    (void)fprintf(curve->scene->out, "%s%.1f %.1f", curve->is_open ? "L" : "<path class=\"curve\" d=\"M",
                  plot_x(curve->scene, model_number(metric, "x")),
                  plot_y(curve->scene, model_number(metric, "median")));
    curve->is_open = true;
}

static void put_curve(const struct scene *scene, int series)
{
    struct curve curve = {scene, series, false};

    (void)fprintf(scene->out, "<g class=\"s%d\">", series % SHAPES);
    visit(scene->picture, scene->metrics, put_step, &curve);
    (void)fputs(curve.is_open ? "\"/></g>" : "</g>", scene->out);
}

static void put_value(void *context, const json_t *metric, int series)
{
    const struct scene *const scene = context;
    const double x = plot_x(scene, model_number(metric, "x"));
    const double low = plot_y(scene, model_number(metric, "lo"));
    const double high = plot_y(scene, model_number(metric, "hi"));

    if (low - high > 6)
        (void)fprintf(scene->out, "<line class=\"spread s%d\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                      series % SHAPES, x, low, x, high);
    put_point(scene->out, series, x, plot_y(scene, model_number(metric, "median")));
}

static int series_of(const struct lab_picture *picture)
{
    int count = 0;

    while (count < PICTURE_METRICS && picture->metrics[count] != METRIC_NONE)
        count++;
    return count;
}

static void put_legend(const struct scene *scene)
{
    for (int i = 0; i < series_of(scene->picture); i++) {
        const double y = TOP + PLOT + UNDER + LINE * i + 4;

        (void)fprintf(scene->out, "<line class=\"curve s%d\" x1=\"8\" y1=\"%.1f\" x2=\"32\" y2=\"%.1f\"/>", i % SHAPES,
                      y, y);
        put_point(scene->out, i, 20, y);
        put_words(scene->out, 40, y + 4, "start", "", metric_info(scene->picture->metrics[i])->label[scene->language]);
    }
}

/* Vertical lines at the values of `marks`: sizes of caches, named L1, L2, L3. */
static void put_marks(const struct scene *scene)
{
    const json_t *metric;
    size_t i;

    json_array_foreach(scene->metrics, i, metric)
    {
        const double x = plot_x(scene, model_number(metric, "median"));
        char name[16];

        if (scene->picture->marks == METRIC_NONE ||
            strcmp(model_string(metric, "name"), metric_info(scene->picture->marks)->name) != 0 ||
            model_number(metric, "median") > scene->x.high)
            continue;
        put_line(scene->out, "frame", x, TOP, x, TOP + PLOT);
        (void)snprintf(name, sizeof name, "L%.0f", model_number(metric, "x"));
        put_words(scene->out, x + 3, TOP + 11, "start", "", name);
    }
}

static void put_lines(struct scene *scene)
{
    const int count = series_of(scene->picture);

    open_picture(scene, TOP + PLOT + UNDER + LINE * count);
    put_axes(scene);
    put_marks(scene);
    for (int i = 0; i < count; i++)
        put_curve(scene, i);
    visit(scene->picture, scene->metrics, put_value, scene);
    put_legend(scene);
}

/* ---- Bars ---- */

enum { BAR = 10, ROW = 34, BAR_LEFT = 8 };

struct rows {
    const struct scene *scene;
    int row;
};

static double bar_x(const struct scene *scene, double value)
{
    return BAR_LEFT + axis_place(&scene->y, value) * (WIDTH - 2 * BAR_LEFT);
}

/* Name and value in one line, the bar below, the spread as a line on its end. */
static void put_bar(void *context, const json_t *metric, int series)
{
    struct rows *const rows = context;
    const struct scene *const scene = rows->scene;
    const double y = 4 + ROW * rows->row++;
    const double end = bar_x(scene, model_number(metric, "median"));
    char *const label = say_label(metric, scene->language);

    put_words(scene->out, BAR_LEFT, y + 11, "start", "", label);
    put_words(scene->out, WIDTH - BAR_LEFT, y + 11, "end", "",
              metric_value(model_number(metric, "median"), scene->y.unit, scene->language).text);
    (void)fprintf(scene->out, "<rect class=\"f%d\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>",
                  scene->picture->colours > 0 ? series % scene->picture->colours : series % SHAPES, BAR_LEFT, y + 16,
                  end - BAR_LEFT, BAR);
    put_line(scene->out, "frame", bar_x(scene, model_number(metric, "lo")), y + 16 + BAR / 2.0,
             bar_x(scene, model_number(metric, "hi")), y + 16 + BAR / 2.0);
    free(label);
}

static void put_bars(struct scene *scene)
{
    struct rows rows = {scene, 0};
    const int height = ROW * count_values(scene->picture, scene->metrics) + 8;

    open_picture(scene, height);
    put_line(scene->out, "grid", BAR_LEFT, 4, BAR_LEFT, height - 4);
    visit(scene->picture, scene->metrics, put_bar, &rows);
}

/* ---- A strip of memory ---- */

enum { ACROSS = 24, CELL = 14, CELLS_MOST = 4096 };

/* A cell is filled from below, as far as its bytes are in use. */
static void put_cell(void *context, const json_t *metric, int series)
{
    const struct scene *const scene = context;
    const double place = model_number(metric, "x");
    const int index = place >= 0 && place < CELLS_MOST ? (int)place : 0; /* a saved report may hold anything */
    const double filled = (CELL - 2) * model_number(metric, "median") / 100;
    const double x = 12 + index % ACROSS * CELL;
    const int row = index / ACROSS;
    const double y = 6 + row * CELL;

    (void)series;
    if (filled > 0)
        (void)fprintf(scene->out, "<rect class=\"f0\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>", x,
                      y + CELL - 2 - filled, CELL - 2, filled);
    (void)fprintf(scene->out, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>", x, y,
                  CELL - 2, CELL - 2);
}

static void put_strip(struct scene *scene)
{
    open_picture(scene, 12 + CELL * ((count_values(scene->picture, scene->metrics) + ACROSS - 1) / ACROSS));
    visit(scene->picture, scene->metrics, put_cell, scene);
}

/* ---- A column of addresses ---- */

enum { BOX = 28 };

struct places {
    const json_t *list[PICTURE_METRICS];
    int count;
};

static void collect(void *context, const json_t *metric, int series)
{
    struct places *const places = context;

    (void)series;
    if (places->count < PICTURE_METRICS)
        places->list[places->count++] = metric;
}

static int by_address(const void *a, const void *b)
{
    const double left = model_number(*(const json_t *const *)a, "median");
    const double right = model_number(*(const json_t *const *)b, "median");

    return (left < right) - (left > right);
}

/* The highest address on top. */
static void put_column(struct scene *scene)
{
    struct places places = {.count = 0};

    visit(scene->picture, scene->metrics, collect, &places);
    qsort(places.list, (size_t)places.count, sizeof *places.list, by_address);
    open_picture(scene, BOX * places.count + 12);
    for (int i = 0; i < places.count; i++) {
        const double y = 6 + BOX * i;

        (void)fprintf(scene->out, "<rect class=\"frame\" x=\"8\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>", y,
                      WIDTH - 16, BOX);
        put_words(scene->out, 18, y + 18, "start", "",
                  metric_info(metric_find(model_string(places.list[i], "name")))->label[scene->language]);
        put_words(scene->out, WIDTH - 18, y + 18, "end", " class=\"faint\"",
                  metric_value(model_number(places.list[i], "median"), scene->y.unit, scene->language).text);
    }
}

void picture_put(FILE *out, const struct lab_picture *picture, const json_t *result, const json_t *document,
                 enum language language)
{
    static void (*const by_kind[])(struct scene * scene) = {put_lines, put_bars, put_strip, put_column};
    struct scene scene = {
        .out = out, .picture = picture, .metrics = json_object_get(result, "metrics"), .language = language};

    if (!picture_has_data(picture, result))
        return;
    find_scale(&scene, document, model_string(result, "id"));
    by_kind[picture->kind](&scene);
    (void)fputs("</svg>", out);
}
