#!/usr/bin/python3
"""`ashlar sizes` counts exactly what a program copies and fills, tells it, and refuses what it cannot record."""

import json
import os
import re
import shutil
import subprocess

from lib.tap import (ASHLAR, BUILD, Skip, actor, ashlar, check_schema, contains, environment, is_equal, lacks, main,
                     place, reachable_by_others, story, validator)

NOBODY = 65534

# As in the schema: the characters of an alignment.
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# name: (kind, bytes), as `copier names` calls each of them once
NAMES = {
    "memcpy": ("copy", 101), "memmove": ("copy", 102), "mempcpy": ("copy", 103), "__mempcpy": ("copy", 104),
    "bcopy": ("copy", 105), "__memcpy_chk": ("copy", 106), "__memmove_chk": ("copy", 107),
    "__mempcpy_chk": ("copy", 108), "memset": ("fill", 109), "bzero": ("fill", 110), "explicit_bzero": ("fill", 111),
    "__memset_chk": ("fill", 112), "__explicit_bzero_chk": ("fill", 113), "wmemset": ("fill", 4),
    "wmemcpy": ("copy", 8), "wmemmove": ("copy", 12), "wmempcpy": ("copy", 16), "__wmemset_chk": ("fill", 20),
    "__wmemcpy_chk": ("copy", 24), "__wmemmove_chk": ("copy", 28), "__wmempcpy_chk": ("copy", 32),
}


def copier(*flags):
    return actor(*flags, name="copier")


def sizes(*words, **more):
    """`ashlar sizes WORDS`; afterwards nothing may be left of it."""
    result = ashlar("sizes", *words, **more)
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    return result


def sizes_json(*words, checked=True, **more):
    """`ashlar sizes --json -o FILE -- WORDS`. returns: the result and what the file says, checked against the schema."""
    result = sizes("--json", "-o", place("sizes.json"), "--", *words, **more)
    with open(place("sizes.json"), encoding="utf-8") as stream:
        told = json.load(stream)
    if checked:
        check_schema(told, "sizes")
    return result, told


def recorded(*words, status=0, **more):
    """What `copier WORDS` did: {name of function: its entry}, and everything."""
    result, told = sizes_json(copier(), *words, **more)
    is_equal((result.status, result.out, told["active"], told["reason"]), (status, "", True, None), str(result))
    return {function["name"]: function for function in told["functions"]}, told


def bins(function):
    """{(least, most): calls}"""
    return {(entry["least"], entry["most"]): entry["calls"] for entry in function["sizes"]}


def counted(line):
    """{index: count} of those that are not 0."""
    return {index: count for index, count in enumerate(line) if count}


@story
def every_name_is_counted_and_works():
    functions, told = recorded("names")
    is_equal({name: (entry["kind"], entry["bytes"], entry["calls"], bins(entry)) for name, entry in functions.items()},
             {name: (kind, size, 1, {(size, size): 1}) for name, (kind, size) in NAMES.items()})
    is_equal((told["programs"], told["early_calls"], told["lost_samples"]), (1, 0, 0))


