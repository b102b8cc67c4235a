/* Where things lie: one of each kind, by address. */
#include <stdio.h>
#include <stdlib.h>

static int in_data = 1;
static int in_bss;
static const int in_rodata = 2;

int main(void)
{
    int on_stack = 3;
    int *on_heap = malloc(sizeof *on_heap);

    if (on_heap == NULL)
        return 1;
    printf(".rodata %p\n", (const void *)&in_rodata);
    printf(".data   %p\n", (void *)&in_data);
    printf(".bss    %p\n", (void *)&in_bss);
    printf("heap    %p\n", (void *)on_heap);
    printf("stack   %p\n", (void *)&on_stack);
    free(on_heap);
    return in_bss;
}
