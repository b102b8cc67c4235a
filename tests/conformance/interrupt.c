/* interrupt.c: rule 7, a signal handler that interrupts the heap may call it, and may fork: no hang, no damage.
 *
 *   heap's slow path --- system call ---> the kernel sends SIGSYS instead --> handler: uses the heap, or forks;
 *        ^                                                                    then makes the system call itself
 *        +--------------------------- with its result ------------------------------------------+
 *
 * Every system call of the heap becomes such an interruption, at the very place where its locks are held. libc's text
 * is exempt, so nothing but the heap is caught (prctl(2), PR_SET_SYSCALL_USER_DISPATCH). */
#include "../lib/blocks.h"

#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#if !defined(__x86_64__)
TEST(system_calls_can_be_caught) { SKIP("the kernel catches system calls for their own process on x86-64 only"); }
#elif TEST_UNDER_TSAN
TEST(system_calls_can_be_caught) { SKIP("the thread sanitizer's own system calls would be caught"); }
#else

enum { DISPATCH_OFF = 0, DISPATCH_ON = 1, LET_PASS = 0, CATCH = 1 }; /* linux/prctl.h, since Linux 5.11 */
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile char selector = LET_PASS;
static void (*intrusion)(void);
static int intrusions;
static long caught_call;
static pid_t process;

static long make_the_call(const greg_t *registers)
{
    long result = syscall(registers[REG_RAX], registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                          registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    return result == -1 ? -errno : result;
}

static void on_system_call(int number, siginfo_t *information, void *context)
{
    (void)number;
    int kept = errno;
    selector = LET_PASS;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RAX] = information->si_syscall;
    intrusions++;
    caught_call = information->si_syscall;
    intrusion();
    registers[REG_RAX] = make_the_call(registers);
    selector = getpid() == process ? CATCH : LET_PASS;
    errno = kept;
}

static int find_libc(struct dl_phdr_info *object, size_t bytes, void *range)
{
    (void)bytes;
    if (strstr(object->dlpi_name, "/libc.so") == NULL)
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_flags & PF_X) {
            ((uintptr_t *)range)[0] = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
            ((uintptr_t *)range)[1] = object->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

/* From here on `body` runs at every system call of the heap in this thread. */
static void catch_system_calls_from_the_start(void (*body)(void))
{
    uintptr_t libc[2] = {0, 0};
    CHECK_EQ(dl_iterate_phdr(find_libc, libc), 1);
    struct sigaction action = {.sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
    CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
    intrusion = body;
    process = getpid();
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, libc[0], libc[1], &selector) != 0)
        SKIP("this kernel does not catch system calls for their own process");
    selector = CATCH;
}

static void catch_system_calls(void (*body)(void))
{
    free(malloc(1)); /* the library has started */
    catch_system_calls_from_the_start(body);
}

/* ---- What is interrupted ----------------------------------------------------------------------------------------- */

enum { BLOCKS = 600 };
static void *blocks[BLOCKS];
static size_t usable[BLOCKS];

static size_t size_of(int i) { return i % 60 == 59 ? HUGE_BYTES + 4096 : i % 20 == 19 ? 3 * MIB : (size_t)(i * i / 2); }

static void take_all(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(size_of(i));
        CHECK(blocks[i] != NULL);
        usable[i] = malloc_usable_size(blocks[i]);
        fill(blocks[i], usable[i] < 256 * KIB ? usable[i] : 256 * KIB, (uint64_t)i);
    }
}

static void check(int i) { CHECK(is_filled(blocks[i], usable[i] < 256 * KIB ? usable[i] : 256 * KIB, (uint64_t)i)); }

static void resize_some(void)
{
    for (int i = 0; i < BLOCKS; i += 7) {
        size_t kept = usable[i] < 256 * KIB ? usable[i] : 256 * KIB;
        blocks[i] = realloc(blocks[i], usable[i] * 2 + 100);
        CHECK(blocks[i] != NULL && is_filled(blocks[i], kept, (uint64_t)i));
        usable[i] = malloc_usable_size(blocks[i]);
        fill(blocks[i], usable[i] < 256 * KIB ? usable[i] : 256 * KIB, (uint64_t)i);
    }
}

