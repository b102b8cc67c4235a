/* recorder.h: what the names of libc tell the recorder before they do their work. */
#ifndef ASHLAR_CLI_SIZES_RECORDER_H
#define ASHLAR_CLI_SIZES_RECORDER_H

#include "record.h"

/* Count one call, made from the code before address `caller`. Nothing is read from or written to the ranges. errno
 * untouched; takes no lock. thread, signals, children of fork and vfork: any, before this library's own start as well.
 */
void recorder_copy(enum record_function function, const void *to, const void *from, size_t n, const void *caller);
void recorder_fill(enum record_function function, const void *to, size_t n, const void *caller);

#endif
