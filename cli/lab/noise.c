/* noise.c: how far two measurements of one thing lie apart on this machine, now.
 *
 * The same operation is measured under two names, in turn. Their medians ought to be equal; a difference between two
 * methods that is no larger than theirs is none. */
#include "card.h"

#include "../statistics.h"

#include "../clean.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS = 15, BYTES = 64, CALLS = 2000 };

static void take_and_free(void *argument)
{
    (void)argument;
    for (int i = 0; i < CALLS; i++) {
        void *const block = child_launder(malloc(BYTES));

        if (block == NULL)
            child_skip(TEXT_skip_memory);
        free(block);
    }
}

static void run(const struct child_order *order)
{
    double left[PAIRS], right[PAIRS];

    (void)order;
    (void)child_time_once(take_and_free, NULL);
    for (int i = 0; i < PAIRS; i++) {
        left[i] = child_time_once(take_and_free, NULL);
        right[i] = child_time_once(take_and_free, NULL);
    }
    const double a = statistics_quantile(left, PAIRS, 0.5);
    const double b = statistics_quantile(right, PAIRS, 0.5);
    child_tell(METRIC_noise, b > 0 ? 100 * fabs(a - b) / b : 0);
}

/* Whose malloc it is: the object that the loader found it in. */
static void run_allocator(const struct child_order *order)
{
    void *const function = dlsym(RTLD_DEFAULT, "malloc");
    const char *(*const version)(void) = (const char *(*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "ashlar_version");
    const char *name;
    Dl_info found;

    (void)order;
    if (function == NULL || dladdr(function, &found) == 0 || found.dli_fname == NULL)
        child_skip(TEXT_skip_proc);
    name = clean_base(found.dli_fname);
    if (strncmp(name, "libashlar.so", 12) == 0 && version != NULL)
        (void)dprintf(STDOUT_FILENO, "allocator Ashlar %s\n", version());
    else if (strncmp(name, "libc.so", 7) == 0)
        (void)dprintf(STDOUT_FILENO, "allocator glibc %s\n", gnu_get_libc_version());
    else
        (void)dprintf(STDOUT_FILENO, "allocator %s\n", name);
}

const struct lab_card card_noise = {
    .id = "noise",
    .parts = {{.name = "allocator", .run = run_allocator, .runs = 1}, {.name = "pairs", .run = run, .runs = 10}}};
