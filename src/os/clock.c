/* clock.c: time without a system call, from the vDSO that the kernel maps into every process.
 *
 * The vDSO is an ELF image; its clock_gettime is found by name in the dynamic symbol table. libc's clock_gettime is not
 * used: a program may interpose it, and a sandbox may kill the system call it falls back to. source: vdso(7); System V
 * gABI, "Symbol Table". */
#include "os/os.h"

#include <elf.h>
#include <sys/syscall.h>
#include <time.h>

typedef int clock_function(clockid_t, struct timespec *);

/* Set once by os_clock_start(), before any reader. */
static clock_function *vdso_clock;

/* Stands in for time where there is no vDSO: calls, and milliseconds slept. It begins at 25 days, as if the machine had
 * been up so long: a time of the last event that begins at 0 is then long ago, as it is by the kernel's clock. */
static _Atomic uint64_t counted = (uint64_t)1 << 31;

static bool same_name(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const char *clock_name(void)
{
#if defined(__aarch64__)
    return "__kernel_clock_gettime";
#else
    return "__vdso_clock_gettime";
#endif
}

/* What the dynamic section says; addresses in it are relative to the image's load bias. */
struct vdso_tables {
    const Elf64_Sym *symbols;
    const char *names;
    const Elf64_Word *hash; /* DT_HASH: word 1 is the number of symbols */
    const Elf64_Word *gnu_hash;
};

static struct vdso_tables tables_of(uintptr_t bias, const Elf64_Dyn *entry)
{
    struct vdso_tables tables = {0};

    for (; entry->d_tag != DT_NULL; entry++) {
        const uintptr_t address = bias + entry->d_un.d_ptr;
        if (entry->d_tag == DT_SYMTAB)
            tables.symbols = (const Elf64_Sym *)address;
        else if (entry->d_tag == DT_STRTAB)
            tables.names = (const char *)address;
        else if (entry->d_tag == DT_HASH)
            tables.hash = (const Elf64_Word *)address;
        else if (entry->d_tag == DT_GNU_HASH)
            tables.gnu_hash = (const Elf64_Word *)address;
    }
    return tables;
}

/* Number of symbols, from whichever hash table there is (newer kernels dropped DT_HASH).
 * source: the layout of DT_GNU_HASH as binutils documents it in its bfd sources: buckets, then chains ended by bit 0.
 */
static uint32_t symbol_count(const struct vdso_tables *tables)
{
    if (tables->hash != NULL)
        return tables->hash[1];
    if (tables->gnu_hash == NULL)
        return 0;

    const uint32_t bucket_count = tables->gnu_hash[0];
    const uint32_t first = tables->gnu_hash[1];
    const Elf64_Word *const buckets = tables->gnu_hash + 4 + (size_t)2 * tables->gnu_hash[2];
    uint32_t last = 0;

    for (uint32_t i = 0; i < bucket_count; i++)
        last = buckets[i] > last ? buckets[i] : last;
    if (last < first)
        return 0;
    while ((buckets[bucket_count + last - first] & 1) == 0)
        last++;
    return last + 1;
}

static clock_function *find_clock(const Elf64_Ehdr *image)
{
    const Elf64_Phdr *header = (const Elf64_Phdr *)((uintptr_t)image + image->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    uintptr_t bias = (uintptr_t)image;

    for (int i = 0; i < image->e_phnum; i++, header++) {
        if (header->p_type == PT_LOAD)
            bias = (uintptr_t)image + header->p_offset - header->p_vaddr;
        else if (header->p_type == PT_DYNAMIC)
            dynamic = (const Elf64_Dyn *)((uintptr_t)image + header->p_offset);
    }
    if (dynamic == NULL)
        return NULL;

    const struct vdso_tables tables = tables_of(bias, dynamic);
    const uint32_t count = tables.symbols != NULL && tables.names != NULL ? symbol_count(&tables) : 0;

    for (uint32_t i = 0; i < count; i++) {
        const Elf64_Sym *const symbol = &tables.symbols[i];
        if (symbol->st_shndx != SHN_UNDEF && same_name(tables.names + symbol->st_name, clock_name()))
            return (clock_function *)(bias + symbol->st_value);
    }
    return NULL;
}

void os_clock_start(uintptr_t vdso) { vdso_clock = vdso != 0 ? find_clock((const Elf64_Ehdr *)vdso) : NULL; }

uint64_t os_clock_coarse_ms(void)
{
    struct timespec now;

    if (vdso_clock == NULL || vdso_clock(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return add_relaxed(&counted, 1);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void os_clock_slept(uint32_t ms) { (void)add_relaxed(&counted, ms); }

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)os_call6(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0); /* refused: 0, a time that nobody mistakes */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t os_clock_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

uint64_t os_clock_real_ns(void) { return clock_ns(CLOCK_REALTIME); }
