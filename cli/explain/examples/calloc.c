/* An array of counters that begin at zero, and a product that must not wrap around. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    size_t letters = 256;
    volatile size_t many = SIZE_MAX / 2; /* volatile: the compiler shall not know */
    unsigned *counts = calloc(letters, sizeof *counts);
    void *impossible = calloc(many, 4);

    if (counts == NULL)
        return 1;
    for (const char *at = "abracadabra"; *at != '\0'; at++)
        counts[(unsigned char)*at]++;
    printf("a occurs %u times; the impossible array is %s\n", counts['a'], impossible == NULL ? "NULL" : "there");
    free(counts);
    free(impossible);
    return 0;
}
