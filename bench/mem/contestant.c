/* contestant.c: whose functions are measured, and the proof that they copy and fill.
 *
 * All are found by dlsym() in a library that was loaded by dlopen() or dlmopen(), the string instructions apart, and
 * called by pointer. libc's own is what dlsym() gives, which is what programs are bound to: its resolver has chosen. */
#include "measure.h"

#include <dlfcn.h>

/* ---- The processor's own ----------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
__attribute__((noinline)) static void *rep_copy(void *to, const void *from, size_t n)
{
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

__attribute__((noinline)) static void *rep_fill(void *to, int c, size_t n)
{
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
    return to;
}

/* They go upwards only. */
static void take_instructions(struct contestant *contestant)
{
    contestant->copy = rep_copy;
    contestant->fill = rep_fill;
}
#else
static void take_instructions(struct contestant *contestant)
{
    fail("%s: this processor has no such instructions", contestant->name);
}
#endif

/* ---- Libraries --------------------------------------------------------------------------------------------------- */

/* The function `name` of a library, into a pointer to any function. */
static void take_function(void *library, const char *name, void *pointer)
{
    void *const address = dlsym(library, name);
    if (address == NULL)
        fail("%s", dlerror());
    memcpy(pointer, &address, sizeof address);
}

static void take_library(struct contestant *contestant, void *library)
{
    if (library == NULL)
        fail("%s: %s", contestant->name, dlerror());
    take_function(library, "memcpy", &contestant->copy);
    take_function(library, "memmove", &contestant->move);
    take_function(library, "memset", &contestant->fill);
}

/* ---- The proof --------------------------------------------------------------------------------------------------- */

enum { PROOF_BYTES = 4 * MIB + 5000, MARGIN = 64 };

static unsigned char proof_from[PROOF_BYTES], proof_to[PROOF_BYTES + 2 * MARGIN];

static unsigned char byte_number(size_t i) { return (unsigned char)(i * 167 + (i >> 8)); }

/* Whether the first `n` bytes behind the margin are those of `from`, or, if that is NULL, `value`, and what lies around
 * them is as it was. */
static bool is_proved(size_t n, const unsigned char *from, unsigned char value)
{
    bool right = true;
    for (size_t i = 0; i < n + 2 * MARGIN; i++) {
        const bool inside = i >= MARGIN && i < MARGIN + n;
        right &= proof_to[i] == (!inside ? 0xee : from == NULL ? value : from[i - MARGIN]);
    }
    return right;
}

static bool copies(copy_function *copy, size_t n)
{
    memset(proof_to, 0xee, n + 2 * MARGIN);
    return copy(proof_to + MARGIN, proof_from, n) == proof_to + MARGIN && is_proved(n, proof_from, 0);
}

static bool fills(fill_function *set, size_t n)
{
    memset(proof_to, 0xee, n + 2 * MARGIN);
    return set(proof_to + MARGIN, 0x1234, n) == proof_to + MARGIN && is_proved(n, NULL, 0x34);
}

/* Up or down by `distance` bytes, within one place. */
static bool moves(copy_function *move, size_t n, size_t distance, bool upwards)
{
    unsigned char *const low = proof_to, *const high = proof_to + distance;
    unsigned char *const to = upwards ? high : low, *const from = upwards ? low : high;
    bool right = true;
    for (size_t i = 0; i < n + distance; i++)
        low[i] = byte_number(i);
    right &= move(to, from, n) == to;
    for (size_t i = 0; i < n; i++)
        right &= to[i] == byte_number(i + (size_t)(from - low));
    return right;
}

static void prove_length(const struct contestant *contestant, size_t n)
{
    bool right = copies(contestant->copy, n) && fills(contestant->fill, n);
    for (size_t distance = 1; contestant->move != NULL && distance <= MARGIN; distance += 9)
        right = right && moves(contestant->move, n, distance, true) && moves(contestant->move, n, distance, false);
    if (!right)
        fail("%s does not copy or fill %zu bytes as it should", contestant->name, n);
}

/* Lengths of all kinds, also some at which functions begin to work in another way, to see that what is measured is the
 * whole work. */
static void prove(const struct contestant *contestant)
{
    for (size_t i = 0; i < sizeof proof_from; i++)
        proof_from[i] = byte_number(i);
    for (size_t n = 0; n <= 600; n++)
        prove_length(contestant, n);
    for (size_t n = 601; n <= 5000; n += 97)
        prove_length(contestant, n);
    for (size_t n = 8 * KIB; n <= 4 * MIB; n *= 8)
        prove_length(contestant, n + 1);
}

struct contestant contestant_find(char *definition)
{
    char *const equals = strchr(definition, '=');
    if (equals == NULL)
        fail("'%s' is not NAME=SOURCE", definition);
    *equals = '\0';
    struct contestant contestant = {.name = definition};
    const char *const source = equals + 1;
    if (strcmp(source, "rep") == 0)
        take_instructions(&contestant);
    else if (strcmp(source, "libc") == 0)
        take_library(&contestant, dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD));
    else if (strcmp(source, "copy-of-libc") == 0)
        take_library(&contestant, dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW));
    else
        take_library(&contestant, dlopen(source, RTLD_NOW | RTLD_LOCAL));
    prove(&contestant);
    return contestant;
}
