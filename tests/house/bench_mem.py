#!/usr/bin/python3
"""The bench of the memory functions tells what it measured: its statistics, its judge on made-up visits, its plans, its
recordings, and small runs of its own that go well or badly.

No figure of a real run is judged here, only that none is lost, and that what goes wrong is said.
"""

import copy
import json
import math
import os
import pathlib
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS.parent / "bench" / "mem"), str(TESTS.parent / "bench")]

import cases  # noqa: E402
import record  # noqa: E402
import recordings  # noqa: E402
from lib.tap import BUILD, Skip, contains, environment, is_equal, lacks, main, place, story  # noqa: E402
from report import Report  # noqa: E402
from statistic import Estimate, estimate, noise_floor, verdict  # noqa: E402

RUN = str(TESTS.parent / "bench" / "mem" / "run.py")
SECONDS = 300
HOST = {"date": "2000-01-01T00:00:00+0000", "commit": "none", "uncommitted_changes": False, "processor": "-",
        "processors_allowed": [0], "memory": "-", "system": "-", "kernel": "-", "libc": "-", "load_at_start": [0, 0, 0],
        "transparent_huge_pages": "-"}

# ---- Statistics ------------------------------------------------------------------------------------------------------


@story
def interval_is_that_of_many_resamples():
    dice = random.Random(1)
    for count in (11, 31, 40):
        values = [dice.lognormvariate(0, 0.2) for _ in range(count)]
        medians = sorted(statistics.median(dice.choices(values, k=count)) for _ in range(4000))
        one, spread = estimate(values), max(values) - min(values)
        is_equal((one.median, one.count), (statistics.median(values), count))
        assert abs(one.low - medians[100]) < 0.1 * spread and abs(one.high - medians[3899]) < 0.1 * spread, (one, count)
        assert one.low <= one.median <= one.high, one


@story
def interval_holds_the_median_in_95_of_100():
    dice, inside = random.Random(2), 0
    for _ in range(1000):
        one = estimate([dice.expovariate(1) for _ in range(31)])
        inside += one.low <= math.log(2) <= one.high
    assert 920 <= inside <= 985, inside


@story
def equal_values_have_no_spread():
    is_equal(estimate([2.0] * 31), Estimate(2.0, 2.0, 2.0, 31))
    is_equal(estimate([3.0]), Estimate(3.0, 3.0, 3.0, 1))


@story
def floor_is_the_far_end_of_the_interval():
    assert math.isclose(noise_floor(Estimate(1, 0.8, 1.01, 31)), 0.25)
    assert math.isclose(noise_floor(Estimate(1.02, 0.99, 1.05, 31)), 0.05)
    assert math.isnan(noise_floor(None))


@story
def difference_must_leave_margin_and_floor():
    for low, high, floor, expected in (
            (1.05, 1.09, 0.01, "win"), (1.019, 1.09, 0.01, "inside noise"), (1.05, 1.09, 0.06, "inside noise"),
            (0.90, 0.95, 0.01, "LOSS"), (0.90, 0.985, 0.01, "inside noise"), (0.90, 0.95, 0.06, "inside noise"),
            (0.80, 1.30, 0.01, "inside noise"), (0.40, 0.55, 0.75, "LOSS"), (0.55, 0.60, 0.75, "inside noise"),
            (0.30, 0.40, 1.20, "LOSS"), (2.1, 2.3, 1.20, "inside noise"), (2.3, 2.4, 1.20, "win"), (1.05, 1.09, math.nan, "no noise floor")):
        is_equal(verdict(Estimate((low + high) / 2, low, high, 31), floor), expected, f"{low} {high} {floor}")
    is_equal(verdict(Estimate(2, 1.9, 2.1, 9), 0.01), "too few runs")


# ---- The judge on made-up visits -------------------------------------------------------------------------------------


