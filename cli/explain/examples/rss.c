/* 32 MiB that are asked for, then written, then given back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BYTES = 32 * 1024 * 1024 };

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (status != NULL)
        fclose(status);
    return kib;
}

int main(void)
{
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return 1;
    printf("asked for:  %ld KiB\n", resident_kib());
    memset(memory, 1, BYTES);
    printf("written:    %ld KiB\n", resident_kib());
    if (madvise(memory, BYTES, MADV_DONTNEED) != 0)
        return 1;
    printf("given back: %ld KiB\n", resident_kib());
    return munmap(memory, BYTES) == 0 ? 0 : 1;
}
