/* The same work with a block for each round, and with one block for all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 100000, BYTES = 256 };

static double now(void)
{
    struct timespec time;

    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* What is in the block must seem to matter, or the compiler drops all of it. */
static void use(char *block, int value)
{
    memset(block, value, BYTES);
    __asm__ volatile("" : : "r"(block) : "memory");
}

int main(void)
{
    char local[BYTES];
    double start = now();

    for (int i = 0; i < ROUNDS; i++) {
        char *block = malloc(BYTES);

        if (block == NULL)
            return 1;
        use(block, i);
        free(block);
    }
    printf("a block each round: %.1f ns\n", (now() - start) / ROUNDS);
    start = now();
    for (int i = 0; i < ROUNDS; i++)
        use(local, i);
    printf("a local:            %.1f ns\n", (now() - start) / ROUNDS);
    return 0;
}
