/* minimise.c: two-level logic minimisation, where every cube and every cover is a block.
 *
 * A function of 8 to 24 inputs is given as the union of random cubes (products of literals). The loop of the classic
 * minimisers makes this cover smaller: expand each cube as far as the off-set allows, drop the cubes that the others
 * cover, reduce each cube to what it alone covers, and again, until nothing is gained. Tautology and complement are
 * found by recursion: each step makes the two cofactors of a cover, new cubes in new covers, and frees them on the way
 * back. So small blocks live for one level of a recursion, arrays of pointers grow between them, and a few thousand
 * cubes (the off-set) stay for one function.
 *
 * A result must be no larger than what was given, and equal to it on all inputs, or on a sample where these are many.
 *
 * source: Brayton, Hachtel, McMullen, Sangiovanni-Vincentelli, "Logic Minimization Algorithms for VLSI Synthesis",
 * Kluwer 1984.
 *
 * minimise [SCALE] */
#include "work.h"

enum { INPUTS_LOW = 8, INPUTS_HIGH = 24, CUBES_LOW = 12, CUBES_HIGH = 60, USUAL_FUNCTIONS = 600 };
enum { INPUTS_TRIED_IN_FULL = 12, SAMPLES = 4000 };

/* ---- Cubes: never changed once in a cover ------------------------------------------------------------------------ */

/* Two bits for each input: 01 it must be 0, 10 it must be 1, 11 it does not matter; 00 would be an empty cube, and is
 * never kept. The bits above the last input are 1. */
struct cube {
    uint64_t bits;
    uint32_t literals; /* inputs that matter */
};

static const uint64_t UNIVERSE = ~UINT64_C(0), LOW_BITS = UINT64_C(0x5555555555555555);

static size_t operations; /* cubes made */

static uint64_t literal_mask(unsigned input) { return UINT64_C(3) << (2 * input); }

static struct cube *cube_new(uint64_t bits)
{
    struct cube *cube = take(sizeof *cube);
    *cube = (struct cube){.bits = bits, .literals = (uint32_t)__builtin_popcountll(~bits)};
    operations++;
    return cube;
}

/* Whether no input has the pair 00. */
static int is_inhabited(uint64_t bits) { return ((bits | bits >> 1) & LOW_BITS) == LOW_BITS; }

static int contains(uint64_t outer, uint64_t inner) { return (outer & inner) == inner; }

/* ---- Covers: growing lists of cubes that they own ---------------------------------------------------------------- */

struct cover {
    unsigned inputs;
    size_t count, capacity;
    struct cube **cubes;
};

static struct cover *cover_new(unsigned inputs)
{
    struct cover *cover = take(sizeof *cover);
    *cover = (struct cover){.inputs = inputs};
    return cover;
}

static void cover_add(struct cover *cover, uint64_t bits)
{
    if (cover->count == cover->capacity) {
        cover->capacity = cover->capacity == 0 ? 4 : 2 * cover->capacity;
        cover->cubes = realloc(cover->cubes, cover->capacity * sizeof(struct cube *));
        if (cover->cubes == NULL)
            fail("realloc gave no memory for %zu cubes", cover->capacity);
    }
    cover->cubes[cover->count++] = cube_new(bits);
}

/* Free the cube at `place`; the last one takes its place. */
static void cover_drop(struct cover *cover, size_t place)
{
    free(cover->cubes[place]);
    cover->cubes[place] = cover->cubes[--cover->count];
}

static void cover_replace(struct cover *cover, size_t place, uint64_t bits)
{
    struct cube *const old = cover->cubes[place];
    cover->cubes[place] = cube_new(bits);
    free(old);
}

static void cover_free(struct cover *cover)
{
    for (size_t i = 0; i < cover->count; i++)
        free(cover->cubes[i]);
    free(cover->cubes);
    free(cover);
}

static size_t literals_of(const struct cover *cover)
{
    size_t literals = 0;
    for (size_t i = 0; i < cover->count; i++)
        literals += cover->cubes[i]->literals;
    return literals;
}

static int has_universe(const struct cover *cover)
{
    for (size_t i = 0; i < cover->count; i++)
        if (cover->cubes[i]->bits == UNIVERSE)
            return 1;
    return 0;
}

/* What is left of a cover, without its cube number `without`, inside the cube `inside`. `without` may be the count. */
static struct cover *cofactor(const struct cover *cover, uint64_t inside, size_t without)
{
    struct cover *result = cover_new(cover->inputs);
    for (size_t i = 0; i < cover->count; i++)
        if (i != without && is_inhabited(cover->cubes[i]->bits & inside))
            cover_add(result, cover->cubes[i]->bits | ~inside);
    return result;
}

/* ---- Tautology and complement, by recursion over one input at a time --------------------------------------------- */

