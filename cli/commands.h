/* commands.h: the subcommands of `ashlar`, each in its own cmd_*.c.
 *
 * Each is called as main would be: argv[0] is its name, the exit status is its result. */
#ifndef ASHLAR_CLI_COMMANDS_H
#define ASHLAR_CLI_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_lab(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_sizes(int argc, char **argv);
int cmd_tune(int argc, char **argv);

/* What `ashlar lab` starts for each experiment; for nobody else. */
int cmd_lab_experiment(int argc, char **argv);

#endif
