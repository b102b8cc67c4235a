/* settings.c: variants and advice as options: what forces the one, and what the other comes to. */
#include "tune.h"

#define LOOPS ",mem_copy_rep_min:off,mem_set_rep_min:off"

const struct tune_variant_info tune_variants[TUNE_VARIANTS] = {
    [TUNE_LIBC] = {"libc", NULL},
    [TUNE_SSE2] = {"sse2", "mem_level:sse2" LOOPS},
    [TUNE_AVX2] = {"avx2", "mem_level:avx2" LOOPS},
    [TUNE_AVX512] = {"avx512", "mem_level:avx512" LOOPS},
    [TUNE_AUTO_LOOP] = {"auto", "mem_level:auto" LOOPS},
    [TUNE_STRING] = {"string", "mem_copy_rep_min:1,mem_copy_rep_max:off,mem_set_rep_min:1,mem_set_rep_max:off"},
    [TUNE_DEFAULT] = {"default", ""},
    [TUNE_AGAIN] = {"again", ""},
};

/* A setting behind those before it. */
static void put_bound(FILE *text, const char *key, size_t bytes)
{
    (void)fprintf(text, "%s%s:", ftell(text) > 0 ? "," : "", key);
    if (bytes == SIZE_MAX)
        (void)fputs("off", text);
    else if (bytes % (1 << 20) == 0)
        (void)fprintf(text, "%zuM", bytes >> 20);
    else if (bytes % (1 << 10) == 0)
        (void)fprintf(text, "%zuK", bytes >> 10);
    else
        (void)fprintf(text, "%zu", bytes);
}

char *tune_conf(const struct tune_advice *advice)
{
    static const char *const keys[TUNE_OPERATIONS][2] = {{"mem_copy_rep_min", "mem_copy_rep_max"},
                                                         {"mem_set_rep_min", "mem_set_rep_max"}};
    char *conf = NULL;
    size_t bytes;
    FILE *const text = open_memstream(&conf, &bytes);

    if (text == NULL)
        return NULL;
    if (advice->changes_level)
        (void)fprintf(text, "mem_level:%s", tune_variants[advice->level].name);
    for (int operation = 0; operation < TUNE_OPERATIONS; operation++) {
        if (!advice->changes[operation])
            continue;
        put_bound(text, keys[operation][0], advice->range[operation].least);
        put_bound(text, keys[operation][1], advice->range[operation].most);
    }
    return fclose(text) == 0 ? conf : NULL;
}

void tune_put_tunables(FILE *text, const struct tune_advice *advice)
{
    static const char *const names[TUNE_OPERATIONS] = {"x86_rep_movsb_threshold", "x86_rep_stosb_threshold"};
    const char *before = "for libc's own, not measured: GLIBC_TUNABLES=";

    for (int operation = 0; operation < TUNE_OPERATIONS; operation++) {
        const size_t least = advice->range[operation].least;
        if (!advice->changes[operation] || least == SIZE_MAX)
            continue;
        (void)fprintf(text, "%sglibc.cpu.%s=%zu", before, names[operation], least);
        before = ":";
    }
    if (*before == ':')
        (void)fputc('\n', text);
}
