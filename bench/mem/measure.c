/* measure.c: the program `mem`: carries out plans with the memory functions of several libraries, and tells the times.
 *
 *   mem CPU[,CPU] NAME=SOURCE...                        contestants, numbered from 0
 *
 *   stdin                          stdout
 *                                  ready NAME=FILE...           once, for each function of each contestant
 *   plan FILE NUMBER...            NANOSECONDS...               for each contestant named, in that order
 *   roof KIND BYTES TIMES          NANOSECONDS                  -1: not to be had here
 *
 * It decides nothing: what is measured, in which order, and what it means is the driver's. Every function is called by
 * pointer, from the same loop. What cannot be carried out ends the run with a line on stderr. */
#include "measure.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CONTESTANTS_MAX = 16, LINE_BYTES = 4096, CPUS_MAX = 2 };

#define ARENA_BYTES ((size_t)1 << 32) /* reserved; what a plan uses becomes memory when it is first used */

/* Memory whose first `filled` bytes hold something. */
struct arena {
    unsigned char *start;
    size_t filled;
};

static struct arena to_arena, from_arena;
static struct contestant contestants[CONTESTANTS_MAX];
static size_t contestant_count;
static int cpus[CPUS_MAX];
static volatile uint64_t sink; /* what is read must not be left out */

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static unsigned char *map(size_t bytes)
{
    void *const start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        fail("mmap of %zu bytes: %s", bytes, strerror(errno));
    return start;
}

/* Memory of at least `bytes`, none of whose pages is the kernel's page of zeros. */
static unsigned char *arena_of(struct arena *arena, size_t bytes)
{
    if (bytes > ARENA_BYTES)
        fail("a plan wants %zu bytes, more than the %zu there are", bytes, ARENA_BYTES);
    if (arena->start == NULL)
        arena->start = map(ARENA_BYTES);
    for (; arena->filled < bytes; arena->filled += sizeof(uint64_t)) {
        const uint64_t word = arena->filled * 0x9e3779b97f4a7c15u;
        memcpy(arena->start + arena->filled, &word, sizeof word);
    }
    return arena->start;
}

/* ---- Plans ------------------------------------------------------------------------------------------------------- */

/* A plan in memory, and where it works. */
struct work {
    const struct plan *plan;
    const struct plan_call *calls;
    unsigned char *to;
    const unsigned char *from;
    size_t mapped; /* bytes of the plan's file */
};

static bool is_overlapping(const struct plan *plan) { return plan->function == PLAN_COPY && plan->from_bytes == 0; }

static void check_plan(const struct work *work, const char *path)
{
    const struct plan *const plan = work->plan;
    const uint64_t from_bytes = plan->from_bytes > 0 ? plan->from_bytes : plan->to_bytes;

    if (work->mapped < sizeof *plan || plan->magic != PLAN_MAGIC ||
        work->mapped != sizeof *plan + plan->calls * sizeof *work->calls || plan->threads < 1 ||
        plan->threads > CPUS_MAX || plan->warm_up > plan->calls)
        fail("%s is no plan", path);
    for (uint32_t i = 0; i < plan->calls; i++) {
        const struct plan_call *const call = &work->calls[i];
        if ((uint64_t)call->to + call->bytes > plan->to_bytes ||
            (plan->function == PLAN_COPY && (uint64_t)call->from + call->bytes > from_bytes) ||
            (plan->use != PLAN_NO_USE && call->bytes < sizeof(uint64_t)))
            fail("%s: call %u is out of its bounds", path, i);
    }
}

static struct work work_open(const char *path)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0)
        fail("%s: %s", path, strerror(errno));
    void *const content = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (content == MAP_FAILED)
        fail("%s: %s", path, strerror(errno));
    close(file);
    struct work work = {.plan = content, .mapped = (size_t)status.st_size};
    work.calls = (const struct plan_call *)(work.plan + 1);
    check_plan(&work, path);
    const size_t to_bytes = work.plan->to_bytes * work.plan->threads;
    work.to = arena_of(&to_arena, work.plan->state == PLAN_FRESH ? 0 : to_bytes);
    work.from =
        work.plan->from_bytes == 0 ? work.to : arena_of(&from_arena, work.plan->from_bytes * work.plan->threads);
    return work;
}

static void work_close(const struct work *work) { munmap((void *)(uintptr_t)work->plan, work->mapped); }

/* The part of the memory that thread `index` works in. */
static struct work share_of(const struct work *work, size_t index)
{
    struct work share = *work;
    share.to += index * work->plan->to_bytes;
    share.from += index * (work->plan->from_bytes > 0 ? work->plan->from_bytes : work->plan->to_bytes);
    return share;
}

