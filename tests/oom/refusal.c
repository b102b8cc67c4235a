/* refusal.c: the n-th kernel call of the heap fails, for every n.
 *
 *   supervisor: the test                         workload: a new image of this program
 *   ------------------------------------------   ------------------------------------------------------------
 *   counts the calls that come from the heap's   each mmap, munmap, ... stops until the supervisor has answered
 *   own code, answers "no memory" to the chosen  (seccomp user notification, since Linux 5.5)
 *   ones and "go on" to all others
 *
 * The instruction pointer tells the heap's calls from the loader's and libc's, so n counts from the very first call
 * that the heap makes, in any thread, and nothing else in the process is disturbed.
 *
 * The workload runs twice: once while calls fail, where every NULL with ENOMEM is fine and nothing else is; and once
 * after it has said that the faults are over, where everything must be served. It checks all content, and must exit
 * with 0. */
#include "../lib/test.h"

#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../lib/self.h"

#include "../stress/exchange.h"

/* ---- The calls -------------------------------------------------------------------------------------------------------- */

struct kind {
    const char *name;
    long number;
    bool gives_memory; /* when it fails, an allocation may fail; when any other fails, none may */
};

static const struct kind kinds[] = {
    {"mmap", SYS_mmap, true},
    {"mprotect", SYS_mprotect, true},
    {"munmap", SYS_munmap, false},
    {"madvise", SYS_madvise, false},
    {"mremap", SYS_mremap, false},
    {"getrandom", SYS_getrandom, false},
    {"prlimit64", SYS_prlimit64, false},
    {"sched_getaffinity", SYS_sched_getaffinity, false},
    {"openat", SYS_openat, false},
    {"prctl", SYS_prctl, false},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds, MEMORY_KINDS = 5 /* the first ones */ };

/* A call that nothing else makes: the workload says that the faults are over. */
enum { OVER_CALL = SYS_getsid, OVER_MARK = 0x7a5e71 };

static void say_faults_are_over(void) { syscall(OVER_CALL, OVER_MARK); }

/* ---- The workloads ------------------------------------------------------------------------------------------------------ */

static struct dice dice;
static struct shelf shelf, thread_shelves[4];
static struct exchange exchange;

enum { MANY = 32000, MANY_BYTES = 500, ENOUGH_REFUSALS = 20 };
static void *many[MANY];

/* Growth by small blocks alone: 16 MB that come and go. Where memory ends, a few more attempts are made, and no more.
 */
static void fill_and_empty(bool may_end)
{
    size_t count = 0;
    for (size_t refusals = 0; count < MANY && refusals < ENOUGH_REFUSALS;) {
        errno = ERRNO_MARK;
        many[count] = malloc(MANY_BYTES);
        CHECK_EQ(errno, many[count] ? ERRNO_MARK : ENOMEM);
        CHECK(many[count] || may_end);
        if (many[count]) {
            content_write(many[count], MANY_BYTES, count);
            count++;
        } else {
            refusals++;
        }
    }
    errno = ERRNO_MARK;
    for (size_t i = 0; i < count; i++) {
        content_check(many[i], MANY_BYTES, many[i], MANY_BYTES, i);
        free(many[i]);
    }
    CHECK_EQ(errno, ERRNO_MARK);
}

static void give_memory_back(void)
{
    errno = ERRNO_MARK;
    ashlar_purge();
    CHECK_EQ(errno, ERRNO_MARK);
}

static void work_on_shelf(struct shelf limits, size_t steps)
{
    shelf = limits;
    shelf_steps(&shelf, &dice, steps);
    shelf_check(&shelf);
    shelf_clear(&shelf, &dice);
}

static void small_blocks(bool may_end)
{
    for (int i = 0; i < 2; i++) {
        fill_and_empty(may_end);
        work_on_shelf((struct shelf){.live_limit = 8 * MIB, .largest = 16 * KIB, .memory_may_end = may_end}, 500);
        give_memory_back();
    }
}

/* One block from 1 MiB to 96 MiB and back: taken from the heap's ground first, remapped later. */
static void grow_and_shrink(bool may_end)
{
    struct block block;
    if (!block_take(&block, FROM_MALLOC, 0, MIB, 1)) {
        CHECK(may_end);
        return;
    }
    for (size_t bytes = 2 * MIB; bytes <= 96 * MIB; bytes *= 2)
        CHECK(block_resize(&block, bytes, false, bytes) || may_end);
    for (size_t bytes = 96 * MIB; bytes >= MIB; bytes /= 3)
        CHECK(block_resize(&block, bytes, false, bytes) || may_end);
    block_release(&block, 1);
}

