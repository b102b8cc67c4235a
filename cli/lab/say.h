/* say.h: sentences with the measured values in their places. */
#ifndef ASHLAR_CLI_LAB_SAY_H
#define ASHLAR_CLI_LAB_SAY_H

#include "metric.h"
#include "text.h"

#include <jansson.h>

/* The text, with {name} and {name@x} replaced by medians from `metrics`; "?" for one that is not there. returns: new.
 */
char *say_sentence(enum text text, enum language language, const json_t *metrics);

/* What one metric of a document says: "3.4 ms (3.3–3.6 ms)", and what it is called: "first touch, 64 KiB". */
struct metric_text say_value(const json_t *metric, enum language language);
char *say_label(const json_t *metric, enum language language);

/* The first line of a card: its title, and what became of the textbook. returns: new. */
char *say_headline(const json_t *card, enum language language);

/* How many cards ended how: the first line of the report. returns: new. */
char *say_count(const json_t *document, enum language language);

/* Why a part of an experiment is missing, as "blocks: it ended by SIGSEGV". returns: new. */
char *say_note(const json_t *note, enum language language);

/* A fact about the machine, by name and value: label and text. returns: new; the label is a text of ours. */
const char *say_fact_label(const char *name, enum language language);
char *say_fact_value(const char *name, const json_t *value, enum language language);

/* The seed, and whether it was a quick run. returns: new. */
char *say_seed(const json_t *document, enum language language);

/* The verdict's own word, and a mark that stands for it where colours do not show. */
const char *say_verdict(const char *verdict, enum language language);
const char *say_mark(const char *verdict);

/* "label: value", with the colon of the language. returns: new. */
char *say_pair(const char *label, const char *value, enum language language);

/* As asprintf; ends the process without memory. */
char *say_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