/* An input to split by, as the mask of its two bits: the one with most literals among those that occur both ways; 0
 * when no input does. */
static uint64_t binate_input(const struct cover *cover)
{
    uint64_t best = 0;
    size_t most = 0;
    for (unsigned input = 0; input < cover->inputs; input++) {
        size_t zeros = 0, ones = 0;
        for (size_t i = 0; i < cover->count; i++) {
            const uint64_t pair = cover->cubes[i]->bits >> (2 * input) & 3;
            zeros += pair == 1;
            ones += pair == 2;
        }
        if (zeros > 0 && ones > 0 && zeros + ones > most) {
            most = zeros + ones;
            best = literal_mask(input);
        }
    }
    return best;
}

/* The two halves of the space: where the input is 0 and where it is 1. */
static uint64_t half_space(uint64_t input, int one) { return ~input | (input & (one ? LOW_BITS << 1 : LOW_BITS)); }

/* Whether the cover holds every point. A cover in which no input occurs both ways does so only by a universal cube. */
static int is_tautology(const struct cover *cover)
{
    if (has_universe(cover))
        return 1;
    const uint64_t input = binate_input(cover);
    int all = input != 0;
    for (int one = 0; all && one < 2; one++) {
        struct cover *half = cofactor(cover, half_space(input, one), cover->count);
        all = is_tautology(half);
        cover_free(half);
    }
    return all;
}

/* The complement of one cube: for each literal, the half-space that it leaves out. */
static struct cover *cube_complement(unsigned inputs, uint64_t bits)
{
    struct cover *result = cover_new(inputs);
    for (unsigned input = 0; input < inputs; input++)
        if ((bits & literal_mask(input)) != literal_mask(input))
            cover_add(result, ~(bits & literal_mask(input)));
    return result;
}

/* Add the cubes of `half`, each cut down to `space`; where `sum` holds the same cube in the other half-space, that one
 * grows instead. The first `mergeable` cubes of `sum` are those of the other half. */
static void merge_half(struct cover *sum, size_t mergeable, const struct cover *half, uint64_t input, uint64_t space)
{
    for (size_t i = 0; i < half->count; i++) {
        const uint64_t bits = half->cubes[i]->bits;
        size_t place = 0;
        while (place < mergeable && (sum->cubes[place]->bits | input) != bits)
            place++;
        if (place < mergeable)
            cover_replace(sum, place, bits);
        else
            cover_add(sum, bits & space);
    }
}

/* An input that any cube has as a literal. There is one. */
static uint64_t any_input(const struct cover *cover)
{
    const int low = __builtin_ctzll(~cover->cubes[0]->bits);
    return literal_mask((unsigned)low / 2);
}

/* A cover of all points that `cover` does not hold. */
static struct cover *complement(const struct cover *cover)
{
    struct cover *result;
    if (cover->count == 1)
        return cube_complement(cover->inputs, cover->cubes[0]->bits);
    result = cover_new(cover->inputs);
    if (cover->count == 0)
        cover_add(result, UNIVERSE);
    if (cover->count == 0 || has_universe(cover))
        return result;
    const uint64_t binate = binate_input(cover), input = binate != 0 ? binate : any_input(cover);
    size_t mergeable = 0;
    for (int one = 0; one < 2; one++) {
        struct cover *half = cofactor(cover, half_space(input, one), cover->count);
        struct cover *outside = complement(half);
        merge_half(result, mergeable, outside, input, half_space(input, one));
        mergeable = result->count;
        cover_free(outside);
        cover_free(half);
    }
    return result;
}

/* ---- The three steps --------------------------------------------------------------------------------------------- */

static int meets(const struct cover *cover, uint64_t bits)
{
    for (size_t i = 0; i < cover->count; i++)
        if (is_inhabited(cover->cubes[i]->bits & bits))
            return 1;
    return 0;
}

/* The cube without the literals that it can do without, tried from input `first` on, around. */
static uint64_t expanded(uint64_t bits, const struct cover *off, unsigned first)
{
    for (unsigned i = 0; i < off->inputs; i++) {
        const uint64_t wider = bits | literal_mask((first + i) % off->inputs);
        if (wider != bits && !meets(off, wider))
            bits = wider;
    }
    return bits;
}

/* Drop every cube that lies within one other. */
static void drop_contained(struct cover *cover)
{
    for (size_t i = cover->count; i-- > 0;) {
        size_t outer = 0;
        while (outer < cover->count && (outer == i || !contains(cover->cubes[outer]->bits, cover->cubes[i]->bits)))
            outer++;
        if (outer < cover->count)
            cover_drop(cover, i);
    }
}

/* Make every cube as large as the off-set allows. */
static void expand(struct cover *cover, const struct cover *off, struct random_stream *stream)
{
    for (size_t i = 0; i < cover->count; i++) {
        const unsigned first = (unsigned)random_below(stream, off->inputs);
        cover_replace(cover, i, expanded(cover->cubes[i]->bits, off, first));
    }
    drop_contained(cover);
}

