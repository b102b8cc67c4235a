/* Count the page faults of the first touch and of the second. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES = 1000 };

static long faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static long touch(volatile char *memory, size_t page)
{
    long before = faults();

    for (size_t i = 0; i < PAGES; i++)
        memory[i * page] = 1;
    return faults() - before;
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return 1;
    printf("%d pages: %ld faults first", PAGES, touch(memory, page));
    printf(", %ld the second time\n", touch(memory, page));
    return munmap(memory, PAGES * page) == 0 ? 0 : 1;
}
