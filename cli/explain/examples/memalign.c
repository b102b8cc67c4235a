/* A buffer that begins with a cache line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64, BYTES = 4 * CACHE_LINE };

int main(void)
{
    void *buffer = NULL;
    int error = posix_memalign(&buffer, CACHE_LINE, BYTES);

    if (error != 0) {
        fprintf(stderr, "posix_memalign: %s\n", strerror(error));
        return 1;
    }
    printf("address modulo %d: %d\n", CACHE_LINE, (int)((uintptr_t)buffer % CACHE_LINE));
    free(buffer);
    return 0;
}
