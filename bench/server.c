/* server.c: a server whose worker threads are replaced while their data lives on.
 *
 *   worker 1: | replaces random blocks of its 5000 | starts worker 2 | ends
 *                                                   worker 2: | replaces random blocks of the same 5000 | starts worker
 * 3 | ...
 *
 * Each thread of the first generation fills its own table with blocks of 8 to 1000 bytes. A worker replaces blocks at
 * random, then hands the whole table to a successor, which starts before the worker has ended. So most frees are of
 * blocks of the same thread, the first ones of each generation are of blocks of a thread that is ending or gone, and an
 * allocator must neither lose those blocks nor make every free pay for them.
 *
 * server [SCALE [THREADS]]: THREADS tables, each with its chain of workers. */
#include "work.h"

#include <semaphore.h>

enum { TABLE_SLOTS = 5000, SIZE_LOW = 8, SIZE_HIGH = 1000, GENERATIONS = 20, USUAL_OPERATIONS = 500000 };

struct slot {
    void *block;
    size_t bytes;
};

/* One table and the state of its present worker. Owned by one worker at a time; handed over by pthread_create. */
struct table {
    struct random_stream stream;
    size_t generations; /* still to start */
    size_t operations;  /* of each worker */
    uint64_t checksum;
    struct slot slots[TABLE_SLOTS];
};

static struct table tables[THREADS_MAX];
static sem_t chains_done;

static void slot_fill(struct table *table, size_t place)
{
    struct slot *slot = &table->slots[place];
    slot->bytes = random_between(&table->stream, SIZE_LOW, SIZE_HIGH);
    slot->block = take(slot->bytes);
    stamp(slot->block, slot->bytes, place);
    table->checksum = mix(table->checksum, slot->bytes);
}

static void slot_empty(struct table *table, size_t place)
{
    check_stamp(table->slots[place].block, table->slots[place].bytes, place);
    free(table->slots[place].block);
}

static void start_successor(struct table *table);

static void *serve(void *data)
{
    struct table *table = data;
    for (size_t i = 0; i < table->operations; i++) {
        const size_t place = random_below(&table->stream, TABLE_SLOTS);
        slot_empty(table, place);
        slot_fill(table, place);
    }
    start_successor(table);
    return NULL;
}

/* The first worker of a table has to fill it. */
static void *open_table(void *data)
{
    struct table *table = data;
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        slot_fill(table, i);
    return serve(table);
}

static void start_successor(struct table *table)
{
    if (--table->generations > 0) {
        pthread_detach(start_thread(serve, table));
        return;
    }
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        slot_empty(table, i);
    sem_post(&chains_done);
}

int main(int count, char **values)
{
    const size_t threads = thread_argument(count, values, 2);
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    sem_init(&chains_done, 0, 0);
    for (size_t i = 0; i < threads; i++) {
        tables[i].stream = random_from(i);
        tables[i].generations = GENERATIONS;
        tables[i].operations = operations;
        pthread_detach(start_thread(open_table, &tables[i]));
    }
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++)
        while (sem_wait(&chains_done) != 0)
            continue; /* interrupted by a signal */
    for (size_t i = 0; i < threads; i++)
        checksum = mix(checksum, tables[i].checksum);
    print_result("server", threads * GENERATIONS * operations, checksum);
    return finish();
}
