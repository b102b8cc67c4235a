/* static.c: one program, four places for the same bytes. The lab compiles it, runs it and reads what it prints.
 *
 *   -DBYTES=n   and one of   -DIN_data  -DIN_bss  -DIN_stack  -DIN_heap
 *
 * argv[1] is the time, by CLOCK_MONOTONIC in nanoseconds, at which it was started. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(IN_data)
#define PLACE "data"
static char room[BYTES] = {1};
#elif defined(IN_bss)
#define PLACE "bss"
static char room[BYTES];
#elif defined(IN_stack)
#define PLACE "stack"
#else
#define PLACE "heap"
#endif

static long long now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Resident bytes, exact where the kernel has smaps_rollup. */
static long resident(void)
{
    char text[2048];
    const char *at;
    int file = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    long pages = 0;

    if (file >= 0)
        close(file);
    text[length > 0 ? length : 0] = '\0';
    if ((at = strstr(text, "\nRss:")) != NULL)
        return atol(at + 5) * 1024;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%*d %ld", &pages) != 1)
        exit(1);
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Write one byte of every page, a quarter at a time, and tell what is resident after each. */
static void touch(volatile char *from)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t quarter = (size_t)BYTES / 4;
    const long before = resident();

    printf("static_touch_" PLACE " 0 0\n");
    for (int i = 0; i < 4; i++) {
        for (size_t k = 0; k < quarter; k += page)
            from[i * quarter + k] = 2;
        printf("static_touch_" PLACE " %d %ld\n", 25 * (i + 1), resident() - before);
    }
}

int main(int argc, char **argv)
{
    const long long started = argc > 1 ? atoll(argv[1]) : 0;

    printf("static_start_" PLACE " - %lld\n", now_ns() - started);
#if defined(IN_stack)
    char room[BYTES];
    touch(room);
#elif defined(IN_data) || defined(IN_bss)
    touch(room);
#else
    char *room = malloc(BYTES);
    if (room == NULL)
        return 1;
    touch(room);
    free(room);
#endif
    return 0;
}
