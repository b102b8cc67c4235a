/* A small copy on the stack, a large one on the heap: the size is checked before alloca sees it. */
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 1024 };

static int count_words(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *heap = bytes > SMALL ? malloc(bytes) : NULL;
    char *copy = bytes > SMALL ? heap : alloca(bytes);
    int words = 0;

    if (copy == NULL)
        return -1;
    memcpy(copy, text, bytes);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        words++;
    free(heap); /* NULL where the copy was on the stack */
    return words;
}

int main(void)
{
    int words = count_words("five words on the stack");

    printf("%d words\n", words);
    return words == 5 ? 0 : 1;
}
