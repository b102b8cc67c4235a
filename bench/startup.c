/* startup.c: 200 short processes, each fork, exec of /bin/true, wait: what a shell script or a parallel make does.
 *
 * Both this program and its children run on the malloc under test (LD_PRELOAD is inherited). The cost is what an
 * allocator does before the first malloc: relocations, system calls, pages touched. Peak RSS is that of the largest
 * process.
 *
 * startup [SCALE] */
#include "work.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USUAL_PROCESSES = 200 };

static void run_true(void)
{
    static char *const command[] = {"/bin/true", NULL};
    const pid_t child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child == 0) {
        execv(command[0], command);
        _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        fail("%s ended with wait status %x", command[0], (unsigned)status);
}

int main(int count, char **values)
{
    const size_t processes = scaled(count, values, USUAL_PROCESSES);
    char *block = take(KIB); /* the parent has used its heap, as any real parent has */
    fill(block, KIB, 0);
    for (size_t i = 0; i < processes; i++)
        run_true();
    check_fill(block, KIB, 0);
    free(block);
    print_result("startup", processes, processes);
    return finish();
}
