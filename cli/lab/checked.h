/* checked.h: what a checked copy does: the part of the card of memcpy that is about Ashlar's check_mem. */
#ifndef ASHLAR_CLI_LAB_CHECKED_H
#define ASHLAR_CLI_LAB_CHECKED_H

#include "card.h"

/* One block too many is copied, without the check and with it. With it the child dies of it, at the best. */
void checked_run_beyond_without(const struct child_order *order);
void checked_run_beyond_with(const struct child_order *order);

/* What copies cost that are as they should be. */
void checked_run_cost_without(const struct child_order *order);
void checked_run_cost_with(const struct child_order *order);

/* Remarks: what checks are asked for is not the textbook's business. */
void checked_judge(struct judgement *judgement);

#endif
