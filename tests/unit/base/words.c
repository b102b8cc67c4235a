/* words.c: words and sizes in a text that is read in place. */
#include "test.h"

#include <string.h>

#include "base/words.h"

static bool is(struct word word, const char *expected) { return same_words(word, word_of(expected)); }

TEST(parts_are_taken_one_by_one)
{
    struct word rest = word_of("ab,,c");
    CHECK(is(next_part(&rest, ','), "ab"));
    CHECK(is(next_part(&rest, ','), ""));
    CHECK(is(next_part(&rest, ','), "c"));
    CHECK_EQ(rest.length, 0);
    CHECK(is(next_part(&rest, ','), ""));
}

TEST(words_are_compared_whole)
{
    CHECK(same_words(word_of("abc"), (struct word){"abcd", 3}));
    CHECK(!same_words(word_of("abc"), word_of("abcd")));
    CHECK(!same_words(word_of("abc"), word_of("abd")));
    CHECK(same_words(word_of(""), word_of("")));
}

static const char *quoted(const char *string)
{
    static char line[200];
    struct text text = {line, sizeof line, 0};
    text_put_word(&text, word_of(string));
    return line;
}

TEST(a_printed_word_is_quoted_cut_and_harmless)
{
    char longest[WORD_ROOM + 3], expected[WORD_ROOM + 3];
    CHECK_EQ(strcmp(quoted("a b"), "\"a b\""), 0);
    CHECK_EQ(strcmp(quoted("\x1b[m\n\xc3"), "\"?[m??\""), 0);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    memset(expected, 'x', sizeof expected);
    expected[0] = expected[WORD_ROOM + 1] = '"';
    expected[WORD_ROOM + 2] = '\0';
    CHECK_EQ(strcmp(quoted(longest), expected), 0);
}

TEST(numbers_have_units_and_bounds)
{
    uint64_t number;
    CHECK(parse_number(word_of("12K"), size_units, SIZE_UNITS, &number) && number == 12 << 10);
    CHECK(parse_number(word_of("7"), size_units, SIZE_UNITS, &number) && number == 7);
    CHECK(parse_number(word_of("9223372036854775807"), size_units, SIZE_UNITS, &number));
    CHECK(!parse_number(word_of("9223372036854775808"), size_units, SIZE_UNITS, &number));
    CHECK(!parse_number(word_of("18446744073709551617"), size_units, SIZE_UNITS, &number));
    CHECK(!parse_number(word_of("16777216T"), size_units, SIZE_UNITS, &number));
    CHECK(!parse_number(word_of("K"), size_units, SIZE_UNITS, &number));
    CHECK(!parse_number(word_of("1k"), size_units, SIZE_UNITS, &number));
}

TEST(a_side_stack_has_its_bounds)
{
    uint64_t number;
    CHECK(parse_side_stack(word_of("1M"), &number) && number == SIDE_STACK_LEAST);
    CHECK(parse_side_stack(word_of("4G"), &number) && number == SIDE_STACK_MOST);
    CHECK(!parse_side_stack(word_of("1048575"), &number));
    CHECK(!parse_side_stack(word_of("4294967297"), &number));
}
