/* inject.so.c: ends or stops the lab's children for the card named by INJECT_CARD, before they have done anything.
 * INJECT_HOW is "crash" or "hang". */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether this process is `ashlar lab-experiment CARD ...`. */
static bool is_wanted(const char *card)
{
    char words[256] = "";
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, words, sizeof words - 1) : -1;
    const char *second = words + strlen(words) + 1;
    const char *third = second + strlen(second) + 1;

    if (file >= 0)
        close(file);
    return length > 0 && third < words + length && strcmp(second, "lab-experiment") == 0 && strcmp(third, card) == 0;
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
