#!/usr/bin/python3
"""Copies that are checked: what leaves a heap block is caught, with the right line; what does not is left in peace."""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "cli"))

from lib.tap import BUILD, Skip, environment, is_equal, main, place, story  # noqa: E402

COPIES = os.path.join(BUILD, "tests", "mem", "copies")
BOTH = f"{BUILD}/libashlar.so {BUILD}/libashlar-mem.so"
SEED = os.environ.get("SEED", str(os.getpid()))
NAMES = re.findall(r"[a-z_]+(?=;)", open(os.path.join(HERE, "../../src/mem/exports.map"), encoding="utf-8").read())
ALIASES = ("__mempcpy", "__stpcpy", "__stpncpy", "__bzero")


def copies(*words, conf, preload=BOTH):
    """returns: (status, stdout, stderr). A negative status is a signal."""
    done = subprocess.run([COPIES, *words], capture_output=True, text=True, check=False, timeout=300,
                          env=environment(LD_PRELOAD=preload, ASHLAR_CONF=conf))
    return done.returncode, done.stdout, done.stderr


@story
def every_function_is_stopped_one_byte_beyond_a_block():
    for name in NAMES:
        if name in ALIASES:
            continue
        unit = 4 if "wmem" in name else 1
        status, _, line = copies("one", name, conf="check_mem:abort")
        assert re.fullmatch(rf"ashlar: write of {112 + unit} bytes at 0x([0-9a-f]+) ends {unit} past 0x\1 "
                            rf"\(112-byte block, in {name}, from copies\+0x[0-9a-f]+\)\n", line), (name, line)
        is_equal(status, -6, name)


@story
def random_calls_that_leave_a_block_are_all_stopped():
    is_equal(copies("wrong", "10000", SEED, conf="check_mem:abort"), (0, "", ""), f"seed {SEED}")
    is_equal(copies("wrong", "1000", SEED, conf="check_mem:abort,check_mem_small:full"), (0, "", ""), f"seed {SEED}")


@story
def random_calls_that_do_not_are_never_reported():
    is_equal(copies("right", "1000000", SEED, conf="check_mem:report"), (0, "", ""), f"seed {SEED}")
    is_equal(copies("right", "200000", SEED, conf="check_mem:report,check_mem_small:full"), (0, "", ""), f"seed {SEED}")


STRINGS = os.path.join(BUILD, "tests", "mem", "strings")
ZERO = """#include <string.h>
#include <wchar.h>
extern void *mempcpy(void *, const void *, size_t);
static char a[400], b[400];
int main(void) {
    volatile size_t n;
    for (n = 0; n <= 300; n++) {
        memset(a, 1, n); memcpy(b, a, n); memmove(b, b + 1, n); mempcpy(b, a, n); bzero(b, n);
        for (size_t i = 0; i < 400; i++) if (a[i] != (i < n) || b[i] != 0) return 1;
    }
    n = 0;
    void *volatile nowhere = (void *)8;
    memset(nowhere, 1, n); memcpy(nowhere, nowhere, n); memmove(nowhere, a, n); mempcpy(a, nowhere, n);
    return 0;
}
"""


@story
def strings_are_what_loops_over_bytes_make_of_them():
    for preload, conf in ((f"{BUILD}/libashlar-mem.so", ""), (BOTH, "check_mem:report"), (BOTH, "check_mem:report,check_mem_small:full")):
        done = subprocess.run([STRINGS, "100000", SEED], capture_output=True, text=True, check=False, timeout=300,
                              env=environment(LD_PRELOAD=preload, ASHLAR_CONF=conf))
        is_equal((done.returncode, done.stdout, done.stderr), (0, "", ""), f"{conf}, seed {SEED}")


@story
def no_bytes_are_no_bytes_at_every_level():
    with open(place("zero.c"), "w", encoding="utf-8") as file:
        file.write(ZERO)
    subprocess.run(["gcc", "-fno-builtin", "-O1", "-o", place("zero"), place("zero.c")], check=True)
    for conf in ("", "mem_level:sse2", "mem_level:avx2", "check_mem:abort", "check_mem:abort,check_mem_small:full"):
        done = subprocess.run([place("zero")], check=False, env=environment(LD_PRELOAD=BOTH, ASHLAR_CONF=conf))
        is_equal(done.returncode, 0, conf)


