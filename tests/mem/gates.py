#!/usr/bin/python3
"""What the compiler must not do to the memory functions, and how a program must come to be bound to them."""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "cli"))

from lib.tap import BUILD, PROJECT, Skip, environment, is_equal, main, place, story  # noqa: E402

LIBRARY = os.path.join(BUILD, "libashlar-mem.so")
SOURCES = os.path.join(PROJECT, "src", "mem")
NAMES = re.findall(r"[a-z_]+(?=;)", open(os.path.join(SOURCES, "exports.map"), encoding="utf-8").read())
TAKEN = re.compile(r"mem|str|wmem|wcs|bcopy|bzero")
LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os")
# What keeps each compiler from seeing copies in loops, as in cmake/mem.cmake; the other one does not know the words.
OWN_WORDS = {"gcc": ("-fno-tree-loop-distribute-patterns", "-fno-tree-loop-vectorize", "-fno-instrument-functions"),
             "clang": ("-fno-vectorize", "-fno-slp-vectorize")}


def output_of(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, **more).stdout


def commands():
    """How the build compiles each source of the library: (source, words without the output)."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    chosen = {}
    for entry in entries:
        if os.path.dirname(entry["file"]) == SOURCES and "MEM_TAKES_NAMES" in entry["command"]:
            words = [word for word in entry["command"].split() if word != "-DMEM_TAKES_NAMES" and word not in LEVELS]
            chosen[entry["file"]] = words[1:words.index("-o")]
    assert len(chosen) >= 6, chosen
    return chosen


def undefined_after(compiler):
    """Every symbol that the sources leave undefined, compiled at each level without libc's names: a function that calls
    itself under such a name shows, too."""
    if shutil.which(compiler) is None:
        raise Skip(f"{compiler} is not installed")
    found = set()
    for level in LEVELS:
        for source, words in commands().items():
            words = [word for word in words if word not in OWN_WORDS["gcc"] + OWN_WORDS["clang"]]
            target = place("object.o")
            output_of(compiler, *words, *OWN_WORDS[compiler], level, "-w", "-c", source, "-o", target)
            found |= {(level, os.path.basename(source), line.split()[-1])
                      for line in output_of("nm", "-u", target).splitlines()}
    return found


def calls_nothing_of_libc(compiler):
    is_equal(sorted(one for one in undefined_after(compiler) if TAKEN.match(one[2]) and not one[2].startswith("mem_")), [])


@story
def gcc_makes_no_calls_of_copy_loops():
    calls_nothing_of_libc("gcc")


@story
def clang_makes_no_calls_of_copy_loops():
    calls_nothing_of_libc("clang")


@story
def names_are_plain_functions_without_versions():
    symbols = [line.split() for line in output_of("readelf", "--dyn-syms", "--wide", LIBRARY).splitlines()[3:]]
    ours = {words[7]: words[3] for words in symbols if len(words) > 7 and words[6] not in ("UND", "Ndx")}
    is_equal(sorted(ours), sorted(NAMES))
    is_equal(set(ours.values()), {"FUNC"})
    is_equal("Version definition" in output_of("readelf", "--version-info", LIBRARY), False)


@story
def library_needs_nothing_but_the_report_of_overflows():
    names = {line.split()[-1].split("@")[0] for line in output_of("nm", "-D", "-u", LIBRARY).splitlines()}
    is_equal(names, {"__chk_fail"})


@story
def state_is_zero_until_the_start():
    sections = output_of("readelf", "--sections", "--wide", LIBRARY)
    number = re.search(r"\[ *(\d+)\] \.bss", sections)[1]
    symbols = [line.split() for line in output_of("readelf", "--symbols", "--wide", LIBRARY).splitlines()]
    is_equal({words[6] for words in symbols if len(words) > 7 and words[7] == "mem_limits"}, {number})


@story
def versioned_references_are_bound_to_it():
    used = ("memcpy", "memmove", "memset", "mempcpy", "__memcpy_chk", "__memmove_chk", "__memset_chk", "__mempcpy_chk",
            "explicit_bzero", "wmemcpy", "wmemset")
    with open(place("user.c"), "w", encoding="utf-8") as file:
        file.write("".join(f"extern void {name}(void);\n" for name in used) + "int main(int n, char **v) { (void)v;\n" +
                   "".join(f"if (n == {900 + i}) {name}();\n" for i, name in enumerate(used)) + "return 0; }\n")
    output_of("gcc", "-fno-builtin", "-O0", "-o", place("user"), place("user.c"))
    assert "memcpy@GLIBC" in output_of("nm", "-D", place("user"))
    log = output_of(place("user"), env=environment(LD_PRELOAD=LIBRARY, LD_DEBUG="bindings", LD_BIND_NOW="1"))
    bound = {name: library for library, name in
             re.findall(r"binding file \S*user \[0\] to (\S+) \[0\]: normal symbol `(\w+)'", log)}
    is_equal({name: os.path.basename(bound.get(name, "nothing")) for name in used},
             dict.fromkeys(used, os.path.basename(LIBRARY)))


PROGRAMS = (("bash", "-c", "for i in {1..2000}; do x+=$i; done; echo ${#x} ${x:100:20}"),
            ("perl", "-e", "my %h; $h{$_ % 97} .= 'x' x ($_ % 300) for 1 .. 20000; print join(',', map { length } @h{1 .. 9}), \"\\n\""),
            ("python3", "-c", "import json; d = [{'n': i, 's': 'y' * (i % 500)} for i in range(5000)]; "
                              "print(len(json.dumps(d)), hash(json.dumps(d) == json.dumps(json.loads(json.dumps(d)))))"),
            ("git", "--version"), ("openssl", "dgst", "-sha256", os.path.join(SOURCES, "exports.map")))


@story
def programs_do_what_they_did():
    for program in PROGRAMS:
        if shutil.which(program[0]) is None:
            continue
        plain, ours = (subprocess.run(program, capture_output=True, check=False, env=environment(LD_PRELOAD=preload))
                       for preload in (None, LIBRARY))
        is_equal((ours.returncode, ours.stdout, ours.stderr), (plain.returncode, plain.stdout, plain.stderr), program[0])


main()
