/* churn.c: threads are ended and made anew all the time; some of their blocks outlive them.
 *
 * In each of 25 rounds THREADS fresh threads run and end. A thread allocates items of 8 to 512 bytes, and now and then
 * one that is up to 100, 1000 or 10000 times larger. It keeps what it makes in a table that grows by realloc, frees
 * random items, and swaps one in four with a random place of a table that all threads share: so an item may be freed by
 * any later thread. At its end a thread frees what it holds; what lies in the shared table survives, also the last
 * thread of a round. An allocator must hand a dead thread's half-empty slabs to the living, or memory grows from round
 * to round.
 *
 * churn [SCALE [THREADS]] */
#include "work.h"

#include <stdatomic.h>

enum { ROUNDS = 25, SHARED_PLACES = 1000, UNIT_LOW = 8, UNIT_HIGH = 512, USUAL_ITEMS = 100000 };

/* Starts every item: any thread can check and free it without knowing who made it. */
struct item {
    uint32_t bytes;
    uint32_t proof; /* item_proof(bytes) */
};

static _Atomic(struct item *) shared[SHARED_PLACES];

/* Items of one thread. */
struct holding {
    struct item **items;
    size_t count, capacity;
};

struct worker {
    uint64_t seed;
    size_t item_count;
    uint64_t checksum;
};

static uint32_t item_proof(uint32_t bytes) { return (bytes ^ 0x5bd1e995u) * 0x9e3779b1u; }

/* 8..512 bytes; one in 100 up to 100 times, one in 2,000 up to 1000 times, one in 50,000 up to 10000 times as large. */
static uint32_t item_size(struct random_stream *stream)
{
    const size_t unit = random_between(stream, UNIT_LOW, UNIT_HIGH);
    const size_t chance = random_below(stream, 50000);
    const size_t factor = chance == 0 ? 10000 : chance < 25 ? 1000 : chance < 500 ? 100 : 1;
    return (uint32_t)(unit * factor);
}

static struct item *item_make(uint32_t bytes)
{
    struct item *item = take(bytes);
    stamp_pages(item, bytes, item_proof(bytes));
    *item = (struct item){.bytes = bytes, .proof = item_proof(bytes)};
    return item;
}

static void item_free(struct item *item)
{
    if (item == NULL)
        return;
    if (item->proof != item_proof(item->bytes))
        fail("item at %p says %u bytes, proof %x", (void *)item, item->bytes, item->proof);
    const unsigned char last = ((const unsigned char *)item)[item->bytes - 1];
    if (item->bytes > sizeof *item && last != tag_byte(item_proof(item->bytes)))
        fail("item of %u bytes at %p ends with %02x", item->bytes, (void *)item, last);
    free(item);
}

static void holding_add(struct holding *holding, struct item *item)
{
    if (holding->count == holding->capacity) {
        holding->capacity = holding->capacity == 0 ? 64 : 2 * holding->capacity;
        holding->items = realloc(holding->items, holding->capacity * sizeof *holding->items);
        if (holding->items == NULL)
            fail("realloc gave no memory");
    }
    holding->items[holding->count++] = item;
}

/* Free a random item; the last one takes its place. */
static void holding_drop(struct holding *holding, struct random_stream *stream)
{
    const size_t place = random_below(stream, holding->count);
    item_free(holding->items[place]);
    holding->items[place] = holding->items[--holding->count];
}

/* Swap a random item with a random shared place; the item that comes back, if any, belongs to us from now on. */
static void holding_swap(struct holding *holding, struct random_stream *stream)
{
    const size_t place = random_below(stream, holding->count);
    /* acquire and release: the content of both items crosses threads here */
    holding->items[place] = atomic_exchange_explicit(&shared[random_below(stream, SHARED_PLACES)],
                                                     holding->items[place], memory_order_acq_rel);
}

static void *live_and_die(void *data)
{
    struct worker *worker = data;
    struct random_stream stream = random_from(worker->seed);
    struct holding holding = {.items = NULL};
    for (size_t i = 0; i < worker->item_count; i++) {
        const uint32_t bytes = item_size(&stream);
        worker->checksum = mix(worker->checksum, bytes);
        holding_add(&holding, item_make(bytes));
        if (i % 4 != 0)
            holding_drop(&holding, &stream);
        if (i % 4 == 2 && holding.count > 0)
            holding_swap(&holding, &stream);
    }
    while (holding.count > 0)
        item_free(holding.items[--holding.count]);
    free(holding.items);
    return NULL;
}

/* One round on threads of its own, also when there is only one. */
static void run_round(struct worker *workers, size_t threads)
{
    pthread_t started[THREADS_MAX];
    for (size_t i = 0; i < threads; i++)
        started[i] = start_thread(live_and_die, &workers[i]);
    for (size_t i = 0; i < threads; i++)
        join_thread(started[i]);
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    const size_t threads = thread_argument(count, values, 2);
    const size_t items = scaled(count, values, USUAL_ITEMS);
    uint64_t checksum = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < threads; i++)
            workers[i] = (struct worker){.seed = round * threads + i, .item_count = items};
        run_round(workers, threads);
        for (size_t i = 0; i < threads; i++)
            checksum = mix(checksum, workers[i].checksum);
    }
    for (size_t i = 0; i < SHARED_PLACES; i++)
        item_free(atomic_load_explicit(&shared[i], memory_order_relaxed)); /* all threads are joined */
    print_result("churn", ROUNDS * threads * items, checksum);
    return finish();
}
