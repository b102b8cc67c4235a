/* gnu.c: mallinfo, mallinfo2, mallopt, malloc_trim, malloc_stats, malloc_info. */
#include "../lib/blocks.h"
#include "../lib/self.h"

#include <fcntl.h>
#include <limits.h>

#if TEST_NAMESPACED
TEST(standard_names_only) { SKIP("these functions exist under their standard names only"); }
#else

/* ---- mallinfo2, mallinfo ----------------------------------------------------------------------------------------- */

TEST(uordblks_counts_usable_bytes_of_live_blocks)
{
    free(malloc(1)); /* so that no start-up cost falls between two readings */
    for (EACH_SIZE(bytes, 100 * KIB)) {
        struct mallinfo2 before = mallinfo2();
        void *block = malloc(bytes);
        CHECK(block != NULL);
        struct mallinfo2 during = mallinfo2();
        CHECK_EQ(during.uordblks - before.uordblks, malloc_usable_size(block));
        CHECK_EQ(during.hblks, before.hblks);
        free(block);
        struct mallinfo2 after = mallinfo2();
        CHECK_EQ(after.uordblks, before.uordblks);
        CHECK_EQ(after.hblkhd, before.hblkhd);
    }
}

TEST(hblks_counts_blocks_of_128_kib_and_more)
{
    for (size_t bytes = 128 * KIB; bytes < 100 * MIB; bytes = bytes * 5 / 4 + 1) {
        struct mallinfo2 before = mallinfo2();
        void *block = malloc(bytes);
        CHECK(block != NULL);
        struct mallinfo2 during = mallinfo2();
        CHECK_EQ(during.hblks, before.hblks + 1);
        CHECK_EQ(during.hblkhd - before.hblkhd, malloc_usable_size(block));
        CHECK_EQ(during.uordblks, before.uordblks);
        free(block);
        struct mallinfo2 after = mallinfo2();
        CHECK_EQ(after.hblks, before.hblks);
        CHECK_EQ(after.hblkhd, before.hblkhd);
    }
}

TEST(uordblks_follows_resizing)
{
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(10);
    for (size_t bytes = 10; bytes < 120 * KIB; bytes = bytes * 4 / 3 + 1) {
        block = realloc(block, bytes);
        CHECK(block != NULL);
        CHECK_EQ(mallinfo2().uordblks - before.uordblks, malloc_usable_size(block));
    }
    block = realloc(block, 10 * MIB);
    CHECK(block != NULL);
    CHECK_EQ(mallinfo2().uordblks, before.uordblks);
    CHECK_EQ(mallinfo2().hblkhd - before.hblkhd, malloc_usable_size(block));
    free(block);
    CHECK_EQ(mallinfo2().hblkhd, before.hblkhd);
}

static void *allocate_and_leave(void *table)
{
    for (int i = 0; i < 1000; i++) {
        ((void **)table)[i] = malloc((size_t)i);
        CHECK(((void **)table)[i] != NULL);
    }
    return NULL;
}

static void *free_table(void *table)
{
    for (int i = 0; i < 1000; i++)
        free(((void **)table)[i]);
    return NULL;
}

TEST(figures_are_exact_across_threads_at_rest)
{
    static void *table[1000];
    in_thread(allocate_and_leave, table); /* once, so that the C library has its own memory for threads */
    in_thread(free_table, table);
    size_t before = mallinfo2().uordblks;
    in_thread(allocate_and_leave, table);
    size_t usable = 0;
    for (int i = 0; i < 1000; i++)
        usable += malloc_usable_size(table[i]);
    size_t during = mallinfo2().uordblks;
    CHECK(during >= before + usable);
    CHECK(during < before + usable + 4096);
    in_thread(free_table, table);
    CHECK(mallinfo2().uordblks < before + 4096);
}

