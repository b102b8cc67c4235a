/* lab.c: from the choice of cards to a finished report.
 *
 *   noise, allocators --> for each card: parts (runner) --> samples --> metrics --> judge --> result --> document
 *
 * The parts of a card on heaps are made twice, with the malloc that is there and with Ashlar preloaded. */
#include "lab.h"

#include "card.h"
#include "machine.h"
#include "model.h"
#include "runner.h"
#include "samples.h"

#include "../place.h"

#include "ashlar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECONDS = 88, SECONDS_QUICK = 14, HOST = 0, ASHLAR = 1, HEAPS = 2 };

struct lab {
    const struct lab_wish *wish;
    struct runner runner;
    json_t *document;
    char allocators[HEAPS][64];
    double noise_pct;
    bool is_late;         /* a child of this card hung: the others of the card would, too, and time is short */
    size_t begun, wanted; /* cards */
};

/* ---- Progress ---- */

static void show_progress(const struct lab *lab, const char *card, const char *part)
{
    if (lab->wish->shows_progress)
        (void)fprintf(stderr, "\r\033[K[%zu/%zu] %s: %s ...", lab->begun, lab->wanted, card, part);
}

static void end_progress(const struct lab *lab)
{
    if (lab->wish->shows_progress)
        (void)fputs("\r\033[K", stderr);
}

/* ---- One result ---- */

/* What came of a card with one malloc. */
struct outcome {
    struct samples samples;
    json_t *notes;
    bool failed;  /* a part ended as it should not */
    bool skipped; /* a part could not be made */
    bool untried; /* no time was left for all children of a part */
};

static enum text text_of_end(struct part_result result)
{
    switch (result.end) {
    case PART_SKIPPED:
        return result.reason;
    case PART_LATE:
        return TEXT_note_late;
    case PART_UNTRIED:
        return TEXT_note_untried;
    default:
        return TEXT_note_died;
    }
}

static void add_note(struct outcome *outcome, const struct lab_part *part, struct part_result result)
{
    json_t *const note = json_pack("{s:s, s:s}", "part", part->name, "why", text_name(text_of_end(result)));

    if (result.signal != 0)
        (void)json_object_set_new(note, "signal", json_integer(result.signal));
    (void)json_array_append_new(outcome->notes, note);
    if (!part->optional) {
        outcome->failed = outcome->failed || result.end == PART_DIED || result.end == PART_LATE;
        outcome->skipped = outcome->skipped || result.end == PART_SKIPPED;
        outcome->untried = outcome->untried || result.end == PART_UNTRIED;
    }
}

static void run_parts(struct lab *lab, const struct lab_card *card, struct outcome *outcome)
{
    for (size_t i = 0; i < CARD_PARTS && card->parts[i].name != NULL && runner_signal() == 0 && !lab->is_late; i++) {
        const struct lab_part *const part = &card->parts[i];
        struct part_result result;

        show_progress(lab, card->id, part->name);
        result = runner_part(&lab->runner, card, part, &outcome->samples);
        lab->is_late = result.end == PART_LATE;
        if (result.end != PART_DONE)
            add_note(outcome, part, result);
    }
}

static enum verdict verdict_of(const struct lab_card *card, const struct outcome *outcome,
                               const struct judgement *judged)
{
    if (outcome->failed)
        return VERDICT_INCONCLUSIVE;
    if (outcome->untried)
        return VERDICT_SKIPPED;
    if (judged->held + judged->broken < card->claims)
        return outcome->skipped ? VERDICT_SKIPPED : VERDICT_INCONCLUSIVE;
    if (judged->broken == 0)
        return VERDICT_AGREES;
    return judged->held == 0 ? VERDICT_DIFFERS : VERDICT_DEPENDS;
}

static enum verdict run_heap(struct lab *lab, const struct lab_card *card, int heap)
{
    struct outcome outcome = {.notes = json_array()};
    struct judgement judged = {.says = json_array(), .noise = lab->noise_pct / 100};
    json_t *metrics;
    enum verdict verdict;

    lab->runner.library = heap == ASHLAR ? lab->wish->library : NULL;
    run_parts(lab, card, &outcome);
    metrics = samples_metrics(&outcome.samples, lab->wish->seed);
    judged.metrics = metrics;
    card->judge(&judged);
    verdict = verdict_of(card, &outcome, &judged);
    (void)json_array_append_new(json_object_get(lab->document, "results"),
                                json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "id", card->id, "verdict",
                                          card_verdict_name(verdict), "allocator", lab->allocators[heap], "preloaded",
                                          heap == ASHLAR, "says", judged.says, "metrics", metrics, "notes",
                                          outcome.notes));
    samples_free(&outcome.samples);
    return verdict;
}

/* ---- All cards ---- */

/* Of two results: what could not be concluded or made is said before what could. */
static enum verdict together(enum verdict a, enum verdict b)
{
    if (a == b)
        return a;
    if (a == VERDICT_INCONCLUSIVE || b == VERDICT_INCONCLUSIVE)
        return VERDICT_INCONCLUSIVE;
    if (a == VERDICT_SKIPPED || b == VERDICT_SKIPPED)
        return VERDICT_SKIPPED;
    return VERDICT_DEPENDS;
}