static void large_blocks(bool may_end)
{
    work_on_shelf((struct shelf){.live_limit = 48 * MIB, .largest = 2 * MIB, .memory_may_end = may_end}, 150);
    give_memory_back();
    grow_and_shrink(may_end);
    work_on_shelf((struct shelf){.live_limit = 200 * (size_t)MIB, .largest = 36 * MIB, .memory_may_end = may_end}, 20);
    give_memory_back();
    work_on_shelf((struct shelf){.live_limit = 16 * MIB, .largest = MIB, .memory_may_end = may_end}, 100);
}

static void *work_in_thread(void *argument)
{
    struct shelf *own = argument;
    struct dice own_dice = dice_new();
    for (size_t i = 0; i < 250; i++) {
        struct block *place = &own->places[shelf_step(own, &own_dice)], block;
        const size_t usable = place->usable;
        if (place->start && exchange_offer(&exchange, i % EXCHANGE_PLACES, place))
            own->live_bytes -= usable;
        if (exchange_accept(&exchange, dice_roll(&own_dice, EXCHANGE_PLACES), &block))
            block_release(&block, i);
    }
    shelf_clear(own, &own_dice);
    return NULL;
}

/* pthread_create() allocates: it may fail too, with EAGAIN. */
static void threads(bool may_end)
{
    pthread_t running[4];
    size_t started = 0;
    for (size_t i = 0; i < 4; i++) {
        thread_shelves[i] = (struct shelf){
            .live_limit = 4 * MIB, .largest = 100 * KIB, .most_aligned = 64 * KIB, .memory_may_end = may_end};
        const int error = pthread_create(&running[started], NULL, work_in_thread, &thread_shelves[i]);
        CHECK(error == 0 || (may_end && error == EAGAIN));
        started += error == 0;
    }
    for (size_t i = 0; i < started; i++)
        CHECK_EQ(pthread_join(running[i], NULL), 0);
    exchange_clear(&exchange);
    give_memory_back();
}

struct workload {
    const char *name;
    void (*run)(bool may_end);
};
static const struct workload workloads[] = {
    {"small blocks", small_blocks}, {"large blocks", large_blocks}, {"threads", threads}};
enum { WORKLOAD_COUNT = sizeof workloads / sizeof *workloads };

/* The order to a new image: "INDEX MAY_END". */
static const char order_name[] = "REFUSAL_WORKLOAD";

static void run_as_workload(const char *order)
{
    int index = 0, may_end = 0;
    CHECK_EQ(sscanf(order, "%d %d", &index, &may_end), 2);
    dice = dice_new();
    workloads[index].run(may_end);
    say_faults_are_over();
    workloads[index].run(false);
}

/* ---- The supervisor ------------------------------------------------------------------------------------------------------ */

/* Which calls are refused. */
struct plan {
    unsigned kinds; /* bit i: kinds[i] counts and may be refused */
    size_t first;   /* the first of them to refuse, from 1; 0: none */
    bool onwards;   /* and all later ones until the workload says that the faults are over */
    int error;
};

struct watch {
    pid_t child;
    int listener;
    uintptr_t code_start, code_end; /* of the heap, once it is loaded */
    size_t counts[KIND_COUNT];
    size_t calls; /* of the plan's kinds, before the faults were over */
    size_t refused;
    bool over;
};

/* The file that holds the heap's code: the library, or this program. */
static char code_file[256];

static void find_code_file(const struct self_mapping *mapping, void *address)
{
    if (mapping->start <= (uintptr_t)address && (uintptr_t)address < mapping->end)
        snprintf(code_file, sizeof code_file, "%s", mapping->name);
}

static void learn_code_file(void)
{
    void *address = dlsym(RTLD_DEFAULT, TEST_NAMESPACED ? "ashlar_malloc" : "malloc");
    self_mappings(find_code_file, address ? address : (void *)(uintptr_t)learn_code_file);
    CHECK(code_file[0] == '/');
}

static void find_code(const struct self_mapping *mapping, void *argument)
{
    struct watch *watch = argument;
    if (mapping->access[2] == 'x' && strcmp(mapping->name, code_file) == 0) {
        watch->code_start = mapping->start;
        watch->code_end = mapping->end;
    }
}

static bool comes_from_heap(struct watch *watch, uintptr_t address)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)watch->child);
    if (watch->code_end == 0)
        mappings_of(path, find_code, watch);
    return address - watch->code_start < watch->code_end - watch->code_start;
}

