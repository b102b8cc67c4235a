/* handlers.so: a library of the program's own with fork handlers, as many have them: prepare takes a mutex under which
 * the library's thread allocates. At the program's end it forks 300 times and says "forked 300". It hangs, and alarm(2)
 * ends it, when a heap's prepare handler runs before this one: the thread then waits for the heap's locks with the
 * mutex in hand. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 300, HANG_SECONDS = 60 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_over;

static void prepare(void) { pthread_mutex_lock(&mutex); }
static void release(void) { pthread_mutex_unlock(&mutex); }

/* Small, large and huge blocks: every lock of a heap is taken. */
static void *allocate_under_mutex(void *unused)
{
    while (!atomic_load(&is_over)) {
        pthread_mutex_lock(&mutex);
        for (size_t bytes = 64; bytes < (size_t)64 << 20; bytes *= 8)
            free(malloc(bytes));
        void *blocks[200];
        for (int i = 0; i < 200; i++)
            blocks[i] = malloc(8000);
        for (int i = 0; i < 200; i++)
            free(blocks[i]);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

__attribute__((constructor)) static void register_handlers(void) { pthread_atfork(prepare, release, release); }

__attribute__((destructor)) static void fork_many_times(void)
{
    pthread_t thread;

    if (getenv("HANDLERS_FORK") == NULL || pthread_create(&thread, NULL, allocate_under_mutex, NULL) != 0)
        return;
    alarm(HANG_SECONDS);
    int good = 0;
    for (int i = 0; i < FORKS; i++) {
        const pid_t child = fork();
        if (child == 0) {
            free(malloc(100000));
            _exit(0);
        }
        int status;
        good += waitpid(child, &status, 0) == child && status == 0;
    }
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    printf("forked %d\n", good);
    fflush(stdout);
}
