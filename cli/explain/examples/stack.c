/* How large is the stack of this thread? */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

int main(void)
{
    pthread_attr_t attributes;
    struct rlimit limit;
    void *lowest;
    size_t bytes;

    if (getrlimit(RLIMIT_STACK, &limit) != 0 || pthread_getattr_np(pthread_self(), &attributes) != 0)
        return 1;
    if (pthread_attr_getstack(&attributes, &lowest, &bytes) != 0)
        return 1;
    printf("%zu KiB, %s a local\n", bytes / 1024, (char *)lowest < (char *)&limit ? "below" : "above");
    return pthread_attr_destroy(&attributes) == 0 ? 0 : 1;
}
