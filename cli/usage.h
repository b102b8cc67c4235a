/* usage.h: options of subcommands, read with argp, and a hint when they make no sense. */
#ifndef ASHLAR_CLI_USAGE_H
#define ASHLAR_CLI_USAGE_H

#include <argp.h>

/* Read the words after argv[0] as argp_parse with ARGP_IN_ORDER does, under the name `command` ("ashlar run"). An
 * option that does not exist is answered with the nearest one that does. Ends the process after help and version
 * (status 0) and after an error (EXIT_USAGE). */
void usage_parse(const struct argp *argp, const char *command, int argc, char **argv, void *input);

#endif
