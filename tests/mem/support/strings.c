/* strings.c: strcpy's family against loops over bytes: every result, every byte around it; and fortified calls that
 * must die. checks.py starts it, with checks and without.
 *
 *   strings COUNT SEED      exit status: 0, or 1 with a line that says what was wrong */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char *__strcpy_chk(char *, const char *, size_t), *__stpcpy_chk(char *, const char *, size_t);
extern char *__strcat_chk(char *, const char *, size_t), *__strncpy_chk(char *, const char *, size_t, size_t);
extern char *__stpncpy_chk(char *, const char *, size_t, size_t), *__strncat_chk(char *, const char *, size_t, size_t);

enum { ROOM = 600 };

/* Of a call: what it is given, and what the loops say that it does. */
struct trial {
    char to[ROOM], expected[ROOM];
    const char *from;
    size_t n;      /* where the function takes a length */
    size_t before; /* length of what is in `to` already */
    char *result;
};

static size_t length_up_to(const char *from, size_t most)
{
    size_t length = 0;

    while (length < most && from[length] != '\0')
        length++;
    return length;
}

static char *expect_copy(struct trial *t, int ends)
{
    const size_t length = length_up_to(t->from, ROOM);

    for (size_t i = 0; i <= length; i++)
        t->expected[i] = t->from[i];
    return t->to + (ends ? length : 0);
}

static char *expect_part(struct trial *t, int ends)
{
    const size_t length = length_up_to(t->from, t->n);

    for (size_t i = 0; i < t->n; i++)
        t->expected[i] = i < length ? t->from[i] : '\0';
    return t->to + (ends ? length : 0);
}

static char *expect_append(struct trial *t, size_t most)
{
    const size_t length = length_up_to(t->from, most);

    for (size_t i = 0; i < length; i++)
        t->expected[t->before + i] = t->from[i];
    t->expected[t->before + length] = '\0';
    return t->to;
}

/* Make the call `which` and its expectation. */
static void make(struct trial *t, unsigned which)
{
    char *const to = t->to;
    char *wanted = NULL;

    switch (which) {
#define CALL(number, call, expectation)                                                                                \
    case number:                                                                                                       \
        wanted = expectation;                                                                                          \
        t->result = call;                                                                                              \
        break;
        CALL(0, strcpy(to, t->from), expect_copy(t, 0))
        CALL(1, stpcpy(to, t->from), expect_copy(t, 1))
        CALL(2, strcat(to, t->from), expect_append(t, ROOM))
        CALL(3, strncpy(to, t->from, t->n), expect_part(t, 0))
        CALL(4, stpncpy(to, t->from, t->n), expect_part(t, 1))
        CALL(5, strncat(to, t->from, t->n), expect_append(t, t->n))
        CALL(6, __strcpy_chk(to, t->from, ROOM), expect_copy(t, 0))
        CALL(7, __stpcpy_chk(to, t->from, ROOM), expect_copy(t, 1))
        CALL(8, __strcat_chk(to, t->from, ROOM), expect_append(t, ROOM))
        CALL(9, __strncpy_chk(to, t->from, t->n, ROOM), expect_part(t, 0))
        CALL(10, __stpncpy_chk(to, t->from, t->n, ROOM), expect_part(t, 1))
        CALL(11, __strncat_chk(to, t->from, t->n, ROOM), expect_append(t, t->n))
    default:
        exit(2);
    }
    if (t->result != wanted) {
        printf("call %u: result %td behind what is right\n", which, t->result - wanted);
        exit(1);
    }
    for (size_t i = 0; i < ROOM; i++)
        if (t->to[i] != t->expected[i]) {
            printf("call %u, n %zu, %zu before: byte %zu is %d, not %d\n", which, t->n, t->before, i, t->to[i],
                   t->expected[i]);
            exit(1);
        }
}

static void random_calls(size_t count)
{
    static struct trial t;
    static char source[ROOM];

    for (size_t i = 0; i < count; i++) {
        const size_t length = (size_t)rand() % (rand() % 4 == 0 ? 250 : 40);
        for (size_t k = 0; k < ROOM; k++) {
            source[k] = (char)(1 + rand() % 255);
            t.to[k] = t.expected[k] = (char)(1 + rand() % 255);
        }
        t.from = source + rand() % 64;
        source[(size_t)(t.from - source) + length] = '\0';
        t.n = (size_t)rand() % (2 * length + 3);
        t.before = (size_t)rand() % 60;
        t.to[t.before] = t.expected[t.before] = '\0';
        make(&t, (unsigned)rand() % 12);
    }
}

/* Whether the call in a child ends by SIGABRT. */
#define DIES(call)                                                                                                     \
    do {                                                                                                               \
        int status;                                                                                                    \
        const pid_t child = fork();                                                                                    \
        if (child == 0) {                                                                                              \
            (void)close(2);                                                                                            \
            (void)(call);                                                                                              \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        (void)waitpid(child, &status, 0);                                                                              \
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {                                                     \
            printf("%s: status %x\n", #call, status);                                                                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void fortified_calls(void)
{
    static char to[16] = "12";
    char *(*volatile all)(char *, const char *, size_t) = __strcpy_chk;

    DIES(all(to, "abc", 3));
    all = __stpcpy_chk;
    DIES(all(to, "abc", 3));
    all = __strcat_chk;
    DIES(all(to, "abc", 5));
    char *(*volatile some)(char *, const char *, size_t, size_t) = __strncpy_chk;
    DIES(some(to, "abc", 4, 3));
    some = __stpncpy_chk;
    DIES(some(to, "abc", 4, 3));
    some = __strncat_chk;
    DIES(some(to, "abc", 2, 4));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    srand((unsigned)strtoul(argv[2], NULL, 10));
    random_calls(strtoul(argv[1], NULL, 10));
    fortified_calls();
    return 0;
}
