/* no_vdso.so.c: a library that hides the vDSO from whoever asks for it by getauxval, as kernels started with vdso=0,
 * valgrind and some emulators do. libc, which does not ask so, keeps its own. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <sys/auxv.h>

unsigned long getauxval(unsigned long type)
{
    if (type == AT_SYSINFO_EHDR) {
        errno = ENOENT;
        return 0;
    }
    unsigned long (*const real)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
    return real(type);
}
