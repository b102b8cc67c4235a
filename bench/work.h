/* work.h: what every workload shares, so that each workload file holds its own pattern and nothing else.
 *
 *   - a seeded random stream: the same seed makes the same requests, whichever malloc serves them;
 *   - stamped blocks: a block carries proof of what was written into it, so that a wrong or overlapping block is found;
 *   - the clock, what the kernel counts as resident, and the light work of a program that is idle;
 *   - threads, a barrier-free start, and the one result line that a workload prints:
 *
 *         ok workload=NAME operations=N checksum=HEX [key=value ...]
 *
 * A workload that finds a wrong content, or gets no memory, prints one line on stderr and exits with status 1.
 * Usage of every workload: NAME [SCALE [THREADS [...]]]; SCALE is a percentage of the usual amount of work. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* sched_getaffinity; so this header comes first in every workload */
#endif

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256, KIB = 1 << 10, MIB = 1 << 20, PAGE_STEP = 4096 };

/* Print one line on stderr and exit with status 1: the run does not count. */
__attribute__((format(printf, 1, 2), noreturn, cold)) static inline void fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    flockfile(stderr); /* never unlocked: of several threads that fail, one speaks */
    fputs("bench: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    _Exit(EXIT_FAILURE);
}

/* ---- Arguments --------------------------------------------------------------------------------------------------- */

/* Argument `index` as a number, or `otherwise` when it is absent. Fails on anything outside 1..10^9. */
static inline size_t argument(int count, char **values, int index, size_t otherwise)
{
    if (index >= count)
        return otherwise;
    char *end;
    const unsigned long long value = strtoull(values[index], &end, 10);
    if (*end != '\0' || value < 1 || value > 1000000000)
        fail("argument %d is '%s': a number from 1 to 10^9 is wanted", index, values[index]);
    return (size_t)value;
}

/* `usual` times the percentage in argument 1, at least 1. */
static inline size_t scaled(int count, char **values, size_t usual)
{
    const size_t amount = usual * argument(count, values, 1, 100) / 100;
    return amount > 0 ? amount : 1;
}

/* The number of threads from argument `index`; by default one for each processor this process may use. */
static inline size_t thread_argument(int count, char **values, int index)
{
    cpu_set_t allowed;
    const int known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const size_t threads = argument(count, values, index, known ? (size_t)CPU_COUNT(&allowed) : 1);
    if (threads > THREADS_MAX)
        fail("%zu threads: at most %d", threads, THREADS_MAX);
    return threads;
}

/* ---- Random numbers ---------------------------------------------------------------------------------------------- */

struct random_stream {
    uint64_t state;
};

/* A stream of its own for each `seed`. */
static inline struct random_stream random_from(uint64_t seed)
{
    return (struct random_stream){(seed + 1) * 0x9e3779b97f4a7c15u};
}

