/* producer_consumer.c: some threads only allocate, others only free.
 *
 * THREADS / 2 producers make batches of 4096 blocks of 64 bytes; as many consumers check and free them. The batches'
 * tables of pointers are static and go round between two queues ("filled" and "spent"), so malloc sees the blocks only.
 * Every free is of another thread's block, which is the worst case of an allocator with per-thread heaps: it must carry
 * the blocks back to the thread that allocates, cheaply and before that thread takes fresh memory.
 *
 * producer_consumer [SCALE [THREADS]] */
#include "work.h"

enum {
    BLOCK_BYTES = 64,
    BATCH_BLOCKS = 4096,
    BATCHES_PER_PAIR = 8,
    BATCHES_MAX = BATCHES_PER_PAIR * THREADS_MAX / 2,
    USUAL_BATCHES = 3200
};

struct batch {
    uint64_t number;
    void *blocks[BATCH_BLOCKS];
};

/* A first-in first-out queue with room for all batches there are: it never overflows. All fields guarded by `lock`. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    size_t first, length;
    struct batch *entries[BATCHES_MAX];
};

static struct queue filled = {.lock = PTHREAD_MUTEX_INITIALIZER, .not_empty = PTHREAD_COND_INITIALIZER};
static struct queue spent = {.lock = PTHREAD_MUTEX_INITIALIZER, .not_empty = PTHREAD_COND_INITIALIZER};
static struct batch batches[BATCHES_MAX];

static void queue_put(struct queue *queue, struct batch *batch)
{
    pthread_mutex_lock(&queue->lock);
    queue->entries[(queue->first + queue->length++) % BATCHES_MAX] = batch;
    pthread_cond_signal(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}

static struct batch *queue_get(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->length == 0)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    struct batch *batch = queue->entries[queue->first];
    queue->first = (queue->first + 1) % BATCHES_MAX;
    queue->length--;
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

struct worker {
    size_t first_batch, batch_count;
    uint64_t checksum; /* order does not matter: consumers get batches as they come */
};

static void *produce(void *data)
{
    const struct worker *worker = data;
    for (size_t n = 0; n < worker->batch_count; n++) {
        struct batch *batch = queue_get(&spent);
        batch->number = worker->first_batch + n;
        for (size_t i = 0; i < BATCH_BLOCKS; i++) {
            batch->blocks[i] = take(BLOCK_BYTES);
            stamp(batch->blocks[i], BLOCK_BYTES, batch->number << 16 | i);
        }
        queue_put(&filled, batch);
    }
    return NULL;
}

static void *consume(void *data)
{
    struct worker *worker = data;
    for (size_t n = 0; n < worker->batch_count; n++) {
        struct batch *batch = queue_get(&filled);
        for (size_t i = 0; i < BATCH_BLOCKS; i++) {
            check_stamp(batch->blocks[i], BLOCK_BYTES, batch->number << 16 | i);
            free(batch->blocks[i]);
        }
        worker->checksum += mix(0, batch->number);
        queue_put(&spent, batch);
    }
    return NULL;
}

int main(int count, char **values)
{
    static struct worker producers[THREADS_MAX / 2], consumers[THREADS_MAX / 2];
    const size_t threads = thread_argument(count, values, 2);
    const size_t pairs = threads < 2 ? 1 : threads / 2;
    const size_t batch_count = scaled(count, values, USUAL_BATCHES);
    pthread_t started[THREADS_MAX];
    for (size_t i = 0; i < pairs * BATCHES_PER_PAIR; i++)
        queue_put(&spent, &batches[i]);
    for (size_t i = 0; i < pairs; i++) {
        producers[i] = consumers[i] = (struct worker){.first_batch = i * batch_count, .batch_count = batch_count};
        started[2 * i] = start_thread(produce, &producers[i]);
        started[2 * i + 1] = start_thread(consume, &consumers[i]);
    }
    for (size_t i = 0; i < 2 * pairs; i++)
        join_thread(started[i]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < pairs; i++)
        checksum += consumers[i].checksum;
    print_result("producer_consumer", pairs * batch_count * BATCH_BLOCKS, checksum);
    return finish();
}
