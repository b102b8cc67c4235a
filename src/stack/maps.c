/* maps.c: the main thread's stack, found in /proc/self/maps.
 *
 *        ... other mapping |      gap, nothing      | grows <-- stack, arguments, environment |
 *                          ^ end                ^ floor                                     hi ^
 *
 * Raw system calls and a small buffer: it is also read by the handler of an overflow, on an alternate stack, and is no
 * cancellation point. The stack is the mapping that holds the random bytes which the kernel puts there for every
 * program (AT_RANDOM, getauxval(3)). Not taken: __libc_stack_end, which lies below arguments and environment; the
 * kernel counts RLIMIT_STACK from the end of the mapping. Where a part of the stack was made a mapping of its own
 * (mlock, mprotect) the floor is too high: then less is known to be left than there is. */
#include "stack/stack.h"

#include <fcntl.h>
#include <sys/auxv.h>

/* What was read of the present line: "start-end rest". */
struct reader {
    enum { IN_START, IN_END, IN_REST } place;
    uintptr_t start, end, end_before;
};

static unsigned digit_of(char c) { return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10); }

/* Take one more character. returns: whether it ended the addresses of a mapping. */
static bool take(struct reader *reader, char c)
{
    switch (reader->place) {
    case IN_START:
        if (c == '-')
            reader->place = IN_END;
        else
            reader->start = reader->start << 4 | digit_of(c);
        return false;
    case IN_END:
        if (c == ' ') {
            reader->place = IN_REST;
            return true;
        }
        reader->end = reader->end << 4 | digit_of(c);
        return false;
    case IN_REST:
        if (c == '\n')
            *reader = (struct reader){IN_START, 0, 0, reader->end};
        return false;
    }
    return false;
}

static bool is_stack(const struct reader *reader)
{
    const uintptr_t at = (uintptr_t)getauxval(AT_RANDOM);

    return at >= reader->start && at < reader->end;
}

/* Take the characters. returns: whether the stack's mapping was among them, which is in `reader` then. */
static bool take_all(struct reader *reader, const char *text, long length)
{
    for (long i = 0; i < length; i++)
        if (take(reader, text[i]) && is_stack(reader))
            return true;
    return false;
}

static bool read_maps(long file, struct reader *reader)
{
    char text[1024];
    long length;

    do {
        length = syscall(SYS_read, file, text, sizeof text);
        if (take_all(reader, text, length))
            return true;
    } while (length > 0);
    return false;
}

bool stack_find_main(struct main_stack *stack)
{
    const int kept = errno;
    struct reader reader = {0};
    const long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    const bool found = file >= 0 && read_maps(file, &reader);

    if (file >= 0)
        (void)syscall(SYS_close, file);
    errno = kept;
    if (found)
        *stack = (struct main_stack){reader.end, reader.end_before + stack_gap_bytes()};
    return found;
}
