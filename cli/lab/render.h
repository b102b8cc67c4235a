/* render.h: a report as people read it. Both are made from the document alone; it has passed model_read() or comes from
 * lab_make(). returns: new; NULL without memory. */
#ifndef ASHLAR_CLI_LAB_RENDER_H
#define ASHLAR_CLI_LAB_RENDER_H

#include "text.h"

#include <jansson.h>

/* For a terminal or a pager: 100 columns. */
char *render_text(const json_t *document, enum language language);

/* One file without scripts and without anything to fetch. */
char *render_html(const json_t *document, enum language language);

#endif
