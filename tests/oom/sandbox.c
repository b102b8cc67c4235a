/* sandbox.c: a program that has given up nearly all system calls after its start.
 *
 * What the heap may still call is what docs promise: mmap, munmap, mprotect, madvise, mremap, futex. In the trapping
 * form the filter names the forbidden call; in the killing form, as real sandboxes have it, the kernel ends the
 * process. */
#include "../lib/test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "../stress/exchange.h"

enum { THREADS = 3 };

static struct shelf shelves[THREADS + 1];
static struct exchange exchange;
static pthread_barrier_t gate;

/* ---- The filter ----------------------------------------------------------------------------------------------------------- */

static const long allowed[] = {
    SYS_mmap,  SYS_munmap,         SYS_mprotect, SYS_madvise,      SYS_mremap, SYS_futex, /* the heap */
    SYS_write, SYS_exit_group,     SYS_getpid,   SYS_rt_sigreturn,                        /* the harness */
    SYS_exit,  SYS_rt_sigprocmask,                                                        /* the end of a thread */
};
enum { ALLOWED_COUNT = sizeof allowed / sizeof *allowed };

static void name_forbidden_call(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    VIOLATION("system call %d after the start", info->si_syscall);
}

static void enter_sandbox(unsigned verdict)
{
    struct sock_filter code[ALLOWED_COUNT + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (size_t i = 0; i < ALLOWED_COUNT; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i],
                                                   (uint8_t)(ALLOWED_COUNT - i), 0);
    code[ALLOWED_COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict);
    code[ALLOWED_COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {ALLOWED_COUNT + 3, code};
    const struct sigaction action = {.sa_sigaction = name_forbidden_call, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        SKIP("the kernel takes no filter (seccomp)");
}

/* ---- The work ------------------------------------------------------------------------------------------------------------- */

static void work(struct shelf *shelf, struct dice *dice)
{
    struct block block;
    for (size_t i = 0; i < 4000; i++) {
        struct block *place = &shelf->places[shelf_step(shelf, dice)];
        const size_t usable = place->usable;
        if (place->start && exchange_offer(&exchange, dice_roll(dice, EXCHANGE_PLACES), place))
            shelf->live_bytes -= usable;
        if (exchange_accept(&exchange, dice_roll(dice, EXCHANGE_PLACES), &block))
            block_release(&block, i);
        if (i % 500 == 0)
            ashlar_purge();
    }
    shelf_clear(shelf, dice);
}

/* Resizing by remapping, and the largest blocks. */
static void work_on_huge_blocks(void)
{
    struct block block;
    CHECK(block_take(&block, FROM_MALLOC, 0, MIB, 1));
    for (size_t bytes = 2 * MIB; bytes <= 128 * MIB; bytes *= 2)
        CHECK(block_resize(&block, bytes, false, bytes));
    for (size_t bytes = 64 * MIB; bytes >= KIB; bytes /= 4)
        CHECK(block_resize(&block, bytes, false, bytes));
    block_release(&block, 1);
}

/* Has not touched the heap before the sandbox closes: even its heap must be made inside. */
static void *work_inside(void *shelf)
{
    struct dice dice = dice_new();
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    work(shelf, &dice);
    return NULL;
}

static const struct shelf limits = {.live_limit = 16 * MIB, .largest = 2 * MIB};

static void alone_in_the_sandbox(const void *verdict)
{
    struct dice dice = dice_new();
    struct ashlar_stats stats;
    test_restart(NULL);
    shelves[0] = limits;
    enter_sandbox(*(const unsigned *)verdict);
    work(&shelves[0], &dice);
    work_on_huge_blocks();
    CHECK_EQ(ashlar_stats_read(&stats, sizeof stats), 0);
}

static void threads_in_the_sandbox(const void *verdict)
{
    struct dice dice = dice_new();
    pthread_t threads[THREADS];
    test_restart(NULL);
    CHECK_EQ(pthread_barrier_init(&gate, NULL, THREADS + 1), 0);
    for (size_t i = 0; i <= THREADS; i++)
        shelves[i] = limits;
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, work_inside, &shelves[i]), 0);
    pthread_barrier_wait(&gate); /* the threads have made their own first calls */
    enter_sandbox(*(const unsigned *)verdict);
    pthread_barrier_wait(&gate);
    work(&shelves[THREADS], &dice);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    exchange_clear(&exchange);
}

TESTS(sandbox)
{
    static const unsigned trap = SECCOMP_RET_TRAP, kill_process = SECCOMP_RET_KILL_PROCESS;
    test_add(alone_in_the_sandbox, &trap, "alone_in_a_sandbox_that_traps");
    test_add(alone_in_the_sandbox, &kill_process, "alone_in_a_sandbox_that_kills");
    test_add(threads_in_the_sandbox, &trap, "threads_in_a_sandbox_that_traps");
    test_add(threads_in_the_sandbox, &kill_process, "threads_in_a_sandbox_that_kills");
}
