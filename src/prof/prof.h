/* prof.h: the floor that only watches: figures added up, and the page through which `ashlar run` reads them. */
#ifndef ASHLAR_PROF_PROF_H
#define ASHLAR_PROF_PROF_H

#include "base/config.h"
#include "ashlar.h"

struct text;

/* Fill in `stats`, whole. Reads other threads' heaps without stopping them; see heap_stats_read(). */
void prof_stats(struct ashlar_stats *stats);

/* Room for the figures of struct ashlar_stats before its classes: all of it is too much for a stack of ours. */
struct prof_totals {
    uint64_t room[offsetof(struct ashlar_stats, classes) / sizeof(uint64_t)];
};

/* Fill in the figures before `classes`. returns: `totals`, to be read as a struct ashlar_stats up to there and no
 * further. */
const struct ashlar_stats *prof_totals(struct prof_totals *totals);

/* Call `visit` for every class that was ever used, with its row. */
void prof_each_class(void (*visit)(const struct ashlar_class_stats *row, void *context), void *context);

/* Write the figures as JSON, schema "ashlar.stats/1". */
void prof_stats_json(struct text *text);

/* Count a pointer that was not ours; see option `foreign`. */
void prof_count_foreign(void);

/* ---- The status page; see status.c. thread: any -------------------------------------------------------------------------------- */

/* Make a page in `directory`, an absolute path, for a program that was started by the name `argument` (may be NULL).
 * Fails silently. */
void prof_status_start(const char *directory, const char *argument);

/* Write the present figures into the page; `final`: nothing will follow. Nothing happens without a page. */
void prof_status_publish(bool final);

/* In a fork child: a page of its own. */
void prof_status_fork_child(void);

/* Keep `line`, a report of misuse, in the page, and count it. */
void prof_status_report(const char *line);

bool prof_status_on(void);

#endif