static void give_all_back(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        check(i);
        free(blocks[i]);
    }
}

static void work(void)
{
    for (int round = 0; round < 2; round++) {
        take_all();
        resize_some();
        give_all_back();
        ashlar_purge();
    }
}

/* ---- What interrupts --------------------------------------------------------------------------------------------- */

static void use_blocks_of(size_t bytes)
{
    void *one = malloc(bytes), *zeroed = calloc(1, bytes), *aligned = memalign(128, bytes);
    CHECK(one != NULL && zeroed != NULL && aligned != NULL);
    CHECK(is_aligned(one, 16) && is_aligned(zeroed, 16) && is_aligned(aligned, 128));
    size_t some = bytes < 10000 ? bytes : 10000;
    CHECK(is_zero(zeroed, some));
    fill(one, some, 77), fill(zeroed, some, 78), fill(aligned, some, 79);
    if (bytes < MIB) {
        one = realloc(one, bytes * 2 + 1);
        CHECK(one != NULL);
    }
    CHECK(is_filled(one, some, 77) && is_filled(zeroed, some, 78) && is_filled(aligned, some, 79));
    free(one), free(zeroed), free(aligned);
}

static void use_the_heap(void)
{
    static const size_t sizes[] = {0, 24, 100, 1000, 10000, 100000, 1000000, 40000000};
    for (size_t i = 0; i < COUNT(sizes); i++)
        if (sizes[i] < MIB || intrusions % 32 == 1)
            use_blocks_of(sizes[i]);
}

/* Blocks made before, in the heap that is being interrupted, of every kind. */
static void *victims[300];

static void make_victims(void)
{
    for (size_t i = 0; i < COUNT(victims); i++) {
        victims[i] = malloc(i % 100 == 99 ? HUGE_BYTES + 1 : i % 10 == 9 ? 300000 : i * 3);
        CHECK(victims[i] != NULL);
        memset(victims[i], 5, 1 + i * 2);
    }
}

/* What cannot be done just now may be refused (realloc) or left undone (free); it may not go wrong. */
static void resize_and_free_victims(void)
{
    static size_t next;
    for (size_t end = next + 5; next < end && next < COUNT(victims); next++) {
        unsigned char *moved = next % 2 ? realloc(victims[next], next * 1000 + 1) : NULL;
        if (moved != NULL) {
            CHECK_EQ(moved[next * 2], 5);
            victims[next] = moved;
        }
        free(victims[next]);
    }
}

static void expect_exit_0(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        test_fail(__FILE__, __LINE__, "a child forked in the handler ended with wait status 0x%x", status);
}

static void fork_and_use_the_heap(void)
{
    if (intrusions % 4 != 1)
        return;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        use_the_heap();
        for (int i = 0; i < BLOCKS; i++)
            free(malloc((size_t)i * 10));
        _exit(0);
    }
    expect_exit_0(child);
}

/* The child goes on with what was interrupted, and so does the parent after it. */
static void fork_and_return(void)
{
    if (getpid() != process || intrusions % 64 != 3)
        return;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        alarm(60);
    else
        expect_exit_0(child);
}

static void count_only(void) {}

/* With system calls caught; some there must be, or nothing is tested. A child that came here by returning from the
 * handler has done its part. */
static void work_caught(void)
{
    work();
    if (getpid() != process)
        _exit(0);
    selector = LET_PASS;
    CHECK(intrusions > 20);
}

TEST(system_calls_can_be_caught)
{
    catch_system_calls(count_only);
    work_caught();
    test_note("%d system calls", intrusions);
}

TEST(a_handler_that_interrupts_the_heap_may_use_it)
{
    catch_system_calls(use_the_heap);
    work_caught();
    work();
}

