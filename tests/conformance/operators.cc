/* operators.cc: the eight forms of operator new and the twelve of operator delete; the new-handler loop;
 * std::bad_alloc. */
#include "../lib/test.h"

#include <new>
#include <thread>
#include <vector>

#include "../lib/blocks.h"

#if TEST_NAMESPACED
TEST(standard_names_only) { SKIP("the operators exist under their standard names only"); }
#else

/* ---- Every form of new with every form of delete that may follow it ---------------------------------------------- */

static const std::align_val_t aligned_to = std::align_val_t(256);

static void *new_plain(size_t bytes) { return ::operator new(bytes); }
static void *new_nothrow(size_t bytes) { return ::operator new(bytes, std::nothrow); }
static void *new_array(size_t bytes) { return ::operator new[](bytes); }
static void *new_array_nothrow(size_t bytes) { return ::operator new[](bytes, std::nothrow); }
static void *new_aligned(size_t bytes) { return ::operator new(bytes, aligned_to); }
static void *new_aligned_nothrow(size_t bytes) { return ::operator new(bytes, aligned_to, std::nothrow); }
static void *new_array_aligned(size_t bytes) { return ::operator new[](bytes, aligned_to); }
static void *new_array_aligned_nothrow(size_t bytes) { return ::operator new[](bytes, aligned_to, std::nothrow); }

static void delete_plain(void *block, size_t) { ::operator delete(block); }
static void delete_sized(void *block, size_t bytes) { ::operator delete(block, bytes); }
static void delete_nothrow(void *block, size_t) { ::operator delete(block, std::nothrow); }
static void delete_array(void *block, size_t) { ::operator delete[](block); }
static void delete_array_sized(void *block, size_t bytes) { ::operator delete[](block, bytes); }
static void delete_array_nothrow(void *block, size_t) { ::operator delete[](block, std::nothrow); }
static void delete_aligned(void *block, size_t) { ::operator delete(block, aligned_to); }
static void delete_aligned_sized(void *block, size_t bytes) { ::operator delete(block, bytes, aligned_to); }
static void delete_aligned_nothrow(void *block, size_t) { ::operator delete(block, aligned_to, std::nothrow); }
static void delete_array_aligned(void *block, size_t) { ::operator delete[](block, aligned_to); }
static void delete_array_aligned_sized(void *block, size_t bytes) { ::operator delete[](block, bytes, aligned_to); }
static void delete_array_aligned_nothrow(void *block, size_t) { ::operator delete[](block, aligned_to, std::nothrow); }

struct new_form {
    void *(*allocate)(size_t);
    bool array, aligned, throws;
};

static const new_form new_forms[] = {
    {new_plain, false, false, true},       {new_nothrow, false, false, false},
    {new_array, true, false, true},        {new_array_nothrow, true, false, false},
    {new_aligned, false, true, true},      {new_aligned_nothrow, false, true, false},
    {new_array_aligned, true, true, true}, {new_array_aligned_nothrow, true, true, false},
};

struct delete_form {
    void (*release)(void *, size_t);
    bool array, aligned;
};

static const delete_form delete_forms[] = {
    {delete_plain, false, false},
    {delete_sized, false, false},
    {delete_nothrow, false, false},
    {delete_array, true, false},
    {delete_array_sized, true, false},
    {delete_array_nothrow, true, false},
    {delete_aligned, false, true},
    {delete_aligned_sized, false, true},
    {delete_aligned_nothrow, false, true},
    {delete_array_aligned, true, true},
    {delete_array_aligned_sized, true, true},
    {delete_array_aligned_nothrow, true, true},
};

TEST(every_new_with_every_delete)
{
    static_assert(COUNT(new_forms) == 8 && COUNT(delete_forms) == 12, "all of them");
    int pairs = 0;
    for (const new_form &making : new_forms)
        for (const delete_form &ending : delete_forms) {
            if (making.array != ending.array || making.aligned != ending.aligned)
                continue;
            pairs++;
            for (EACH_SIZE(bytes, 2 * MIB)) {
                if (bytes > 300 && bytes % 7)
                    continue;
                errno = 4711;
                void *block = making.allocate(bytes);
                CHECK(block != NULL && is_aligned(block, making.aligned ? 256 : 16));
                CHECK(malloc_usable_size(block) >= bytes); /* ours */
                memset(block, 1, bytes);
                ending.release(block, bytes);
                CHECK_EQ(errno, 4711);
            }
        }
    CHECK_EQ(pairs, 24);
}

TEST(zero_bytes_are_unique)
{
    for (const new_form &making : new_forms) {
        void *one = making.allocate(0), *other = making.allocate(0);
        CHECK(one != NULL && other != NULL && one != other);
        free(one), free(other);
    }
}

TEST(deleting_null_is_nothing)
{
    for (const delete_form &ending : delete_forms) {
        ending.release(NULL, 0);
        ending.release(NULL, 100);
    }
}

TEST(every_alignment)
{
    for (size_t alignment = 1; alignment <= 16 * MIB; alignment *= 2)
        for (size_t bytes = 0; bytes < 5 * MIB; bytes = bytes * 5 + 3) {
            void *block = ::operator new(bytes, std::align_val_t(alignment));
            CHECK(is_aligned(block, alignment) && is_aligned(block, 16));
            ::operator delete(block, bytes, std::align_val_t(alignment));
        }
}

