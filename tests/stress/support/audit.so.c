/* audit.so: an LD_AUDIT library. The loader calls it while it loads the program, so its own malloc (of its own copy of
 * libc) and the program's heap both run before anything else does. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <link.h>
#include <stdlib.h>
#include <string.h>

unsigned la_version(unsigned version) { return version; }

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
    (void)space, (void)cookie;
    char *copy = strdup(map->l_name);
    free(copy);
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

void la_activity(uintptr_t *cookie, unsigned flag)
{
    (void)cookie, (void)flag;
    free(malloc(1000));
}
