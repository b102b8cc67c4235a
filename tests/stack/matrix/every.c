/* every.c: all of ashlar_stack.h, in C17 and in C++17, for every compiler, optimisation and hardening of matrix.sh.
 * exit status: 0, or 100 and a part of the line that was not as promised. */
#include <ashlar_stack.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define MUST(fact)                                                                                                     \
    do {                                                                                                               \
        if (!(fact))                                                                                                   \
            return 100 + __LINE__ % 100;                                                                               \
    } while (0)

struct wide {
    uint64_t words[8];
} __attribute__((aligned(64)));

static int is_on_stack(const void *at)
{
    struct ashlar_stack_info info;

    return ashlar_stack_bounds(&info) == 0 && (const char *)at >= (const char *)info.lo &&
           (const char *)at < (const char *)info.hi;
}

static int scratch(size_t n)
{
    for (size_t i = 0; i < 3; i++) {
        ASHLAR_SCRATCH(s, 100);
        ASHLAR_SCRATCH(largest, ASHLAR_SCRATCH_MAX);
        char *text = (char *)ashlar_scratch_array(&s, n + i, 1);
        MUST(text != NULL && (uintptr_t)text % 16 == 0);
        MUST((text == s.inl) == (n + i <= 100));
        memset(text, 'x', n + i);
        text = (char *)ashlar_scratch_grow(&s, 2 * n);
        MUST(text != NULL && text[0] == 'x' && text[n + i - 1] == 'x');
        MUST(ashlar_scratch_get(&largest, 2048) == largest.inl);
    }
    return 0;
}

/* A loop of large requests: 16 of 4000 bytes are 64 000, a 17th would be more than 64 KiB. */
static int loop(void)
{
    ASHLAR_GUARD(g);
    int on_stack = 0;

    for (int i = 0; i < 100; i++) {
        char *const at = ASHLAR_ALLOCA(char, 4000, g);
        MUST(at != NULL && (uintptr_t)at % 16 == 0);
        memset(at, i, 4000);
        on_stack += is_on_stack(at);
    }
    MUST(on_stack == 16);
    return 0;
}

/* The values of one request must survive the others, and the frame must survive them all. */
static int requests(size_t n)
{
    volatile int canary = 4711;
    ASHLAR_GUARD(g);
    int *const numbers = ASHLAR_ALLOCA(int, n, g);
    struct wide *const wide = ASHLAR_ALLOCA(struct wide, n, g);
    char *const large = ASHLAR_ALLOCA(char, (size_t)1 << 20, g);

    MUST(numbers != NULL && wide != NULL && large != NULL);
    MUST(is_on_stack(numbers) && is_on_stack(wide) && !is_on_stack(large));
    MUST((uintptr_t)wide % 64 == 0);
    memset(numbers, 1, n * sizeof *numbers);
    memset(wide, 2, n * sizeof *wide);
    memset(large, 3, (size_t)1 << 20);
    for (size_t i = 0; i < n; i++)
        MUST(numbers[i] == 0x01010101 && wide[i].words[i % 8] == UINT64_C(0x0202020202020202));
    MUST(canary == 4711);
    MUST(ASHLAR_ALLOCA(int, SIZE_MAX / 2, g) == NULL && errno == ENOMEM);
    return 0;
}

struct node {
    struct node *before;
    size_t value;
};

static struct node *list_of(size_t n)
{
    struct node *list = NULL;

    for (size_t i = 0; i < n; i++) {
        struct node *const node = (struct node *)ashlar_side_alloc(sizeof *node);
        if (node == NULL)
            return NULL;
        node->before = list;
        node->value = i;
        list = node;
    }
    return list;
}

static int side(size_t n)
{
    struct ashlar_side_info info;

    for (int i = 0; i < 2; i++) {
        ASHLAR_SIDE_SCOPE(m);
        MUST(m.serial != 0);
        const struct node *list = list_of(n);
        for (size_t j = n; j-- > 0; list = list->before)
            MUST(list != NULL && list->value == j);
        MUST((uintptr_t)ashlar_side_alloc_aligned(1, 256) % 256 == 0);
    }
    MUST(ashlar_side_stat(&info) == 0 && info.used == 0 && info.high_water > n * sizeof(struct node));
    ashlar_side_trim();
    return 0;
}

/* A scope is of use by its end alone: no compiler complains that nobody names its mark. Nor that an inline function
 * with external linkage uses it. */
inline int has_room(size_t n);
inline int has_room(size_t n)
{
    ASHLAR_SIDE_SCOPE(m);

    return ashlar_side_alloc(n) != NULL;
}
extern int has_room(size_t n);

static int scope_only(size_t n)
{
    struct ashlar_side_info info;

    MUST(has_room(n));
    MUST(ashlar_side_stat(&info) == 0 && info.used == 0);
    return 0;
}

/* The last block that fits what is committed, the first that does not, and those beside them; and the functions behind
 * the macros go on where these are. */
static int edges(void)
{
    void *(*const by_address)(size_t) = &ashlar_side_alloc;

    for (size_t i = 0; i < 3; i++) {
        struct ashlar_side_info before, after;
        ASHLAR_SIDE_SCOPE(m);
        MUST(ashlar_side_stat(&before) == 0 && before.used >= 16);
        const size_t n = before.committed - before.used + 16 * i - 16;
        char *const at = (char *)ashlar_side_alloc(n);
        MUST((uintptr_t)at == m.pos + 16);
        memset(at, 1, n);
        MUST(ashlar_side_stat(&after) == 0 && after.used == before.used + n);
        MUST((after.committed > before.committed) == (i == 2));
        char *const next = (char *)by_address(1);
        MUST(next == at + n && ashlar_side_alloc(0) == next + 16);
        *next = 2;
        MUST(at[n - 1] == 1);
    }
    return 0;
}

static int order(void)
{
    struct ashlar_side_info info;
    const ashlar_mark outer = ashlar_side_push(), inner = (ashlar_side_push)();

    MUST(inner.pos == outer.pos + 16 && inner.serial > outer.serial);
    ashlar_side_pop(inner);
    const ashlar_mark again = ashlar_side_push();
    MUST(again.pos == inner.pos && again.serial > inner.serial);
    (ashlar_side_pop)(outer);
    MUST(ashlar_side_stat(&info) == 0 && info.used == 0);
    return 0;
}

static int depth(void)
{
    size_t bytes;
    int exact;

    MUST(ashlar_stack_left() > 0);
    MUST(ashlar_stack_paint((size_t)256 << 10) == 0);
    MUST(ashlar_stack_high_water(&bytes, &exact) == 0 && bytes > 0 && exact == 1);
    ashlar_stack_refresh();
    MUST(ashlar_stack_diagnose() == 0);
    return 0;
}

int main(void)
{
    int fault = scratch(60);

    fault = fault ? fault : scratch(1000);
    fault = fault ? fault : loop();
    fault = fault ? fault : requests(100);
    fault = fault ? fault : side(10000);
    fault = fault ? fault : scope_only(10);
    fault = fault ? fault : edges();
    fault = fault ? fault : order();
    return fault ? fault : depth();
}
