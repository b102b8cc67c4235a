#!/usr/bin/python3
"""Programs that the library cannot get into: refused with the right reason, and not started."""

import os
import shutil
import struct
import subprocess

from lib.tap import (ASHLAR, BUILD, Skip, actor, contains, is_equal, lacks, main, place, reachable_by_others, run,
                     run_json, story)

TRUE = "/bin/true"
NOBODY = 65534


def copy(source, change=lambda content: content, mode=0o755):
    """A changed copy of a program in the story's directory."""
    path = place("copy")
    with open(source, "rb") as stream:
        content = change(stream.read())
    with open(path, "wb") as stream:
        stream.write(content)
    os.chmod(path, mode)
    return path


def refused(reason, text, *words, status=125, **more):
    """Refused as text and as JSON, with nothing of the command's own output."""
    plain = run("--", *words, **more)
    is_equal(plain.status, status, "status")
    is_equal(plain.out, "", "output")
    contains(plain.err, "ashlar: ")
    contains(plain.err, text)
    is_equal(plain.err.count("\n"), 1, "lines")
    result, told = run_json(*words, **more)
    is_equal(result.status, status, "status with --json")
    is_equal(told["reason"], reason, "reason")
    is_equal((told["active"], told["started"], told["status"]), (False, False, status), "state")
    contains(told["message"], text)


@story
def static_program():
    refused("static", "it is statically linked", actor("-static"), "arguments", "ran")


@story
def static_position_independent_program():
    refused("static", "it is statically linked", actor("-static-pie"), "arguments", "ran")


@story
def program_with_its_own_malloc():
    refused("own_malloc", "it defines its own malloc", actor("-DOWN_MALLOC=default"), "arguments", "ran")


@story
def program_with_a_hidden_malloc():
    refused("own_malloc", "hidden from the loader", actor("-DOWN_MALLOC=hidden"), "arguments", "ran")


@story
def setuid_program_of_another_user():
    if os.getuid() != 0:
        raise Skip("only root can give a file to another user")
    path = copy(actor())
    os.chown(path, NOBODY, NOBODY)
    os.chmod(path, 0o4755)
    refused("setuid", "setuid to user 65534", path, "arguments", "ran")


@story
def setgid_program_of_another_group():
    if os.getuid() != 0:
        raise Skip("only root can give a file to another group")
    path = copy(actor())
    os.chown(path, 0, NOBODY)
    os.chmod(path, 0o2755)
    refused("setuid", "setgid to group 65534", path, "arguments", "ran")


@story
def setuid_program_of_ones_own_is_no_obstacle():
    path = copy(actor(), mode=0o4755)
    result, told = run_json(path, "exit", "3")
    is_equal((result.status, told["active"]), (3, True), str(result))


@story
def program_with_capabilities():
    if os.getuid() != 0:
        raise Skip("only root can give capabilities to a file")
    path = copy(actor())
    # struct vfs_cap_data, revision 2: CAP_NET_RAW permitted, effective
    os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    run_as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    os.chmod(place("tmp"), 0o777)
    if not reachable_by_others(ASHLAR):
        raise Skip("another user cannot reach the build directory")
    result = run("--", path, "arguments", "ran", **run_as_nobody)
    is_equal((result.status, result.out), (125, ""), str(result))
    contains(result.err, "it has file capabilities")
    # root gains nothing by them, so the loader does not mind
    result, told = run_json(path, "exit", "4")
    is_equal((result.status, told["active"]), (4, True), str(result))


@story
def program_for_another_machine():
    other = struct.pack("<H", 21)  # EM_PPC64
    refused("machine", "for another machine", copy(TRUE, lambda elf: elf[:18] + other + elf[20:]))


@story
def program_for_another_c_library():
    refused("loader", "for another C library", copy(TRUE, lambda elf: elf.replace(b"/ld-linux-", b"/ld-other-")))


@story
def damaged_program():
    refused("damaged", "cannot be understood", copy(TRUE, lambda elf: elf[:64]))


