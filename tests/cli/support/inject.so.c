/* inject.so.c: ends or stops the lab's children for the cards named by INJECT_CARD, before they have done anything.
 * Names are separated by commas. INJECT_HOW is "crash" or "hang". */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_listed(const char *name, const char *list)
{
    const size_t length = strlen(name);

    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Whether this process is `ashlar lab-experiment CARD ...`, with one of `cards`. */
static bool is_wanted(const char *cards)
{
    char words[256] = "";
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, words, sizeof words - 1) : -1;
    const char *second = words + strlen(words) + 1;
    const char *third = second + strlen(second) + 1;

    if (file >= 0)
        close(file);
    return length > 0 && third < words + length && strcmp(second, "lab-experiment") == 0 && is_listed(third, cards);
}

__attribute__((constructor)) static void inject(void)
{
    const char *card = getenv("INJECT_CARD");
    const char *how = getenv("INJECT_HOW");

    if (card == NULL || how == NULL || !is_wanted(card))
        return;
    if (strcmp(how, "crash") == 0)
        raise(SIGSEGV);
    for (;;)
        pause();
}
