/* deliver.h: a result on its way out, and what the user is told when it cannot get there. */
#ifndef ASHLAR_CLI_DELIVER_H
#define ASHLAR_CLI_DELIVER_H

#include <stdbool.h>

/* Before a long run: whether a result can probably be written to `path`, NULL for a stream that is open already. If
 * not, complains; `undone` says what was not begun because of that, "nothing was run". */
bool deliver_can(const char *path, const char *undone);

/* Write `text` to `path`, NULL for standard error, "-" for standard output, and free it; a NULL text is one for which
 * there was no memory. If it cannot be written, complains, calling the text by `name`. returns: whether it is written.
 */
bool deliver(const char *name, const char *path, char *text);

/* The exit status of a run that ended with `status`: an unwritten result only matters where nothing else went wrong. */
int deliver_status(int status, bool is_written);

#endif
