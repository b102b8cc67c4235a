/* stack.c: how deep the heap reaches into the caller's stack. The promise is 4 KiB, in any call on any path.
 *
 *   | guard | ..... painted, untouched ..... | used by heap calls | used by the thread itself |
 *
 * A thread runs on a painted stack; the deepest byte that lost its paint shows what was used. The same thread without
 * heap calls gives the part to take off. */
#include "../lib/test.h"

#include <pthread.h>
#include <sys/mman.h>

#include "../stress/oracle.h"

enum { STACK_BYTES = 512 * KIB, PAINT = 0x5c, PROMISE = 4 * KIB };

static unsigned char *stack;

/* returns: bytes of the stack that a thread running body() touched. */
static size_t measure(void *(*body)(void *)) {
    pthread_attr_t attributes;
    pthread_t thread;
    memset(stack, PAINT, STACK_BYTES);
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, body, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    size_t untouched = 0;
    while (untouched < STACK_BYTES && stack[untouched] == PAINT)
        untouched++;
    return STACK_BYTES - untouched;
}

static void *do_nothing(void *argument) { return argument; }

/* Sizes of every path: small, medium, large, huge; growth, remapping, purge. */
static const size_t sizes[] = {1, 100, 1000, 10000, 60000, 100000, 3 * MIB, 40 * MIB};

static void *call_everything(void *argument) {
    static void *kept[2000];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int entry = 0; entry < ENTRY_COUNT; entry++) {
            void *block = entry_call((enum entry)entry, 4096, sizes[i]);
            block = realloc(block, sizes[i] * 2);
            block = realloc(block, sizes[i] / 3 + 1);
            free(block);
        }
    }
    for (size_t i = 0; i < 2000; i++)
        kept[i] = malloc(9000);
    for (size_t i = 0; i < 2000; i++)
        free(kept[i]);
    ashlar_purge();
    return argument;
}

TEST(no_call_uses_more_than_4_kib_of_stack) {
    test_restart(NULL);
    stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    call_everything(NULL); /* the loader binds all functions here, on the main stack */
    const size_t bare = measure(do_nothing), full = measure(call_everything);
    test_note("%zu bytes of stack without the heap, %zu with it", bare, full);
    CHECK(full <= bare + PROMISE);
}

/* Nothing but the smallest stack that threads may have. */
TEST(heap_works_on_the_smallest_stacks) {
    pthread_attr_t attributes;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN), 0);
    for (size_t i = 0; i < 100; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, &attributes, call_everything, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}
