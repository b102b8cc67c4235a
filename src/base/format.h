/* format.h: text built in a buffer of the caller, without libc, locale or allocation.
 *
 * A text that outgrows its room is cut, and `length` goes on counting, as snprintf does. */
#ifndef ASHLAR_BASE_FORMAT_H
#define ASHLAR_BASE_FORMAT_H

#include "base/config.h"

struct text {
    char *at;      /* the buffer; may be NULL when room is 0 */
    size_t room;   /* its bytes, the closing NUL included */
    size_t length; /* of the whole text, without the NUL */
};

static inline void text_put_char(struct text *text, char c)
{
    if (text->length + 1 < text->room) {
        text->at[text->length] = c;
        text->at[text->length + 1] = '\0';
    } else if (text->length < text->room) {
        text->at[text->length] = '\0';
    }
    text->length++;
}

static inline void text_put(struct text *text, const char *string)
{
    while (*string != '\0')
        text_put_char(text, *string++);
}

static inline void text_put_base(struct text *text, uint64_t number, unsigned base)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    while (count > 0)
        text_put_char(text, digits[--count]);
}

static inline void text_put_decimal(struct text *text, uint64_t number) { text_put_base(text, number, 10); }

/* Lower-case, without leading zeros and without 0x. */
static inline void text_put_hex(struct text *text, uint64_t number) { text_put_base(text, number, 16); }

/* Bytes that were written, cut off at the room. */
static inline size_t text_written(const struct text *text)
{
    if (text->room == 0)
        return 0;
    return text->length < text->room ? text->length : text->room - 1;
}

#endif