/* Stop at every call of kinds[] and at OVER_CALL. returns: the listener, or -1. */
static int install_filter(void)
{
    struct sock_filter code[KIND_COUNT + 4] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    size_t length = 1;
    for (size_t i = 0; i < KIND_COUNT; i++, length++) {
        const uint8_t to_notify = (uint8_t)(KIND_COUNT - i + 1);
        code[length] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)kinds[i].number, to_notify, 0);
    }
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OVER_CALL, 1, 0);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    const struct sock_fprog program = {(unsigned short)length, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* The child's side of start_watched(): tell the number of the listener, wait until it has been taken over, and begin
 * anew (which closes it here). */
static void __attribute__((noreturn)) become_workload(int parent)
{
    const int listener = install_filter();
    char taken;
    CHECK_EQ(write(parent, &listener, sizeof listener), sizeof listener);
    CHECK_EQ(read(parent, &taken, 1), 1);
    if (listener >= 0)
        test_restart(NULL);
    _exit(0);
}

/* Start a new image under the filter. */
static struct watch start_watched(void)
{
    int ends[2], number = -1;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct watch watch = {.child = fork(), .listener = -1};
    CHECK(watch.child >= 0);
    if (watch.child == 0)
        become_workload(ends[1]);
    close(ends[1]);
    CHECK_EQ(read(ends[0], &number, sizeof number), sizeof number);
    if (number < 0)
        SKIP("the kernel does not let us watch system calls (seccomp user notification)");
    const int process = (int)syscall(SYS_pidfd_open, watch.child, 0);
    watch.listener = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    if (watch.listener < 0)
        SKIP("the kernel does not let us take over the listener (pidfd_getfd)");
    CHECK_EQ(write(ends[0], "", 1), 1);
    close(process);
    close(ends[0]);
    return watch;
}

/* returns: the error to answer with, 0 for "go on". */
static int judge(struct watch *watch, const struct plan *plan, const struct seccomp_data *call)
{
    if (call->nr == OVER_CALL)
        watch->over |= call->args[0] == OVER_MARK;
    if (watch->over)
        return 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (call->nr != kinds[i].number || !comes_from_heap(watch, call->instruction_pointer))
            continue;
        watch->counts[i]++;
        if (!(plan->kinds >> i & 1))
            return 0;
        watch->calls++;
        const bool chosen = plan->first && (plan->onwards ? watch->calls >= plan->first : watch->calls == plan->first);
        watch->refused += chosen;
        return chosen ? plan->error : 0;
    }
    return 0;
}

