/* Freed at the end of the block, on every way out of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_text(char **text) { free(*text); }

static int is_palindrome(const char *text)
{
    size_t length = strlen(text);
    __attribute__((cleanup(free_text))) char *reversed = malloc(length + 1);

    if (reversed == NULL)
        return -1;
    for (size_t i = 0; i < length; i++)
        reversed[i] = text[length - 1 - i];
    reversed[length] = '\0';
    return strcmp(text, reversed) == 0;
}

int main(void)
{
    int yes = is_palindrome("rotor");
    int no = is_palindrome("stator");

    printf("rotor: %d, stator: %d\n", yes, no);
    return yes == 1 && no == 0 ? 0 : 1;
}
