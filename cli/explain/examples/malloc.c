/* A copy of a text whose length is not known before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_of(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);

    if (copy == NULL)
        return NULL;
    return memcpy(copy, text, bytes);
}

int main(void)
{
    char *copy = copy_of("a text of any length");

    if (copy == NULL) {
        perror("malloc");
        return 1;
    }
    puts(copy);
    free(copy);
    return 0;
}
