/* One item out of an array: what lies behind it moves down over it. */
#include <stdio.h>
#include <string.h>

static size_t take_out(int items[], size_t count, size_t index)
{
    memmove(&items[index], &items[index + 1], (count - index - 1) * sizeof items[0]);
    return count - 1;
}

int main(void)
{
    int items[] = {2, 3, 4, 5, 7};
    size_t count = take_out(items, 5, 2);

    for (size_t i = 0; i < count; i++)
        printf("%d ", items[i]);
    puts("");
    return count == 4 && items[2] == 5 ? 0 : 1;
}
