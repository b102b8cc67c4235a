/* realloc_many.c: 128 vectors that grow side by side.
 *
 * Each is filled by push_back from 16 bytes to a size of its own, 64 KiB to 16 MiB, all magnitudes alike; half of them
 * double when they are full, half grow by one and a half. The vectors take turns at random, up to 1024 elements a turn,
 * so no block can count on free memory behind it, and the sizes in use lie far apart. Moving to a new place may copy
 * elements, or move pages. In the end each is checked, element by element, and freed, in random order.
 *
 * SCALE changes the number of vectors.
 *
 * realloc_many [SCALE] */
#include "work.h"

enum { USUAL_VECTORS = 128, LEAST_BYTES = 64 * KIB, MAGNITUDES = 8, FIRST_BYTES = 16, TURN = 1024 };

struct vector {
    uint64_t *elements;
    size_t count, capacity, wanted; /* all in elements */
    int doubles;
};

static size_t operations; /* calls of realloc */

static uint64_t element_of(const struct vector *vector, size_t place) { return mix(vector->wanted, place); }

/* 64 KiB to 16 MiB: first a magnitude, then a size within it. */
static size_t wanted_bytes(struct random_stream *stream)
{
    const size_t low = (size_t)LEAST_BYTES << random_below(stream, MAGNITUDES);
    return random_between(stream, low, 2 * low);
}

static void grow(struct vector *vector)
{
    const size_t first = FIRST_BYTES / sizeof vector->elements[0];
    const size_t more = vector->doubles ? vector->capacity : (vector->capacity + 1) / 2;
    vector->capacity = vector->capacity == 0 ? first : vector->capacity + more;
    vector->elements = realloc(vector->elements, vector->capacity * sizeof vector->elements[0]);
    if (vector->elements == NULL)
        fail("realloc gave no memory for %zu elements", vector->capacity);
    operations++;
}

static void push(struct vector *vector, uint64_t element)
{
    if (vector->count == vector->capacity)
        grow(vector);
    vector->elements[vector->count++] = element;
}

/* Push up to `most` elements. returns: whether the vector is complete. */
static int take_turn(struct vector *vector, size_t most)
{
    for (; most > 0 && vector->count < vector->wanted; most--)
        push(vector, element_of(vector, vector->count));
    return vector->count == vector->wanted;
}

/* Let all grow, until each is complete. On return they are in the order in which they became so, the last one first. */
static void grow_all(struct vector *vectors, size_t count, struct random_stream *stream)
{
    for (size_t growing = count; growing > 0;) {
        struct vector *vector = &vectors[random_below(stream, growing)];
        if (!take_turn(vector, random_between(stream, 1, TURN)))
            continue;
        growing--;
        const struct vector complete = *vector;
        *vector = vectors[growing];
        vectors[growing] = complete;
    }
}

/* Fail unless every element is what was pushed, then free. returns: a checksum of all. */
static uint64_t check_and_free(const struct vector *vector)
{
    uint64_t checksum = 0;
    for (size_t i = 0; i < vector->count; i++) {
        if (vector->elements[i] != element_of(vector, i))
            fail("element %zu of a vector of %zu was lost in realloc", i, vector->count);
        checksum = mix(checksum, vector->elements[i]);
    }
    free(vector->elements);
    return checksum;
}

int main(int count, char **values)
{
    const size_t vector_count = scaled(count, values, USUAL_VECTORS);
    struct vector *vectors = take(vector_count * sizeof *vectors);
    struct random_stream stream = random_from(0);
    for (size_t i = 0; i < vector_count; i++)
        vectors[i] = (struct vector){.wanted = wanted_bytes(&stream) / sizeof(uint64_t), .doubles = i % 2 == 0};
    grow_all(vectors, vector_count, &stream);
    uint64_t checksum = 0;
    for (size_t left = vector_count; left > 0; left--) {
        struct vector *chosen = &vectors[random_below(&stream, left)];
        checksum = mix(checksum, check_and_free(chosen));
        *chosen = vectors[left - 1];
    }
    free(vectors);
    print_result("realloc_many", operations, checksum);
    return finish();
}
