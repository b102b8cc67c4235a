/* places.h: the stacks a program may find itself on. run_on_...(body) calls body there and comes back. */
#ifndef STACK_PLACES_H
#define STACK_PLACES_H

#include "../lib/test.h"

#include <ashlar_stack.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef void place_body(void);

static inline size_t place_page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline void *place_map(size_t bytes)
{
    void *const start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    return start;
}

/* Where the caller's stack ends; its kind must be known. */
static inline struct ashlar_stack_info place_bounds(void)
{
    struct ashlar_stack_info info;
    CHECK_EQ(ashlar_stack_bounds(&info), 0);
    return info;
}

/* Whether `at` lies on the stack that the caller runs on. */
static inline bool is_on_stack(const void *at)
{
    const struct ashlar_stack_info info = place_bounds();
    return (const char *)at >= (char *)info.lo && (const char *)at < (char *)info.hi;
}

/* Leave the test as skipped where mappings are not the test's alone. Called when the work is done, before it is judged.
 */
static inline void needs_own_mappings(void)
{
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        SKIP("a sanitizer has mappings of its own for each thread");
}

/* ---- A thread ---- */

static inline void *place_thread(void *body)
{
    (*(place_body **)body)();
    return NULL;
}

/* On a stack of `stack_bytes`, or the least that libc allows: 16 KiB, on 64-bit Arm 128 KiB. Under a sanitizer a small
 * one would not hold what it keeps there. */
static inline void run_on_thread(size_t stack_bytes, place_body *body)
{
    if (stack_bytes < (size_t)PTHREAD_STACK_MIN)
        stack_bytes = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_t attributes;
    pthread_t thread;
    if (TEST_UNDER_ASAN || TEST_UNDER_TSAN)
        stack_bytes += MIB;
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, stack_bytes), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, place_thread, &body), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_attr_destroy(&attributes), 0);
}

/* ---- An alternate signal stack ---- */

static place_body *place_handler_body;

static inline void place_handler(int signal)
{
    (void)signal;
    place_handler_body();
}

static inline size_t place_signal_bytes(void) { return getauxval(AT_MINSIGSTKSZ) + 256 * KIB; }

/* On `bytes` at `start`, set with the flags `flags`. */
static inline void run_on_signal_stack_at(void *start, size_t bytes, int flags, place_body *body)
{
    const stack_t stack = {.ss_sp = start, .ss_size = bytes, .ss_flags = flags};
    const stack_t none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = place_handler, .sa_flags = SA_ONSTACK};
    place_handler_body = body;
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR2, &action, NULL), 0);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(sigaltstack(&none, NULL), 0);
}

static inline void run_on_signal_stack(place_body *body)
{
    (void)ashlar_stack_left(); /* the first call of a thread may not be made in a handler */
    const size_t bytes = place_signal_bytes();
    void *const start = place_map(bytes);
    run_on_signal_stack_at(start, bytes, 0, body);
    CHECK_EQ(munmap(start, bytes), 0);
}

/* ---- A coroutine ---- */

static inline void run_on_coroutine(place_body *body)
{
    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer does not follow a change of stacks");
    static ucontext_t here, there;
    const size_t bytes = 256 * KIB;
    void *const start = place_map(bytes);
    CHECK_EQ(getcontext(&there), 0);
    there.uc_stack.ss_sp = start;
    there.uc_stack.ss_size = bytes;
    there.uc_link = &here;
    makecontext(&there, body, 0);
    CHECK_EQ(swapcontext(&here, &there), 0);
    CHECK_EQ(munmap(start, bytes), 0);
}

/* ---- A child ---- */

static inline void run_in_child(place_body *body)
{
    EXITS(0) { body(); }
}

#endif
