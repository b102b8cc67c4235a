/* dlopen_module.so: a module that uses the heap at every moment of its life: constructor, thread-local object, key
 * destructor, destructor. The host loads, uses and unloads it many times. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 50 };

static void *blocks[BLOCKS];
static pthread_key_t key;
static __thread char *of_this_thread;

void *module_take(size_t bytes);
void module_release(void *block);
void module_use_thread(void);

static size_t block_bytes(size_t i) { return 1 + i * i * 40; }

__attribute__((constructor)) static void fill(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(block_bytes(i));
        memset(blocks[i], (int)i, block_bytes(i));
    }
    pthread_key_create(&key, free);
}

__attribute__((destructor)) static void empty(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        const unsigned char *content = blocks[i];
        if (content[0] != i || content[block_bytes(i) - 1] != i)
            abort();
        free(blocks[i]);
    }
    pthread_key_delete(key);
}

void *module_take(size_t bytes) { return calloc(1, bytes); }

void module_release(void *block) { free(block); }

/* The calling thread gets a block through thread-local storage and one that a key's destructor frees. */
void module_use_thread(void)
{
    free(of_this_thread);
    of_this_thread = malloc(300);
    memset(of_this_thread, 7, 300);
    free(pthread_getspecific(key));
    pthread_setspecific(key, malloc(500));
    free(of_this_thread);
    of_this_thread = NULL;
}