@story
def names_are_those_of_the_library():
    symbols = subprocess.run(["nm", "-D", "--defined-only", os.path.join(BUILD, "libashlar-sizes.so")], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    is_equal(sorted(line.split()[-1] for line in symbols.splitlines()), sorted(NAMES))
    is_equal({line.split()[1] for line in symbols.splitlines()}, {"T"})


@story
def recorder_calls_none_of_the_names_that_it_takes():
    """A compiler that sees a copy in a loop would make it call itself without end."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", os.path.join(BUILD, "libashlar-sizes.so")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    jumps = set(re.findall(r"\s(?:call|jmp|j[a-z]+)\s+[0-9a-f]+ <([^+@>]+)(?:@plt)?>", code))
    assert "recorder_copy" in jumps, sorted(jumps)
    is_equal(sorted(jumps & set(NAMES)), [])


@story
def sizes_are_exact_below_4096_and_sixteenths_above():
    given = [0, 1, 15, 16, 4095, 4096, 4351, 4352, 7935, 7936, 8191, 8192, 8703, 8704, 65535, 65536, 1 << 20]
    expected = {}
    for size in given:
        step = 1 if size < 4096 else 1 << (size.bit_length() - 5)
        least = size // step * step
        expected[least, least + step - 1] = expected.get((least, least + step - 1), 0) + 1
    is_equal(expected[4096, 4351], 2)
    is_equal(expected[8192, 8703], 2)
    functions, _ = recorded("sizes", *map(str, given))
    for name in ("memcpy", "memset"):
        is_equal(bins(functions[name]), expected, name)
        is_equal((functions[name]["calls"], functions[name]["bytes"]), (len(given), sum(given)), name)
        is_equal(len(functions[name]["sizes"]), len(expected))


@story
def calls_are_told_in_order():
    given = [5, 900, 0, 5, 5, 1 << 20, 64]
    _, told = recorded("sizes", *map(str, given))
    for kind, letter in (("copies", "memcpy"), ("fills", "memset")):
        order = told["order"][kind]
        letters = {function["name"]: function["letter"] for function in told["functions"]}
        is_equal((order["bytes"], order["functions"]), (given, letters[letter] * len(given)), kind)
    is_equal("from" in told["order"]["fills"], False)


@story
def alignments_and_overlaps():
    # bytes, to, from: apart; overlapping both ways, by one byte; touching only; onto itself; nothing onto itself
    calls = [(100, 3, 4096), (100, 10, 50), (100, 50, 10), (64, 0, 63), (64, 0, 64), (50, 70, 70), (0, 5, 5)]
    functions, told = recorded("places", *(str(word) for call in calls for word in call))
    moves = functions["memmove"]
    is_equal((moves["overlapping"], moves["in_place"]), (3, 1))
    to, source = {}, {}
    for _, one, other in calls:
        to[one % 64] = to.get(one % 64, 0) + 1
        source[other % 64] = source.get(other % 64, 0) + 1
    is_equal((counted(moves["to"]), counted(moves["from"])), (to, source))
    order = told["order"]["copies"]
    is_equal([CHARACTERS.index(one) for one in order["to"]], [one % 64 for _, one, _ in calls])
    is_equal([CHARACTERS.index(one) for one in order["from"]], [other % 64 for _, _, other in calls])


def is_24_and_40(functions, times):
    is_equal({name: (entry["calls"], bins(entry)) for name, entry in functions.items()},
             {"memcpy": (times, {(24, 24): times}), "memset": (times, {(40, 40): times})})


@story
def threads_lose_nothing():
    functions, told = recorded("threads", "100000", "4", checked=False)
    is_24_and_40(functions, 400000)
    is_equal([len(told["order"][kind]["bytes"]) for kind in ("copies", "fills")], [400000, 400000])
    sampled = sum(caller["samples"] for caller in told["callers"])
    assert 0.9 < sampled * told["sampling"] / 800000 < 1.1, sampled


@story
def order_ends_where_there_is_no_more_room():
    functions, told = recorded("threads", "600000", "2", checked=False)
    is_24_and_40(functions, 1200000)
    is_equal([len(told["order"][kind]["bytes"]) for kind in ("copies", "fills")], [1 << 20, 1 << 20])


@story
def children_of_fork_are_counted_the_killed_one_too():
    functions, told = recorded("children", "1000", "5")
    is_24_and_40(functions, 5001)
    is_equal(told["programs"], 1)


@story
def program_after_exec_is_counted():
    functions, told = recorded("exec", "1000")
    is_24_and_40(functions, 2000)
    is_equal(told["programs"], 2)


@story
def command_that_is_killed():
    result, told = sizes_json("sh", "-c", f"{copier()} threads 10 1; kill -9 $$")
    is_equal((result.status, told["status"], told["command_signal"]), (137, 137, 9))
    is_equal(told["programs"], 2)


@story
def callers_are_named_by_file_and_address():
    _, told = recorded("threads", "6400", "1")
    callers = [caller for caller in told["callers"] if caller["function"] == "memcpy"]
    is_equal([caller["object"] for caller in callers], [os.path.realpath(copier())])
    where = subprocess.run(["nm", "-S", copier()], check=True, stdout=subprocess.PIPE, text=True).stdout
    start, length = next(line.split()[:2] for line in where.splitlines() if line.endswith(" copy_often"))
    assert int(start, 16) < callers[0]["offset"] < int(start, 16) + int(length, 16), (start, length, callers)


@story
def libraries_of_python_are_among_the_callers():
    result, told = sizes_json("/usr/bin/python3", "-c", "print(sum(map(len, [bytes(i) + b'x' for i in range(3000)])))")
    is_equal((result.status, result.out), (0, "4501500\n"))
    assert all(caller["samples"] > 0 and (caller["object"] or "/").startswith("/") for caller in told["callers"])
    assert sum(function["calls"] for function in told["functions"]) > 3000, told["functions"]


@story
def shell_script_is_recorded_with_all_that_it_starts():
    result, told = sizes_json("sh", "-c", f"{copier()} threads 100 1; {copier()} threads 100 1; exit 3")
    is_equal((result.status, told["programs"]), (3, 3))
    calls = {function["name"]: bins(function).get((24, 24), 0) for function in told["functions"]}
    assert calls["memcpy"] >= 200, calls


@story
def text_tells_the_essential():
    result = sizes("--", copier(), "sizes", *["24"] * 60, *["300"] * 40)
    is_equal((result.status, result.out), (0, ""))
    lines = result.err.splitlines()
    contains(lines[0], "ashlar: 100 copies and 100 fills recorded in copier (")
    row = next(line for line in lines if line.startswith("  memcpy ")).split()
    is_equal(row[1:], ["100", "13.1", "KiB", "24", "300", "300", "300", "0", "%", "60", "%", "60", "%", "60", "%", "60",
                       "%"])
    contains(result.err, "  copied      24 (60.0 %), 300 (40.0 %)\n")
    contains(result.err, "  filled      24 (60.0 %), 300 (40.0 %)\n")
    contains(result.err, "  to          multiples of 8: 100.0 %, of 16: 100.0 %, of 64: 100.0 %\n")
    contains(result.err, " memcpy               copier+0x")
    contains(result.err, "not seen: copies and fills that the compiler put in line, and those inside libc")
    lacks(result.err, "\x1b")


@story
def text_of_a_program_that_copies_nothing():
    result = sizes("--", copier())
    is_equal(result.status, 96)
    contains(result.err, "ashlar: 0 copies and 0 fills recorded in copier (")


@story
def results_go_where_they_are_asked_to():
    result = sizes("-o", place("text"), "--", copier(), "names")
    is_equal((result.status, result.out, result.err), (0, "", ""))
    with open(place("text"), encoding="utf-8") as stream:
        contains(stream.read(), "ashlar: 14 copies and 7 fills recorded in copier (")
    result = sizes("--json", "--", copier(), "names")
    check_schema(json.loads(result.err), "sizes")
    result = sizes("--json", "-o", "-", "--", copier(), "names")
    check_schema(json.loads(result.out), "sizes")
    is_equal(result.err, "")


@story
def verbose_tells_the_plan():
    result = sizes("-v", "-o", "/dev/null", "--", copier(), "names")
    for part in ("ashlar: recorder /", "libashlar-sizes.so\n", f"ashlar: program {copier()}\n", "ashlar: record /"):
        contains(result.err, part)


@story
def schema_is_checked():
    if validator("sizes") is None:
        raise Skip("python3-jsonschema is not installed")
    told = recorded("names")[1]
    for name in ("schema", "functions", "order", "callers", "programs"):
        assert not validator("sizes").is_valid({key: value for key, value in told.items() if key != name}), name
    told["functions"][0]["to"].pop()
    assert not validator("sizes").is_valid(told)


@story
def overflow_of_a_checked_name_ends_the_program():
    result, told = sizes_json(copier(), "overflow")
    is_equal((result.status, told["functions"]), (134, []))


@story
def what_was_preloaded_before_stays():
    with open(place("one.c"), "w", encoding="ascii") as stream:
        stream.write("int puts(const char *text); __attribute__((constructor)) static void start(void) "
                     "{ char a[70], b[70] = {1}; extern void *memcpy(void *, const void *, unsigned long); "
                     "memcpy(a, b, 70); puts(a[0] == 1 ? \"right\" : \"wrong\"); }\n")
    subprocess.run(["cc", "-O0", "-fno-builtin", "-shared", "-fPIC", "-o", place("one.so"), place("one.c")], check=True)
    result, told = sizes_json(copier(), "names", changes={"LD_PRELOAD": place("one.so")})
    is_equal((result.status, result.out), (0, "right\n" * 2), "once in the command itself, once in the program")
    copies = {function["name"]: bins(function) for function in told["functions"]}
    is_equal(copies["memcpy"], {(70, 70): 1, (101, 101): 1}, "its constructor is counted as well")


@story
def static_and_privileged_programs_are_refused():
    for path, reason, text in ((copier("-static"), "static", "it is statically linked, so no library can be preloaded"),
                               ("/no/such/file", "not_found", "No such file or directory")):
        status = 127 if reason == "not_found" else 125
        result = sizes("--", path, "names")
        is_equal((result.status, result.out, result.err.count("\n")), (status, "", 1), path)
        contains(result.err, text)
        result, told = sizes_json(path, "names")
        is_equal((result.status, told["reason"], told["started"], told["active"]), (status, reason, False, False))
        contains(result.err, text)
    if os.getuid() == 0:
        path = place("privileged")
        shutil.copy(copier(), path)
        os.chown(path, NOBODY, NOBODY)
        os.chmod(path, 0o4755)
        contains(sizes("--", path, "names").err, "it is setuid to user 65534, so the loader ignores LD_PRELOAD")


@story
def program_with_its_own_malloc_is_no_obstacle():
    result, told = sizes_json(actor("-DOWN_MALLOC=default"), "exit", "3")
    is_equal((result.status, told["active"]), (3, True))


@story
def record_that_a_program_cut_is_told():
    result = sizes("--", copier(), "cut")
    is_equal(result.status, 7)
    contains(result.err, "ashlar: nothing recorded in copier (")
    contains(result.err, "the record cannot be read")
    result, told = sizes_json(copier(), "cut")
    is_equal((result.status, told["started"], told["active"], told["reason"]), (7, True, False, "damaged"))


@story
def other_files_are_not_taken_for_records():
    with open(place("other"), "wb") as stream:
        stream.write(b"\1" * (64 << 20))
    for path in (place("other"), "/no/such/file", "/dev/null", place("")):
        functions, told = recorded("lose", path)
        is_equal((functions, told["programs"]), ({}, 1), path)
    with open(place("other"), "rb") as stream:
        is_equal(set(stream.read(1 << 20)), {1})


@story
def recorder_that_was_not_loaded_is_told():
    """A static program that may be executed but not read cannot be refused before it runs."""
    if os.getuid() != 0:
        raise Skip("only root can take the right to read from a user and run as that user")
    if not reachable_by_others(ASHLAR):
        raise Skip("another user cannot reach the build directory")
    os.chmod(place("tmp"), 0o777)
    path = place("unreadable")
    shutil.copy(copier("-static"), path)
    os.chmod(path, 0o711)
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    result = sizes("--", path, "names", **as_nobody)
    is_equal(result.status, 0)
    contains(result.err, "ashlar: nothing recorded in unreadable (")
    contains(result.err, "the recorder was not loaded")
    result = sizes("--json", "-o", "-", "--", path, "names", **as_nobody)
    told = json.loads(result.out)
    check_schema(told, "sizes")
    is_equal((told["active"], told["reason"], told["functions"]), (False, "not_loaded", []))
    contains(result.err, "ashlar: nothing recorded in unreadable (")


@story
def unwritable_file_is_told_before_the_run():
    result = sizes("-o", place("no/such/file"), "--", "touch", place("ran"))
    is_equal((result.status, os.path.exists(place("ran"))), (5, False))
    contains(result.err, "cannot be written")


@story
def full_disk_harms_nobody():
    """A record for which there is no room is not begun: touching it would kill the program (SIGBUS)."""
    result = sizes("-o", "/dev/full", "--", copier(), "names")
    is_equal(result.status, 5)
    contains(result.err, "the result could not be written to /dev/full: No space left on device")
    mount = f"mount -t tmpfs -o size=1m none {place('tmp')}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", f'{mount} || exit 77; "$@"', "sh", ASHLAR, "sizes", "--",
                           copier(), "names"], timeout=60, stderr=subprocess.PIPE, env=environment(), check=False)
    if done.returncode == 1 and b"unshare" in done.stderr or done.returncode == 77:
        raise Skip("no right to mount a file system")
    is_equal(done.returncode, 125, done.stderr.decode())
    contains(done.stderr.decode(), "No space left on device")


@story
def limit_of_file_size_is_told():
    result, told = (subprocess.run(["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", ASHLAR, "sizes", *words, "--",
                                    copier(), "names"], timeout=60, capture_output=True, env=environment(), check=False)
                    for words in ((), ("--json", "-o", "-")))
    is_equal((result.returncode, result.stdout), (125, b""))
    contains(result.stderr.decode(), "18 MiB: File too large")
    is_equal((told.returncode, json.loads(told.stdout)["reason"]), (125, "no_room"))
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")


@story
def usage():
    for words, text in (((), "no command to run"), (("--jsno", "--", "true"), "did you mean '--json'?"),
                        (("-z", "--", "true"), "unknown option '-z'"),
                        (("-o",), "a value is needed by option '-o'")):
        result = ashlar("sizes", *words)
        is_equal((result.status, result.out), (2, ""), str(words))
        contains(result.err, text)
    contains(ashlar("help", "sizes").out, "Usage: ashlar sizes [OPTION...] [--] COMMAND")
    contains(ashlar("--help").out, "  sizes    run a command and count")


@story
def recorder_missing():
    os.makedirs(place("bin"))
    shutil.copy(ASHLAR, place("bin/ashlar"))
    done = subprocess.run([place("bin/ashlar"), "sizes", "--", "true"], stderr=subprocess.PIPE, timeout=60, check=False)
    is_equal(done.returncode, 125)
    contains(done.stderr.decode(), "libashlar-sizes.so is neither beside this command")


if __name__ == "__main__":
    main()