TEST(live_blocks_show_from_the_first)
{
    test_restart(NULL);
    size_t before = mallinfo2().uordblks;
    void *block = malloc(100);
    CHECK(mallinfo2().uordblks >= before + 100);
    CHECK(mallinfo2().uordblks > 0);
    free(block);
}

TEST(free_memory_shows_as_such)
{
    enum { BLOCKS = 4096 };
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(1000);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, 1000);
    }
    struct mallinfo2 full = mallinfo2();
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    struct mallinfo2 empty = mallinfo2();
    CHECK(full.uordblks - empty.uordblks >= BLOCKS * 1000);
    CHECK(empty.fordblks > full.fordblks);
    CHECK(empty.keepcost <= empty.fordblks);
}

TEST(fields_without_a_meaning_are_zero)
{
    struct mallinfo2 info = mallinfo2();
    CHECK_EQ(info.smblks, 0);
    CHECK_EQ(info.usmblks, 0);
    CHECK_EQ(info.fsmblks, 0);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* programs still call it */
TEST(mallinfo_is_the_same_in_ints)
{
    void *block = malloc(5000), *large = malloc(300000);
    CHECK(block != NULL && large != NULL);
    struct mallinfo2 wide = mallinfo2();
    struct mallinfo narrow = mallinfo();
    CHECK_EQ(narrow.uordblks, wide.uordblks);
    CHECK_EQ(narrow.hblks, wide.hblks);
    CHECK_EQ(narrow.hblkhd, wide.hblkhd);
    CHECK_EQ(narrow.fordblks, wide.fordblks);
    CHECK_EQ(narrow.smblks + narrow.usmblks + narrow.fsmblks, 0);
    free(block), free(large);
}

TEST(mallinfo_saturates_at_int_max)
{
    void *one = malloc(1300 * MIB), *other = malloc(1300 * MIB);
    if (one == NULL || other == NULL)
        SKIP("the kernel does not promise 2.6 GiB");
    CHECK(mallinfo2().hblkhd >= 2600 * MIB);
    CHECK_EQ(mallinfo().hblkhd, INT_MAX);
    free(one), free(other);
    CHECK(mallinfo().hblkhd < INT_MAX);
}

#pragma GCC diagnostic pop

static void *allocate_a_little(void *unused)
{
    void *block = malloc(100), *other = malloc(5000);
    CHECK(block != NULL && other != NULL);
    free(block), free(other);
    return unused;
}

TEST(uordblks_does_not_drift_over_100000_threads)
{
    for (int i = 0; i < 100; i++)
        in_thread(allocate_a_little, NULL);
    size_t before = mallinfo2().uordblks;
    int threads = test_emulated() ? 2000 : 100000;
    for (int i = 0; i < threads; i++)
        in_thread(allocate_a_little, NULL);
    CHECK(mallinfo2().uordblks < before + 100000);
}

/* ---- mallopt ----------------------------------------------------------------------------------------------------- */

TEST(mallopt_accepts_what_programs_set)
{
    static const int known[] = {M_MXFAST,       M_TRIM_THRESHOLD, M_TOP_PAD,    M_MMAP_THRESHOLD, M_MMAP_MAX,
                                M_CHECK_ACTION, M_PERTURB,        M_ARENA_TEST, M_ARENA_MAX};
    static const int values[] = {0, 1, 64, -1, 4096, INT_MAX, INT_MIN};
    errno = 4711;
    for (size_t k = 0; k < COUNT(known); k++)
        for (size_t v = 0; v < COUNT(values); v++)
            CHECK_EQ(mallopt(known[k], values[v]), 1);
    CHECK_EQ(errno, 4711);
    unsigned char *block = calloc(1, 1000); /* M_PERTURB and the like had no effect */
    CHECK(block != NULL && is_zero(block, 1000));
    free(block);
}

TEST(mallopt_refuses_the_rest)
{
    static const int unknown[] = {0, 2, 3, 4, 17, -9, -10, -100, INT_MAX, INT_MIN};
    for (size_t k = 0; k < COUNT(unknown); k++)
        CHECK_EQ(mallopt(unknown[k], 1), 0);
}

/* ---- malloc_trim ------------------------------------------------------------------------------------------------- */

static void allocate_and_free_64_mib(size_t bytes)
{
    static void *blocks[64 * 1024];
    size_t count = 64 * MIB / bytes;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(bytes);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, bytes);
    }
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
}

