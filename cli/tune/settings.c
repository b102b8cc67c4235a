/* settings.c: variants and advice as options: what forces the one, and what the other comes to. */
#include "tune.h"

#define CACHED "mem_copy_nt_min:off,"
#define LOOPS CACHED "mem_copy_rep_min:off,mem_set_rep_min:off,"

const struct tune_variant_info tune_variants[TUNE_VARIANTS] = {
    [TUNE_LIBC] = {"libc", NULL},
    [TUNE_SSE2] = {"sse2", LOOPS "mem_level:sse2"},
    [TUNE_AVX2] = {"avx2", LOOPS "mem_level:avx2"},
    [TUNE_AVX512] = {"avx512", LOOPS "mem_level:avx512"},
    [TUNE_AUTO_LOOP] = {"auto", LOOPS "mem_level:auto"},
    [TUNE_STRING] = {"string", CACHED "mem_copy_rep_min:1,mem_copy_rep_max:off,mem_set_rep_min:1,mem_set_rep_max:off"},
    [TUNE_NT] = {"nt", "mem_copy_nt_min:1"},
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
        const struct tune_ways *const ways = &advice->ways[operation];
        if (tune_changes_string(ways)) {
            put_bound(text, keys[operation][0], ways->string.least);
            put_bound(text, keys[operation][1], ways->string.most);
        }
        if (tune_changes_nt(ways))
            put_bound(text, "mem_copy_nt_min", ways->nt_from);
    }
    return fclose(text) == 0 ? conf : NULL;
}

void tune_put_tunables(FILE *text, const struct tune_advice *advice)
{
    const struct tune_ways *const copy = &advice->ways[TUNE_COPY], *const set = &advice->ways[TUNE_SET];
    const struct {
        const char *name;
        bool is_changed;
        size_t least;
    } tunables[] = {{"x86_rep_movsb_threshold", tune_changes_string(copy), copy->string.least},
                    {"x86_non_temporal_threshold", tune_changes_nt(copy), copy->nt_from},
                    {"x86_rep_stosb_threshold", tune_changes_string(set), set->string.least}};
    const char *before = "for libc's own, not measured: GLIBC_TUNABLES=";

    for (size_t i = 0; i < sizeof tunables / sizeof tunables[0]; i++) {
        if (!tunables[i].is_changed || tunables[i].least == SIZE_MAX)
            continue;
        (void)fprintf(text, "%sglibc.cpu.%s=%zu", before, tunables[i].name, tunables[i].least);
        before = ":";
    }
    if (*before == ':')
        (void)fputc('\n', text);
}
