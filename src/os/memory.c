/* memory.c: mappings. The flags that Debian 12's headers may lack are stated with their kernel version. */
#include "os/os.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17; older kernels take the address as a hint */
#endif

static bool refused(long result) { return (unsigned long)result > -4096ul; }

static int error_of(long result) { return refused(result) ? (int)-result : 0; }

static long map(void *address, size_t bytes, int protection, int flags, int descriptor)
{
    return os_call6(SYS_mmap, (long)address, (long)bytes, protection, flags, descriptor, 0);
}

void *os_map(void *address, size_t bytes, int *error)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (address != NULL ? MAP_FIXED_NOREPLACE : 0);
    const long result = map(address, bytes, PROT_READ | PROT_WRITE, flags, -1);
    int why = error_of(result);

    if (why == 0 && address != NULL && (void *)result != address) {
        (void)os_unmap((void *)result, bytes); /* a kernel or emulator that knows no NOREPLACE took it as a hint */
        why = EEXIST;
    }
    if (error != NULL)
        *error = why;
    return why == 0 ? (void *)result : NULL;
}

void *os_map_nothing(void *address, size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (address != NULL ? MAP_FIXED : 0);
    const long result = map(address, bytes, PROT_NONE, flags, -1);

    return refused(result) ? NULL : (void *)result;
}

int os_unmap(void *address, size_t bytes)
{
    return error_of(os_call6(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0));
}

int os_open_up(void *address, size_t bytes)
{
    return error_of(os_call6(SYS_mprotect, (long)address, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0));
}

int os_purge(void *address, size_t bytes)
{
    return error_of(os_call6(SYS_madvise, (long)address, (long)bytes, MADV_DONTNEED, 0, 0, 0));
}

int os_advise_dontfork(void *address, size_t bytes)
{
    return error_of(os_call6(SYS_madvise, (long)address, (long)bytes, MADV_DONTFORK, 0, 0, 0));
}

void *os_remap(void *address, size_t old_bytes, size_t new_bytes)
{
    const long result = os_call6(SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, MREMAP_MAYMOVE, 0, 0);

    return refused(result) ? NULL : (void *)result;
}

void *os_map_file(int descriptor, size_t bytes)
{
    const long result = map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor);

    return refused(result) ? NULL : (void *)result;
}
