/* dlopen_host module|library PATH ROUNDS: load and unload, while threads allocate.
 *
 * Run with the library preloaded it tests modules that come and go on our heap. Run without, it tests the library
 * itself as such a module: opened, used by threads under its own names, closed, and only then the threads end. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool stop;
static pthread_barrier_t opened, closed;
static void *(*library_malloc)(size_t);
static void (*library_free)(void *);

static void check(int condition, const char *what)
{
    if (condition)
        return;
    const char *reason = dlerror();
    printf("# %s: %s\n", what, reason ? reason : "failed");
    fflush(stdout);
    abort();
}

static void *symbol(void *handle, const char *name)
{
    void *address = dlsym(handle, name);
    check(address != NULL, name);
    return address;
}

/* ---- Modules on our heap ---------------------------------------------------------------------------------------------- */

static void *allocate_for_ever(void *argument)
{
    (void)argument;
    for (size_t i = 0; !stop; i++) {
        char *block = malloc(1 + i % 3000);
        check(block != NULL, "malloc");
        block[0] = 1;
        free(block);
    }
    return NULL;
}

/* A thread that ends after the module is gone must not run into it. */
static void *use_module(void *handle)
{
    void (*use_thread)(void) = (void (*)(void))symbol(handle, "module_use_thread");
    use_thread();
    return NULL;
}

static void load_and_unload(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW);
    check(handle != NULL, path);
    void *(*take)(size_t) = (void *(*)(size_t))symbol(handle, "module_take");
    void (*release)(void *) = (void (*)(void *))symbol(handle, "module_release");
    void *ours = malloc(100), *theirs = take(5000);
    check(ours && theirs, "malloc");
    pthread_t thread;
    check(pthread_create(&thread, NULL, use_module, handle) == 0, "pthread_create");
    check(pthread_join(thread, NULL) == 0, "pthread_join");
    use_module(handle);
    release(ours);
    check(dlclose(handle) == 0, "dlclose");
    check(dlopen("no-such-module.so", RTLD_NOW) == NULL, "opening what does not exist");
    check(dlerror() != NULL, "dlerror");
    free(theirs);
}

static void modules_come_and_go(const char *path, int rounds)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        check(pthread_create(&threads[i], NULL, allocate_for_ever, NULL) == 0, "pthread_create");
    for (int i = 0; i < rounds; i++)
        load_and_unload(path);
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

/* ---- The library as a module ------------------------------------------------------------------------------------------ */

static void *allocate_and_outlive(void *argument)
{
    (void)argument;
    char *block = library_malloc(1000);
    check(block != NULL, "ashlar_malloc");
    memset(block, 1, 1000);
    library_free(block);
    check(library_malloc(2000) != NULL, "ashlar_malloc"); /* outlives the thread */
    pthread_barrier_wait(&opened);
    pthread_barrier_wait(&closed); /* the library has been closed; now this thread's destructors run */
    return NULL;
}

static void open_and_close_library(const char *path)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    check(handle != NULL, path);
    library_malloc = (void *(*)(size_t))symbol(handle, "ashlar_malloc");
    library_free = (void (*)(void *))symbol(handle, "ashlar_free");
    pthread_barrier_init(&opened, NULL, THREADS + 1);
    pthread_barrier_init(&closed, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, allocate_and_outlive, NULL) == 0, "pthread_create");
    pthread_barrier_wait(&opened);
    check(dlclose(handle) == 0, "dlclose");
    pthread_barrier_wait(&closed);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: dlopen_host module|library PATH ROUNDS\n");
        return 2;
    }
    const int rounds = atoi(argv[3]);
    if (strcmp(argv[1], "module") == 0) {
        modules_come_and_go(argv[2], rounds);
    } else {
        for (int i = 0; i < rounds; i++)
            open_and_close_library(argv[2]);
    }
    printf("%d rounds\n", rounds);
    return 0;
}
