/* format.h: text in a buffer of the caller, against snprintf: the same characters, the same length, the same cut. */
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"

/* Write some text of all kinds into `room` bytes, twice, and compare. */
static void compare(size_t room, uint64_t number)
{
    char ours[128], theirs[128];
    struct text text = {ours, room, 0};

    memset(ours, '#', sizeof ours);
    memset(theirs, '#', sizeof theirs);
    text_put(&text, "at ");
    text_put_hex(&text, number);
    text_put_char(&text, ':');
    text_put(&text, "");
    text_put_decimal(&text, number);
    const int length = snprintf(theirs, room, "at %" PRIx64 ":%" PRIu64, number, number);
    CHECK_EQ(text.length, length);
    CHECK_EQ(memcmp(ours, theirs, sizeof ours), 0); /* behind the room too */
    CHECK_EQ(text_written(&text), room == 0 ? 0 : strlen(theirs));
}

TEST(every_number_and_every_room_gives_what_snprintf_gives)
{
    for (size_t room = 0; room < 60; room++) {
        compare(room, 0);
        compare(room, UINT64_MAX);
        for (int bits = 0; bits < 64; bits++)
            compare(room, test_random() >> bits);
    }
}

TEST(without_a_buffer_the_length_is_still_counted)
{
    struct text text = {NULL, 0, 0};

    text_put(&text, "twelve chars");
    text_put_decimal(&text, 12345);
    CHECK_EQ(text.length, 17);
    CHECK_EQ(text_written(&text), 0);
}
