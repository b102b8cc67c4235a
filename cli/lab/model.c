/* model.c: a report in memory: the JSON document of schema ashlar.lab/1. */
#include "model.h"

#include "card.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *model_real(double value)
{
    char digits[40];

    if (!isfinite(value))
        return json_real(0);
    (void)snprintf(digits, sizeof digits, "%.*g", MODEL_DIGITS, value);
    return json_real(strtod(digits, NULL));
}

double model_number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name)); /* 0 for what is no number */
}

const char *model_string(const json_t *object, const char *name)
{
    const char *const text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

const json_t *model_metric(const json_t *metrics, const char *name, const double *x)
{
    const json_t *metric;
    size_t i;

    json_array_foreach(metrics, i, metric)
    {
        const json_t *const at = json_object_get(metric, "x");

        if (strcmp(model_string(metric, "name"), name) == 0 &&
            (x == NULL ? at == NULL : at != NULL && json_number_value(at) == *x))
            return metric;
    }
    return NULL;
}

char *model_text(const json_t *document)
{
    char *const text = json_dumps(document, JSON_INDENT(1) | JSON_REAL_PRECISION(MODEL_DIGITS));
    const size_t length = text != NULL ? strlen(text) : 0;
    char *const ended = text != NULL ? model_grown(text, length + 2) : NULL;

    if (ended != NULL)
        memcpy(ended + length, "\n", 2);
    return ended;
}

void model_out_of_memory(void)
{
    complain("out of memory");
    exit(EXIT_FINDING);
}

void *model_grown(void *block, size_t bytes)
{
    void *const grown = realloc(block, bytes);

    if (grown == NULL)
        model_out_of_memory();
    return grown;
}

/* ---- Reading ---- */

static bool is_verdict(const char *word)
{
    for (enum verdict i = 0; i < VERDICTS; i++)
        if (strcmp(card_verdict_name(i), word) == 0)
            return true;
    return false;
}

/* Beyond this, which no machine has of anything, coordinates would overflow. */
static bool is_possible(const json_t *number)
{
    return json_is_number(number) && fabs(json_number_value(number)) <= 1e18;
}

/* What is wrong with a metric; NULL: nothing. */
static const char *fault_of_metric(const json_t *metric)
{
    static const char *const numbers[] = {"median", "lo", "hi", "p99", "n"};

    if (metric_find(model_string(metric, "name")) == METRIC_NONE)
        return "a metric that this version does not know";
    if (json_object_get(metric, "x") != NULL && !is_possible(json_object_get(metric, "x")))
        return "an x that is no possible number";
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!is_possible(json_object_get(metric, numbers[i])))
            return "a metric without possible numbers";
    return NULL;
}

static const char *fault_of_result(const json_t *result)
{
    const json_t *value;
    const char *fault = NULL;
    size_t i;

    if (card_find(model_string(result, "id")) == NULL || !is_verdict(model_string(result, "verdict")))
        return "a result that this version does not know";
    if (!json_is_array(json_object_get(result, "metrics")))
        return "a result without metrics";
    json_array_foreach(json_object_get(result, "metrics"), i, value) fault =
        fault != NULL ? fault : fault_of_metric(value);
    json_array_foreach(json_object_get(result, "says"), i,
                       value) if (json_string_value(value) == NULL || text_find(json_string_value(value)) == TEXT_NONE)
        fault = "a sentence that this version does not know";
    json_array_foreach(json_object_get(result, "notes"), i,
                       value) if (text_find(model_string(value, "why")) == TEXT_NONE) fault =
        "a note that this version does not know";
    return fault;
}

static const char *fault_of_document(const json_t *document)
{
    const json_t *value;
    const char *fault = NULL;
    size_t i;

    if (strcmp(model_string(document, "schema"), MODEL_SCHEMA) != 0)
        return "its schema is not " MODEL_SCHEMA;
    if (!json_is_array(json_object_get(document, "cards")) || !json_is_array(json_object_get(document, "results")) ||
        !json_is_object(json_object_get(document, "machine")) || !json_is_object(json_object_get(document, "counts")))
        return "cards, results, counts or machine are missing";
    json_array_foreach(json_object_get(document, "cards"), i, value) if (card_find(model_string(value, "id")) == NULL ||
                                                                         !is_verdict(model_string(value, "verdict")))
        fault = "a card that this version does not know";
    json_array_foreach(json_object_get(document, "results"), i, value) fault =
        fault != NULL ? fault : fault_of_result(value);
    return fault;
}

json_t *model_read(const char *path, struct refusal *why)
{
    json_error_t error;
    FILE *const file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    json_t *const document = file != NULL ? json_loadf(file, JSON_REJECT_DUPLICATES, &error) : NULL;
    const char *const fault = document != NULL ? fault_of_document(document) : NULL;
    const char *const name = file == stdin ? "standard input" : path;

    if (file == NULL)
        (void)refuse(why, EXIT_BAD_INPUT, "unreadable", "%s cannot be read: %s", path, strerror(errno));
    else if (document == NULL)
        (void)refuse(why, EXIT_BAD_INPUT, "no_json", "%s is no JSON: %s, at byte %d", name, error.text, error.position);
    else if (fault != NULL)
        (void)refuse(why, EXIT_BAD_INPUT, "no_report", "%s is no report of the lab: %s", name, fault);
    if (file != NULL && file != stdin)
        (void)fclose(file);
    if (fault == NULL)
        return document;
    json_decref(document);
    return NULL;
}
