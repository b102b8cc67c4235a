/* exceptions.cc: a C++ exception ends the scopes that it passes, and frees what they hold. */
#include "../lib/test.h"

#include <ashlar_stack.h>

#include <malloc.h>
#include <stdexcept>

namespace
{

enum { DEPTH = 5, TIMES = 100 };

size_t bytes_on_heap()
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

size_t used_of_side_stack()
{
    struct ashlar_side_info info;
    CHECK_EQ(ashlar_side_stat(&info), 0);
    return info.used;
}

/* In each frame all three tools have something to free: A and B on the heap, B on the stack, too. */
__attribute__((noinline)) int throw_from(int depth)
{
    ASHLAR_SCRATCH(s, 64);
    ASHLAR_GUARD(g);
    ASHLAR_SIDE_SCOPE(m);
    void *const outgrown = ashlar_scratch_get(&s, 5000);
    char *const small = ASHLAR_ALLOCA(char, 1000, g);
    char *const large = ASHLAR_ALLOCA(char, 1 << 20, g);
    CHECK(outgrown != nullptr && small != nullptr && large != nullptr && ashlar_side_alloc(10000) != nullptr);
    small[0] = small[999] = large[0] = 1;
    if (depth == 0)
        throw std::runtime_error("from the deepest");
    return throw_from(depth - 1) + small[999];
}

bool is_caught()
{
    try {
        return throw_from(DEPTH) == 0;
    } catch (const std::runtime_error &) {
        return true;
    }
}

} // namespace

TEST(an_exception_through_all_scopes_leaves_nothing)
{
    CHECK(is_caught());
    const size_t before = bytes_on_heap();
    for (int i = 0; i < TIMES; i++) {
        CHECK(is_caught());
        CHECK_EQ(used_of_side_stack(), 0);
    }
    CHECK(bytes_on_heap() < before + 5000);
}

TEST(one_that_is_caught_between_scopes_leaves_the_outer_ones)
{
    ASHLAR_SIDE_SCOPE(m);
    ASHLAR_SCRATCH(s, 64);
    char *const text = static_cast<char *>(ashlar_scratch_get(&s, 1000));
    char *const block = static_cast<char *>(ashlar_side_alloc(1000));
    CHECK(text != nullptr && block != nullptr);
    const size_t used = used_of_side_stack();
    text[999] = block[999] = 7;
    CHECK(is_caught());
    CHECK_EQ(used_of_side_stack(), used);
    CHECK(text[999] == 7 && block[999] == 7 && s.buf == text);
}
