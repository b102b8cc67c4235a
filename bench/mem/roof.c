/* roof.c: how fast the memory is at all, and how to take code and data out of the caches. */
#include "measure.h"

#include <sys/mman.h>

#if defined(__x86_64__)
#include <immintrin.h>

/* ---- Loads, stores, stores past the caches, in the widest vectors ------------------------------------------------ */

typedef void going_over(unsigned char *at, size_t bytes);

/* `bytes` is a multiple of four vectors. What is loaded goes into an empty asm, so that it must be loaded. */
#define LOOPS(wide, feature, vector, load, put, stream, broadcast)                                                     \
    __attribute__((target(feature))) static void load_##wide(unsigned char *at, size_t bytes)                          \
    {                                                                                                                  \
        for (unsigned char *const end = at + bytes; at < end; at += 4 * wide) {                                        \
            const vector a = load((const void *)at), b = load((const void *)(at + wide));                              \
            const vector c = load((const void *)(at + 2 * wide)), d = load((const void *)(at + 3 * wide));             \
            __asm__ volatile("" : : "v"(a), "v"(b), "v"(c), "v"(d));                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    __attribute__((target(feature))) static void store_##wide(unsigned char *at, size_t bytes)                         \
    {                                                                                                                  \
        const vector v = broadcast(0x5a);                                                                              \
        for (unsigned char *const end = at + bytes; at < end; at += 4 * wide) {                                        \
            put((void *)at, v);                                                                                        \
            put((void *)(at + wide), v);                                                                               \
            put((void *)(at + 2 * wide), v);                                                                           \
            put((void *)(at + 3 * wide), v);                                                                           \
            __asm__ volatile("" : : : "memory");                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    __attribute__((target(feature))) static void stream_##wide(unsigned char *at, size_t bytes)                        \
    {                                                                                                                  \
        const vector v = broadcast(0x5a);                                                                              \
        for (unsigned char *const end = at + bytes; at < end; at += 4 * wide) {                                        \
            stream((void *)at, v);                                                                                     \
            stream((void *)(at + wide), v);                                                                            \
            stream((void *)(at + 2 * wide), v);                                                                        \
            stream((void *)(at + 3 * wide), v);                                                                        \
        }                                                                                                              \
        _mm_sfence();                                                                                                  \
    }

LOOPS(16, "sse2", __m128i, _mm_load_si128, _mm_store_si128, _mm_stream_si128, _mm_set1_epi8)
LOOPS(32, "avx2", __m256i, _mm256_load_si256, _mm256_store_si256, _mm256_stream_si256, _mm256_set1_epi8)
LOOPS(64, "avx512f", __m512i, _mm512_load_si512, _mm512_store_si512, _mm512_stream_si512, _mm512_set1_epi32)

/* In the order of width: 16, 32, 64. */
static const struct {
    const char *kind;
    going_over *loops[3];
} kinds[] = {{"load", {load_16, load_32, load_64}},
             {"store", {store_16, store_32, store_64}},
             {"stream", {stream_16, stream_32, stream_64}}};

static going_over *widest(going_over *const loops[3])
{
    if (__builtin_cpu_supports("avx512f"))
        return loops[2];
    return __builtin_cpu_supports("avx2") ? loops[1] : loops[0];
}

int64_t roof_nanoseconds(const char *kind, unsigned char *at, size_t bytes, size_t times)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].kind, kind) != 0)
            continue;
        going_over *const loop = widest(kinds[i].loops);
        loop(at, bytes);
        const int64_t start = nanoseconds_now();
        for (size_t time = 0; time < times; time++)
            loop(at, bytes);
        return nanoseconds_now() - start;
    }
    fail("there is no roof '%s'", kind);
}

/* ---- Cold ---------------------------------------------------------------------------------------------------------- */

enum { CACHE_LINE = 64, OTHER_CODE_BYTES = 256 << 10 };

/* A chain of jumps, one in each cache line of code, that ends in a return. */
static unsigned char *make_chain(void)
{
    static const unsigned char jump[] = {0xe9, CACHE_LINE - 5, 0, 0, 0}; /* from its end to the next line */
    unsigned char *const code =
        mmap(NULL, OTHER_CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        fail("mmap: %s", strerror(errno));
    for (size_t at = 0; at < OTHER_CODE_BYTES; at += CACHE_LINE)
        memcpy(code + at, jump, sizeof jump);
    code[OTHER_CODE_BYTES - CACHE_LINE] = 0xc3;
    if (mprotect(code, OTHER_CODE_BYTES, PROT_READ | PROT_EXEC) != 0)
        fail("mprotect: %s", strerror(errno));
    return code;
}

bool code_cool(void)
{
    static unsigned char *chain;
    void (*run)(void);
    if (chain == NULL)
        chain = make_chain();
    memcpy(&run, &chain, sizeof run);
    run();
    return true;
}

bool range_cool(const unsigned char *at, size_t bytes)
{
    const unsigned char *const end = at + bytes;
    for (const unsigned char *line = at - (uintptr_t)at % CACHE_LINE; line < end; line += CACHE_LINE)
        _mm_clflush(line);
    _mm_mfence();
    return true;
}

#else
int64_t roof_nanoseconds(const char *kind, unsigned char *at, size_t bytes, size_t times)
{
    (void)kind, (void)at, (void)bytes, (void)times;
    return -1;
}

bool code_cool(void) { return false; }

bool range_cool(const unsigned char *at, size_t bytes)
{
    (void)at, (void)bytes;
    return false;
}
#endif