/* Drop every cube that the others cover together. */
static void make_irredundant(struct cover *cover)
{
    for (size_t i = cover->count; i-- > 0;) {
        struct cover *others = cofactor(cover, cover->cubes[i]->bits, i);
        if (is_tautology(others))
            cover_drop(cover, i);
        cover_free(others);
    }
}

/* Make every cube as small as the others allow, so that the next expansion may go another way. */
static void reduce(struct cover *cover)
{
    for (size_t i = cover->count; i-- > 0;) {
        struct cover *others = cofactor(cover, cover->cubes[i]->bits, i), *alone = complement(others);
        uint64_t hull = 0;
        for (size_t k = 0; k < alone->count; k++)
            hull |= alone->cubes[k]->bits;
        if (hull == 0)
            cover_drop(cover, i);
        else
            cover_replace(cover, i, cover->cubes[i]->bits & hull);
        cover_free(alone);
        cover_free(others);
    }
}

static struct cover *minimised(const struct cover *given, struct random_stream *stream)
{
    struct cover *cover = cofactor(given, UNIVERSE, given->count), *off = complement(given);
    size_t before, now = SIZE_MAX;
    do {
        before = now;
        expand(cover, off, stream);
        make_irredundant(cover);
        now = cover->count * 2 * INPUTS_HIGH + literals_of(cover); /* cubes first, then literals */
        if (now < before)
            reduce(cover);
    } while (now < before);
    cover_free(off);
    return cover;
}

/* ---- Functions to minimise, and the proof ------------------------------------------------------------------------ */

/* Two of three inputs matter. */
static uint64_t random_cube(unsigned inputs, struct random_stream *stream)
{
    uint64_t bits = UNIVERSE;
    for (unsigned input = 0; input < inputs; input++) {
        const size_t choice = random_below(stream, 3); /* 0: it must be 0; 1: it must be 1 */
        if (choice < 2)
            bits &= half_space(literal_mask(input), choice == 1);
    }
    return bits;
}

static struct cover *random_function(struct random_stream *stream)
{
    struct cover *cover = cover_new((unsigned)random_between(stream, INPUTS_LOW, INPUTS_HIGH));
    for (size_t left = random_between(stream, CUBES_LOW, CUBES_HIGH); left > 0; left--)
        cover_add(cover, random_cube(cover->inputs, stream));
    return cover;
}

/* The cube of one point: bit i of `value` is input i. */
static uint64_t point(unsigned inputs, uint64_t value)
{
    uint64_t bits = UNIVERSE;
    for (unsigned input = 0; input < inputs; input++)
        bits &= half_space(literal_mask(input), value >> input & 1);
    return bits;
}

/* A point of the sample: every other one near the edge of a cube that was given, where mistakes would show. */
static uint64_t sample_point(const struct cover *given, struct random_stream *stream)
{
    const uint64_t anywhere = point(given->inputs, random_next(stream));
    if (random_below(stream, 2) == 0)
        return anywhere;
    const uint64_t bits = given->cubes[random_below(stream, given->count)]->bits;
    const uint64_t loose = bits & bits >> 1 & LOW_BITS, free_inputs = loose | loose << 1;
    const uint64_t inside = (bits & ~free_inputs) | (anywhere & free_inputs);
    const uint64_t flipped = literal_mask((unsigned)random_below(stream, given->inputs));
    return random_below(stream, 2) == 0 ? inside : inside ^ flipped;
}

/* Fail unless both covers are the same function. */
static void check_equal(const struct cover *given, const struct cover *result, struct random_stream *stream)
{
    const int in_full = given->inputs <= INPUTS_TRIED_IN_FULL;
    const uint64_t tries = in_full ? UINT64_C(1) << given->inputs : SAMPLES;
    for (uint64_t i = 0; i < tries; i++) {
        const uint64_t at = in_full ? point(given->inputs, i) : sample_point(given, stream);
        if (meets(given, at) != meets(result, at))
            fail("the minimised function differs at %llx", (unsigned long long)at);
    }
    if (result->count > given->count)
        fail("%zu cubes became %zu", given->count, result->count);
}

int main(int count, char **values)
{
    const size_t functions = scaled(count, values, USUAL_FUNCTIONS);
    uint64_t checksum = 0;
    for (size_t i = 0; i < functions; i++) {
        struct random_stream stream = random_from(i);
        struct cover *given = random_function(&stream), *result = minimised(given, &stream);
        check_equal(given, result, &stream);
        checksum = mix(mix(checksum, result->count), literals_of(result));
        cover_free(result);
        cover_free(given);
    }
    print_result("minimise", operations, checksum);
    return finish();
}
