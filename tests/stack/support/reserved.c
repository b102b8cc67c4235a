/* reserved.c: print how many bytes of address space the side stack has. */
#include <ashlar_stack.h>

#include <stdio.h>

int main(void)
{
    struct ashlar_side_info info;

    if (ashlar_side_alloc(1) == NULL || ashlar_side_stat(&info) != 0)
        return 1;
    printf("%zu\n", info.reserved);
    return 0;
}
