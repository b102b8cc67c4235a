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
AT_START = ("level.c", "start.c")  # they run once, when everything else works already
LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os")
# What keeps each compiler from seeing copies in loops, as in cmake/mem.cmake; the other one does not know the words.
OWN_WORDS = {"gcc": ("-fno-tree-loop-distribute-patterns", "-fno-tree-loop-vectorize", "-fno-instrument-functions",
                     "-fno-crossjumping", "-falign-jumps=64:16:8"),
             "clang": ("-fno-vectorize", "-fno-slp-vectorize")}


def output_of(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, **more).stdout


def commands():
    """How the build compiles each source of the library: (source, words without the output)."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    chosen = {}
    for entry in entries:
        if os.path.dirname(entry["file"]) == SOURCES:
            words = [word for word in entry["command"].split() if word not in LEVELS]
            chosen[entry["file"]] = words[1:words.index("-o")]
    assert len(chosen) >= 8, chosen
    return chosen


def builder():
    """The compiler of the build."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        return "clang" if "clang" in json.load(file)[0]["command"].split()[0] else "gcc"


def calls_after(compiler):
    """(level, source, name) of every name that the code of the sources refers to, its own ones too: a function that calls
    itself shows."""
    if shutil.which(compiler) is None:
        raise Skip(f"{compiler} is not installed")
    found = set()
    for level in LEVELS:
        for source, words in commands().items():
            if compiler != builder():  # the build's own words are the ones to be tried; the other compiler needs others
                words = [word for word in words if word not in OWN_WORDS[builder()]] + list(OWN_WORDS[compiler])
            target = place("object.o")
            output_of(compiler, *words, level, "-w", "-c", source, "-o", target)
            records = output_of("objdump", "-r", target).split("RELOCATION RECORDS FOR ")
            found |= {(level, os.path.basename(source), name) for section in records if section.startswith("[.text")
                      for name in re.findall(r"R_\S+\s+([A-Za-z_]\w*)", section)}
    return found


def calls_nothing_of_libc(compiler):
    called = calls_after(compiler)
    assert ("-O2", "libc.c", "mem_set") in called, "calls are not found"
    is_equal(sorted(one for one in called if TAKEN.match(one[2]) and not one[2].startswith("mem_") and
                    one[1] not in AT_START and one[1:] != ("strings.c", "strnlen")), [])


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


# What libashlar-mem may ask of others, and why.
NEEDED = {"__chk_fail": "an overflow that a fortified program found", "abort": "check_mem:abort", "syscall": "its line",
          "__errno_location": "kept over the line", "__progname": "the program named in the line", "program_invocation_short_name": "the same, its other name",
          "_dl_find_object": "the library named in the line", "secure_getenv": "ASHLAR_CONF", "memcmp": "comparing its words",
          "sysconf": "size of the second-level cache", "__x86_get_cpuid_feature_leaf": "what the processor can do",
          "dlsym": "libc's strcpy and its relatives", "strnlen": "strcpy, checked",
          "ashlar_version": "whether libashlar is there", "ashlar_bytes_left": "where a block ends", "ashlar_place_of": "the same",
          "ashlar_memcpy_or": "to copy what is right at once", "ashlar_memmove_or": "the same", "ashlar_memset_or": "the same"}


@story
def library_needs_nothing_that_is_not_listed():
    names = {line.split()[-1].split("@")[0] for line in output_of("nm", "-D", "-u", LIBRARY).splitlines()}
    is_equal(names - set(NEEDED), set())
    is_equal(output_of("readelf", "-d", LIBRARY).count("(NEEDED)"), 1)


@story
def state_is_zero_until_the_start():
    sections = output_of("readelf", "--sections", "--wide", LIBRARY)
    number = re.search(r"\[ *(\d+)\] \.bss", sections)[1]
    symbols = [line.split() for line in output_of("readelf", "--symbols", "--wide", LIBRARY).splitlines()]
    state = {words[7]: words[6] for words in symbols if len(words) > 7 and words[7] in ("mem_limits", "mem_check")}
    is_equal(state, {"mem_limits": number, "mem_check": number})


@story
def versioned_references_are_bound_to_it():
    used = ("memcpy", "memmove", "memset", "mempcpy", "__memcpy_chk", "__memmove_chk", "__memset_chk", "__mempcpy_chk",
            "explicit_bzero", "wmemcpy", "wmemset", "strcpy", "stpcpy", "strcat", "strncpy", "strncat", "__strcpy_chk")
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


