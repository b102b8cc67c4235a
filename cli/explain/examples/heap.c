/* A list whose nodes outlive the function that made them, and somebody who frees them. */
#include <stdio.h>
#include <stdlib.h>

struct node {
    struct node *next;
    int value;
};

static struct node *push(struct node *list, int value)
{
    struct node *node = malloc(sizeof *node);

    if (node == NULL)
        return list;
    *node = (struct node){list, value};
    return node;
}

int main(void)
{
    struct node *list = NULL;
    int sum = 0;

    for (int i = 1; i <= 10; i++)
        list = push(list, i);
    while (list != NULL) {
        struct node *next = list->next; /* read before free: afterwards it is gone */

        sum += list->value;
        free(list);
        list = next;
    }
    printf("sum %d\n", sum);
    return sum == 55 ? 0 : 1;
}
