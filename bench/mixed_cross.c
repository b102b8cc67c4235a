/* mixed_cross.c: blocks of 8 to 16000 bytes, one in four freed by a neighbour thread.
 *
 * Each thread replaces random blocks among its 2048. The frequency of a size falls linearly from 8 to 16000 bytes, so
 * hundreds of size classes are in use at once, by every thread: this is what large slabs and caches per class and
 * thread cost. Of four blocks taken out, three are freed on the spot; the fourth goes into a parcel, and a full parcel
 * of 64 blocks is laid into the next thread's inbox, which that thread checks and empties. Every page of a block is
 * touched.
 *
 * mixed_cross [SCALE [THREADS]] */
#include "work.h"

enum {
    SLOTS = 2048,
    SIZE_LOW = 8,
    SIZE_HIGH = 16000,
    PARCEL_BLOCKS = 64,
    INBOX_PARCELS = 16,
    KEEP_IN = 4,
    USUAL_OPERATIONS = 2000000
};

struct slot {
    void *block;
    size_t bytes;
    uint64_t tag;
};

struct parcel {
    size_t count;
    struct slot blocks[PARCEL_BLOCKS];
};

struct worker {
    size_t number, operations;
    uint64_t checksum;
    struct worker *neighbour;
    struct slot slots[SLOTS];
    struct parcel outgoing;
    pthread_mutex_t lock;
    size_t inbox_count;                 /* guarded by lock */
    struct parcel inbox[INBOX_PARCELS]; /* guarded by lock */
};

static struct worker *workers[THREADS_MAX];

/* The smaller of two equal chances: its density falls in a straight line from SIZE_LOW to SIZE_HIGH. */
static size_t falling_size(struct random_stream *stream)
{
    const size_t a = random_between(stream, SIZE_LOW, SIZE_HIGH), b = random_between(stream, SIZE_LOW, SIZE_HIGH);
    return a < b ? a : b;
}

static void block_free(const struct slot *slot)
{
    check_stamp(slot->block, slot->bytes, slot->tag);
    free(slot->block);
}

static void parcel_free(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++)
        block_free(&parcel->blocks[i]);
    parcel->count = 0;
}

/* Lay our full parcel into the neighbour's inbox; when that is full, free its blocks here. Either way it is empty
 * after. */
static void parcel_send(struct worker *worker)
{
    struct worker *neighbour = worker->neighbour;
    pthread_mutex_lock(&neighbour->lock);
    if (neighbour->inbox_count < INBOX_PARCELS) {
        neighbour->inbox[neighbour->inbox_count++] = worker->outgoing;
        worker->outgoing.count = 0;
    }
    pthread_mutex_unlock(&neighbour->lock);
    parcel_free(&worker->outgoing);
}

/* Take one parcel out of our inbox, copied so that the lock is not held during the frees. returns: whether there was
 * one. */
static int parcel_receive(struct worker *worker)
{
    struct parcel received = {.count = 0};
    pthread_mutex_lock(&worker->lock);
    if (worker->inbox_count > 0)
        received = worker->inbox[--worker->inbox_count];
    pthread_mutex_unlock(&worker->lock);
    const int any = received.count > 0;
    parcel_free(&received);
    return any;
}

static void slot_fill(struct worker *worker, struct slot *slot, struct random_stream *stream)
{
    slot->bytes = falling_size(stream);
    slot->tag = random_next(stream);
    slot->block = take(slot->bytes);
    stamp_pages(slot->block, slot->bytes, slot->tag);
    worker->checksum = mix(worker->checksum, slot->bytes);
}

static void slot_empty(struct worker *worker, struct slot *slot, struct random_stream *stream)
{
    if (random_below(stream, KEEP_IN) != 0) {
        block_free(slot);
        return;
    }
    worker->outgoing.blocks[worker->outgoing.count++] = *slot;
    if (worker->outgoing.count < PARCEL_BLOCKS)
        return;
    parcel_send(worker);
    (void)parcel_receive(worker);
}

static void *exchange(void *data)
{
    struct worker *worker = *(struct worker **)data;
    struct random_stream stream = random_from(worker->number);
    for (size_t i = 0; i < SLOTS; i++)
        slot_fill(worker, &worker->slots[i], &stream);
    for (size_t i = 0; i < worker->operations; i++) {
        struct slot *slot = &worker->slots[random_below(&stream, SLOTS)];
        slot_empty(worker, slot, &stream);
        slot_fill(worker, slot, &stream);
    }
    for (size_t i = 0; i < SLOTS; i++)
        block_free(&worker->slots[i]);
    parcel_free(&worker->outgoing);
    return NULL;
}

int main(int count, char **values)
{
    const size_t threads = thread_argument(count, values, 2);
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = take(sizeof *workers[i]);
        workers[i]->number = i;
        workers[i]->operations = operations;
        workers[i]->checksum = 0;
        workers[i]->outgoing.count = workers[i]->inbox_count = 0;
        pthread_mutex_init(&workers[i]->lock, NULL);
    }
    for (size_t i = 0; i < threads; i++)
        workers[i]->neighbour = workers[(i + 1) % threads];
    run_threads(threads, exchange, workers, sizeof workers[0]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++) {
        while (parcel_receive(workers[i]))
            continue;
        checksum = mix(checksum, workers[i]->checksum);
        free(workers[i]);
    }
    print_result("mixed_cross", threads * (operations + SLOTS), checksum);
    return finish();
}
