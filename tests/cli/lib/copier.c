/* copier.c: a program that copies and fills as it is told, for the tests of `ashlar sizes`. Compiled with -fno-builtin,
 * so that every call is one, and no other is made: what libc does inside itself is not seen.
 *
 *   copier WORD [NUMBER...]      the words: see `acts` at the end */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

extern void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
extern void *__memmove_chk(void *to, const void *from, size_t n, size_t room);
extern void *__mempcpy_chk(void *to, const void *from, size_t n, size_t room);
extern void *__memset_chk(void *to, int c, size_t n, size_t room);
extern void __explicit_bzero_chk(void *to, size_t n, size_t room);
extern wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room);
extern wchar_t *__wmemmove_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room);
extern wchar_t *__wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room);
extern wchar_t *__wmemset_chk(wchar_t *to, wchar_t c, size_t n, size_t room);

enum { BYTES = 1 << 20 };

static _Alignas(64) unsigned char target[BYTES], source[BYTES];
static _Alignas(64) wchar_t wide_target[256], wide_source[256];

static size_t number(const char *text) { return text != NULL ? strtoul(text, NULL, 0) : 0; }

#define MUST(fact)                                                                                                     \
    if (!(fact))                                                                                                       \
    _exit(90)

/* Every name once, each with a size of its own: 101, 102, ... bytes, or 1, 2, ... wide characters. */
static int act_names(char **words)
{
    (void)words;
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (unsigned char)(i * 7 + 1);
    MUST(memcpy(target, source, 101) == target && target[100] == source[100]);
    MUST(memmove(target, source + 1, 102) == target && target[101] == source[102]);
    MUST(mempcpy(target, source, 103) == target + 103 && target[102] == source[102]);
    MUST(__mempcpy(target, source + 1, 104) == target + 104 && target[103] == source[104]);
    bcopy(source, target, 105);
    MUST(target[104] == source[104]);
    MUST(__memcpy_chk(target, source + 1, 106, 106) == target && target[105] == source[106]);
    MUST(__memmove_chk(target, source, 107, 200) == target && target[106] == source[106]);
    MUST(__mempcpy_chk(target, source + 1, 108, 200) == target + 108 && target[107] == source[108]);
    MUST(memset(target, 0x15a, 109) == target && target[108] == 0x5a && target[109] == 0);
    bzero(target, 110);
    MUST(target[108] == 0);
    explicit_bzero(target, 111);
    MUST(__memset_chk(target, 7, 112, 112) == target && target[111] == 7);
    __explicit_bzero_chk(target, 113, 114);
    MUST(target[111] == 0);
    MUST(wmemset(wide_source, L'x', 1) == wide_source && wide_source[0] == L'x' && wide_source[1] == 0);
    MUST(wmemcpy(wide_target, wide_source, 2) == wide_target && wide_target[0] == L'x');
    MUST(wmemmove(wide_target, wide_source, 3) == wide_target);
    MUST(wmempcpy(wide_target, wide_source, 4) == wide_target + 4);
    MUST(__wmemset_chk(wide_source, L'y', 5, 5) == wide_source && wide_source[4] == L'y');
    MUST(__wmemcpy_chk(wide_target, wide_source, 6, 6) == wide_target && wide_target[4] == L'y');
    MUST(__wmemmove_chk(wide_target, wide_source, 7, 8) == wide_target);
    MUST(__wmempcpy_chk(wide_target, wide_source, 8, 8) == wide_target + 8);
    return 0;
}

/* A copy of each of the sizes that are given, in that order; then a fill of each. */
static int act_sizes(char **words)
{
    for (char **word = words; *word != NULL; word++)
        (void)memcpy(target, source, number(*word));
    for (char **word = words; *word != NULL; word++)
        (void)memset(target, 1, number(*word));
    return 0;
}

/* Copies of words[0] bytes from offset words[2] to offset words[1], both in the same array; and so on. */
static int act_places(char **words)
{
    for (char **word = words; *word != NULL; word += 3)
        (void)memmove(target + number(word[1]), target + number(word[2]), number(word[0]));
    return 0;
}

static void copy_often(size_t times)
{
    for (size_t i = 0; i < times; i++) {
        (void)memcpy(target, source, 24);
        (void)memset(target, 0, 40);
    }
}

static void *copy_in_thread(void *times)
{
    copy_often((size_t)(uintptr_t)times);
    return NULL;
}

/* words[0] copies and fills, in each of words[1] threads. */
static int act_threads(char **words)
{
    const size_t threads = number(words[1]);
    pthread_t ids[16];

    for (size_t i = 0; i < threads; i++)
        MUST(pthread_create(&ids[i], NULL, copy_in_thread, (void *)(uintptr_t)number(words[0])) == 0);
    for (size_t i = 0; i < threads; i++)
        MUST(pthread_join(ids[i], NULL) == 0);
    return 0;
}

/* The same, in as many children, of which the first is killed when it is done; then one more in the parent. */
static int act_children(char **words)
{
    const size_t children = number(words[1]);

    for (size_t i = 0; i < children; i++)
        if (fork() == 0) {
            copy_often(number(words[0]));
            if (i == 0)
                (void)kill(getpid(), SIGKILL);
            _exit(0);
        }
    while (wait(NULL) > 0)
        continue;
    copy_often(1);
    return 0;
}

/* Likewise in this process, which then becomes another one that does it again. */
static int act_exec(char **words)
{
    char *const next[] = {(char *)"copier", (char *)"threads", words[0], (char *)"1", NULL};

    copy_often(number(words[0]));
    (void)execv("/proc/self/exe", next);
    return 91;
}

/* More bytes than there is room for. */
static int act_overflow(char **words)
{
    (void)words;
    (void)__memcpy_chk(target, source, 10, 9);
    return 0;
}

/* Make the record useless, as a program that writes into other files may. */
static int act_cut(char **words)
{
    (void)words;
    copy_often(1);
    return truncate(getenv("ASHLAR_SIZES"), 100) == 0 ? 7 : 92;
}

/* Without a path that leads to the record, nothing is counted. */
static int act_lose(char **words)
{
    char *const next[] = {(char *)"copier", (char *)"threads", (char *)"5", (char *)"1", NULL};

    (void)setenv("ASHLAR_SIZES", words[0], 1);
    (void)execv("/proc/self/exe", next);
    return 91;
}

static const struct {
    const char *word;
    int (*act)(char **words);
} acts[] = {{"names", act_names},       {"sizes", act_sizes},       {"places", act_places},
            {"threads", act_threads},   {"children", act_children}, {"exec", act_exec},
            {"overflow", act_overflow}, {"cut", act_cut},           {"lose", act_lose}};

int main(int argc, char **argv)
{
    if (errno != 0)
        return 97; /* source: C17 7.5: it is zero at program startup */
    for (size_t i = 0; argc > 1 && i < sizeof acts / sizeof *acts; i++)
        if (strcmp(argv[1], acts[i].word) == 0)
            return acts[i].act(argv + 2);
    (void)fprintf(stderr, "copier: what?\n");
    return 96;
}