TEST(trim_lowers_the_resident_size)
{
    malloc_trim(0);
    size_t before = self_status("VmRSS");
    for (size_t bytes = 1024; bytes <= 16 * MIB; bytes *= 16) {
        allocate_and_free_64_mib(bytes);
        malloc_trim(0);
        CHECK(self_status("VmRSS") < before + 4 * MIB);
    }
}

TEST(trim_tells_whether_pages_went_back)
{
    allocate_and_free_64_mib(2000); /* below the bound of dirty memory at least some MiB stay */
    errno = 4711;
    CHECK_EQ(malloc_trim(0), 1);
    CHECK_EQ(malloc_trim(0), 0);
    CHECK_EQ(errno, 4711);
}

static pthread_barrier_t idle_barrier;

static void *allocate_free_and_idle(void *unused)
{
    allocate_a_little(NULL);
    pthread_barrier_wait(&idle_barrier); /* allocated and freed */
    pthread_barrier_wait(&idle_barrier); /* trimmed */
    return unused;
}

TEST(trim_may_run_beside_idle_threads)
{
    pthread_barrier_init(&idle_barrier, NULL, 5);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        threads[i] = start_thread(allocate_free_and_idle, NULL);
    pthread_barrier_wait(&idle_barrier);
    malloc_trim(0);
    pthread_barrier_wait(&idle_barrier);
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
}

/* ---- malloc_stats ------------------------------------------------------------------------------------------------ */

/* Standard error goes to a pipe from here on. returns: its reading end. */
static int redirect_stderr(void)
{
    int ends[2];
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0); /* silence is a failure, not a wait */
    CHECK_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

static size_t read_some(int descriptor, char *text, size_t bytes)
{
    ssize_t got = read(descriptor, text, bytes - 1);
    CHECK(got >= 0);
    text[got] = '\0';
    return (size_t)got;
}

TEST(stats_write_text_to_standard_error)
{
    static char text[65536];
    int descriptor = redirect_stderr();
    void *block = malloc(123456);
    errno = 4711;
    malloc_stats();
    CHECK_EQ(errno, 4711);
    CHECK(read_some(descriptor, text, sizeof text) > 20);
    CHECK(strchr(text, '\n') != NULL);
    CHECK_EQ(text[strlen(text) - 1], '\n');
    CHECK(strpbrk(text, "123456789") != NULL);
    for (const char *c = text; *c; c++)
        CHECK(*c == '\n' || (*c >= ' ' && *c <= '~'));
    free(block);
}

TEST(stats_do_not_use_the_stream)
{
    static char text[65536];
    int descriptor = redirect_stderr();
    static char buffer[256];
    setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
    fputs("in the stream", stderr); /* stays there: the figures are written past it */
    malloc_stats();
    CHECK(read_some(descriptor, text, sizeof text) > 20);
    CHECK(strstr(text, "in the stream") == NULL);
}

TEST(stats_survive_a_closed_descriptor)
{
    close(STDERR_FILENO);
    errno = 4711;
    malloc_stats();
    CHECK_EQ(errno, 4711);
}

static void *stats_with_a_pending_cancellation(void *reached)
{
    CHECK_EQ(pthread_cancel(pthread_self()), 0); /* acted on at the next cancellation point */
    malloc_stats();
    free(realloc(malloc(100), 100000));
    free(malloc(100 * MIB));
    malloc_trim(0);
    *(bool *)reached = true;
    pthread_testcancel();
    return NULL;
}

