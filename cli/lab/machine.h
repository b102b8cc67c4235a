/* machine.h: the machine that a report is about, as far as the results depend on it. */
#ifndef ASHLAR_CLI_LAB_MACHINE_H
#define ASHLAR_CLI_LAB_MACHINE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Kernel, C library, processor, page size, limits, compiler: names as in texts.def without their "machine_". Never the
 * host's or the user's name, the environment, or a path. returns: a new reference. */
json_t *machine_facts(void);

/* How many bytes a child may touch: a quarter of what is available to the machine or left to the control group, and
 * 1 GiB at most. source: proc(5) MemAvailable; Linux Documentation/admin-guide/cgroup-v2.rst. */
size_t machine_memory_to_touch(void);

/* Processor time that the hypervisor gave to others, in ticks since the start. source: proc(5), /proc/stat. */
uint64_t machine_stolen_ticks(void);

/* Why nothing that we measure here would be true, "valgrind" or "sanitizer"; NULL: nothing is wrong. */
const char *machine_distortion(void);

#endif