@story
def script_of_a_static_interpreter():
    script = place("script")
    with open(script, "w", encoding="ascii") as stream:
        stream.write(f"#! {actor('-static')} arguments\n")
    os.chmod(script, 0o755)
    refused("static", "it is statically linked", script)


@story
def script_of_a_missing_interpreter():
    script = place("script")
    with open(script, "w", encoding="ascii") as stream:
        stream.write("#!/nonexistent/interpreter\n")
    os.chmod(script, 0o755)
    refused("interpreter", "/nonexistent/interpreter", script, status=126)


@story
def script_that_interprets_itself():
    script = place("script")
    with open(script, "w", encoding="ascii") as stream:
        stream.write(f"#!{script}\n")
    os.chmod(script, 0o755)
    refused("interpreter", "levels of symbolic links", script, status=126)


@story
def command_not_found():
    path = {"PATH": "/usr/bin:/bin"}  # a directory that we may not enter would give "not_executable", as from execvp
    refused("not_found", "command not found", "no-such-command-here", status=127, changes=path)
    refused("not_found", "No such file or directory", "/no/such/file", status=127)
    refused("not_found", "command not found", "", status=127)


@story
def command_not_executable():
    refused("not_executable", "Permission denied", copy(TRUE, mode=0o644), status=126)
    refused("not_executable", "Permission denied", "/", status=126)


@story
def path_is_searched_as_by_execvp():
    os.mkdir(place("first"))
    os.mkdir(place("second"))
    shutil.copy(TRUE, place("first/tool"))
    os.chmod(place("first/tool"), 0o644)
    path = {"PATH": f"{place('first')}:{place('second')}"}
    refused("not_executable", "Permission denied", "tool", status=126, changes=path)
    shutil.copy(actor(), place("second/tool"))
    result = run("-q", "--", "tool", "exit", "5", changes=path)
    is_equal(result.status, 5, str(result))


@story
def library_missing():
    refused_library("/no/such/library.so", "No such file or directory")
    refused_library(TRUE, "it is not Ashlar's library")
    refused_library(__file__, "it is no shared object")


def refused_library(path, text):
    result = run("--library", path, "--", TRUE)
    is_equal((result.status, result.out), (125, ""), str(result))
    contains(result.err, text)


@story
def library_where_ld_preload_cannot_name_it():
    home = place("with blank")
    os.mkdir(home)
    for name in ("libashlar.so.1", "libashlar-status.so"):
        shutil.copy(os.path.join(BUILD, name), home)
    refused_library(os.path.join(home, "libashlar.so.1"), "LD_PRELOAD takes no path with a blank or a colon")


@story
def installed_library_is_found():
    for directory in ("lib", "lib64", "lib/x86_64-linux-gnu"):
        prefix = place("prefix-" + directory.replace("/", "-"))
        os.makedirs(os.path.join(prefix, "bin"))
        os.makedirs(os.path.join(prefix, directory))
        shutil.copy(ASHLAR, os.path.join(prefix, "bin"))
        for name in ("libashlar.so.1", "libashlar-status.so"):
            shutil.copy(os.path.join(BUILD, name), os.path.join(prefix, directory))
        done = subprocess.run([os.path.join(prefix, "bin/ashlar"), "run", "-v", "--", actor(), "exit", "6"], timeout=60,
                              stderr=subprocess.PIPE, check=False)
        is_equal(done.returncode, 6, directory + done.stderr.decode())
        contains(done.stderr.decode(), os.path.join(prefix, directory, "libashlar.so.1"))
    os.remove(os.path.join(prefix, directory, "libashlar-status.so"))
    done = subprocess.run([os.path.join(prefix, "bin/ashlar"), "run", "--", TRUE], timeout=60, stderr=subprocess.PIPE,
                          check=False)
    is_equal(done.returncode, 125)
    contains(done.stderr.decode(), "libashlar-status.so is neither beside the library")


@story
def hostile_name_is_escaped():
    name = place("evil\x1b[31m\nname")
    result = run("--", name)
    is_equal(result.status, 127)
    lacks(result.err, "\x1b")
    contains(result.err, "evil\\x1b[31m\\x0aname")


if __name__ == "__main__":
    main()
