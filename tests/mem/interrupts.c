/* interrupts.c: signals in the middle of long copies and fills, whose handler copies and fills as well; and the state
 * of the processor that everybody finds afterwards.
 *
 *   copy of 24 MiB:   head | turn | turn | turn ... | tail
 *                                     ^-- the timer's signal: the handler calls the same functions, then the copy goes
 * on
 *
 * A handler that copies shows what the functions keep anywhere but in registers. What it finds of the interrupted code
 * shows what nobody sees afterwards: the direction flag, and whether the string instruction was half done. */
#include "ways.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

enum { ROOM = 24 << 20, DISTANCE = 1000, ARRIVALS = 20, CALLS_MOST = 4000, MICROSECONDS = 200 };

/* ---- What the handler finds, and does ---------------------------------------------------------------------------- */

static volatile sig_atomic_t is_working;        /* one of the functions is running */
static volatile sig_atomic_t arrived;           /* signals meanwhile */
static volatile sig_atomic_t arrived_in_string; /* of them, those that found the string instruction half done */

#if defined(__x86_64__)
enum { DIRECTION = 0x400, HAS_STRING_INSTRUCTION = true };

static void look_at_interrupted(const ucontext_t *context)
{
    const greg_t *const registers = context->uc_mcontext.gregs;
    const byte *const code = (const byte *)registers[REG_RIP];

    CHECK_EQ(registers[REG_EFL] & DIRECTION, 0);
    /* source: Intel, "Software Developer's Manual", volume 2: REP is F3, MOVSB A4, STOSB AA; between two bytes an
     * interrupt finds the address of the instruction itself. */
    if (code[0] == 0xf3 && (code[1] == 0xa4 || code[1] == 0xaa))
        arrived_in_string++;
}
#else
enum { HAS_STRING_INSTRUCTION = false };

static void look_at_interrupted(const ucontext_t *context) { (void)context; }
#endif

/* Copy up and down and fill, one length after the other: of each kind some. */
static void work_in_between(void)
{
    static const size_t lengths[] = {3, 13, 60, 100, 200, 400, 700, 5000};
    static byte room[6000];
    static unsigned turn;
    const size_t n = lengths[turn++ % 8];

    paint(room, n, turn);
    CHECK_EQ(mem_move(room + 700, room, n), room + 700);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(room[700 + i], pattern(i, turn));
    CHECK_EQ(mem_move(room + 650, room + 700, n), room + 650);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(room[650 + i], pattern(i, turn));
    CHECK_EQ(mem_set(room, (int)turn, n), room);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(room[i], (byte)turn);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    if (!is_working)
        return;
    arrived++;
    look_at_interrupted(context);
    work_in_between();
}

static void start_timer(void)
{
    const struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    const struct itimerval often = {{0, MICROSECONDS}, {0, MICROSECONDS}};

    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
}

/* ---- The work that is interrupted -------------------------------------------------------------------------------- */

struct long_work {
    const char *name;
    ptrdiff_t distance; /* of the target from the source; 0: in another place */
    bool fills;
};

static const struct long_work works[] = {
    {"copies", 0, false},
    {"moves downwards", -DISTANCE, false},
    {"moves upwards", DISTANCE, false},
    {"fills", 0, true},
};
enum { WORKS = sizeof works / sizeof works[0] };

struct interrupted {
    const struct way *way;
    const struct long_work *work;
};

/* The string instruction does not go downwards in memory, which is what a target above its source would need. */
static bool is_repeated(const struct interrupted *test)
{
    const struct mem_range range = test->work->fills ? test->way->limits.set_rep : test->way->limits.copy_rep;

    return HAS_STRING_INSTRUCTION && range.most > ROOM && test->work->distance <= 0;
}

/* libc judges here: it has its own functions, which are not under test. */
static void check_result(const struct long_work *work, const byte *to, const byte *expected, size_t n)
{
    const byte value = 0x5a;

    if (!work->fills)
        CHECK_EQ(memcmp(to, expected, n), 0);
    else
        CHECK(to[0] == value && memcmp(to, to + 1, n - 1) == 0);
}

static void do_work(const struct long_work *work, byte *room, byte *other, const byte *original)
{
    const size_t n = ROOM - 2 * DISTANCE;
    byte *const from = room + DISTANCE;
    byte *const to = work->distance != 0 ? from + work->distance : other + DISTANCE / 2;

    memcpy(room, original, ROOM);
    memset(other, 0, ROOM);
    is_working = 1;
    void *const result = work->fills ? mem_set(to, 0x15a, n) : mem_move(to, from, n);
    is_working = 0;
    CHECK_EQ(result, to);
    check_result(work, to, original + DISTANCE, n);
    if (work->distance != 0)
        return;
    for (size_t i = 0; i < DISTANCE / 2; i++)
        CHECK(other[i] == 0 && to[n + i] == 0);
}

