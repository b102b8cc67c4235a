/* fresh.c again, by many threads at once on the real kernel: nothing is locked there, and no two threads may get the
 * same bytes. */
#include "test.h"

#include <pthread.h>
#include <string.h>

#include "page/page.h"

enum { THREADS = 4, BLOCKS = 2000 };

static char *blocks[THREADS][BLOCKS];
static size_t sizes[THREADS][BLOCKS];

static void *take_many(void *argument)
{
    const int thread = *(const int *)argument;

    for (int i = 0; i < BLOCKS; i++) {
        sizes[thread][i] = 1 + test_random() % 3000;
        blocks[thread][i] = page_fresh_take(sizes[thread][i], BLOCK_ALIGN);
        CHECK(blocks[thread][i] != NULL);
        memset(blocks[thread][i], 0x10 + thread, sizes[thread][i]);
    }
    return NULL;
}

TEST(threads_never_share_a_byte)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    page_start();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK_EQ(pthread_create(&threads[i], NULL, take_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    for (int thread = 0; thread < THREADS; thread++)
        for (int i = 0; i < BLOCKS; i++) {
            CHECK_EQ(page_fresh_bytes(blocks[thread][i]), round_up(sizes[thread][i], BLOCK_ALIGN));
            for (size_t byte = 0; byte < sizes[thread][i]; byte++)
                CHECK_EQ(blocks[thread][i][byte], 0x10 + thread);
        }
}