def made_up(cells, rounds=31, noise=0.002, contestants=("glibc", "glibc-again", "ashlar", "rep")):
    """Raw results: {(case, name, function): {contestant: nanoseconds of a call}}; a little noise, drawn from a seed."""
    dice, described, visits = random.Random(7), [], []
    for index, ((case, name, function), times) in enumerate(cells.items()):
        described.append({"case": case, "name": name, "function": function, "group": name, "calls": 1000,
                          "bytes": 64000, "footprint": 4096, "threads": 1, "judged": case not in cases.NOT_JUDGED})
        for number in range(1, rounds + 1):
            drift = dice.uniform(0.5, 2)  # of the machine: the same for all in a visit
            whole = {"glibc-again": times["glibc"], "rep": 2 * times["glibc"]} | times
            visits.append({"round": number, "process": "plain", "cell": index, "stolen": 0, "counts": True,
                           "ns": {one: 1000 * whole[one] * drift * dice.gauss(1, noise) for one in contestants}})
    return {"format": 1, "host": HOST, "complete": True, "remarks": [], "cells": described, "visits": visits,
            "roofs": [{"round": 1, "kind": kind, "bytes": 16384, "times": 1, "ns": 160} for kind in ("load", "store")],
            "settings": {"repeats": rounds, "seed": 1, "quick": False, "cases": [], "glibc_tunables": "",
                         "processors": [0], "command": "-"},
            "contestants": [{"name": one, "source": one, "path": None, "package": None} for one in contestants]}


@story
def wins_losses_and_neither():
    outcome = Report(made_up({("use", "a", "copy"): {"glibc": 10, "ashlar": 8},
                              ("use", "b", "copy"): {"glibc": 10, "ashlar": 12},
                              ("use", "c", "copy"): {"glibc": 10, "ashlar": 10.1},
                              ("touch", "d", "copy"): {"glibc": 10, "ashlar": 5}}))
    is_equal([outcome.verdict(index) for index in range(4)], ["win", "LOSS", "inside noise", "not judged"])
    text = outcome.text()
    contains(text, "Of 3 cells against glibc as it is, 1 are won, 1 lost, 1 inside noise.")
    losses = text[text.index("## Losses"):text.index("## use")]
    contains(losses, "b |     copy | 0.83")
    is_equal(losses.count("copy"), 1, losses)


@story
def noisy_machine_has_no_winners():
    outcome = Report(made_up({("use", name, "copy"): {"glibc": 10, "ashlar": 9.5, "glibc-again": again}
                              for name, again in (("quiet", 10), ("noisy", 10.8))}))
    assert math.isclose(outcome.floor(1), 1 - 10 / 10.8, rel_tol=0.1), outcome.floor(1)
    is_equal([outcome.verdict(index) for index in range(2)], ["win", "inside noise"])


@story
def stolen_visits_are_kept_and_not_counted():
    raw = made_up({("use", "a", "copy"): {"glibc": 10, "ashlar": 10}})
    raw["visits"] += [copy.deepcopy(visit) | {"counts": False, "stolen": 3, "ns": {name: 1 if name == "ashlar" else 1e9
                                                                               for name in visit["ns"]}}
                      for visit in raw["visits"]]
    outcome = Report(raw)
    is_equal(outcome.verdict(0), "inside noise")
    assert re.search(r"\| +62 \| +31 \|", outcome.text()), outcome.text()


@story
def targets_are_means_over_their_cells():
    raw = made_up({("recorded", "a", "copy"): {"glibc": 20, "ashlar": 10}, ("recorded", "b", "copy"): {"glibc": 20, "ashlar": 40},
                   ("recorded", "c", "copy"): {"glibc": 12, "ashlar": 10}, ("regimes", "17-64", "copy"): {"glibc": 9, "ashlar": 10},
                   ("regimes", "17-64", "fill"): {"glibc": 10, "ashlar": 10}})
    for cell, group in zip(raw["cells"], ("independent", "independent", "in order")):
        cell["group"] = group
    values = {text: (ratio, word) for text, ratio, _, word in Report(raw).target_values()}
    is_equal({text: word for text, (_, word) in values.items()},
             {"T1 recorded sizes, independent": "MISSED", "T1 independent, copy": "MISSED",
              "T1 recorded sizes, in order": "met", "T1 in order, copy": "met",
              "T2 copy, 17-64": "MISSED", "T2 fill, 17-64": "met"})
    assert math.isclose(values["T1 recorded sizes, independent"][0].median, 1, rel_tol=0.01), values
    assert math.isclose(values["T1 recorded sizes, in order"][0].median, 1.2, rel_tol=0.01), values