TEST(a_handler_that_interrupts_the_start_may_use_the_heap)
{
    test_restart(NULL);
    catch_system_calls_from_the_start(use_the_heap);
    work_caught();
    work();
}

TEST(a_handler_that_interrupts_the_start_may_fork)
{
    test_restart(NULL);
    catch_system_calls_from_the_start(fork_and_use_the_heap);
    work_caught();
    work();
}

TEST(a_handler_that_interrupts_the_heap_may_resize_and_free_its_blocks)
{
    make_victims();
    catch_system_calls(resize_and_free_victims);
    work_caught();
    work();
}

TEST(a_handler_that_interrupts_the_heap_may_fork_a_child_that_uses_it)
{
    catch_system_calls(fork_and_use_the_heap);
    work_caught();
    work();
}

TEST(a_child_forked_by_such_a_handler_may_return_from_it)
{
    catch_system_calls(fork_and_return);
    work_caught();
    work();
}

static void crash_handler(int number)
{
    (void)number;
    use_the_heap();
    _exit(0);
}

static void crash(void)
{
    if (intrusions == 10)
        raise(SIGSEGV);
}

TEST(a_crash_handler_that_allocates_finishes)
{
    EXITS(0)
    {
        signal(SIGSEGV, crash_handler);
        catch_system_calls(crash);
        work();
        CHECK(false);
    }
}

static void *interrupted_thread(void *unused)
{
    catch_system_calls(use_the_heap);
    for (int i = 0; i < 200; i++) {
        void *block = malloc((size_t)i * 5000);
        CHECK(block != NULL);
        memset(block, 1, (size_t)i * 5000);
        free(block);
    }
    ashlar_purge();
    selector = LET_PASS;
    return unused;
}

/* ---- A fork while another thread stands before its system call ---------------------------------------------------- */

enum { GIVEN_BACK = 8 * 1024 * 1024 };

static pthread_barrier_t before_the_call;
static atomic_bool has_stood;

/* Once: stand still, with dirty memory in hand, until the main thread has forked and its child has ended. */
static void stand_before_giving_back(void)
{
    if (caught_call != SYS_madvise || atomic_exchange(&has_stood, true))
        return;
    pthread_barrier_wait(&before_the_call);
    pthread_barrier_wait(&before_the_call);
}

static void *give_memory_back(void *unused)
{
    void *block = malloc(GIVEN_BACK);
    CHECK(block != NULL);
    memset(block, 1, GIVEN_BACK);
    free(block);
    catch_system_calls(stand_before_giving_back);
    ashlar_purge();
    selector = LET_PASS;
    CHECK(atomic_load(&has_stood));
    return unused;
}

static void expect_clean_memory(void)
{
    static unsigned char *zeroed[2 * GIVEN_BACK / (1024 * 1024)];
    for (size_t i = 0; i < COUNT(zeroed); i++) {
        zeroed[i] = calloc(1, MIB);
        CHECK(zeroed[i] != NULL && is_zero(zeroed[i], MIB));
        memset(zeroed[i], 2, MIB);
    }
    for (size_t i = 0; i < COUNT(zeroed); i++)
        free(zeroed[i]);
    ashlar_purge();
    struct ashlar_stats stats;
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
    CHECK_EQ(stats.dirty_bytes, 0);
}

TEST(a_child_knows_that_memory_was_not_given_back_yet)
{
    pthread_barrier_init(&before_the_call, NULL, 2);
    pthread_t thread = start_thread(give_memory_back, NULL);
    pthread_barrier_wait(&before_the_call);
    EXITS(0) { expect_clean_memory(); }
    pthread_barrier_wait(&before_the_call);
    join_thread(thread);
    expect_clean_memory();
}

TEST(a_handler_in_one_thread_does_not_stop_the_others)
{
    pthread_t thread = start_thread(interrupted_thread, NULL);
    work();
    join_thread(thread);
}

#endif