@story
def no_bytes_are_no_bytes_on_a_processor_without_wide_vectors():
    emulator = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if emulator is None:
        raise Skip("qemu-x86_64 is not installed")
    with open(place("zero.c"), "w", encoding="utf-8") as file:
        file.write(ZERO)
    subprocess.run(["gcc", "-fno-builtin", "-O1", "-o", place("zero"), place("zero.c")], check=True)
    done = subprocess.run([emulator, "-E", f"LD_PRELOAD={BUILD}/libashlar-mem.so", place("zero")], check=False,
                          capture_output=True, env=environment())
    is_equal((done.returncode, done.stderr), (0, b""))


@story
def negative_lengths_are_told_wherever_they_begin():
    with open(place("negative.c"), "w", encoding="utf-8") as file:
        file.write("#include <stdlib.h>\n#include <string.h>\nint main(int n, char **v) { char *b = malloc(100);\n"
                   "volatile size_t bytes = (size_t)-(n > 1 ? atoi(v[1]) : 1);\nmemset(b + bytes % 16, 0, bytes); return 0; }\n")
    subprocess.run(["gcc", "-fno-builtin", "-O1", "-o", place("negative"), place("negative.c")], check=True)
    for length in range(1, 33):
        done = subprocess.run([place("negative"), str(length)], check=False, capture_output=True, text=True,
                              env=environment(LD_PRELOAD=BOTH, ASHLAR_CONF="check_mem:abort"))
        is_equal((done.returncode, done.stderr[:26]), (-6, "ashlar: write of 184467440"), str(length))


@story
def negative_lengths_fault_at_every_level():
    """Ends counted from both sides would wrap around, and a little be written in the wrong place."""
    with open(place("wrapped.c"), "w", encoding="utf-8") as file:
        file.write("#include <string.h>\nstatic char room[4096];\nint main(int n, char **v) { volatile size_t bytes = (size_t)-100 * (n > 0);\n"
                   "if (n > 1) memset(room + 1000, 1, bytes); else memmove(room + 1000, room + 2000, bytes); return v == 0; }\n")
    subprocess.run(["gcc", "-fno-builtin", "-O1", "-w", "-o", place("wrapped"), place("wrapped.c")], check=True)
    for conf in ("", "mem_level:sse2", "mem_level:avx2", "mem_level:avx512", "mem_copy_rep_min:off,mem_copy_nt_min:off,mem_set_rep_min:off"):
        for words in ((), ("set",)):
            done = subprocess.run([place("wrapped"), *words], check=False,
                                  env=environment(LD_PRELOAD=f"{BUILD}/libashlar-mem.so", ASHLAR_CONF=conf))
            is_equal(done.returncode, -11, f"{conf} {words}")


@story
def an_older_libashlar_is_asked_what_it_can_answer():
    with open(place("older.c"), "w", encoding="utf-8") as file:
        file.write('#include "ashlar_mem.h"\nconst char *ashlar_version(void) { return "0.0.9"; }\n'
                   "size_t ashlar_bytes_left(const void *address) { return address == 0 ? 0 : (size_t)-1; }\n"
                   "void ashlar_place_of(const void *address, struct ashlar_place *place) { place->kind = ASHLAR_PLACE_UNKNOWN; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", f"-I{os.path.join(HERE, '../../include')}", "-o", place("older.so"), place("older.c")],
                   check=True)
    done = subprocess.run(["/bin/ls", "/"], check=False, capture_output=True, text=True,
                          env=environment(LD_PRELOAD=f"{place('older.so')} {BUILD}/libashlar-mem.so", ASHLAR_CONF="check_mem:abort"))
    is_equal((done.returncode, done.stderr), (0, ""))


