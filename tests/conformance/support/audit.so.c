/* audit.so.c: an auditor of the dynamic loader (rtld-audit(7)) that allocates at every chance: before the program's
 * libraries are relocated, and while they are bound. */
#define _GNU_SOURCE 1
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int calls;

static void allocate(void)
{
    calls++;
    char *block = malloc(100);
    if (block == NULL)
        abort();
    memset(block, 1, 100);
    free(realloc(block, 10000));
}

unsigned la_version(unsigned version)
{
    allocate();
    return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
    (void)map, (void)space, (void)cookie;
    allocate();
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

void la_activity(uintptr_t *cookie, unsigned flag)
{
    (void)cookie, (void)flag;
    allocate();
}

void la_preinit(uintptr_t *cookie)
{
    (void)cookie;
    allocate();
    if (getenv("AUDIT_COUNT"))
        fprintf(stderr, "audit: %d\n", calls);
}