@story
def target_within_its_interval_is_neither_met_nor_missed():
    words = []
    for noise in (0.0005, 0.05):
        raw = made_up({("regimes", name, "copy"): {"glibc": glibc, "ashlar": 100} for name, glibc in
                       (("0-16", 97.5), ("17-64", 96.5))}, noise=noise)
        words += [word for _, _, _, word in Report(raw).target_values()]
    is_equal(words, ["met", "MISSED", "undecided", "undecided"])


@story
def report_of_nothing_and_of_little():
    raw = made_up({("use", "a", "copy"): {"glibc": 10, "ashlar": 8}}, rounds=4)
    contains(Report(raw).text(), "too few runs")
    raw["visits"], raw["roofs"], raw["complete"] = [], [], False
    text = Report(raw).text()
    contains(text, "**Interrupted: not all rounds were run.**")
    contains(text, "not measured")


# ---- Plans -----------------------------------------------------------------------------------------------------------


@story
def plans_stay_in_their_memory():
    cells, _ = cases.make(list(cases.CASES), cases.Settings(step=37), 1 << 40)
    is_equal({cell.case for cell in cells}, set(cases.CASES))
    for cell in cells:
        source_bytes = cell.from_bytes or cell.to_bytes
        for to, origin, size in zip(cell.calls[0::3], cell.calls[1::3], cell.sizes):
            assert to + size <= cell.to_bytes and (cell.function == cases.FILL or origin + size <= source_bytes), cell.name
            if cell.use != cases.NO_USE:
                assert size >= 8, cell.name
        content = cell.content()
        is_equal(len(content), 56 + 12 * len(cell.sizes))
        is_equal(struct.unpack_from("<Q8I2Q", content)[8:], (len(cell.sizes), cell.to_bytes, cell.from_bytes))


@story
def cells_are_the_same_each_time():
    first, second = (cases.make(["regimes", "use"], cases.QUICK, 1 << 40)[0] for _ in range(2))
    is_equal([cell.content() for cell in first], [cell.content() for cell in second])


@story
def regimes_stay_in_their_bounds():
    cells, _ = cases.make(["regimes"], cases.Settings(), 1 << 40)
    bounds = {name: (low, high) for name, low, high in cases.REGIMES}
    is_equal(len(cells), 2 * len(bounds))
    for cell in cells:
        low, high = bounds[cell.name]
        assert all(low <= size <= high for size in cell.sizes), cell.name


@story
def what_needs_too_much_memory_is_left_out_and_named():
    cells, remarks = cases.make(["large"], cases.Settings(), 64 << 20)
    assert cells and all(cell.memory <= 64 << 20 for cell in cells)
    assert any("1 GiB, one thread (copy) is left out" in remark for remark in remarks), remarks


@story
def recordings_hold_what_they_should():
    found = recordings.load_all()
    assert {"python3", "sqlite3", "redis", "gcc", "git", "perl"} <= set(found), sorted(found)
    for name, recording in found.items():
        for kind, calls in recording.items():
            total = sum(count for _, _, count in calls.sizes)
            is_equal(sum(calls.to), total, f"{name} {kind}: alignments")
            assert len(calls.order) == min(total, 65536), (name, kind, len(calls.order), total)
            drawn = calls.draw(random.Random(1), 20000, 4096)
            for most in (16, 64):
                share = sum(size <= most for size, _, _ in drawn) / len(drawn)
                assert abs(share - calls.share_up_to(most) / calls.share_up_to(4096)) < 0.03, (name, kind, most)
        size = os.path.getsize(recordings.DIRECTORY / f"{name}{recordings.SUFFIX}")
        assert size < 256 << 10, (name, size)


