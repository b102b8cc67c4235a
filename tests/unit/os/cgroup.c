/* cgroup.c: the limit of a control group and of every group around it. The files are played: a path of the kernel's
 * leads to a file of the test's. */
#include "test.h"

#include "../lib/fake_os.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int played;

/* Reading `path` gives `content`. */
static void play(const char *path, const char *content)
{
    static char names[8][64];
    char *const name = names[played];
    const int file = memfd_create("played", 0);

    CHECK(file >= 0);
    CHECK_EQ(write(file, content, strlen(content)), (ssize_t)strlen(content));
    snprintf(name, sizeof names[0], "/proc/self/fd/%d", file);
    fake_os.files[played][0] = path;
    fake_os.files[played][1] = name;
    played++;
}

TEST(without_control_groups_there_is_no_limit) { CHECK_EQ(os_cgroup_limit(), SIZE_MAX); }

TEST(the_limit_of_the_own_group_counts)
{
    play("/proc/self/cgroup", "0::/user.slice/app\n");
    play("/sys/fs/cgroup/user.slice/app/memory.max", "268435456\n");
    CHECK_EQ(os_cgroup_limit(), 268435456);
}

TEST(the_smallest_limit_of_all_groups_around_counts)
{
    play("/proc/self/cgroup", "0::/a/b/c\n");
    play("/sys/fs/cgroup/a/memory.max", "3000\n");
    play("/sys/fs/cgroup/a/b/memory.max", "2000\n");
    play("/sys/fs/cgroup/a/b/c/memory.max", "4000\n");
    CHECK_EQ(os_cgroup_limit(), 2000);
}

TEST(max_is_no_limit)
{
    play("/proc/self/cgroup", "0::/a/b\n");
    play("/sys/fs/cgroup/a/memory.max", "max\n");
    play("/sys/fs/cgroup/a/b/memory.max", "max\n");
    CHECK_EQ(os_cgroup_limit(), SIZE_MAX);
}

TEST(the_line_of_version_two_is_found_among_others)
{
    play("/proc/self/cgroup", "12:pids:/x\n1:name=systemd:/y\n0::/a\n");
    play("/sys/fs/cgroup/a/memory.max", "777\n");
    play("/sys/fs/cgroup/x/memory.max", "1\n");
    CHECK_EQ(os_cgroup_limit(), 777);
}

TEST(a_line_without_an_end_is_read_too)
{
    play("/proc/self/cgroup", "0::/a");
    play("/sys/fs/cgroup/a/memory.max", "777");
    CHECK_EQ(os_cgroup_limit(), 777);
}

TEST(a_number_beyond_every_memory_is_no_limit)
{
    play("/proc/self/cgroup", "0::/a\n");
    play("/sys/fs/cgroup/a/memory.max", "99999999999999999999999\n");
    CHECK_EQ(os_cgroup_limit(), SIZE_MAX);
}

TEST(rubbish_is_no_limit_and_no_crash)
{
    static const char *const texts[] = {"",      "\n", "0", "0:", "0::", "0::\n", "0::/\n", "::::", "\n\n\n0::/a\n",
                                        "0::a\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        played = 0;
        play("/proc/self/cgroup", texts[i]);
        CHECK_EQ(os_cgroup_limit(), SIZE_MAX);
    }
}

TEST(a_path_longer_than_the_buffer_is_cut_and_harms_nothing)
{
    static char line[2000] = "0::/";

    memset(line + 4, 'd', sizeof line - 5);
    play("/proc/self/cgroup", line);
    CHECK_EQ(os_cgroup_limit(), SIZE_MAX);
}
