/* arch.h: what differs between processors: a raw system call, the thread pointer, a pause in a spin.
 *
 * Raw calls, because a program may interpose mmap and friends (allocator pitfall 11), and because libc's set errno.
 * source: Linux syscall(2), section "Architecture calling conventions". */
#ifndef ASHLAR_OS_ARCH_H
#define ASHLAR_OS_ARCH_H

#include "base/config.h"

#if defined(__x86_64__)

static inline long os_call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Address of the thread control block; its first word points to itself (x86-64 psABI, TLS variant II). */
static inline uintptr_t os_thread_pointer(void)
{
    uintptr_t self;

    __asm__("mov %%fs:0, %0" : "=r"(self));
    return self;
}

static inline void os_spin_pause(void) { __builtin_ia32_pause(); }

#elif defined(__aarch64__)

static inline long os_call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

static inline uintptr_t os_thread_pointer(void)
{
    uintptr_t self;

    __asm__("mrs %0, tpidr_el0" : "=r"(self));
    return self;
}

static inline void os_spin_pause(void) { __asm__ volatile("yield"); }

#else
#error "Ashlar runs on x86-64 and aarch64"
#endif

#endif
