/* Free every second block: half the bytes are free, most pages are not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 100000, BYTES = 200 };

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (status != NULL)
        fclose(status);
    return kib;
}

int main(void)
{
    static char *blocks[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BYTES);
        if (blocks[i] == NULL)
            return 1;
        memset(blocks[i], 1, BYTES);
    }
    printf("all live:              %ld KiB resident\n", resident_kib());
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    printf("every second is freed: %ld KiB resident\n", resident_kib());
    for (int i = 1; i < BLOCKS; i += 2)
        free(blocks[i]);
    return 0;
}
