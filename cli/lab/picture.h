/* picture.h: one picture of one result, as inline SVG, 360 units wide so that it is readable on a telephone.
 *
 * Colours come from the page's style sheet. What tells curves apart without colour is the shape of their points. */
#ifndef ASHLAR_CLI_LAB_PICTURE_H
#define ASHLAR_CLI_LAB_PICTURE_H

#include "card.h"

#include <jansson.h>
#include <stdio.h>

/* Write the picture of the metrics of `result`. All results of the same card in `document` share one scale, so that
 * they can be compared. Writes nothing where nothing was measured. */
void picture_put(FILE *out, const struct lab_picture *picture, const json_t *result, const json_t *document,
                 enum language language);

/* Whether something of it was measured. */
bool picture_has_data(const struct lab_picture *picture, const json_t *result);

/* The style of all pictures. */
extern const char picture_style[];

#endif
