/* words.h: pieces of a text that is read in place, and the sizes among them. For ASHLAR_CONF, which the libraries read
 * each for itself: one grammar, one wording. */
#ifndef ASHLAR_BASE_WORDS_H
#define ASHLAR_BASE_WORDS_H

#include "base/format.h"

/* A piece of a text, without a NUL of its own. */
struct word {
    const char *start;
    size_t length;
};

/* Longest word that is printed or compared by its letters. */
enum { WORD_ROOM = 64 };

static inline struct word word_of(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0')
        length++;
    return (struct word){string, length};
}

static inline bool same_words(struct word a, struct word b)
{
    return a.length == b.length && __builtin_memcmp(a.start, b.start, a.length) == 0;
}

/* The part of *rest before the first `end`; *rest goes on behind it. */
static inline struct word next_part(struct word *rest, char end)
{
    struct word part = {rest->start, 0};

    while (part.length < rest->length && part.start[part.length] != end)
        part.length++;
    const size_t used = part.length + (part.length < rest->length);
    *rest = (struct word){rest->start + used, rest->length - used};
    return part;
}

/* Append the word in quotes, cut at WORD_ROOM; what is no printable ASCII as a question mark. */
static inline void text_put_word(struct text *text, struct word word)
{
    text_put_char(text, '"');
    for (size_t i = 0; i < word.length && i < WORD_ROOM; i++) {
        const char c = word.start[i];
        text_put_char(text, c >= ' ' && c <= '~' ? c : '?');
    }
    text_put_char(text, '"');
}

struct unit {
    const char *name;
    uint64_t factor;
};

enum { SIZE_UNITS = 5 };
static const struct unit size_units[SIZE_UNITS] = {
    {"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10}, {"", 1}};

/* Parse digits and a unit: no sign, no blank, no overflow, at most REQUEST_BYTES_MAX.
 * returns: whether it is such a number; *number is undefined if not. */
static inline bool parse_number(struct word word, const struct unit *units, int unit_count, uint64_t *number)
{
    uint64_t digits = 0;
    size_t length = 0;

    for (; length < word.length && word.start[length] >= '0' && word.start[length] <= '9'; length++)
        if (__builtin_mul_overflow(digits, 10, &digits) ||
            __builtin_add_overflow(digits, (uint64_t)(word.start[length] - '0'), &digits))
            return false;
    const struct word suffix = {word.start + length, word.length - length};

    for (int i = 0; i < unit_count && length > 0; i++)
        if (same_words(suffix, word_of(units[i].name)))
            return !__builtin_mul_overflow(digits, units[i].factor, number) && *number <= REQUEST_BYTES_MAX;
    return false;
}

/* Parse what option `side_stack` takes: a size within the bounds of a side stack. */
static inline bool parse_side_stack(struct word word, uint64_t *number)
{
    return parse_number(word, size_units, SIZE_UNITS, number) && *number >= SIDE_STACK_LEAST &&
           *number <= SIDE_STACK_MOST;
}

#endif
