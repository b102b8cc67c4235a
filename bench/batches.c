/* batches.c: batches of small blocks, freed in reverse order at once, or later from the oldest batch on.
 *
 *   step 0, 2, 4, ...   a batch of 1024 equal blocks is made and freed at once, last block first (LIFO)
 *   step 1, 3, 5, ...   a batch is made and kept; the oldest of 64 kept batches is freed, in the order of allocation
 * and in reverse order by turns
 *
 * The size of a batch is random between 8 and 1000 bytes, small ones more often (falling as 1/size^2). It is the
 * plainest use of a size-class allocator: whole slabs are filled and emptied again. What differs is how fast a list is
 * built and how slabs come back into use. Parsers and request handlers that free all of a request's blocks look like
 * this.
 *
 * batches [SCALE [THREADS]] */
#include "work.h"

enum { BATCH_BLOCKS = 1024, KEPT_BATCHES = 64, SIZE_LOW = 8, SIZE_HIGH = 1000, USUAL_STEPS = 12000 };

struct batch {
    size_t bytes; /* 0: no batch */
    void *blocks[BATCH_BLOCKS];
};

struct worker {
    uint64_t seed;
    size_t steps;
    uint64_t checksum;
};

static void batch_make(struct batch *batch, size_t bytes)
{
    batch->bytes = bytes;
    for (size_t i = 0; i < BATCH_BLOCKS; i++) {
        batch->blocks[i] = take(bytes);
        stamp(batch->blocks[i], bytes, bytes << 32 | i);
    }
}

static void block_free(const struct batch *batch, size_t i)
{
    check_stamp(batch->blocks[i], batch->bytes, batch->bytes << 32 | i);
    free(batch->blocks[i]);
}

static void batch_free_forward(struct batch *batch)
{
    for (size_t i = 0; i < BATCH_BLOCKS; i++)
        block_free(batch, i);
    batch->bytes = 0;
}

static void batch_free_reverse(struct batch *batch)
{
    for (size_t i = BATCH_BLOCKS; i-- > 0;)
        block_free(batch, i);
    batch->bytes = 0;
}

static void *make_and_free(void *data)
{
    struct worker *worker = data;
    struct random_stream stream = random_from(worker->seed);
    struct batch *kept = take(KEPT_BATCHES * sizeof *kept);
    struct batch *brief = take(sizeof *brief);
    for (size_t i = 0; i < KEPT_BATCHES; i++)
        kept[i].bytes = 0;
    for (size_t step = 0; step < worker->steps; step++) {
        const size_t bytes = random_inverse_square(&stream, SIZE_LOW, SIZE_HIGH);
        worker->checksum = mix(worker->checksum, bytes);
        if (step % 2 == 0) {
            batch_make(brief, bytes);
            batch_free_reverse(brief);
            continue;
        }
        struct batch *oldest = &kept[step / 2 % KEPT_BATCHES];
        if (oldest->bytes != 0)
            step % 4 == 1 ? batch_free_forward(oldest) : batch_free_reverse(oldest);
        batch_make(oldest, bytes);
    }
    for (size_t i = 0; i < KEPT_BATCHES; i++)
        if (kept[i].bytes != 0)
            batch_free_forward(&kept[i]);
    free(brief);
    free(kept);
    return NULL;
}

int main(int count, char **values)
{
    static struct worker workers[THREADS_MAX];
    const size_t threads = thread_argument(count, values, 2);
    const size_t steps = scaled(count, values, USUAL_STEPS);
    for (size_t i = 0; i < threads; i++)
        workers[i] = (struct worker){.seed = i, .steps = steps};
    run_threads(threads, make_and_free, workers, sizeof workers[0]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++)
        checksum = mix(checksum, workers[i].checksum);
    print_result("batches", threads * steps * BATCH_BLOCKS, checksum);
    return finish();
}