@story
def a_report_is_no_place_where_a_thread_is_cancelled():
    with open(place("cancel.c"), "w", encoding="utf-8") as file:
        file.write("#include <pthread.h>\n#include <stdlib.h>\n#include <string.h>\nstatic volatile int reached;\n"
                   "static void *body(void *b) { volatile size_t n = 4097; pthread_cancel(pthread_self());\n"
                   "memset(b, 0, n); reached = 1; return NULL; }\n"
                   "int main(void) { pthread_t t; pthread_create(&t, NULL, body, malloc(4096)); pthread_join(t, NULL); return !reached; }\n")
    subprocess.run(["gcc", "-fno-builtin", "-O1", "-pthread", "-o", place("cancel"), place("cancel.c")], check=True)
    done = subprocess.run([place("cancel")], check=False, capture_output=True, text=True,
                          env=environment(LD_PRELOAD=BOTH, ASHLAR_CONF="check_mem:report"))
    is_equal((done.returncode, done.stderr[:30]), (0, "ashlar: write of 4097 bytes at"))


@story
def a_report_lets_the_program_go_on():
    status, _, line = copies("one", "memset", conf="check_mem:report")
    is_equal(status, 0)
    assert line.startswith("ashlar: write of 113 bytes at 0x"), line


@story
def off_says_nothing():
    is_equal(copies("one", "memset", conf=""), (0, "", ""))
    is_equal(copies("one", "strcpy", conf="check_mem:off"), (0, "", ""))


@story
def overlap_in_memcpy_is_named():
    for mode, wanted in (("report", 0), ("abort", -6)):
        status, _, line = copies("one", "overlap", conf=f"check_mem:{mode}")
        assert re.fullmatch(r"ashlar: overlap: 50 bytes from 0x[0-9a-f]+ to 0x[0-9a-f]+ \(in memcpy, from copies\+0x[0-9a-f]+\)\n",
                            line), line
        is_equal(status, wanted)


@story
def freed_blocks_are_a_suspicion_when_everything_is_looked_at():
    is_equal(copies("one", "freed", conf="check_mem:abort"), (0, "", ""))
    status, _, text = copies("one", "freed", conf="check_mem:abort,check_mem_small:full")
    lines = text.splitlines()
    assert re.fullmatch(r"ashlar: read from freed 0x([0-9a-f]+) \(3072-byte block at 0x\1, in memcpy, from copies\+0x[0-9a-f]+\)",
                        lines[0]), text
    assert re.fullmatch(r"ashlar: read from freed 0x([0-9a-f]+) \(3072-byte block at 0x\1, in strcpy, from copies\+0x[0-9a-f]+\)",
                        lines[1]), text
    assert re.fullmatch(r"ashlar: write to freed 0x([0-9a-f]+) \(3072-byte block at 0x\1, in memset, from copies\+0x[0-9a-f]+\)",
                        lines[2]), text
    is_equal((status, len(lines)), (0, 3))


@story
def ground_without_blocks_is_named():
    status, _, line = copies("one", "unused", conf="check_mem:abort")
    assert re.fullmatch(r"ashlar: write to unallocated 0x[0-9a-f]+ \(in memset, from copies\+0x[0-9a-f]+\)\n", line), line
    is_equal(status, -6)


@story
def the_source_is_not_judged_when_the_target_alone_is_asked_for():
    program = place("reads.c")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#include <stdlib.h>\n#include <string.h>\nchar room[4096];\n"
                   "int main(void) { char *volatile block = malloc(100); memset(block, 1, 100);\n"
                   "memcpy(room, block, (size_t)atoi(\"300\")); return room[0] != 1; }\n")
    subprocess.run(["gcc", "-fno-builtin", "-o", place("reads"), program], check=True)
    for scope, wanted in (("both", -6), ("dst", 0)):
        done = subprocess.run([place("reads")], check=False, capture_output=True,
                              env=environment(LD_PRELOAD=BOTH, ASHLAR_CONF=f"check_mem:abort,check_mem_scope:{scope}"))
        is_equal(done.returncode, wanted, scope)


