#!/usr/bin/python3
"""The command runs as if it had been started alone: status, arguments, streams, signals, descriptors, environment."""

import os
import shutil
import signal
import subprocess

from lib.tap import (ASHLAR, Skip, actor, ashlar, contains, environment, is_equal, main, place, reachable_by_others,
                     run, run_json, skip_if_sanitized, story)


def script(text, interpreter="#!/bin/sh"):
    path = place("script")
    with open(path, "w", encoding="ascii") as stream:
        stream.write(f"{interpreter}\n{text}\n" if interpreter else f"{text}\n")
    os.chmod(path, 0o755)
    return path


@story
def exit_statuses():
    for status in (0, 1, 2, 3, 42, 124, 125, 126, 127, 128, 255):
        result, told = run_json("sh", "-c", f"exit {status}")
        is_equal((result.status, told["status"], told["command_status"]), (status, status, status))
        is_equal(told["command_signal"], None)


@story
def signals_that_kill():
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT, signal.SIGINT, signal.SIGPIPE):
        result, told = run_json("sh", "-c", f"kill -{int(number)} $$")
        is_equal((result.status, told["command_status"], told["command_signal"]), (128 + number, 128 + number, number))


@story
def arguments_are_the_commands_own():
    words = ["--json", "-q", "--", "-o", "x y", "", "--help", "tab\there", "\u00e9"]
    expected = "".join(f"[{word}]\n" for word in words)
    for before in ([], ["--"], ["-q"], ["-q", "--"]):
        result = run(*before, actor(), "arguments", *words)
        is_equal((result.status, result.out), (0, expected), str(before))


@story
def command_named_like_an_option():
    os.symlink(actor(), place("--json"))
    result = run("-q", "--", "--json", "arguments", "1", changes={"PATH": place("")})
    is_equal((result.status, result.out), (0, "[1]\n"), str(result))


@story
def standard_streams_are_untouched():
    data = bytes(range(256)) * 400
    done = subprocess.run([ASHLAR, "run", "-q", "--", "cat"], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False)
    is_equal((done.returncode, done.stdout, done.stderr), (0, data, b""))
    result = run("-q", "--", "sh", "-c", "echo out; echo err >&2")
    is_equal((result.out, result.err), ("out\n", "err\n"))
    result = run("--", "sh", "-c", "echo out")
    is_equal(result.out, "out\n")


@story
def surroundings_are_those_of_a_run_alone():
    words = [actor(), "surroundings"]
    alone = subprocess.run(words, stdout=subprocess.PIPE, timeout=60, check=True).stdout.decode()
    is_equal(run("-q", "--", *words).out, alone)
    # a parent that ignores and blocks signals, as nohup and some servers do
    def unusual():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    alone = subprocess.run(words, stdout=subprocess.PIPE, timeout=60, check=True, preexec_fn=unusual).stdout.decode()
    is_equal(run("-q", "--", *words, preexec_fn=unusual).out, alone)