/* ---- The loops --------------------------------------------------------------------------------------------------- */

static inline uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Read the result of a call as the plan says. */
static inline void use_result(enum plan_use use, const unsigned char *at, size_t bytes)
{
    uint64_t sum = 0;
    if (use == PLAN_ENDS)
        sum = word_at(at) + word_at(at + bytes - sizeof sum);
    for (size_t i = 0; use == PLAN_SUM && i + sizeof sum <= bytes; i += sizeof sum)
        sum += word_at(at + i);
    sink = sum;
}

/* The first `count` calls once. Two loops alike, for nothing may stand between a call and the next. */
__attribute__((noinline)) static void copy_calls(const struct work *work, copy_function *copy, size_t count)
{
    for (const struct plan_call *call = work->calls; call < work->calls + count; call++)
        copy(work->to + call->to, work->from + call->from, call->bytes);
}

__attribute__((noinline)) static void fill_calls(const struct work *work, fill_function *set, size_t count)
{
    const int value = (int)work->plan->value;
    for (const struct plan_call *call = work->calls; call < work->calls + count; call++)
        set(work->to + call->to, value, call->bytes);
}

static inline void one_call(const struct work *work, const struct contestant *contestant, const struct plan_call *call)
{
    if (work->plan->function == PLAN_FILL)
        contestant->fill(work->to + call->to, (int)work->plan->value, call->bytes);
    else
        contestant->copy(work->to + call->to, work->from + call->from, call->bytes);
}

__attribute__((noinline)) static void used_calls(const struct work *work, const struct contestant *contestant,
                                                 size_t count)
{
    for (const struct plan_call *call = work->calls; call < work->calls + count; call++) {
        one_call(work, contestant, call);
        use_result(work->plan->use, work->to + call->to, call->bytes);
    }
}

static void make_calls(const struct work *work, const struct contestant *contestant, size_t count)
{
    if (work->plan->use != PLAN_NO_USE)
        used_calls(work, contestant, count);
    else if (work->plan->function == PLAN_FILL)
        fill_calls(work, contestant->fill, count);
    else
        copy_calls(work, is_overlapping(work->plan) ? contestant->move : contestant->copy, count);
}

static void warm_up(const struct work *work, const struct contestant *contestant)
{
    struct work end = *work;
    end.calls += work->plan->calls - work->plan->warm_up;
    make_calls(&end, contestant, work->plan->warm_up);
}

static void make_passes(const struct work *work, const struct contestant *contestant)
{
    for (uint32_t pass = 0; pass < work->plan->passes; pass++)
        make_calls(work, contestant, work->plan->calls);
}

/* ---- Taking the time --------------------------------------------------------------------------------------------- */

static int64_t timed_passes(const struct work *work, const struct contestant *contestant)
{
    const int64_t start = nanoseconds_now();
    make_passes(work, contestant);
    return nanoseconds_now() - start;
}

/* As little as two looks at the clock can be apart. */
static int64_t clock_cost(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 1000; i++) {
        const int64_t start = nanoseconds_now(), end = nanoseconds_now();
        least = end - start < least ? end - start : least;
    }
    return least;
}

static int64_t timed_in_cold_code(const struct work *work, const struct contestant *contestant)
{
    static int64_t cost;
    int64_t sum = 0;

    cost = cost > 0 ? cost : clock_cost();
    for (uint32_t i = 0; i < work->plan->calls; i++) {
        if (!code_cool())
            fail("how to make code cold is not known for this processor");
        const int64_t start = nanoseconds_now();
        one_call(work, contestant, &work->calls[i]);
        sum += nanoseconds_now() - start - cost;
    }
    return sum > 1 ? sum : 1;
}

static int64_t timed_on_fresh_pages(const struct work *work, const struct contestant *contestant)
{
    struct work fresh = *work;
    fresh.to = map(work->plan->to_bytes);
    const int64_t elapsed = timed_passes(&fresh, contestant);
    munmap(fresh.to, work->plan->to_bytes);
    return elapsed;
}

static void cool_targets(const struct work *work)
{
    for (uint32_t i = 0; i < work->plan->calls; i++)
        if (!range_cool(work->to + work->calls[i].to, work->calls[i].bytes))
            fail("how to take a range out of the caches is not known for this processor");
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fail("processor %d cannot be had: %s", cpu, strerror(errno));
}

/* Of the second thread. */
struct helper {
    struct work work;
    const struct contestant *contestant;
    _Atomic int state; /* 1: it is ready; 2: it may begin; 3: it has ended */
};