TEST(no_function_is_a_cancellation_point)
{
    static char text[65536];
    bool reached = false;
    int descriptor = redirect_stderr();
    CHECK_EQ(in_thread(stats_with_a_pending_cancellation, &reached), PTHREAD_CANCELED);
    CHECK(reached);
    CHECK(read_some(descriptor, text, sizeof text) > 20);
}

/* ---- malloc_info ------------------------------------------------------------------------------------------------- */

/* Whether `text` is one element with balanced elements inside it: a check of the form, not of the words. */
static bool is_well_formed(const char *text)
{
    char stack[32][64];
    int depth = 0, roots = 0;
    for (const char *open = strchr(text, '<'); open; open = strchr(open + 1, '<')) {
        const char *close = strchr(open, '>');
        if (close == NULL)
            return false;
        if (open[1] == '?' || open[1] == '!')
            continue;
        char name[64] = {0};
        bool ends = open[1] == '/';
        size_t length = strcspn(open + 1 + ends, " />\n\t");
        if (length == 0 || length >= sizeof name)
            return false;
        memcpy(name, open + 1 + ends, length);
        if (ends) {
            if (depth == 0 || strcmp(stack[--depth], name) != 0)
                return false;
        } else {
            roots += depth == 0;
            if (close[-1] != '/') {
                if (depth == (int)COUNT(stack))
                    return false;
                strcpy(stack[depth++], name);
            }
        }
    }
    return depth == 0 && roots == 1;
}

TEST(info_writes_xml)
{
    static char text[1 << 20];
    void *blocks[] = {malloc(10), malloc(1000), malloc(100000), malloc(1000000), malloc(40 * MIB)};
    FILE *stream = fmemopen(text, sizeof text, "w");
    CHECK(stream != NULL);
    errno = 4711;
    CHECK_EQ(malloc_info(0, stream), 0);
    CHECK_EQ(errno, 4711);
    fclose(stream);
    CHECK_EQ(strncmp(text, "<malloc", 7), 0);
    if (!is_well_formed(text))
        test_fail(__FILE__, __LINE__, "not well-formed: %s", text);
    for (size_t i = 0; i < COUNT(blocks); i++)
        free(blocks[i]);
}

TEST(well_formed_is_told_from_ill_formed)
{
    CHECK(is_well_formed("<malloc version=\"1\"><a/><b x=\"1\">text</b></malloc>\n"));
    CHECK(!is_well_formed("<malloc><a></malloc>"));
    CHECK(!is_well_formed("<malloc></malloc><malloc></malloc>"));
    CHECK(!is_well_formed("<malloc"));
    CHECK(!is_well_formed(""));
}

TEST(info_with_options_is_refused_and_writes_nothing)
{
    static char text[4096];
    FILE *stream = fmemopen(text, sizeof text, "w");
    CHECK(stream != NULL);
    const int options[] = {1, -1, 2, INT_MAX};
    for (size_t i = 0; i < COUNT(options); i++) {
        errno = 0;
        int result = malloc_info(options[i], stream); /* malloc_info(3): -1 and errno; glibc itself: the error */
        CHECK((result == -1 && errno == EINVAL) || result == EINVAL);
    }
    fflush(stream);
    CHECK_EQ(ftell(stream), 0);
    CHECK_EQ(text[0], 0);
    fclose(stream);
}

/* A stream whose write function allocates: no lock of ours may be held while it runs. */
static ssize_t allocating_write(void *unused, const char *text, size_t bytes)
{
    (void)unused, (void)text;
    free(malloc(bytes + 1000));
    free(malloc(10 * MIB));
    malloc_trim(0);
    return (ssize_t)bytes;
}

TEST(info_holds_no_lock_while_the_stream_writes)
{
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = allocating_write});
    CHECK(stream != NULL);
    setvbuf(stream, NULL, _IONBF, 0);
    CHECK_EQ(malloc_info(0, stream), 0);
    fclose(stream);
}

#endif
