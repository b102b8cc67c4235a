/* A list that grows by doubling, and keeps what it has when memory is refused. */
#include <stdio.h>
#include <stdlib.h>

struct list {
    int *items;
    size_t count, room;
};

static int append(struct list *list, int item)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 8;
        int *items = realloc(list->items, room * sizeof *items);

        if (items == NULL)
            return -1; /* list->items is still valid */
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
    return 0;
}

int main(void)
{
    struct list list = {0};

    for (int i = 0; i < 1000; i++)
        if (append(&list, i) != 0)
            break;
    printf("%zu items, room for %zu\n", list.count, list.room);
    free(list.items);
    return 0;
}
