/* value.h: the values that every JSON result is made of.
 *
 * All return a new reference, or NULL without memory; jansson hands a NULL on to the whole. */
#ifndef ASHLAR_CLI_VALUE_H
#define ASHLAR_CLI_VALUE_H

#include <jansson.h>
#include <stdint.h>

/* A count or a size; what jansson's signed numbers cannot hold comes from damaged files only, and becomes the largest.
 */
json_t *value_number(uint64_t number);

/* A text of anybody's making; null for NULL. */
json_t *value_text(const char *text);

/* The words of a command, ended by NULL. */
json_t *value_words(char *const words[]);

/* A moment of CLOCK_REALTIME as RFC 3339 has it, UTC. */
json_t *value_moment(uint64_t real_ns);

/* The whole as a new text, ended by a newline; `flags` are jansson's. returns: NULL without memory, or for NULL. */
char *value_lines(const json_t *whole, size_t flags);

#endif
