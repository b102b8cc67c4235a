/* A list whose nodes are freed once each: what is needed of a node is read before the node is gone. */
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

/* returns: how many nodes there were. */
static int free_all(struct node *list)
{
    int count = 0;

    for (struct node *next; list != NULL; list = next) {
        next = list->next; /* after free it could not be read */
        free(list);
        count++;
    }
    return count;
}

int main(void)
{
    struct node *list = NULL;

    for (int i = 0; i < 1000; i++)
        list = push(list, i);
    printf("%d nodes freed\n", free_all(list));
    free(NULL); /* does nothing: no test for NULL is needed before free */
    return 0;
}
