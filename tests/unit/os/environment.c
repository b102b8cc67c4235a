/* process.c: the environment block, read without libc; and writing as far as a descriptor accepts it. */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"

static const char *value_of(const char *name, char **block)
{
    bool ready = false;

    environ = block;
    const char *const value = os_environment(name, &ready);
    CHECK_EQ(ready, block != NULL);
    return value;
}

TEST(a_variable_is_found_by_its_whole_name_only)
{
    char *block[] = {"ASHLAR_CONFX=1",
                     "XASHLAR_CONF=2",
                     "ASHLAR_CON=3",
                     "ASHLAR_CONF",
                     "",
                     "=",
                     "ASHLAR_CONF=warn:on",
                     "ASHLAR_CONF=second",
                     NULL};

    CHECK_EQ(value_of("ASHLAR_CONF", block), block[6] + strlen("ASHLAR_CONF="));
    CHECK_EQ(value_of("ASHLAR", block), NULL);
    CHECK_EQ(value_of("ASHLAR_CON", block), block[2] + strlen("ASHLAR_CON="));
}

TEST(an_empty_value_is_a_value)
{
    char *block[] = {"ASHLAR_CONF=", NULL};

    CHECK_EQ(*value_of("ASHLAR_CONF", block), '\0');
}

TEST(a_value_may_contain_the_sign_that_ends_names)
{
    char *block[] = {"ASHLAR_CONF=a=b", NULL};

    CHECK_EQ(strcmp(value_of("ASHLAR_CONF", block), "a=b"), 0);
}

TEST(until_libc_has_a_block_the_one_for_constructors_counts)
{
    char *first[] = {"ASHLAR_CONF=first", NULL}, *block[] = {"ASHLAR_CONF=libc", NULL};
    bool ready = false;

    os_environment_is(first);
    environ = NULL;
    CHECK_EQ(strcmp(os_environment("ASHLAR_CONF", &ready), "first"), 0);
    CHECK(ready);
    environ = block;
    CHECK_EQ(strcmp(os_environment("ASHLAR_CONF", &ready), "libc"), 0);
}

TEST(an_empty_block_is_ready_and_a_missing_one_is_not)
{
    char *block[] = {NULL};

    CHECK_EQ(value_of("ASHLAR_CONF", block), NULL);
    CHECK_EQ(value_of("ASHLAR_CONF", NULL), NULL);
}

TEST(a_bounded_address_space_is_noticed)
{
    struct os_facts facts = {0};
    struct rlimit limit;

    CHECK_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    os_start(&facts);
    CHECK_EQ(facts.short_of_space, limit.rlim_cur != RLIM_INFINITY);
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? (rlim_t)1 << 60 : limit.rlim_max; /* more than there is */
    if (test_emulated() || setrlimit(RLIMIT_AS, &limit) != 0)
        SKIP("the limit on the address space cannot be set");
    os_start(&facts);
    CHECK(facts.short_of_space);
}

TEST(a_long_text_is_written_whole)
{
    static char text[300000], copy[300000];
    int pipe_ends[2];
    size_t read_bytes = 0;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 251);
    CHECK_EQ(pipe(pipe_ends), 0);
    if (fork() == 0) {
        os_write(pipe_ends[1], text, sizeof text); /* more than a pipe holds */
        _exit(0);
    }
    CHECK_EQ(close(pipe_ends[1]), 0);
    for (ssize_t more = 1; more > 0; read_bytes += (size_t)more) {
        more = read(pipe_ends[0], copy + read_bytes, sizeof copy - read_bytes);
        CHECK(more >= 0);
    }
    CHECK_EQ(read_bytes, sizeof text);
    CHECK_EQ(memcmp(text, copy, sizeof text), 0);
}

TEST(writing_to_nowhere_ends)
{
    int sockets[2];

    os_write(-1, "text", 4);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    CHECK_EQ(fcntl(sockets[0], F_SETFL, O_NONBLOCK), 0);
    static char text[4 << 20];
    os_write(sockets[0], text, sizeof text); /* nobody reads: as far as it accepts */
}

TEST(the_process_knows_itself)
{
    CHECK_EQ(os_pid(), getpid());
    CHECK_EQ(os_parent_pid(), getppid());
    CHECK_EQ(os_open("/no/such/file", O_RDONLY, 0), -ENOENT);
    CHECK_EQ(os_close(-1), EBADF);
}