static void run_card(struct lab *lab, const struct lab_card *card)
{
    json_t *const counts = json_object_get(lab->document, "counts");
    enum verdict verdict;
    const char *name;

    lab->is_late = false;
    verdict = run_heap(lab, card, HOST);
    if (card->on_heaps && lab->allocators[ASHLAR][0] != '\0' && !lab->is_late)
        verdict = together(verdict, run_heap(lab, card, ASHLAR));
    name = card_verdict_name(verdict);
    (void)json_array_append_new(json_object_get(lab->document, "cards"),
                                json_pack("{s:s, s:s, s:b}", "id", card->id, "verdict", name, "contradicts_textbook",
                                          verdict == VERDICT_DIFFERS || verdict == VERDICT_DEPENDS));
    (void)json_object_set_new(counts, name, json_integer(json_integer_value(json_object_get(counts, name)) + 1));
}

/* Which malloc is there. With the library preloaded it must be Ashlar's. */
static void ask_allocator(struct lab *lab, int heap)
{
    struct samples none = {0};

    lab->runner.library = heap == ASHLAR ? lab->wish->library : NULL;
    if (heap == ASHLAR && lab->wish->library == NULL)
        return;
    lab->runner.allocator[0] = '\0';
    (void)runner_part(&lab->runner, &card_noise, card_part(&card_noise, "allocator"), &none);
    samples_free(&none);
    if (heap == HOST || strncmp(lab->runner.allocator, "Ashlar ", 7) == 0)
        (void)snprintf(lab->allocators[heap], sizeof lab->allocators[heap], "%s",
                       lab->runner.allocator[0] != '\0' ? lab->runner.allocator : "unknown");
}

static void measure_noise(struct lab *lab)
{
    struct samples samples = {0};
    json_t *metrics;
    const json_t *noise;

    show_progress(lab, card_noise.id, "pairs");
    lab->runner.library = NULL;
    (void)runner_part(&lab->runner, &card_noise, card_part(&card_noise, "pairs"), &samples);
    metrics = samples_metrics(&samples, lab->wish->seed);
    noise = model_metric(metrics, metric_info(METRIC_noise)->name, NULL);
    lab->noise_pct = noise != NULL ? model_number(noise, "hi") : 0;
    json_decref(metrics);
    samples_free(&samples);
}

/* ---- The document ---- */

static json_t *moment(void)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[32];

    if (gmtime_r(&now, &parts) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return json_string("");
    return json_string(text);
}

static json_t *new_document(const struct lab *lab)
{
    json_t *const counts = json_object();

    for (enum verdict i = 0; i < VERDICTS; i++)
        (void)json_object_set_new(counts, card_verdict_name(i), json_integer(0));
    return json_pack("{s:s, s:s, s:o, s:b, s:I, s:I, s:o, s:o, s:[], s:[]}", "schema", MODEL_SCHEMA, "version",
                     ASHLAR_VERSION, "date", moment(), "quick", lab->wish->quick, "seed", (json_int_t)lab->wish->seed,
                     "most_bytes", (json_int_t)lab->runner.order.most, "counts", counts, "machine", machine_facts(),
                     "cards", "results");
}

static void run_all(struct lab *lab)
{
    const uint64_t stolen = machine_stolen_ticks();
    json_t *machine;

    for (size_t i = 0; i < LAB_CARDS; i++)
        lab->wanted += lab->wish->wants[i];
    ask_allocator(lab, HOST);
    ask_allocator(lab, ASHLAR);
    measure_noise(lab);
    machine = json_object_get(lab->document, "machine");
    (void)json_object_set_new(machine, "allocator", json_string(lab->allocators[HOST]));
    (void)json_object_set_new(lab->document, "noise_pct", model_real(lab->noise_pct));
    for (size_t i = 0; i < LAB_CARDS && runner_signal() == 0; i++)
        if (lab->wish->wants[i]) {
            lab->begun++;
            run_card(lab, lab_cards[i]);
        }
    (void)json_object_set_new(machine, "stolen_ticks", json_integer((json_int_t)(machine_stolen_ticks() - stolen)));
    end_progress(lab);
}

json_t *lab_make(const struct lab_wish *wish, struct refusal *why)
{
    const uint64_t seconds = wish->quick ? SECONDS_QUICK : SECONDS;
    const size_t to_touch = machine_memory_to_touch();
    struct place place;
    struct lab lab = {.wish = wish};

    if (!place_make(&place, why)) {
        why->status = EXIT_FINDING;
        return NULL;
    }
    runner_catch_signals();
    lab.runner = (struct runner){
        .order = {wish->seed, wish->most != 0 && wish->most < to_touch ? wish->most : to_touch, wish->quick},
        .deadline_ns = child_now_ns() + seconds * 1000000000,
        .checking = wish->checking,
        .place = place.path};
    lab.document = new_document(&lab);
    if (lab.document == NULL)
        (void)refuse(why, EXIT_FINDING, "memory", "out of memory");
    else
        run_all(&lab);
    place_remove(&place);
    runner_release_signals();
    if (runner_signal() == 0)
        return lab.document;
    json_decref(lab.document);
    return NULL;
}

bool lab_is_inconclusive(const json_t *document)
{
    return model_number(json_object_get(document, "counts"), card_verdict_name(VERDICT_INCONCLUSIVE)) > 0;
}