@story
def damaged_recordings_are_refused():
    whole = next(recordings.DIRECTORY.glob("*" + recordings.SUFFIX)).read_bytes()
    for content in (b"", b"text", whole[:1000], whole[:-9]):
        path = pathlib.Path(place("damaged.json.xz"))
        path.write_bytes(content)
        try:
            recordings.load(path)
        except ValueError as reason:
            contains(str(reason), "no recording")
        else:
            raise AssertionError("it was taken")


# ---- Runs ------------------------------------------------------------------------------------------------------------


def bench(*words, changes=None, **more):
    """Run the bench; its output is in place("out"). returns: (status, stdout, stderr)."""
    done = subprocess.run([RUN, "--build", BUILD, "--output", place("out"), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False,
                          env=environment(**(changes or {})), **more)
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    return done.returncode, done.stdout, done.stderr


def library(name, text):
    """A library of these lines of C. returns: its path."""
    with open(place(name + ".c"), "w", encoding="utf-8") as file:
        file.write(text)
    subprocess.run(["gcc", "-O1", "-fPIC", "-fno-builtin", "-shared", "-o", place(name + ".so"), place(name + ".c")],
                   check=True)
    return place(name + ".so")


BYTE_LOOPS = """
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n) { for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = ((char *)from)[i]; return to; }
void *memset(void *to, int c, size_t n) { for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = (char)c; return to; }
void *memmove(void *to, const void *from, size_t n)
{ if ((size_t)to - (size_t)from >= n) return memcpy(to, from, n);
  while (n-- > 0) ((volatile char *)to)[n] = ((char *)from)[n];
  return to; }
"""


@story
def short_run_keeps_everything():
    path = library("bytes", BYTE_LOOPS)
    status, report, errors = bench("--quick", "--repeats", "11", "--cases", "alias overlap fill code touch",
                                   changes={"BENCH_MEM_RIVALS": f"bytes={path}"})
    is_equal(status, 0, f"status, {errors}")
    with open(place("out/results.json"), encoding="utf-8") as file:
        raw = json.load(file)
    is_equal(raw["complete"], True)
    counted = {}
    for visit in raw["visits"]:
        cell, names = raw["cells"][visit["cell"]], {"glibc", "glibc-again", "ashlar", "rep", "bytes"}
        is_equal(set(visit["ns"]), names - ({"rep"} if cell["case"] == "overlap" else set()), cell["name"])
        assert all(elapsed > 0 for elapsed in visit["ns"].values()), visit
        counted[visit["cell"]] = counted.get(visit["cell"], 0) + visit["counts"]
    is_equal(set(counted), set(range(len(raw["cells"]))))
    assert max(counted.values()) == 11 and raw["roofs"], counted
    lacks(json.dumps(raw), str(TESTS.parent) + "/")
    with open(place("out/results.md"), encoding="utf-8") as file:
        is_equal(file.read().strip(), report.strip())
    outcome = Report(raw)
    is_equal({index: outcome.ratio(index, "bytes").count for index in counted}, counted)
    again = subprocess.run([RUN, "--report", place("out/results.json")], stdout=subprocess.PIPE, text=True, check=False)
    is_equal((again.returncode, again.stdout.strip()), (0, report.strip()), "report again")


def commands_in(directory):
    """The commands of the processes in whose environment a path below the directory stands."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        process = pathlib.Path("/proc", name)
        try:
            if directory.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            pass  # it has ended, or is another user's
    return found


def nothing_is_left_running():
    """Who was killed needs a moment to end."""
    end = time.monotonic() + 5
    while commands_in(place("tmp")) and time.monotonic() < end:
        time.sleep(0.05)
    is_equal(commands_in(place("tmp")), [], "left running")


def endless_run():
    """A run of the bench that has done its first round."""
    process = subprocess.Popen([RUN, "--build", BUILD, "--output", place("out"), "--repeats", "1000000", "--quick",
                                "--cases", "alias"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=environment())
    for line in process.stderr:
        if "round 1 of" in line:
            return process
    raise AssertionError("it ended")


@story
def terminated_run_leaves_results_and_nothing_else():
    process = endless_run()
    process.terminate()
    errors = process.communicate(timeout=SECONDS)[1]
    is_equal(process.returncode, 130, errors)
    lacks(errors, "Traceback")
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    is_equal(commands_in(place("tmp")), [], "left running")
    with open(place("out/results.json"), encoding="utf-8") as file:
        raw = json.load(file)
    is_equal(raw["complete"], False)
    assert len(raw["visits"]) >= len(raw["cells"]), len(raw["visits"])
    with open(place("out/results.md"), encoding="utf-8") as file:
        contains(file.read(), "**Interrupted: not all rounds were run.**")


@story
def killed_run_leaves_no_process():
    process = endless_run()
    process.kill()
    process.communicate()
    nothing_is_left_running()


@story
def library_that_copies_wrongly_is_not_measured():
    for name, wrong in (("short", "for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = (char)c; return to;"),
                        ("long", "for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = (char)c; return to;")):
        text = BYTE_LOOPS.replace(wrong, wrong.replace("i < n", "i + 1 < n" if name == "short" else "i <= n"))
        status, output, errors = bench("--quick", "--cases", "alias",
                                       changes={"BENCH_MEM_RIVALS": f"{name}={library(name, text)}"})
        is_equal((status, output), (2, ""), errors)
        contains(errors, f"{name} does not copy or fill")


@story
def library_that_does_not_move_or_does_nothing_from_some_length_on_is_not_measured():
    upwards = BYTE_LOOPS.replace("while (n-- > 0) ((volatile char *)to)[n] = ((char *)from)[n];",
                                 "for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = ((char *)from)[i];")
    lazy = BYTE_LOOPS.replace("{ for", "{ if (n > 100000) return to; for")
    assert upwards != BYTE_LOOPS != lazy
    for name, text in (("upwards", upwards), ("lazy", lazy)):
        status, output, errors = bench("--quick", "--cases", "alias",
                                       changes={"BENCH_MEM_RIVALS": f"{name}={library(name, text)}"})
        is_equal((status, output), (2, ""), errors)
        contains(errors, f"{name} does not copy or fill")


@story
def library_that_lacks_a_function_does_not_take_part_with_that_of_another():
    """dlsym() looks in what a library is linked with, too: that would be libc's memset under another name."""
    lines = BYTE_LOOPS.splitlines(keepends=True)
    path = library("half", "int puts(const char *);\nint say(void) { return puts(\"\"); }\n" +
                   "".join(line for line in lines if "memset" not in line))
    status, output, errors = bench("--quick", "--cases", "alias", changes={"BENCH_MEM_RIVALS": f"half={path}"})
    is_equal((status, output), (2, ""), errors)
    assert re.search(r"half: a function of it is in \S*libc\.so\.6", errors), errors


@story
def contestant_that_fails_on_the_way_does_not_take_the_results_with_it():
    path = library("tired", BYTE_LOOPS.replace("#include <stddef.h>", "#include <stddef.h>\nvoid abort(void); static long calls;")
                   .replace("void *memmove(void *to, const void *from, size_t n)\n{",
                            "void *memmove(void *to, const void *from, size_t n)\n{ if (calls++ > 300000) abort();"))
    status, _, errors = bench("--quick", "--repeats", "100000", "--cases", "overlap", changes={"BENCH_MEM_RIVALS": f"tired={path}"})
    is_equal(status, 1, errors)
    contains(errors, "the measuring program ended")
    lacks(errors, "Traceback")
    with open(place("out/results.json"), encoding="utf-8") as file:
        raw = json.load(file)
    assert raw["visits"] and not raw["complete"] and "ended" in raw["remarks"][-1], raw["remarks"]


@story
def targets_that_are_to_be_cold_have_lines_of_their_own():
    for cell in cases.make(["large"], cases.Settings(), 1 << 40)[0]:
        if cell.state == cases.COLD_TARGET:
            lines = sorted((to // 64, (to + size - 1) // 64) for to, size in zip(cell.calls[0::3], cell.sizes))
            assert all(one[1] < other[0] for one, other in zip(lines, lines[1:])), cell.name
            is_equal(cell.passes, 1)


@story
def what_cannot_be_recorded_in_time_is_ended():
    record.SECONDS = 1
    scratch = pathlib.Path(place("tmp"))
    try:
        record.run(os.path.join(BUILD, "ashlar"), ["sh", "-c", "sleep 600 & wait"], "sleep 600", scratch)
    except record.Failed as reason:
        contains(str(reason), "no end after 1 seconds")
    else:
        raise AssertionError("it ended")
    nothing_is_left_running()
    for name in os.listdir(scratch):
        shutil.rmtree(scratch / name)


@story
def bad_input_is_refused_in_a_line():
    nothing = library("nothing", "int nothing;")
    with open(place("little.json"), "w", encoding="utf-8") as file:
        json.dump({"format": 1, "visits": []}, file)
    for words, changes, reason in (
            (("--repeats", "0"), {}, "'0' is not a whole number"), ((), {"REPEATS": "abc"}, "'abc' is not a whole number"),
            (("--cases", "no"), {}, "no case 'no'"), ((), {"BENCH_MEM_RIVALS": "x=/nope.so"}, "existing file"),
            ((), {"BENCH_MEM_RIVALS": f"glibc={nothing}"}, "the name glibc is taken"),
            (("--cases", "alias", "--quick"), {"BENCH_MEM_RIVALS": f"x={nothing}"}, "undefined symbol: memcpy"),
            (("--cases", "alias", "--quick"), {"BENCH_MEM_RIVALS": "x=/etc/passwd"}, "/etc/passwd"),
            (("--output", "/proc/no/where"), {}, "--output: "), (("--report", "/nope.json"), {}, "/nope.json"),
            (("--report", "/etc/passwd"), {}, "/etc/passwd"),
            (("--report", place("little.json")), {}, "little.json: something is missing in these results")):
        status, output, errors = bench(*words, changes=changes)
        is_equal((status, output), (2, ""), f"{words} {changes} {errors}")
        contains(errors.splitlines()[-1], reason)
        lacks(errors, "Traceback")


@story
def program_that_measures_refuses_what_it_cannot_do():
    if not os.path.exists(os.path.join(BUILD, "bench", "mem")):
        raise Skip("it is not built")
    with open(place("overlap"), "wb") as file:
        file.write(struct.pack("<Q8I2Q3I", cases.MAGIC, 0, 0, 0, 0, 1, 1, 0, 1, 100, 0, 1, 0, 50))
    with open(place("plan"), "wb") as file:
        file.write(struct.pack("<Q8I2Q3I", cases.MAGIC, 0, 0, 0, 0, 1, 1, 0, 1, 100, 100, 60, 0, 50))
    for order, reason in ((f"plan {place('plan')} 0", "call 0 is out of its bounds"), ("plan /etc/passwd 0", "is no plan"),
                          ("plan /nope 0", "No such file"), ("roof up 4096 1", "no roof 'up'"), ("roof load", "a number"),
                          ("jump high", "what is 'jump'?"),
                          (f"plan {place('overlap')} 1", "rep cannot copy where ranges overlap")):
        done = subprocess.run([os.path.join(BUILD, "bench", "mem"), "0", "glibc=libc", "rep=rep"], input=order + "\n", text=True,
                              capture_output=True, timeout=SECONDS, check=False)
        is_equal(done.returncode, 1, order)
        contains(done.stderr, reason)


main()
