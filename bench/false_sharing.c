/* false_sharing.c: do small blocks of different threads lie in one cache line?
 *
 * Each thread allocates a block of 8 bytes, counts in it a thousand times, frees it, and does so again and again. It
 * shares nothing with the others; but when two blocks lie in one line, each write takes that line from the other
 * processor, and the program runs several times slower.
 *
 *   active    every thread allocates its first block itself: does the allocator cut one line for several threads?
 *   passive   the first blocks are allocated by the main thread, next to each other, and handed out; a thread frees the
 *             one it got before it allocates its own: does the allocator hand the foreign line on to it?
 *
 * source: Berger, McKinley, Blumofe, Wilson, "Hoard: A Scalable Memory Allocator for Multithreaded Applications",
 * ASPLOS 2000, where the two kinds of false sharing that an allocator can cause are named and measured so.
 *
 * false_sharing [SCALE [THREADS [MODE]]]: MODE 1 active, 2 passive. */
#include "work.h"

enum { BLOCK_BYTES = 8, WRITES = 1000, USUAL_BLOCKS = 600000 };
enum mode { MODE_ACTIVE = 1, MODE_PASSIVE = 2 };

struct worker {
    uint64_t number;
    size_t block_count;
    void *handed; /* NULL: none */
    uint64_t checksum;
};

/* Count up from `first` in the block itself: volatile, or the compiler would count in a register. */
static uint64_t count_in(volatile uint64_t *block, uint64_t first)
{
    *block = first;
    for (size_t i = 0; i < WRITES; i++)
        *block = *block + 1;
    return *block;
}

static void *count_and_free(void *data)
{
    struct worker *worker = data;
    uint64_t checksum = 0; /* on the stack: the workers lie next to each other */
    if (worker->handed != NULL) {
        check_stamp(worker->handed, BLOCK_BYTES, worker->number);
        free(worker->handed);
    }
    for (size_t i = 0; i < worker->block_count; i++) {
        const uint64_t first = worker->number + i;
        uint64_t *block = take(BLOCK_BYTES);
        if (count_in(block, first) != first + WRITES)
            fail("a block of thread %llu was counted in by another", (unsigned long long)worker->number);
        checksum = mix(checksum, *block);
        free(block);
    }
    worker->checksum = checksum;
    return NULL;
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    const size_t blocks = scaled(count, values, USUAL_BLOCKS), threads = thread_argument(count, values, 2);
    const size_t mode = argument(count, values, 3, MODE_ACTIVE);
    if (mode > MODE_PASSIVE)
        fail("mode %zu: 1 or 2 is wanted", mode);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){.number = i, .block_count = blocks};
        if (mode == MODE_PASSIVE) {
            workers[i].handed = take(BLOCK_BYTES);
            stamp(workers[i].handed, BLOCK_BYTES, i);
        }
    }
    run_threads(threads, count_and_free, workers, sizeof workers[0]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++)
        checksum = mix(checksum, workers[i].checksum);
    print_result("false_sharing", threads * blocks, checksum);
    printf(" mode=%s", mode == MODE_ACTIVE ? "active" : "passive");
    return finish();
}
