/* memcached_client.c: asks memcached, and knows every answer.
 *
 *   thread i:  | 16 requests ...... | 16 requests ...... |     one connection, requests pipelined
 *                     | 16 answers, checked | 16 answers, checked |
 *
 * Each thread has a connection and keys of its own, so it knows what the server must hold: a size and a tag for each
 * key, or nothing. Of its requests four in ten store a value of 64 to 4000 bytes, five read one, one deletes one. A
 * batch is so small that all its answers fit into the socket's buffer: neither side ever waits for the other to read.
 *
 * This program is no workload: it runs without the preload, and what is measured is the server.
 *
 * memcached_client SOCKET                    end with 0 when the server answers
 * memcached_client SOCKET SCALE THREADS      ask and check */
#include "work.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEYS = 4096, BATCH = 16, SIZE_LOW = 64, SIZE_HIGH = 4000, LINE_BYTES = 128, USUAL_BATCHES = 5000 };

/* What the server holds for a key. */
struct item {
    size_t bytes; /* 0: nothing */
    uint64_t tag;
};

enum kind { STORE, READ, REMOVE };

/* A request that is sent and not yet answered. */
struct question {
    enum kind kind;
    size_t key;
    struct item item; /* to store, or there when the request came */
};

/* One connection. Owned by its thread. */
struct caller {
    size_t number;
    size_t batches;
    const char *path;
    FILE *out;
    FILE *in;
    struct random_stream stream;
    uint64_t checksum;
    struct item items[KEYS];
    struct question questions[BATCH];
};

static struct caller callers[THREADS_MAX];

static void open_connection(struct caller *caller)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(caller->path) >= sizeof address.sun_path)
        fail("%s: too long for a socket", caller->path);
    strcpy(address.sun_path, caller->path);
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        fail("%s: %s", caller->path, strerror(errno));
    const int other = dup(descriptor); /* a stream for each direction: one alone would want a seek between them */
    caller->out = fdopen(descriptor, "w");
    caller->in = other < 0 ? NULL : fdopen(other, "r");
    if (caller->out == NULL || caller->in == NULL)
        fail("%s: %s", caller->path, strerror(errno));
}

static void send_batch(struct caller *caller)
{
    if (fflush(caller->out) != 0)
        fail("connection %zu: cannot write: %s", caller->number, strerror(errno));
}

/* Read a line and fail unless it is this one. */
__attribute__((format(printf, 2, 3))) static void expect(struct caller *caller, const char *format, ...)
{
    char wanted[LINE_BYTES], found[LINE_BYTES];
    va_list values;
    va_start(values, format);
    vsnprintf(wanted, sizeof wanted, format, values);
    va_end(values);
    if (fgets(found, sizeof found, caller->in) == NULL)
        fail("connection %zu: the server hung up", caller->number);
    found[strcspn(found, "\r\n")] = '\0';
    if (strcmp(found, wanted) != 0)
        fail("connection %zu: '%s' was answered where '%s' is right", caller->number, found, wanted);
}

/* ---- One batch --------------------------------------------------------------------------------------------------- */

static struct question make_question(struct caller *caller)
{
    const size_t choice = random_below(&caller->stream, 10);
    const size_t key = random_below(&caller->stream, KEYS);
    if (choice >= 4)
        return (struct question){choice == 4 ? REMOVE : READ, key, caller->items[key]};
    const size_t bytes = random_inverse_square(&caller->stream, SIZE_LOW, SIZE_HIGH);
    return (struct question){STORE, key, {bytes, random_next(&caller->stream)}};
}

static void send_question(struct caller *caller, const struct question *question)
{
    char value[SIZE_HIGH];
    switch (question->kind) {
    case STORE:
        fill(value, question->item.bytes, question->item.tag);
        stamp(value, question->item.bytes, question->item.tag);
        fprintf(caller->out, "set %zu:%zu 0 0 %zu\r\n", caller->number, question->key, question->item.bytes);
        fwrite(value, 1, question->item.bytes, caller->out);
        fputs("\r\n", caller->out);
        caller->items[question->key] = question->item;
        return;
    case REMOVE:
        fprintf(caller->out, "delete %zu:%zu\r\n", caller->number, question->key);
        caller->items[question->key] = (struct item){0};
        return;
    case READ:
        fprintf(caller->out, "get %zu:%zu\r\n", caller->number, question->key);
        return;
    }
}

static void check_value(struct caller *caller, const struct question *question)
{
    char value[SIZE_HIGH];
    const size_t bytes = question->item.bytes;
    if (bytes > 0) {
        expect(caller, "VALUE %zu:%zu 0 %zu", caller->number, question->key, bytes);
        if (fread(value, 1, bytes, caller->in) != bytes)
            fail("connection %zu: the server hung up", caller->number);
        check_stamp(value, bytes, question->item.tag);
        expect(caller, "%s", "");
    }
    expect(caller, "END");
}

static void check_answer(struct caller *caller, const struct question *question)
{
    if (question->kind == STORE)
        expect(caller, "STORED");
    else if (question->kind == REMOVE)
        expect(caller, question->item.bytes > 0 ? "DELETED" : "NOT_FOUND");
    else
        check_value(caller, question);
    caller->checksum = mix(caller->checksum, question->item.bytes);
}

static void *call(void *data)
{
    struct caller *caller = data;
    open_connection(caller);
    for (size_t batch = 0; batch < caller->batches; batch++) {
        for (size_t i = 0; i < BATCH; i++) {
            caller->questions[i] = make_question(caller);
            send_question(caller, &caller->questions[i]);
        }
        send_batch(caller);
        for (size_t i = 0; i < BATCH; i++)
            check_answer(caller, &caller->questions[i]);
    }
    return NULL;
}

static int try_server(const char *path)
{
    struct caller *caller = &callers[0];
    caller->path = path;
    open_connection(caller);
    fputs("verbosity 0\r\n", caller->out);
    send_batch(caller);
    expect(caller, "OK");
    return EXIT_SUCCESS;
}

int main(int count, char **values)
{
    if (count == 2)
        return try_server(values[1]);
    if (count != 4)
        fail("usage: memcached_client SOCKET [SCALE THREADS]");
    const size_t batches = USUAL_BATCHES * argument(count, values, 2, 100) / 100;
    const size_t threads = thread_argument(count, values, 3);
    for (size_t i = 0; i < threads; i++) {
        callers[i].number = i;
        callers[i].path = values[1];
        callers[i].batches = batches;
        callers[i].stream = random_from(i);
    }
    run_threads(threads, call, callers, sizeof callers[0]);
    uint64_t checksum = 0;
    for (size_t i = 0; i < threads; i++)
        checksum = mix(checksum, callers[i].checksum);
    print_result("memcached", threads * batches * BATCH, checksum);
    return finish();
}
