/* level.c: what the processor can do, and from which lengths on its string instructions are worth their start.
 *
 * Asked once, by a constructor: the question traps in a virtual machine, and costs as much as a page fault. Sizes of
 * caches are those of one core: a guest is told sizes of shared caches that it will never have. docs/design/023. */
#include "mem/mem.h"

struct mem_limits mem_limits;

#if defined(__x86_64__)
#include <cpuid.h>

enum { UNKNOWN_CACHE = 512 << 10, CACHE_LEAST = 128 << 10, CACHE_MOST = 4 << 20 };

/* One answer of the CPUID instruction; zeros where the processor does not know the question. */
struct answer {
    unsigned a, b, c, d;
};

static struct answer ask(unsigned leaf, unsigned part)
{
    struct answer answer = {0};

    (void)__get_cpuid_count(leaf, part, &answer.a, &answer.b, &answer.c, &answer.d);
    return answer;
}

/* Register states that the kernel saves when threads are switched: XCR0. 0 where it does not use the instruction. */
static uint64_t saved_states(void)
{
    const unsigned uses_xsave = 1u << 27;
    uint32_t low, high;

    if ((ask(1, 0).c & uses_xsave) == 0)
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

enum mem_level mem_level_max(void)
{
    const uint64_t ymm = 3u << 1, zmm = 7u << 5 | ymm;
    const unsigned avx2 = 1u << 5, avx512 = 1u << 16 | 1u << 30 | 1u << 31; /* F, BW, VL */
    const uint64_t saved = saved_states();
    const unsigned has = ask(7, 0).b;

    if ((saved & zmm) == zmm && (has & avx512) == avx512 && (has & avx2) != 0)
        return MEM_64;
    return (saved & ymm) == ymm && (has & avx2) != 0 ? MEM_32 : MEM_16;
}

static bool is_amd(void)
{
    const struct answer vendor = ask(0, 0);

    return vendor.b == 0x68747541 && vendor.d == 0x69746e65 && vendor.c == 0x444d4163; /* "AuthenticAMD" */
}

/* Bytes of the second-level cache of one core. source: Intel, "Software Developer's Manual", CPUID leaf 4; AMD,
 * "Architecture Programmer's Manual", CPUID leaf 0x8000001d: the same layout. */
static size_t second_cache(void)
{
    enum { PARTS = 8, NO_CACHE = 0, OF_INSTRUCTIONS = 2 };
    const unsigned leaf = is_amd() ? 0x8000001d : 4;

    for (unsigned part = 0; part < PARTS; part++) {
        const struct answer cache = ask(leaf, part);
        const unsigned kind = cache.a & 31, level = cache.a >> 5 & 7;
        if (kind == NO_CACHE)
            break;
        if (level != 2 || kind == OF_INSTRUCTIONS)
            continue;
        const size_t ways = (cache.b >> 22) + 1, partitions = (cache.b >> 12 & 1023) + 1;
        const size_t line = (cache.b & 4095) + 1, sets = (size_t)cache.c + 1;
        const size_t bytes = ways * partitions * line * sets;
        return bytes < CACHE_LEAST ? CACHE_LEAST : bytes > CACHE_MOST ? CACHE_MOST : bytes;
    }
    return UNKNOWN_CACHE;
}

void mem_start(void)
{
    const unsigned has_quick_movs = 1u << 4, has_quick_stos = 1u << 9;
    const size_t cache = second_cache();

    if (!is_amd() && (ask(7, 0).d & has_quick_movs) != 0)
        mem_limits.copy_rep = (struct mem_range){cache / 2, SIZE_MAX};
    if (!is_amd() && (ask(7, 0).b & has_quick_stos) != 0)
        mem_limits.set_rep = (struct mem_range){cache, SIZE_MAX};
    mem_limits.level = mem_level_max();
}

#else
enum mem_level mem_level_max(void) { return MEM_16; }
void mem_start(void) {}
#endif