/* ---- Failure ----------------------------------------------------------------------------------------------------- */

static bool throws_bad_alloc(void *(*allocate)(size_t), size_t bytes)
{
    try {
        void *block = allocate(bytes);
        test_fail(__FILE__, __LINE__, "%zu bytes gave %p", bytes, block);
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

TEST(impossible_sizes_throw_or_give_null)
{
    for (const new_form &making : new_forms) {
        for (size_t i = 0; i < 1 << 14; i++)
            for (size_t bytes : {SIZE_MAX - i, (size_t)PTRDIFF_MAX + 1 + i, (i + 1) << 50, ((i + 1) << 50) - 1}) {
                if (bytes < GIB) /* i + 1 has lost its top bits */
                    continue;
                free(malloc(i % 200));
                if (!making.throws)
                    CHECK_EQ(making.allocate(bytes), NULL);
                else if (i % 64 == 0) /* a throw costs a thousand times more */
                    CHECK(throws_bad_alloc(making.allocate, bytes));
            }
    }
}

TEST(bad_alloc_leaves_memory_usable)
{
    for (int i = 0; i < 1000; i++) {
        std::vector<char> vector;
        try {
            vector.reserve((size_t)PTRDIFF_MAX - 1);
            CHECK(false);
        } catch (const std::bad_alloc &) {
        }
        vector.resize(1000 + (size_t)i);
        CHECK_EQ(vector[999], 0);
    }
}

/* ---- The new-handler --------------------------------------------------------------------------------------------- */

static int handler_calls;
static const size_t impossible = (size_t)1 << 60;

static void count_and_give_up()
{
    if (++handler_calls == 5)
        std::set_new_handler(nullptr);
}

static void count_and_throw()
{
    if (++handler_calls == 3)
        throw std::bad_alloc();
}

struct own_exception : std::bad_alloc {
};

static void throw_own() { throw own_exception(); }

/* The handler runs under no lock of ours: it may allocate. */
static void allocate_and_give_up()
{
    free(malloc(1000));
    delete[] new char[5 * MIB];
    if (++handler_calls == 4)
        std::set_new_handler(nullptr);
}

TEST(the_handler_is_called_until_it_gives_up)
{
    for (const new_form &making : new_forms) {
        handler_calls = 0;
        std::set_new_handler(count_and_give_up);
        if (making.throws)
            CHECK(throws_bad_alloc(making.allocate, impossible));
        else
            CHECK_EQ(making.allocate(impossible), NULL);
        CHECK_EQ(handler_calls, 5);
    }
}

TEST(a_throw_from_the_handler_passes_or_becomes_null)
{
    for (const new_form &making : new_forms) {
        handler_calls = 0;
        std::set_new_handler(count_and_throw);
        if (making.throws)
            CHECK(throws_bad_alloc(making.allocate, impossible));
        else
            CHECK_EQ(making.allocate(impossible), NULL);
        CHECK_EQ(handler_calls, 3);
    }
}

TEST(an_exception_of_the_handler_arrives_unchanged)
{
    std::set_new_handler(throw_own);
    bool arrived = false;
    try {
        ::operator delete(::operator new(impossible));
    } catch (const own_exception &) {
        arrived = true;
    }
    CHECK(arrived);
}

TEST(the_handler_may_allocate)
{
    for (const new_form &making : new_forms) {
        handler_calls = 0;
        std::set_new_handler(allocate_and_give_up);
        if (making.throws)
            CHECK(throws_bad_alloc(making.allocate, impossible));
        else
            CHECK_EQ(making.allocate(impossible), NULL);
        CHECK_EQ(handler_calls, 4);
    }
}

TEST(the_handler_is_not_called_on_success)
{
    handler_calls = 0;
    std::set_new_handler(count_and_give_up);
    for (const new_form &making : new_forms)
        free(making.allocate(1000));
    CHECK_EQ(handler_calls, 0);
}

/* ---- As programs use them ---------------------------------------------------------------------------------------- */

struct alignas(128) overaligned {
    char bytes[200];
    static int live;
    overaligned() { live++; }
    ~overaligned() { live--; }
};

int overaligned::live;

TEST(objects_with_an_alignment_of_their_own)
{
    for (int i = 0; i < 1000; i++) {
        overaligned *one = new overaligned, *many = new overaligned[7];
        CHECK(is_aligned(one, 128) && is_aligned(many, 128));
        CHECK_EQ(overaligned::live, 8);
        delete one;
        delete[] many;
    }
    CHECK_EQ(overaligned::live, 0);
}

struct throwing {
    throwing() { throw 7; }
};

TEST(a_constructor_that_throws_gives_the_memory_back)
{
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 10000; i++) {
        try {
            delete new throwing;
            CHECK(false);
        } catch (int thrown) {
            CHECK_EQ(thrown, 7);
        }
    }
    CHECK(mallinfo2().uordblks < before + 10000);
}

TEST(exceptions_pass_in_many_threads_at_once)
{
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([] {
            for (int i = 0; i < 1000; i++)
                CHECK(throws_bad_alloc(new_plain, impossible));
        });
    for (std::thread &thread : threads)
        thread.join();
}

#endif
