/* cxx.c: the C++ operators (C++20 [new.delete]), under the names that the Itanium C++ ABI gives them, written in C so
 * that the library needs no libstdc++.
 *
 *   Zn new, Zd delete; w one object, a an array; m size_t; Pv void *; St11align_val_t; RKSt9nothrow_t
 *
 * A throwing new that fails calls the program's new-handler until there is none left, then throws std::bad_alloc: both
 * belong to libstdc++, found by weak reference, or by dlsym when it was loaded later. This file is compiled with
 * -fexceptions: the exception passes through its frames. A nothrow new must also survive a handler that throws, which
 * takes a C++ function: libstdc++'s own, which calls our throwing form and catches. */
#include "api/api.h"

#include <dlfcn.h>
#include <stdlib.h>

#if ASHLAR_OVERRIDE

typedef void new_handler(void);

extern new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));     /* std::get_new_handler() */
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn)); /* std::__throw_bad_alloc() */

static new_handler *handler_now(void)
{
    new_handler *(*get)(void) = _ZSt15get_new_handlerv;

    if (get == NULL)
        get = (new_handler * (*)(void)) dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv");
    return get != NULL ? get() : NULL;
}

__attribute__((noreturn)) static void throw_bad_alloc(void)
{
    void (*throw_it)(void) = _ZSt17__throw_bad_allocv;

    if (throw_it == NULL)
        throw_it = (void (*)(void))dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
    if (throw_it != NULL)
        throw_it();
    abort();
}

static void *allocate(size_t bytes, size_t alignment, const char *in)
{
    return alignment <= BLOCK_ALIGN ? api_malloc_slow(bytes, in) : api_aligned(alignment, bytes, in);
}

static COLD void *new_slow(size_t bytes, size_t alignment, const char *in)
{
    for (;;) {
        void *const block = allocate(bytes, alignment, in);
        if (block != NULL)
            return block;
        new_handler *const handler = handler_now();
        if (handler == NULL)
            throw_bad_alloc();
        handler();
    }
}

/* `next_name`: libstdc++'s operator of the same kind. */
static COLD void *new_nothrow_slow(size_t bytes, size_t alignment, const void *nothrow, const char *in,
                                   const char *next_name)
{
    void *const block = allocate(bytes, alignment, in);

    if (block != NULL || handler_now() == NULL)
        return block;
    void *const next = dlsym(RTLD_NEXT, next_name);

    if (next == NULL)
        return NULL;
    return alignment == 0 ? ((void *(*)(size_t, const void *))next)(bytes, nothrow)
                          : ((void *(*)(size_t, size_t, const void *))next)(bytes, alignment, nothrow);
}

ALWAYS_INLINE void *new_plain(size_t bytes, const char *in)
{
    void *const block = api_malloc_fast(bytes);

    return likely(block != NULL) ? block : new_slow(bytes, 0, in);
}

ALWAYS_INLINE void *new_nothrow(size_t bytes, const void *nothrow, const char *in, const char *next_name)
{
    void *const block = api_malloc_fast(bytes);

    return likely(block != NULL) ? block : new_nothrow_slow(bytes, 0, nothrow, in, next_name);
}

/* The four forms of new and the six of delete, for one object and for an array. */
#define OPERATORS(n, d, new_name, delete_name)                                                                         \
    EXPORT void *_Zn##n##m(size_t bytes);                                                                              \
    EXPORT void *_Zn##n##m(size_t bytes) { return new_plain(bytes, new_name); }                                        \
    EXPORT void *_Zn##n##mRKSt9nothrow_t(size_t bytes, const void *nothrow);                                           \
    EXPORT void *_Zn##n##mRKSt9nothrow_t(size_t bytes, const void *nothrow)                                            \
    {                                                                                                                  \
        return new_nothrow(bytes, nothrow, new_name, "_Zn" #n "mRKSt9nothrow_t");                                      \
    }                                                                                                                  \
    EXPORT void *_Zn##n##mSt11align_val_t(size_t bytes, size_t alignment);                                             \
    EXPORT void *_Zn##n##mSt11align_val_t(size_t bytes, size_t alignment)                                              \
    {                                                                                                                  \
        return new_slow(bytes, alignment, new_name);                                                                   \
    }                                                                                                                  \
    EXPORT void *_Zn##n##mSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment, const void *nothrow);          \
    EXPORT void *_Zn##n##mSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment, const void *nothrow)           \
    {                                                                                                                  \
        return new_nothrow_slow(bytes, alignment, nothrow, new_name, "_Zn" #n "mSt11align_val_tRKSt9nothrow_t");       \
    }                                                                                                                  \
    EXPORT void _Zd##d##Pv(void *block);                                                                               \
    EXPORT void _Zd##d##Pv(void *block) { api_free(block, delete_name); }                                              \
    EXPORT void _Zd##d##Pvm(void *block, size_t bytes);                                                                \
    EXPORT void _Zd##d##Pvm(void *block, size_t bytes)                                                                 \
    {                                                                                                                  \
        api_check_size(block, BLOCK_ALIGN, bytes, true, delete_name);                                                  \
        api_free(block, delete_name);                                                                                  \
    }                                                                                                                  \
    EXPORT void _Zd##d##PvRKSt9nothrow_t(void *block, const void *nothrow);                                            \
    EXPORT void _Zd##d##PvRKSt9nothrow_t(void *block, const void *nothrow)                                             \
    {                                                                                                                  \
        (void)nothrow;                                                                                                 \
        api_free(block, delete_name);                                                                                  \
    }                                                                                                                  \
    EXPORT void _Zd##d##PvSt11align_val_t(void *block, size_t alignment);                                              \
    EXPORT void _Zd##d##PvSt11align_val_t(void *block, size_t alignment)                                               \
    {                                                                                                                  \
        api_check_alignment(block, alignment, delete_name);                                                            \
        api_free(block, delete_name);                                                                                  \
    }                                                                                                                  \
    EXPORT void _Zd##d##PvmSt11align_val_t(void *block, size_t bytes, size_t alignment);                               \
    EXPORT void _Zd##d##PvmSt11align_val_t(void *block, size_t bytes, size_t alignment)                                \
    {                                                                                                                  \
        api_check_alignment(block, alignment, delete_name);                                                            \
        api_check_size(block, alignment, bytes, true, delete_name);                                                    \
        api_free(block, delete_name);                                                                                  \
    }                                                                                                                  \
    EXPORT void _Zd##d##PvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow);           \
    EXPORT void _Zd##d##PvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow)            \
    {                                                                                                                  \
        api_check_alignment(block, alignment, delete_name);                                                            \
        (void)nothrow;                                                                                                 \
        api_free(block, delete_name);                                                                                  \
    }

OPERATORS(w, l, "operator new", "operator delete")
OPERATORS(a, a, "operator new[]", "operator delete[]")

#endif
