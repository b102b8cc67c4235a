#!/usr/bin/python3
"""`ashlar run --check-mem`: the memory functions are preloaded too, and stop at the end of a heap block."""

import os
import re
import shutil
import subprocess

from lib.tap import BUILD, contains, is_equal, main, place, run, story

OVER = """#include <stdlib.h>
#include <string.h>
int main(int count, char **words) {
    (void)count;
    char *volatile block = malloc(10);
    strcpy(block, words[1]);
    return block[0] == words[1][0] ? 7 : 8;
}
"""
LINE = r"ashlar: write of 21 bytes at 0x([0-9a-f]+) ends 5 past 0x\1 \(16-byte block, in strcpy, from over\+0x[0-9a-f]+\)"


def over():
    with open(place("over.c"), "w", encoding="ascii") as file:
        file.write(OVER)
    subprocess.run(["gcc", "-fno-builtin", "-O1", "-o", place("over"), place("over.c")], check=True)
    return place("over")


@story
def report_prints_a_line_and_goes_on():
    program = over()
    for words in (["--check-mem"], ["--check-mem=report"]):
        result = run("-q", *words, "--", program, "x" * 20)
        is_equal(result.status, 7, str(result))
        assert re.fullmatch(LINE, result.err.splitlines()[0]), result.err


@story
def abort_ends_the_program():
    result = run("-q", "--check-mem=abort", "--", over(), "x" * 20)
    is_equal(result.status, 134, str(result))
    assert re.fullmatch(LINE, result.err.splitlines()[0]), result.err


@story
def without_the_option_nothing_is_said():
    result = run("-q", "--", over(), "x" * 20)
    is_equal((result.status, result.err), (7, ""))


@story
def it_wins_over_a_setting_of_the_users():
    result = run("-q", "--check-mem=abort", "--", over(), "x" * 20, changes={"ASHLAR_CONF": "check_mem:off,dirty:1M"})
    is_equal(result.status, 134, str(result))
    result = run("-q", "--", "sh", "-c", "echo $ASHLAR_CONF", changes={"ASHLAR_CONF": "check_mem:off"})
    contains(result.out, "check_mem:off,status:")


@story
def another_word_is_refused():
    result = run("--check-mem=maybe", "--", "true")
    is_equal(result.status, 2)
    contains(result.err, "--check-mem is report or abort, not 'maybe'")


@story
def a_library_that_is_not_there_is_named():
    for name in ("ashlar", "libashlar.so.1", "libashlar-status.so"):
        shutil.copy(os.path.join(BUILD, name), place(name))
    done = subprocess.run([place("ashlar"), "run", "--check-mem", "--", "true"], capture_output=True, text=True, check=False)
    is_equal(done.returncode, 125)
    contains(done.stderr, "libashlar-mem.so.1 is neither beside the library")
    is_equal(subprocess.run([place("ashlar"), "run", "-q", "--", "true"], check=False).returncode, 0)


main()
