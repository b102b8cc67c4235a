/* card.c: the cards, and how their claims are entered. */
#include "card.h"

#include "model.h"

#include <string.h>

const struct lab_card *const lab_cards[LAB_CARDS] = {
    &card_manage,  &card_limits, &card_fragment, &card_growth,   &card_efficiency, &card_static,
    &card_fault,   &card_malloc, &card_calloc,   &card_memalign, &card_valloc,     &card_alloca,
    &card_realloc, &card_free,   &card_memset,   &card_memcpy,   &card_memmove,
};

const struct lab_card *card_find(const char *id)
{
    for (size_t i = 0; i < LAB_CARDS; i++)
        if (strcmp(lab_cards[i]->id, id) == 0)
            return lab_cards[i];
    return NULL;
}

const struct lab_part *card_part(const struct lab_card *card, const char *name)
{
    for (size_t i = 0; i < CARD_PARTS && card->parts[i].name != NULL; i++)
        if (strcmp(card->parts[i].name, name) == 0)
            return &card->parts[i];
    return NULL;
}

const char *card_verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {"agrees", "depends", "differs", "inconclusive", "skipped"};

    return names[verdict];
}

/* ---- Judging ---- */

static struct judge_value value_of(const json_t *metric)
{
    if (metric == NULL)
        return (struct judge_value){0};
    return (struct judge_value){model_number(metric, "median"), model_number(metric, "lo"), model_number(metric, "hi"),
                                true};
}

struct judge_value judge_get(const struct judgement *judgement, enum metric metric)
{
    return value_of(model_metric(judgement->metrics, metric_info(metric)->name, NULL));
}

struct judge_value judge_get_at(const struct judgement *judgement, enum metric metric, double x)
{
    return value_of(model_metric(judgement->metrics, metric_info(metric)->name, &x));
}

bool judge_is_below(const struct judgement *judgement, struct judge_value a, struct judge_value b)
{
    return a.known && b.known && a.hi < b.lo && a.median * (1 + judgement->noise) < b.median;
}

void judge_remark(struct judgement *judgement, enum text text)
{
    (void)json_array_append_new(judgement->says, json_string(text_name(text)));
}

void judge_claim(struct judgement *judgement, bool holds, enum text yes, enum text no)
{
    if (holds)
        judgement->held++;
    else
        judgement->broken++;
    judge_remark(judgement, holds ? yes : no);
}
