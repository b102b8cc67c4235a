/* start.c: how libashlar-mem comes to life. Before that nothing is wrong: narrower, and unchecked. */
#include "mem/check.h"
#include "mem/names.h"

#include <stdlib.h>

/* Tells whether libashlar is loaded, too: it reads the same options, and prints what is wrong with them. */
extern const char *ashlar_version(void) __attribute__((weak));

void mem_strings_start(void) __attribute__((visibility("hidden")));

__attribute__((constructor)) static void start(void)
{
    const char *const configuration = secure_getenv("ASHLAR_CONF");
    struct option_settings settings;
    char line[OPTION_ERROR_ROOM];
    struct text error = {line, sizeof line, 0};

    option_set_initial(&settings);
    if (configuration != NULL && !option_read(configuration, &settings, &error)) {
        if (&ashlar_version == NULL)
            mem_print(line);
        option_set_initial(&settings);
    }
    mem_start(&settings);
    mem_check_start(&settings);
    mem_strings_start();
}