@story
def status_survives_a_parent_that_ignores_its_children():
    result = run("-q", "--", "sh", "-c", "exit 9", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    is_equal(result.status, 9)


@story
def script_with_an_interpreter():
    result, told = run_json(script("echo $1; exit 4"), "word")
    is_equal((result.status, result.out), (4, "word\n"), str(result))
    is_equal((told["active"], os.path.basename(told["program"])), (True, "sh"))


@story
def script_with_env_in_its_first_line():
    result, told = run_json(script("echo $1; exit 4", "#!/usr/bin/env sh"), "word")
    is_equal((result.status, result.out, told["active"]), (4, "word\n", True), str(result))
    is_equal([process["end"] for process in told["processes"]], ["exec", "exit"])


@story
def script_without_an_interpreter():
    result, told = run_json(script("exit 4", None))
    is_equal((result.status, told["active"]), (4, True), str(result))


@story
def program_that_may_be_run_but_not_read():
    if os.getuid() != 0 or not reachable_by_others(ASHLAR):
        raise Skip("needs root, and a build directory that others reach")
    shutil.copy(actor(), place("copy"))
    os.chmod(place("copy"), 0o711)
    os.chmod(place("tmp"), 0o777)
    result = run("-v", "--", place("copy"), "exit", "6", user=65534, group=65534, extra_groups=[])
    is_equal(result.status, 6, str(result))
    contains(result.err, "(not readable, so not checked)")
    contains(result.err, "ashlar: active in copy")


@story
def settings_of_the_user_are_kept():
    words = ("-q", "--", "sh", "-c", 'echo "$ASHLAR_CONF"')
    contains(run(*words, changes={"ASHLAR_CONF": "warn:on,dirty:16M"}).out, "warn:on,dirty:16M,status:/")
    result = run(*words, changes={"ASHLAR_CONF": "status:/elsewhere,warn:on"})
    is_equal(result.out.count("status:"), 1, result.out)
    contains(result.out, "warn:on,status:/")
    is_equal(run(*words).out.startswith("status:/"), True)


@story
def settings_that_the_library_refuses():
    result, told = run_json("sh", "-c", "exit 6", changes={"ASHLAR_CONF": "proflie:on"})
    is_equal((result.status, told["active"], told["reason"]), (6, False, "no_page"), str(result))
    contains(result.err, 'ashlar: ASHLAR_CONF: unknown key "proflie"')
    contains(result.err, "ashlar: not active in sh")
    contains(result.err, "refused ASHLAR_CONF")


@story
def preloaded_objects_of_the_user_are_kept():
    skip_if_sanitized()
    result = run("-q", "--", "sh", "-c", 'echo "$LD_PRELOAD"', changes={"LD_PRELOAD": "libm.so.6"})
    contains(result.out, "libashlar.so.1:")
    contains(result.out, "libashlar-status.so:libm.so.6\n")


@story
def program_that_is_preloaded_but_drops_the_preload_for_others():
    result, told = run_json("env", "-u", "LD_PRELOAD", "sh", "-c", "exit 8")
    is_equal((result.status, told["active"]), (8, True), str(result))
    is_equal([process["end"] for process in told["processes"]], ["cut"])
    contains(run("--", "env", "-u", "LD_PRELOAD", "true").err, "went on as a program that Ashlar is not in")


@story
def run_inside_a_run():
    skip_if_sanitized()
    inner = place("inner.json")
    result, told = run_json(ASHLAR, "run", "--json", "-o", inner, "--", "sh", "-c", "exit 5")
    is_equal((result.status, told["active"], told["processes"][0]["name"]), (5, True, "ashlar"), str(result))
    with open(inner, encoding="utf-8") as stream:
        contains(stream.read(), '"name": "sh"')


@story
def directory_for_pages():
    # under XDG_RUNTIME_DIR when it is ours, else under TMPDIR, else under /tmp; mode 0700 and gone afterwards
    words = ("-q", "--", "sh", "-c", 'd=${ASHLAR_CONF#*status:}; echo "$d"; stat -c %a "$d"')
    os.mkdir(place("runtime"), 0o700)
    result = run(*words, changes={"XDG_RUNTIME_DIR": place("runtime")})
    contains(result.out, place("runtime") + "/ashlar-run.")
    contains(result.out, "\n700\n")
    is_equal(os.listdir(place("runtime")), [])
    contains(run(*words).out, place("tmp") + "/ashlar-run.")
    os.mkdir(place("with,comma"), 0o700)
    result = ashlar("run", *words, changes={"XDG_RUNTIME_DIR": place("with,comma"), "TMPDIR": "/no/such/place"})
    contains(result.out, "/tmp/ashlar-run.")
    is_equal(os.path.exists(result.out.splitlines()[0]), False, "removed")


if __name__ == "__main__":
    main()