/* Until enough signals have come in time. */
static void long_work_is_interrupted(const void *data)
{
    const struct interrupted *const test = data;
    const volatile sig_atomic_t *const enough = is_repeated(test) ? &arrived_in_string : &arrived;

    if (TEST_UNDER_TSAN)
        SKIP("the thread sanitizer holds signals back until the copy has ended");
    go(test->way);
    byte *const original = guarded(ROOM), *const room = guarded(ROOM), *const other = guarded(ROOM);
    paint(original, ROOM, 2);
    start_timer();
    for (int i = 0; i < CALLS_MOST && *enough < ARRIVALS; i++)
        do_work(test->work, room, other, original);
    CHECK(*enough >= ARRIVALS);
}

TESTS(interrupted)
{
    static struct interrupted tests[WAYS * WORKS];

    for (size_t i = 0; i < WAYS * WORKS; i++) {
        tests[i] = (struct interrupted){&ways[i / WORKS], &works[i % WORKS]};
        test_add(long_work_is_interrupted, &tests[i], "%s are interrupted and right, %s", tests[i].work->name,
                 tests[i].way->name);
    }
}

/* ---- What is left in the processor ------------------------------------------------------------------------------- */

#if defined(__x86_64__)

/* The upper halves of registers 0 to 15, if the processor has them: dirty ones would make the SSE code of everybody
 * slow, or be the sign of a function that ends in the middle. source: Intel, "Optimization Reference Manual", mixing
 * AVX and SSE. */
__attribute__((target("avx"))) static void clear_upper_halves(void) { __asm__ volatile("vzeroupper"); }

#define LOW_HALF_TOO(r) "vmovdqu %%ymm" #r ", 32*" #r "(%1)\n\t"
__attribute__((target("avx"))) static void check_upper_halves(size_t n)
{
    uint64_t halves[16][4];

    __asm__ volatile(LOW_HALF_TOO(0) LOW_HALF_TOO(1) LOW_HALF_TOO(2) LOW_HALF_TOO(3) LOW_HALF_TOO(4) LOW_HALF_TOO(5)
                         LOW_HALF_TOO(6) LOW_HALF_TOO(7) LOW_HALF_TOO(8) LOW_HALF_TOO(9) LOW_HALF_TOO(10)
                             LOW_HALF_TOO(11) LOW_HALF_TOO(12) LOW_HALF_TOO(13) LOW_HALF_TOO(14) LOW_HALF_TOO(15)
                     : "=m"(halves)
                     : "r"(halves));
    for (int i = 0; i < 16; i++)
        if ((halves[i][2] | halves[i][3]) != 0)
            test_fail(__FILE__, __LINE__, "%zu bytes: the upper half of register %d is not clear", n, i);
}
#undef LOW_HALF_TOO

static void check_state(size_t n)
{
    if ((__builtin_ia32_readeflags_u64() & DIRECTION) != 0) {
        __asm__ volatile("cld"); /* or no more is to be relied on, printing least of all */
        test_fail(__FILE__, __LINE__, "%zu bytes: the direction flag is set", n);
    }
    if (mem_level_max() >= MEM_32)
        check_upper_halves(n);
}

static void begin(void)
{
    if (mem_level_max() >= MEM_32)
        clear_upper_halves();
}

static void flags_and_registers_are_left_as_they_should(const void *way)
{
    enum { LONGEST = 131073 };
    byte *const room = guarded(128 * PAGE);
    byte *const high = room + LONGEST;

    go(way);
    for (size_t i = 0; i < LENGTHS; i++) {
        const size_t n = length_number(i);
        memset(room, 0xa5, 2 * (size_t)LONGEST);
        begin();
        (void)mem_move(high, room, n);
        check_state(n);
        (void)mem_move(room, room + n / 2, n);
        check_state(n);
        (void)mem_move(room + n / 3, room, n);
        check_state(n);
        (void)mem_set(high, 0x5a, n);
        check_state(n);
    }
}

TESTS(state)
{
    for (size_t i = 0; i < WAYS; i++)
        test_add(flags_and_registers_are_left_as_they_should, &ways[i],
                 "direction flag and upper halves are clear afterwards, %s", ways[i].name);
}

#else
TEST(direction_flag_and_upper_halves_are_clear_afterwards) { SKIP("the processor has no direction flag"); }
#endif
