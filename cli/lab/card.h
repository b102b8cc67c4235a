/* card.h: what the lab asks: the cards, the experiments behind them, and how they are judged.
 *
 *   card     a sentence of the textbook                     growth: "the stack grows down, the heap up"
 *   part     one experiment, in children of its own         frames, blocks
 *   claim    a piece of the sentence that measured values   "every frame was below its caller": yes or no
 *            confirm or contradict
 *
 * The verdict is made of the claims alone: all hold: agrees; none: differs; some: depends. Where a claim cannot be made
 * because something was not measured, the card is skipped, and says why; where an experiment failed, inconclusive. */
#ifndef ASHLAR_CLI_LAB_CARD_H
#define ASHLAR_CLI_LAB_CARD_H

#include "child.h"
#include "metric.h"
#include "text.h"

#include <jansson.h>

/* ---- Experiments ---- */

struct lab_part {
    const char *name;
    void (*run)(const struct child_order *order); /* in the child */
    int runs;              /* children, each a process of its own; 0: LAB_RUNS; a quick run makes fewer of many */
    size_t stack;          /* RLIMIT_STACK of the child; 0: as we have it */
    bool optional;         /* skipped, it takes nothing from the verdict */
    enum metric death;     /* a signal may end it, and this tells which; METRIC_NONE: none may */
    const char *check_mem; /* with Ashlar's malloc and memory functions, set to this; NULL: with those of the card */
};

enum {
    LAB_RUNS = 5,
    LAB_TIMED = 30, /* where a child gives one sample of a time */
};

/* ---- Judging ---- */

enum verdict { VERDICT_AGREES, VERDICT_DEPENDS, VERDICT_DIFFERS, VERDICT_INCONCLUSIVE, VERDICT_SKIPPED, VERDICTS };

/* A result on its way to a verdict. */
struct judgement {
    const json_t *metrics;
    json_t *says; /* names of texts */
    double noise; /* two measurements of one thing differ by this share of it */
    int held;
    int broken;
};

/* A measured median and its interval; `known` is false when it was not measured. */
struct judge_value {
    double median, lo, hi;
    bool known;
};
struct judge_value judge_get(const struct judgement *judgement, enum metric metric);
struct judge_value judge_get_at(const struct judgement *judgement, enum metric metric, double x);

/* Whether `a` is below `b` beyond their intervals and the noise of this machine. */
bool judge_is_below(const struct judgement *judgement, struct judge_value a, struct judge_value b);

/* Enter a claim and the sentence that goes with what was found. */
void judge_claim(struct judgement *judgement, bool holds, enum text yes, enum text no);

/* Enter a sentence that proves nothing either way. */
void judge_remark(struct judgement *judgement, enum text text);

/* ---- Pictures ---- */

enum picture_kind {
    PICTURE_LINES,  /* curves of metrics against x */
    PICTURE_BARS,   /* one bar for each value */
    PICTURE_STRIP,  /* a map of memory, one cell for each x, 0 to 100 % filled */
    PICTURE_COLUMN, /* places in the order of their addresses */
};

enum { PICTURE_METRICS = 16 };

struct lab_picture {
    enum picture_kind kind;
    enum text title;
    enum text x; /* of lines: what x is */
    bool log_x, log_y;
    int colours;                          /* of bars: so many, again and again; 0: one for each metric */
    enum metric marks;                    /* x values to mark, sizes of caches; METRIC_NONE: none */
    enum metric metrics[PICTURE_METRICS]; /* ended by METRIC_NONE where there are fewer */
};

/* ---- Cards ---- */

enum { CARD_PARTS = 10, CARD_PICTURES = 3, CARD_TRAPS = 3 };

struct lab_card {
    const char *id;
    bool on_heaps; /* made twice: with the malloc that is there, and with Ashlar preloaded */
    enum text title, textbook;
    enum text traps[CARD_TRAPS]; /* ended by TEXT_NONE */
    struct lab_part parts[CARD_PARTS];
    int claims; /* that `judge` enters when everything was measured */
    void (*judge)(struct judgement *judgement);
    struct lab_picture pictures[CARD_PICTURES];
};

/* All cards, in the order of the report. */
enum { LAB_CARDS = 17 };
extern const struct lab_card *const lab_cards[LAB_CARDS];

/* How far two measurements of one thing lie apart: no card of the report. */
extern const struct lab_card card_noise;

/* returns: NULL when there is none of that name. */
const struct lab_card *card_find(const char *id);
const struct lab_part *card_part(const struct lab_card *card, const char *name);

/* "agrees" and so on. */
const char *card_verdict_name(enum verdict verdict);

extern const struct lab_card card_manage, card_limits, card_fragment, card_growth, card_efficiency, card_static,
    card_fault, card_malloc, card_calloc, card_memalign, card_valloc, card_alloca, card_realloc, card_free, card_memset,
    card_memcpy, card_memmove;

#endif