/* 64 random bits. source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. */
static inline uint64_t random_next(struct random_stream *stream)
{
    uint64_t bits = stream->state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

/* A number in [0, bound); `bound` at most 2^32. The bias, below bound / 2^32, does not matter here. */
static inline size_t random_below(struct random_stream *stream, size_t bound)
{
    return (size_t)((random_next(stream) >> 32) * bound >> 32);
}

/* A number in [low, high]. */
static inline size_t random_between(struct random_stream *stream, size_t low, size_t high)
{
    return low + random_below(stream, high - low + 1);
}

/* A size in [low, high] whose frequency falls as 1/size^2: most are near `low`, all magnitudes occur. It is the inverse
 * of the distribution function F(x) = (1/low - 1/x) / (1/low - 1/high). */
static inline size_t random_inverse_square(struct random_stream *stream, size_t low, size_t high)
{
    const double unit = (double)(random_next(stream) >> 11) * 0x1p-53;
    const double share = 1.0 - unit * (1.0 - (double)low / (double)high);
    const size_t size = (size_t)((double)low / share);
    return size < high ? size : high;
}

/* ---- Blocks that prove their content ----------------------------------------------------------------------------- */

/* malloc that ends the run when there is no memory. */
static inline void *take(size_t bytes)
{
    void *block = malloc(bytes);
    if (block == NULL)
        fail("malloc(%zu) gave no memory", bytes);
    return block;
}

/* The byte that stands for `tag` at the end of a stamped block. */
static inline unsigned char tag_byte(uint64_t tag) { return (unsigned char)(tag * 0x9e3779b97f4a7c15u >> 56); }

/* Write `tag` into the first eight bytes of a block and one byte of it into the last. `bytes` is at least 8. */
static inline void stamp(void *block, size_t bytes, uint64_t tag)
{
    memcpy(block, &tag, sizeof tag);
    if (bytes > sizeof tag)
        ((unsigned char *)block)[bytes - 1] = tag_byte(tag);
}

/* Fail unless the block still carries the stamp of `tag`. */
static inline void check_stamp(const void *block, size_t bytes, uint64_t tag)
{
    uint64_t found;
    memcpy(&found, block, sizeof found);
    if (found != tag)
        fail("block of %zu bytes at %p begins with %llx, not %llx", bytes, block, (unsigned long long)found,
             (unsigned long long)tag);
    if (bytes > sizeof tag && ((const unsigned char *)block)[bytes - 1] != tag_byte(tag))
        fail("block of %zu bytes at %p ends with %02x, not %02x", bytes, block,
             ((const unsigned char *)block)[bytes - 1], tag_byte(tag));
}

/* Touch every page of a block, then stamp it: what a program that uses its memory sparsely does. */
static inline void stamp_pages(void *block, size_t bytes, uint64_t tag)
{
    for (size_t at = PAGE_STEP; at < bytes; at += PAGE_STEP)
        ((unsigned char *)block)[at] = tag_byte(tag);
    stamp(block, bytes, tag);
}

/* Write a whole block. `bytes` is at least 1. */
static inline void fill(void *block, size_t bytes, uint64_t tag) { memset(block, tag_byte(tag), bytes); }

/* Fail unless the first, middle and last byte of a block still are what fill() wrote. */
static inline void check_fill(const void *block, size_t bytes, uint64_t tag)
{
    const unsigned char *content = block;
    const size_t places[3] = {0, bytes / 2, bytes - 1};
    for (int i = 0; i < 3; i++)
        if (content[places[i]] != tag_byte(tag))
            fail("block of %zu bytes at %p holds %02x at %zu, not %02x", bytes, block, content[places[i]], places[i],
                 tag_byte(tag));
}

/* ---- Time ---------------------------------------------------------------------------------------------------------- */

static inline int64_t nanoseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- Idle programs ----------------------------------------------------------------------------------------------- */

/* Present resident bytes of this process / 1024, by system calls alone: nothing here may call malloc. */
static inline size_t resident_kib(void)
{
    char text[2048];
    const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length < 0)
        fail("/proc/self/smaps_rollup: %s", strerror(errno));
    close(file);
    text[length] = '\0';
    const char *line = strstr(text, "\nRss:");
    if (line == NULL)
        fail("/proc/self/smaps_rollup has no line 'Rss:'");
    return strtoull(line + sizeof "\nRss:" - 1, NULL, 10);
}

enum { TICK_NANOSECONDS = 10 * 1000 * 1000, LIGHT_BLOCKS = 300 };

static inline void rest_for_a_tick(void) { nanosleep(&(struct timespec){.tv_nsec = TICK_NANOSECONDS}, NULL); }

/* One tick of a program that is all but idle: some small blocks made and freed, then 10 ms of sleep. */
static inline void go_on_lightly(struct random_stream *stream)
{
    void *blocks[LIGHT_BLOCKS];
    size_t sizes[LIGHT_BLOCKS];
    for (size_t i = 0; i < LIGHT_BLOCKS; i++) {
        sizes[i] = random_between(stream, 16, 1000);
        blocks[i] = take(sizes[i]);
        fill(blocks[i], sizes[i], i);
    }
    for (size_t i = 0; i < LIGHT_BLOCKS; i++) {
        check_fill(blocks[i], sizes[i], i);
        free(blocks[i]);
    }
    rest_for_a_tick();
}

/* ---- Threads and the result -------------------------------------------------------------------------------------- */

/* Start a thread or end the run. */
static inline pthread_t start_thread(void *(*body)(void *), void *data)
{
    pthread_t thread;
    const int error = pthread_create(&thread, NULL, body, data);
    if (error != 0)
        fail("pthread_create: %s", strerror(error));
    return thread;
}

/* Wait for a thread to end. */
static inline void join_thread(pthread_t thread)
{
    const int error = pthread_join(thread, NULL);
    if (error != 0)
        fail("pthread_join: %s", strerror(error));
}

/* Run `body` on `count` threads, thread i with &data[i * stride], and wait for all. One thread: no thread is made. */
static inline void run_threads(size_t count, void *(*body)(void *), void *data, size_t stride)
{
    pthread_t threads[THREADS_MAX];
    if (count == 1) {
        (void)body(data);
        return;
    }
    for (size_t i = 0; i < count; i++)
        threads[i] = start_thread(body, (char *)data + i * stride);
    for (size_t i = 0; i < count; i++)
        join_thread(threads[i]);
}

/* Print the result line, without its newline: extra " key=value" pairs may follow, then finish(). The checksum depends
 * on the work alone, so it is the same with every malloc. */
static inline void print_result(const char *workload, size_t operations, uint64_t checksum)
{
    printf("ok workload=%s operations=%zu checksum=%016llx", workload, operations, (unsigned long long)checksum);
}

/* End the result line. returns: the exit status for main(). */
static inline int finish(void)
{
    putchar('\n');
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Stir `value` into a checksum; the order of calls matters. */
static inline uint64_t mix(uint64_t checksum, uint64_t value)
{
    return (checksum ^ value) * 0x100000001b3u + (checksum >> 29);
}

#endif