static void *help(void *data)
{
    struct helper *const helper = data;
    pin(cpus[1]);
    warm_up(&helper->work, helper->contestant);
    helper->state = 1;
    while (helper->state != 2)
        continue;
    make_passes(&helper->work, helper->contestant);
    helper->state = 3;
    return NULL;
}

/* From the moment when both may begin until both have ended. */
static int64_t timed_on_two(const struct work *work, const struct contestant *contestant)
{
    struct helper helper = {.work = share_of(work, 1), .contestant = contestant};
    const pthread_t thread = start_thread(help, &helper);
    while (helper.state != 1)
        continue;
    const int64_t start = nanoseconds_now();
    helper.state = 2;
    make_passes(work, contestant);
    while (helper.state != 3) /* not until it is joined: the end of a thread takes as long as some of the copies */
        continue;
    const int64_t elapsed = nanoseconds_now() - start;
    join_thread(thread);
    return elapsed;
}

static int64_t timed(const struct work *work, const struct contestant *contestant)
{
    if (work->plan->state == PLAN_FRESH)
        return timed_on_fresh_pages(work, contestant);
    warm_up(work, contestant);
    if (work->plan->state == PLAN_COLD_CODE)
        return timed_in_cold_code(work, contestant);
    if (work->plan->state == PLAN_COLD_TARGET)
        cool_targets(work);
    return work->plan->threads > 1 ? timed_on_two(work, contestant) : timed_passes(work, contestant);
}

/* ---- Orders ------------------------------------------------------------------------------------------------------ */

static size_t next_number(void)
{
    const char *const word = strtok(NULL, " ");
    char *end;
    const unsigned long long number = word != NULL ? strtoull(word, &end, 10) : 0;
    if (word == NULL || *end != '\0')
        fail("a number is missing in an order");
    return (size_t)number;
}

static void carry_out_plan(const char *path)
{
    const struct work work = work_open(path);
    const char *separator = "";
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " ")) {
        char *end;
        const size_t index = strtoul(word, &end, 10);
        if (*end != '\0' || index >= contestant_count)
            fail("there is no contestant %s", word);
        if (is_overlapping(work.plan) && contestants[index].move == NULL)
            fail("%s cannot copy where ranges overlap", contestants[index].name);
        printf("%s%lld", separator, (long long)timed(&work, &contestants[index]));
        separator = " ";
    }
    putchar('\n');
    work_close(&work);
}

static void measure_roof(const char *kind)
{
    const size_t bytes = next_number(), times = next_number();
    printf("%lld\n", (long long)roof_nanoseconds(kind, arena_of(&to_arena, bytes), bytes, times));
}

static void obey(char *line)
{
    const char *const order = strtok(line, " ");
    char *const what = strtok(NULL, " ");
    if (order == NULL || what == NULL)
        fail("an order without words");
    if (strcmp(order, "plan") == 0)
        carry_out_plan(what);
    else if (strcmp(order, "roof") == 0)
        measure_roof(what);
    else
        fail("what is '%s'?", order);
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

static void read_cpus(char *list)
{
    size_t count = 0;
    for (char *word = strtok(list, ","); word != NULL && count < CPUS_MAX; word = strtok(NULL, ","))
        cpus[count++] = atoi(word);
    if (count == 0)
        fail("no processor is named");
    if (count == 1)
        cpus[1] = cpus[0];
    pin(cpus[0]);
}

/* `function` is a pointer to a pointer to any function. */
static void tell_place(const char *name, const void *function)
{
    const void *address;
    Dl_info place;
    memcpy(&address, function, sizeof address);
    if (address == NULL)
        return;
    if (dladdr(address, &place) == 0)
        fail("%s: a function of it is in no file", name);
    printf("\t%s=%s", name, place.dli_fname);
}

/* Where each contestant's functions really are: the driver looks whether that is what it asked for. A library that
 * lacks one has been given that of a library which it is linked with. */
static void tell_contestants(void)
{
    printf("ready");
    for (size_t i = 0; i < contestant_count; i++) {
        tell_place(contestants[i].name, &contestants[i].copy);
        tell_place(contestants[i].name, &contestants[i].move);
        tell_place(contestants[i].name, &contestants[i].fill);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    if (argc < 3 || argc - 2 > CONTESTANTS_MAX)
        fail("usage: mem CPU[,CPU] NAME=SOURCE...");
    read_cpus(argv[1]);
    for (int i = 2; i < argc; i++)
        contestants[contestant_count++] = contestant_find(argv[i]);
    tell_contestants();
    while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    return ferror(stdout) || ferror(stdin) ? EXIT_FAILURE : EXIT_SUCCESS;
}
