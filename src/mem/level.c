/* level.c: what the processor can do, and from which lengths on its string instructions, and stores past the caches,
 * are worth their start.
 *
 * Nobody asks the processor: its answer traps in a virtual machine and takes as long as 13 microseconds there, and a
 * start would need twenty of them. libc's loader has asked already, and tells. Sizes of caches are those of one core: a
 * guest is told sizes of shared caches that it will never have. docs/design/023. */
#include "mem/mem.h"

struct mem_limits mem_limits;

/* A range that begins nowhere; who sets a beginning need not set an end. */
#define NEVER                                                                                                          \
    {                                                                                                                  \
        SIZE_MAX, SIZE_MAX                                                                                             \
    }

#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#include <unistd.h>

/* source: glibc 2.33, manual, section "X86-specific Facilities". Absent in a program without a loader. */
#pragma weak __x86_get_cpuid_feature_leaf

static bool is_told(void) { return &__x86_get_cpuid_feature_leaf != NULL; }

enum mem_level mem_level_max(void)
{
    if (!is_told() || !x86_cpu_active(x86_cpu_AVX2))
        return MEM_16;
    return x86_cpu_active(x86_cpu_BMI2) && x86_cpu_active(x86_cpu_AVX512F) && x86_cpu_active(x86_cpu_AVX512BW) &&
                   x86_cpu_active(x86_cpu_AVX512VL)
               ? MEM_64
               : MEM_32;
}

/* Nothing of AMD's was measured: vectors of 64 bytes, stores past the caches, string instructions (slow where the
 * target is not aligned). Only its processors have SSE4A. source: AMD, "Architecture Programmer's Manual", volume 3,
 * CPUID function 0x80000001. */
static bool is_amd(void) { return x86_cpu_present(x86_cpu_SSE4A); }

/* Vectors of 64 bytes were measured where they win on Sapphire Rapids' successor only. Its line is known by its halves
 * of floating point; older processors of Intel lower their clock, or store slower, and AMD's were not at hand. */
static enum mem_level best_level(void)
{
    const enum mem_level most = mem_level_max();

    return most == MEM_64 && (is_amd() || !x86_cpu_active(x86_cpu_AVX512_FP16)) ? MEM_32 : most;
}

/* Bytes of the second-level cache of one core. */
static size_t second_cache(void)
{
    enum { UNKNOWN = 512 << 10, LEAST = 128 << 10, MOST = 4 << 20 };
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);

    if (bytes <= 0)
        return UNKNOWN;
    return bytes < LEAST ? LEAST : bytes > MOST ? MOST : (size_t)bytes;
}

static struct mem_limits limits_of_machine(void)
{
    enum { REPEAT_LEAST = 4096, CACHES = 32 };
    const size_t cache = second_cache();
    struct mem_limits limits = {.level = best_level(), .copy_nt = NEVER, .copy_rep = NEVER, .set_rep = NEVER};

    if (!is_told() || is_amd())
        return limits;
    limits.copy_nt.least = CACHES * cache;
    if (x86_cpu_active(x86_cpu_FSRM))
        limits.copy_rep = limits.set_rep = (struct mem_range){REPEAT_LEAST, SIZE_MAX};
    else if (x86_cpu_active(x86_cpu_ERMS))
        limits.set_rep = (struct mem_range){cache, SIZE_MAX};
    return limits;
}

#else
enum mem_level mem_level_max(void) { return MEM_16; }

static struct mem_limits limits_of_machine(void)
{
    return (struct mem_limits){.level = MEM_16, .copy_nt = NEVER, .copy_rep = NEVER, .set_rep = NEVER};
}
#endif

/* The level that the option names: "auto", or one more than the level. */
static enum mem_level level_of(uint64_t number, enum mem_level automatic)
{
    const enum mem_level most = mem_level_max();

    if (number == 0)
        return automatic;
    return number - 1 < most ? (enum mem_level)(number - 1) : most;
}

/* The number of a SIZE option whose words are "auto" and "off". */
static size_t bytes_of(uint64_t number, size_t automatic)
{
    enum { AUTO, OFF };

    if (number == OPTION_WORD(AUTO))
        return automatic;
    return number == OPTION_WORD(OFF) ? SIZE_MAX : (size_t)number;
}

/* The first length that is not a loop's without a question. */
static size_t loop_end(size_t one, size_t other)
{
    const size_t least = one < other ? one : other;

    return least < PTRDIFF_MAX ? least : PTRDIFF_MAX;
}

void mem_start(const struct option_settings *settings)
{
    const uint64_t *const numbers = settings->numbers;
    struct mem_limits limits = limits_of_machine();

    limits.level = level_of(numbers[OPTION_mem_level], limits.level);
    limits.copy_nt.least = bytes_of(numbers[OPTION_mem_copy_nt_min], limits.copy_nt.least);
    limits.copy_rep.least = bytes_of(numbers[OPTION_mem_copy_rep_min], limits.copy_rep.least);
    limits.copy_rep.most = bytes_of(numbers[OPTION_mem_copy_rep_max], limits.copy_rep.most);
    limits.set_rep.least = bytes_of(numbers[OPTION_mem_set_rep_min], limits.set_rep.least);
    limits.set_rep.most = bytes_of(numbers[OPTION_mem_set_rep_max], limits.set_rep.most);
    limits.copy_loop_end = loop_end(limits.copy_nt.least, limits.copy_rep.least);
    limits.set_loop_end = loop_end(SIZE_MAX, limits.set_rep.least);
    mem_limits = limits;
}
