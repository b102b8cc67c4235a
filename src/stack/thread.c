/* thread.c: what comes once: the start of the library, its one setting, and the end of each thread that uses it.
 *
 * libashlar, where it is there, judges ASHLAR_CONF strictly and as a whole, and knows what came of it: it is asked.
 * Alone we read our own key and leave the others to whoever may be there to judge them. */
#include "stack/stack.h"

#include "base/words.h"

#include <ashlar.h>

#include <pthread.h>
#include <stdlib.h>

/* ---- Option side_stack ------------------------------------------------------------------------------------------------- */

#define KEY "side_stack"
#define SIDE_STACK_INITIAL ((size_t)64 << 20)

#pragma weak ashlar_option

static size_t side_bytes = SIDE_STACK_INITIAL; /* set before main */

size_t stack_side_bytes(void) { return side_bytes; }

/* As libashlar says it. */
static void complain(const char *what, struct word word)
{
    char line[192];
    struct text text = {line, sizeof line, 0};

    text_put(&text, "ASHLAR_CONF: ");
    text_put(&text, what);
    text_put_word(&text, word);
    text_put(&text, "; all settings ignored");
    stack_print(&text);
}

/* Read `key:value`, which may be another's. returns: false when it was ours and bad, which has been told. */
static bool read_pair(struct word pair, uint64_t *number)
{
    struct word value = pair;
    const struct word key = next_part(&value, ':');

    if (!same_words(key, word_of(KEY)))
        return true;
    if (key.length == pair.length)
        complain("no \":\" in ", pair);
    else if (*number != 0)
        complain("given twice: ", key);
    else if (!parse_side_stack(value, number))
        complain("bad value for \"" KEY "\": ", value);
    else
        return true;
    return false;
}

/* returns: the value of our key in the configuration, 0 when it is not there or bad. */
static uint64_t find_setting(const char *configuration)
{
    struct word rest = word_of(configuration);
    uint64_t number = 0;

    while (rest.length > 0)
        if (!read_pair(next_part(&rest, ','), &number))
            return 0;
    return number;
}

static uint64_t ask_libashlar(void)
{
    char value[WORD_ROOM];
    uint64_t number;
    const int length = ashlar_option(KEY, value, sizeof value);

    return length >= 0 && parse_side_stack(word_of(value), &number) ? number : 0;
}

/* secure_getenv: nothing in a program with more rights than its caller. */
static uint64_t setting(void)
{
    if (&ashlar_option != NULL)
        return ask_libashlar();
    const char *const configuration = secure_getenv("ASHLAR_CONF");

    return configuration != NULL ? find_setting(configuration) : 0;
}

/* ---- Start ------------------------------------------------------------------------------------------------------------- */

/* Before the constructors of a program that is linked with the static library; they may use it. */
__attribute__((constructor(101))) static void start(void)
{
    const uint64_t set = setting();

    if (set != 0)
        side_bytes = (size_t)set;
}

/* ---- The end of a thread ----------------------------------------------------------------------------------------------- */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

/* A destructor of the program's that uses the side stack after this gets a new one, and another round of destructors
 * ends it (POSIX pthread_key_create: up to PTHREAD_DESTRUCTOR_ITERATIONS). */
static void thread_ends(void *unused)
{
    (void)unused;
    stack_side_end();
    stack_diagnose_end();
}

static void make_key(void) { has_key = pthread_key_create(&key, thread_ends) == 0; }

bool stack_watch_end(void)
{
    return pthread_once(&key_once, make_key) == 0 && has_key && pthread_setspecific(key, &key) == 0;
}
