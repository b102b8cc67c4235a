/* What valloc did, by the functions of today: a whole page that may be protected. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *secret = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (secret == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    strcpy(secret, "read only from now on");
    if (mprotect(secret, page, PROT_READ) != 0) {
        perror("mprotect");
        return 1;
    }
    puts(secret);
    return munmap(secret, page) == 0 ? 0 : 1;
}
