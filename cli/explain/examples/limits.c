/* The limits of this process, and a request beyond all of them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static void show(const char *name, int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        perror(name);
    else if (limit.rlim_cur == RLIM_INFINITY)
        printf("%-14s unlimited\n", name);
    else
        printf("%-14s %ju KiB\n", name, (uintmax_t)limit.rlim_cur / 1024);
}

int main(void)
{
    volatile size_t too_much = PTRDIFF_MAX; /* volatile: the compiler shall not know */
    void *block = malloc(too_much);

    show("stack", RLIMIT_STACK);
    show("data", RLIMIT_DATA);
    show("address space", RLIMIT_AS);
    printf("all addresses: %s\n", block == NULL ? "NULL" : "given");
    free(block);
    return block == NULL ? 0 : 1;
}