/* Answer one call. */
static void answer(struct watch *watch, const struct plan *plan)
{
    union {
        struct seccomp_notif call;
        char room[256]; /* the kernel's may be larger */
    } request = {0};
    struct seccomp_notif_resp reply = {0};
    if (ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
        return; /* interrupted, or the caller is gone */
    const int error = judge(watch, plan, &request.call.data);
    reply.id = request.call.id;
    reply.error = -error;
    reply.flags = error ? 0 : (uint32_t)SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

enum { HANG_MILLISECONDS = 60000 };

/* Run the workload named in the environment under `plan`. returns: its wait status. */
static int run_watched(struct watch *watch, const struct plan *plan)
{
    int status = 0;
    *watch = start_watched();
    for (;;) {
        struct pollfd event = {.fd = watch->listener, .events = POLLIN};
        const int ready = poll(&event, 1, HANG_MILLISECONDS);
        if (ready == 0) {
            test_note("no call for a minute: the workload hangs");
            kill(watch->child, SIGKILL);
        }
        if (ready < 0 && errno == EINTR)
            continue;
        if (!(event.revents & POLLIN))
            break; /* hung up: the last thread under the filter is gone */
        answer(watch, plan);
    }
    close(watch->listener);
    CHECK_EQ(waitpid(watch->child, &status, 0), watch->child);
    return status;
}

/* ---- The tests ------------------------------------------------------------------------------------------------------------ */

static void order_workload(const struct workload *workload, bool may_end)
{
    char order[24];
    snprintf(order, sizeof order, "%d %d", (int)(workload - workloads), may_end);
    setenv(order_name, order, 1);
}

/* Run once without refusals. returns: the number of calls to refuse, one by one. */
static size_t count_calls(const struct workload *workload, unsigned kinds_mask)
{
    struct watch watch;
    const struct plan none = {.kinds = kinds_mask};
    order_workload(workload, false);
    CHECK_EQ(run_watched(&watch, &none), 0);
    CHECK(watch.over);
    test_note("%s: %zu calls of the heap before the faults end (mmap %zu, mprotect %zu, munmap %zu, madvise %zu, "
              "mremap %zu)",
              workload->name, watch.calls, watch.counts[0], watch.counts[1], watch.counts[2], watch.counts[3],
              watch.counts[4]);
    return watch.calls;
}

/* returns: whether the workload came to its end. */
static bool survives(const struct workload *workload, const struct plan *plan, bool may_end)
{
    struct watch watch;
    order_workload(workload, may_end);
    const int status = run_watched(&watch, plan);
    if (status == 0 && watch.over)
        return true;
    test_note("%s: call %zu%s refused with errno %d (%zu calls in all): ended by signal %d with status %d",
              workload->name, plan->first, plan->onwards ? " and all later ones" : "", plan->error, watch.refused,
              WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    return false;
}

enum { ENOUGH_FAILURES = 5 }; /* a sweep ends then */

struct sweep {
    const struct workload *workload;
    const char *calls;
    unsigned kinds;
    bool onwards;
    int error;
};

static void every_call_is_refused(const void *argument)
{
    const struct sweep *sweep = argument;
    const char *order = getenv(order_name);
    if (order) {
        run_as_workload(order);
        return;
    }
    learn_code_file();
    struct plan plan = {.kinds = sweep->kinds, .onwards = sweep->onwards, .error = sweep->error};
    const size_t calls = count_calls(sweep->workload, plan.kinds), most = rounds(60, 170);
    size_t failures = 0;
    CHECK(calls >= 5); /* less would prove nothing */
    for (plan.first = 1; plan.first <= calls && plan.first <= most && failures < ENOUGH_FAILURES; plan.first++)
        failures += !survives(sweep->workload, &plan, true);
    CHECK_EQ(failures, 0);
}

struct ban {
    const struct kind *kind;
    int error;
};

/* A call that is only advice, or has another way round: when it always fails, no allocation does. */
static void heap_serves_without(const void *argument)
{
    const struct ban *ban = argument;
    const char *order = getenv(order_name);
    if (order) {
        run_as_workload(order);
        return;
    }
    learn_code_file();
    const struct plan plan = {.kinds = 1u << (ban->kind - kinds), .first = 1, .onwards = true, .error = ban->error};
    for (size_t i = 0; i < WORKLOAD_COUNT; i++)
        CHECK(survives(&workloads[i], &plan, ban->kind->gives_memory));
}

TESTS(refusal)
{
    enum { ALL = (1u << MEMORY_KINDS) - 1, GROWTH = 1 << 0 | 1 << 1 | 1 << 4 /* mmap, mprotect, mremap */ };
    static struct sweep sweeps[4 * WORKLOAD_COUNT];
    static struct ban bans[] = {
        {&kinds[0], ENOMEM}, {&kinds[1], ENOMEM}, {&kinds[2], ENOMEM}, {&kinds[2], EAGAIN},
        {&kinds[3], ENOMEM}, {&kinds[3], EINVAL}, {&kinds[3], EAGAIN}, {&kinds[4], ENOMEM},
        {&kinds[4], EFAULT}, {&kinds[5], ENOSYS}, {&kinds[5], EAGAIN}, {&kinds[6], EPERM},
        {&kinds[7], EPERM},  {&kinds[8], ENOENT}, {&kinds[8], EMFILE}, {&kinds[9], EINVAL},
    };
    size_t count = 0;
    for (size_t i = 0; i < WORKLOAD_COUNT; i++) {
        sweeps[count++] = (struct sweep){&workloads[i], "every call fails once", ALL, false, ENOMEM};
        sweeps[count++] = (struct sweep){&workloads[i], "every growth fails once", GROWTH, false, EAGAIN};
        sweeps[count++] = (struct sweep){&workloads[i], "every growth fails once", GROWTH, false, ENOMEM};
        sweeps[count++] = (struct sweep){&workloads[i], "from every call on all fail", ALL, true, ENOMEM};
    }
    for (size_t i = 0; i < count; i++)
        test_add(every_call_is_refused, &sweeps[i], "%s: %s with %s", sweeps[i].workload->name, sweeps[i].calls,
                 strerrorname_np(sweeps[i].error));
    for (size_t i = 0; i < sizeof bans / sizeof *bans; i++)
        test_add(heap_serves_without, &bans[i], "%s without %s (%s)",
                 bans[i].kind->gives_memory ? "the heap lives" : "the heap serves", bans[i].kind->name,
                 strerrorname_np(bans[i].error));
}
