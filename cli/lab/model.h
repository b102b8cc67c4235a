/* model.h: a report in memory: the JSON document of schema ashlar.lab/1, cli/schemas/lab.schema.json.
 *
 * Text, JSON and HTML are made from this document and from nothing else, so they cannot disagree; a saved document
 * gives them again. It holds names of texts, no sentences: a report can be read in another language than it was made
 * in. */
#ifndef ASHLAR_CLI_LAB_MODEL_H
#define ASHLAR_CLI_LAB_MODEL_H

#include "../refuse.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define MODEL_SCHEMA "ashlar.lab/1"

enum { MODEL_DIGITS = 12 }; /* of a number, in memory as in a file */

/* A number with MODEL_DIGITS digits, so that it comes back from a file as it was. Not finite: 0. */
json_t *model_real(double value);

double model_number(const json_t *object, const char *name);      /* 0 when there is none */
const char *model_string(const json_t *object, const char *name); /* "" when there is none */

/* The metric of that name, at `*x` or, with NULL, without x. returns: borrowed; NULL: none. */
const json_t *model_metric(const json_t *metrics, const char *name, const double *x);

/* Read a saved report and check that the renderers can trust it. returns: NULL with `why` (status EXIT_BAD_INPUT; for
 * what is no JSON, with the byte). */
json_t *model_read(const char *path, struct refusal *why);

/* The document as a text of its own, ended by a newline; NULL without memory. */
char *model_text(const json_t *document);

/* Say that there is none, and end the process. */
_Noreturn void model_out_of_memory(void);

/* As realloc; ends the process without memory. */
void *model_grown(void *block, size_t bytes);

#endif