NAMES_CHECKED = r"""
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>
#ifdef __x86_64__
static int is_downwards(void) { return (__builtin_ia32_readeflags_u64() & 0x400) != 0; }
#else
static int is_downwards(void) { return 0; }
#endif
#define MUST(fact) if (errno = 77, !(fact) || is_downwards() || errno != 77) _exit(__LINE__ % 100 + 100)
extern void *memcpy(void *, const void *, size_t), *memmove(void *, const void *, size_t), *memset(void *, int, size_t);
extern void *mempcpy(void *, const void *, size_t), *__mempcpy(void *, const void *, size_t);
extern void bzero(void *, size_t), bcopy(const void *, void *, size_t), explicit_bzero(void *, size_t);
extern void *__memcpy_chk(void *, const void *, size_t, size_t), *__memmove_chk(void *, const void *, size_t, size_t);
extern void *__mempcpy_chk(void *, const void *, size_t, size_t), *__memset_chk(void *, int, size_t, size_t);
extern void __explicit_bzero_chk(void *, size_t, size_t);
extern wchar_t *wmempcpy(wchar_t *, const wchar_t *, size_t);
extern wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t), *__wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wmempcpy_chk(wchar_t *, const wchar_t *, size_t, size_t), *__wmemset_chk(wchar_t *, wchar_t, size_t, size_t);
static char a[600], b[600]; static wchar_t v[300], w[300];
static int same(void) { for (int i = 0; i < 600; i++) if (a[i] != b[i]) return 0; return 1; }
static int wsame(int n) { for (int i = 0; i < n; i++) if (v[i] != w[i]) return 0; return 1; }
static void fresh(void) { for (int i = 0; i < 600; i++) a[i] = (char)(i * 7 + 1), b[i] = 0; for (int i = 0; i < 300; i++) v[i] = i * 70001, w[i] = 0; }
static int all(char c) { for (int i = 0; i < 600; i++) if (b[i] != c) return 0; return 1; }
#define DIES(by, call) { pid_t p = fork(); int s; if (p == 0) { close(2); call; _exit(0); } \
    waitpid(p, &s, 0); MUST(WIFSIGNALED(s) && WTERMSIG(s) == by); }
int main(void) {
    volatile size_t huge = SIZE_MAX, half = SIZE_MAX / 2;
    fresh(); MUST(memcpy(b, a, 600) == b && same()); fresh(); MUST(memmove(b, a, 600) == b && same());
    fresh(); MUST(mempcpy(b, a, 600) == b + 600 && same()); fresh(); MUST(__mempcpy(b, a, 600) == b + 600 && same());
    fresh(); bcopy(a, b, 600); MUST(same()); fresh(); memset(b, 300, 600); MUST(all(44));
    bzero(b, 600); MUST(all(0)); memset(b, 1, 600); explicit_bzero(b, 600); MUST(all(0));
    fresh(); MUST(__memcpy_chk(b, a, 600, 600) == b && same()); fresh(); MUST(__memmove_chk(b, a, 600, 600) == b && same());
    fresh(); MUST(__mempcpy_chk(b, a, 600, 600) == b + 600 && same()); MUST(__memset_chk(b, 5, 600, 600) == b && all(5));
    __explicit_bzero_chk(b, 600, 600); MUST(all(0));
    fresh(); MUST(wmemcpy(w, v, 300) == w && wsame(300)); fresh(); MUST(wmemmove(w, v, 300) == w && wsame(300));
    fresh(); MUST(wmempcpy(w, v, 300) == w + 300 && wsame(300)); MUST(wmemset(w, 70001, 300) == w && w[0] == 70001 && w[299] == 70001);
    wmemset(w, 0, 300); MUST(w[0] == 0 && w[299] == 0);
    fresh(); MUST(__wmemcpy_chk(w, v, 300, 300) == w && wsame(300)); fresh(); MUST(__wmemmove_chk(w, v, 300, 300) == w && wsame(300));
    fresh(); MUST(__wmempcpy_chk(w, v, 300, 300) == w + 300 && wsame(300)); MUST(__wmemset_chk(w, 9, 300, 300) == w && w[299] == 9);
    DIES(SIGABRT, __memcpy_chk(b, a, 2, 1)) DIES(SIGABRT, __memmove_chk(b, a, 2, 1)) DIES(SIGABRT, __mempcpy_chk(b, a, 2, 1))
    DIES(SIGABRT, __memset_chk(b, 0, 2, 1)) DIES(SIGABRT, __explicit_bzero_chk(b, 2, 1)) DIES(SIGABRT, __wmemcpy_chk(w, v, 2, 1))
    DIES(SIGABRT, __wmemmove_chk(w, v, 2, 1)) DIES(SIGABRT, __wmempcpy_chk(w, v, 2, 1)) DIES(SIGABRT, __wmemset_chk(w, 0, 2, 1))
    DIES(SIGSEGV, memcpy(b, a, huge)) DIES(SIGSEGV, memset(b, 0, huge)) DIES(SIGSEGV, memcpy(b, a, half)) DIES(SIGSEGV, memset(b, 0, half))
    DIES(SIGSEGV, wmemcpy(w, v, half)) DIES(SIGSEGV, wmemset(w, 0, half))
    return 0;
}
"""


@story
def every_name_keeps_its_promise():
    with open(place("names.c"), "w", encoding="utf-8") as file:
        file.write(NAMES_CHECKED)
    output_of("gcc", "-fno-builtin", "-O0", "-w", "-o", place("names"), place("names.c"))
    done = subprocess.run([place("names")], env=environment(LD_PRELOAD=LIBRARY), check=False)
    is_equal(done.returncode, 0, "status, 100 and the line")


main()