@story
def each_place_in_the_program_is_reported_once_and_not_without_end():
    program = place("sites.c")
    calls = "".join("    memset(block, 0, bytes);\n" for _ in range(300))
    with open(program, "w", encoding="utf-8") as file:
        file.write("#include <stdlib.h>\n#include <string.h>\nint main(void) { char *volatile block = malloc(4096);\n"
                   f"volatile size_t bytes = 4097;\nfor (int i = 0; i < 3; i++) {{\n{calls}    }}\n    return 0; }}\n")
    subprocess.run(["gcc", "-fno-builtin", "-o", place("sites"), program], check=True)
    done = subprocess.run([place("sites")], check=False, capture_output=True, text=True,
                          env=environment(LD_PRELOAD=BOTH, ASHLAR_CONF="check_mem:report"))
    lines = done.stderr.splitlines()
    is_equal((done.returncode, len(lines), len(set(lines))), (0, 257, 257))
    is_equal(lines[-1], "ashlar: check_mem: further reports suppressed")


@story
def without_libashlar_nothing_is_judged_but_overlap_and_it_says_so():
    only = f"{BUILD}/libashlar-mem.so"
    status, _, text = copies("one", "memset", conf="check_mem:abort", preload=only)
    is_equal((status, text), (0, "ashlar: check_mem: libashlar is not loaded: memcpy is checked for overlap, and nothing for "
                                 "its blocks\n"))
    is_equal(copies("one", "overlap", conf="check_mem:abort", preload=only)[0], -6)


@story
def wrong_options_are_told_once():
    conf = "check_mem:yes"
    line = 'ashlar: ASHLAR_CONF: bad value for "check_mem": "yes"; all settings ignored\n'
    for preload in (BOTH, f"{BUILD}/libashlar-mem.so", f"{BUILD}/libashlar.so"):
        is_equal(copies("one", "memset", conf=conf, preload=preload), (0, "", line), preload)


@story
def another_librarys_constructor_may_copy_first():
    with open(place("early.c"), "w", encoding="utf-8") as file:
        file.write("#include <string.h>\n#include <stdio.h>\nstatic char a[700], b[700];\n"
                   "__attribute__((constructor)) static void early(void) {\n"
                   "    volatile size_t n = 700;\n    memset(a, 'x', n); memcpy(b, a, n); a[600] = 0; strcpy(b, a);\n"
                   "    if (strlen(b) != 600 || b[601] != 'x') fputs(\"wrong\\n\", stderr); }\n")
    subprocess.run(["gcc", "-fno-builtin", "-shared", "-fPIC", "-o", place("early.so"), place("early.c")], check=True)
    done = subprocess.run(["/bin/true"], check=False, capture_output=True,
                          env=environment(LD_PRELOAD=f"{BOTH} {place('early.so')}", ASHLAR_CONF="check_mem:abort"))
    is_equal((done.returncode, done.stderr), (0, b""))


PROGRAMS = (("bash", "-c", "for i in {1..3000}; do x+=$i; done; echo ${#x} ${x:100:20}"),
            ("perl", "-e", "my %h; $h{$_ % 97} .= 'x' x ($_ % 300) for 1 .. 30000; print join(',', map { length } @h{1 .. 9}), \"\\n\""),
            ("python3", "-c", "import json; d = [{'n': i, 's': 'y' * (i % 500)} for i in range(5000)]; print(len(json.dumps(d)))"),
            ("sqlite3", ":memory:", "create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n where "
                                    "i < 30000) insert into t select i, hex(i * 7919) from n; select count(*), sum(length(b)) from t "
                                    "where b like '%7%';"),
            ("git", "--version"), ("openssl", "dgst", "-sha256", os.path.join(HERE, "checks.py")), ("gcc", "-x", "c", "-O2", "-c", os.path.join(HERE, "support/copies.c"), "-o", "/dev/null"))


@story
def programs_do_what_they_did_and_nothing_is_reported():
    present = [program for program in PROGRAMS if shutil.which(program[0]) is not None]
    assert len(present) >= 4, present
    for program in present:
        plain, *ours = (subprocess.run(program, capture_output=True, check=False, env=environment(**changes)) for changes in
                        ({}, {"LD_PRELOAD": f"{BUILD}/libashlar-mem.so"},
                         {"LD_PRELOAD": BOTH, "ASHLAR_CONF": "check_mem:report,check_mem_small:full"}))
        for done in ours:
            is_equal((done.returncode, done.stdout, done.stderr), (plain.returncode, plain.stdout, plain.stderr), program[0])


main()
