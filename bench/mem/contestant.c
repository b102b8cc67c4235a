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

/* Upwards only: the driver does not ask it for ranges that overlap. */
__attribute__((noinline)) static void *rep_fill(void *to, int c, size_t n)
{
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
    return to;
}

static void take_instructions(struct contestant *contestant)
{
    contestant->copy = rep_copy;
    contestant->move = rep_copy;
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

enum { PROOF_BYTES = 5000, MARGIN = 64 };

static void prove_copy(const struct contestant *contestant, const unsigned char *from, size_t n)
{
    static unsigned char to[PROOF_BYTES + 2 * MARGIN];
    memset(to, 0xee, sizeof to);
    bool right = contestant->copy(to + MARGIN, from, n) == to + MARGIN;
    for (size_t i = 0; i < sizeof to; i++)
        right &= to[i] == (i >= MARGIN && i < MARGIN + n ? from[i - MARGIN] : 0xee);
    memset(to, 0xee, sizeof to);
    right &= contestant->fill(to + MARGIN, 0x1234, n) == to + MARGIN;
    for (size_t i = 0; i < sizeof to; i++)
        right &= to[i] == (i >= MARGIN && i < MARGIN + n ? 0x34 : 0xee);
    if (!right)
        fail("%s does not copy or fill %zu bytes as it should", contestant->name, n);
}

/* Lengths of all kinds, to see that what is measured is the whole work. */
static void prove(const struct contestant *contestant)
{
    unsigned char from[PROOF_BYTES];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)(i * 167 + (i >> 8));
    for (size_t n = 0; n <= 600; n++)
        prove_copy(contestant, from, n);
    for (size_t n = 601; n <= PROOF_BYTES; n += 97)
        prove_copy(contestant, from, n);
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
