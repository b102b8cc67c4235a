#!/usr/bin/python3
"""The bench tells what it measured: its arithmetic on made-up runs, and short runs of its own that go well or badly.

No figure of a real run is judged here, only that none is lost, and that what goes wrong is said.
"""

import copy
import json
import math
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS.parent / "bench")]

from lib.tap import BUILD, contains, environment, is_equal, lacks, main, place, story  # noqa: E402
from results import Results  # noqa: E402

RUN = str(TESTS.parent / "bench" / "run.py")
SECONDS = 120
HOST = {"date": "2000-01-01T00:00:00+0000", "commit": "none", "uncommitted_changes": False, "processor": "-",
        "processors_allowed": [0], "memory": "-", "system": "-", "kernel": "-", "libc": "-", "load_at_start": [0, 0, 0],
        "transparent_huge_pages": "-"}

# ---- Arithmetic ------------------------------------------------------------------------------------------------------


def made_up(walls, peaks=None, **measured):
    """Raw results: {(workload, contestant): seconds of each run, or the text of a failure}; peaks in KiB."""
    workloads, names = list(dict.fromkeys(key[0] for key in walls)), list(dict.fromkeys(key[1] for key in walls))
    runs = []
    for (workload, name), values in walls.items():
        one = {"workload": workload, "contestant": name, "failure": None, "measured": measured.get(workload, {}),
               "peak_kib": (peaks or {}).get((workload, name), 1000), "minor_faults": 1, "major_faults": 0,
               "user_us": 1, "system_us": 1}
        if isinstance(values, str):
            runs.append({"workload": workload, "contestant": name, "failure": values, "measured": {}})
        else:
            runs += [one | {"wall_ns": int(value * 1e9)} for value in values]
    return {"host": HOST, "complete": True, "remarks": [], "runs": runs,
            "settings": {"repeats": 10, "scale": 100, "threads": 2, "seed": 1, "command": "-", "partial": False},
            "contestants": [{"name": name, "path": None, "package": None, "environment": {}} for name in names],
            "workloads": [{"name": name, "question": "what?", "threads": 1, "judges_time": True, "judges_memory": True,
                           "curve": []} for name in workloads]}


def about(middle, count=10):
    """Runs that lie close around a value."""
    return [middle * (1 + 0.001 * (i - (count - 1) / 2)) for i in range(count)]


def target(outcome, words):
    """(value, whether it is met) of the one target whose text holds these words."""
    found = [(value, met) for text, value, _, met in outcome._target_values() if words in text]
    is_equal(len(found), 1, f"targets with '{words}'")
    return found[0]


@story
def win_and_loss_need_intervals_apart():
    outcome = Results(made_up({("a", "glibc"): about(2), ("a", "ashlar"): about(1), ("b", "glibc"): about(1),
                               ("b", "ashlar"): about(1.5), ("c", "glibc"): [1, 3] * 5, ("c", "ashlar"): [0.9, 3.2] * 5}))
    is_equal([outcome.verdict(workload, "ashlar", "glibc", "time") for workload in "abc"],
             ["win", "LOSS", "inside noise"])
    few = Results(made_up({("a", "glibc"): about(2, 4), ("a", "ashlar"): about(1, 4)}))
    is_equal(few.verdict("a", "ashlar", "glibc", "time"), "too few runs")


@story
def means_are_geometric_over_the_best_rival():
    outcome = Results(made_up({("a", "glibc"): about(2), ("a", "ashlar"): about(1), ("a", "mimalloc"): about(4),
                               ("b", "glibc"): about(8), ("b", "ashlar"): about(8), ("b", "mimalloc"): about(4)}))
    assert math.isclose(outcome.mean_ratio("ashlar", "time"), 1.0), outcome.mean_ratio("ashlar", "time")
    assert math.isclose(outcome.mean_ratio("glibc", "time"), math.sqrt(2)), outcome.mean_ratio("glibc", "time")
    assert math.isclose(outcome.mean_against("mimalloc", "time"), math.sqrt(0.5)), outcome.mean_against("mimalloc", "time")
    value, met = target(outcome, "worst workload")
    assert math.isclose(value, 2) and not met, (value, met)


@story
def failed_rival_loses_its_own_figure_only():
    outcome = Results(made_up({("a", "glibc"): about(2), ("a", "ashlar"): about(1), ("a", "mimalloc"): "wrong result",
                               ("b", "glibc"): about(2), ("b", "ashlar"): about(1), ("b", "mimalloc"): about(2)}))
    is_equal([outcome.taken(name, "time") for name in ("glibc", "ashlar", "mimalloc")], [["a", "b"], ["a", "b"], ["b"]])
    contains(outcome.report(), "- a with mimalloc, 1 runs, the first: wrong result")


@story
def failed_subject_is_named():
    outcome = Results(made_up({("a", "glibc"): about(2), ("a", "ashlar"): "wrong result",
                               ("b", "glibc"): about(2), ("b", "ashlar"): about(1)}))
    is_equal(outcome.judged("time"), ["b"])
    contains(outcome.report(), "**ashlar failed on a: the means are without these.**")


@story
def one_bad_run_fails_the_cell():
    raw = made_up({("a", "glibc"): about(2), ("a", "ashlar"): about(1)})
    raw["runs"][-1]["failure"] = "killed by SIGSEGV"
    is_equal(Results(raw).verdict("a", "ashlar", "glibc", "time"), "FAILED")


@story
def second_names_are_noise_and_no_rivals():
    outcome = Results(made_up({("a", "glibc"): about(2), ("a", "glibc-again"): about(2.2), ("a", "ashlar"): about(1),
                               ("a", "unchecked"): about(0.5)}, {("a", "glibc-again"): 1500}))
    is_equal(outcome.rivals, ["glibc"])
    report = outcome.report()
    contains(report, "time, glibc and glibc-again: typical difference of the medians 10.0 %")
    contains(report, "peak RSS, glibc and glibc-again: typical difference of the medians 50.0 %")


@story
def checks_are_compared_with_the_build_without():
    outcome = Results(made_up({("a", "ashlar"): about(1.02), ("a", "ashlar-again"): about(1.02),
                               ("a", "unchecked"): about(1)}, {("a", "ashlar"): 1100}))
    is_equal(len(list(outcome._target_values())), 2, "targets")
    time_value, time_met = target(outcome, "time")
    assert math.isclose(time_value, 1.02, rel_tol=1e-6) and time_met, (time_value, time_met)
    memory_value, memory_met = target(outcome, "peak RSS")
    assert math.isclose(memory_value, 1.1, rel_tol=1e-6) and not memory_met, (memory_value, memory_met)
    contains(outcome.report(), "ashlar and ashlar-again")


@story
def flatness_needs_every_live_size():
    def curve(places):
        raw = made_up({(f"scale_live_{place}", name): about(1) for place in places for name in ("glibc", "ashlar")},
                      **{f"scale_live_{place}": {"floor_ps": 1000, "op_ps": 2000 + place} for place in places})
        for workload, place in zip(raw["workloads"], places):
            workload |= {"curve": ["live", place], "judges_time": False, "judges_memory": False}
        return raw

    whole = curve((1, 16, 256, 2048, 8192))
    value, met = target(Results(whole), "cost over the floor")
    assert math.isclose(value, 10192 / 2001) and not met, (value, met)
    broken = copy.deepcopy(whole)
    broken["runs"][-1]["failure"] = "no memory"  # ashlar's last at 8 GiB
    for raw in (curve((1,)), broken):
        assert math.isnan(target(Results(raw), "cost over the floor")[0])
        contains(Results(raw).report(), "not measured")


# ---- Runs ------------------------------------------------------------------------------------------------------------


def bench(*words, changes=None, **more):
    """Run the bench; its output is in place("out"). returns: (status, stdout, stderr)."""
    done = subprocess.run([RUN, "--build", BUILD, "--output", place("out"), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False,
                          env=environment(**(changes or {})), **more)
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    return done.returncode, done.stdout, done.stderr


def short(*words, **more):
    return bench("--repeats", "2", "--scale", "1", *words, **more)


def raw_results():
    with open(place("out/results.json"), encoding="utf-8") as file:
        return json.load(file)


def library(name, text):
    """A preload of these lines of C. returns: its path."""
    with open(place(name + ".c"), "w", encoding="utf-8") as file:
        file.write(text)
    subprocess.run(["gcc", "-O1", "-fPIC", "-fno-builtin", "-shared", "-o", place(name + ".so"), place(name + ".c"),
                    "-ldl"], check=True)
    return place(name + ".so")


@story
def short_run_keeps_everything():
    status, report, _ = short(changes={"WORKLOADS": "factor startup", "CONTESTANTS": "glibc ashlar"})
    is_equal(status, 0, "status")
    raw = raw_results()
    is_equal(raw["complete"], True)
    is_equal(sorted((run["round"], run["workload"], run["contestant"]) for run in raw["runs"]),
             sorted((number, workload, name) for number in (1, 2) for workload in ("factor", "startup")
                    for name in ("glibc", "ashlar")))
    assert all(run["wall_ns"] > 0 and run["peak_kib"] > 0 and run["result"] for run in raw["runs"]), raw["runs"]
    contains(raw["settings"]["command"], "WORKLOADS='factor startup' CONTESTANTS='glibc ashlar'")
    lacks(json.dumps(raw), str(TESTS.parent) + "/")
    with open(place("out/results.md"), encoding="utf-8") as file:
        is_equal(file.read().strip(), report.strip())
    os.remove(place("out/results.md"))
    again = subprocess.run([RUN, "--report", place("out/results.json")], stdout=subprocess.PIPE, text=True, check=False)
    is_equal((again.returncode, again.stdout.strip()), (0, report.strip()), "report again")
    is_equal(os.path.exists(place("out/results.md")), True)


@story
def malloc_that_gives_dirty_zeroes_fails():
    path = library("dirty", """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <string.h>
        static void *(*next)(size_t);
        void *malloc(size_t bytes) { if (!next) *(void **)&next = dlsym(RTLD_NEXT, "malloc"); return next(bytes); }
        void free(void *block) { (void)block; }
        void *realloc(void *block, size_t bytes) { void *more = malloc(bytes); if (block) memcpy(more, block, bytes); return more; }
        void *calloc(size_t count, size_t bytes) { void *block = malloc(count * bytes); memset(block, 1, count * bytes); return block; }
    """)
    status, report, _ = short("--workloads", "calloc_large", "--contestants", "glibc dirty",
                              changes={"BENCH_RIVALS": f"dirty={path}"})
    is_equal(status, 1, "status")
    contains(report, "- calloc_large with dirty, 2 runs, the first: ")
    assert all((run["failure"] is None) == (run["contestant"] == "glibc") for run in raw_results()["runs"])


@story
def what_the_reference_cannot_run_is_left_out():
    status, report, errors = short("--workloads", "factor idle", "--contestants", "ashlar glibc-again",
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20)))
    is_equal(status, 0, f"status, {errors}")
    contains(report, "- idle is left out: ")
    contains(report, "## factor")


@story
def bad_input_is_refused_in_a_line():
    nothing = library("nothing", "int nothing;")
    for words, changes, reason in (
            (("--repeats", "-3"), {}, "'-3' is not a whole number"), ((), {"REPEATS": "abc"}, "'abc' is not a whole number"),
            (("--scale", "0"), {}, "'0' is not a whole number"), (("--workloads", "no"), {}, "no workload 'no'"),
            ((), {"CONTESTANTS": "no"}, "no contestant 'no'"), ((), {"BENCH_RIVALS": "x=/nope.so"}, "existing file"),
            ((), {"BENCH_RIVALS": "x=/etc/passwd"}, "/etc/passwd is no shared library"),
            ((), {"BENCH_RIVALS": f"glibc={nothing}"}, "the name glibc is taken"),
            (("--workloads", "factor"), {"BENCH_RIVALS": f"x={nothing}", "CONTESTANTS": "x"}, "x does not serve factor"),
            (("--output", "/proc/no/where"), {}, "--output: "), (("--report", "/nope.json"), {}, "/nope.json"),
            (("--report", "/etc/passwd"), {}, "/etc/passwd")):
        status, output, errors = bench(*words, changes=changes)
        is_equal((status, output), (2, ""), f"{words} {changes} {errors}")
        contains(errors.splitlines()[-1], reason)
        lacks(errors, "Traceback")


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


@story
def terminated_run_leaves_results_and_nothing_else():
    command = [RUN, "--build", BUILD, "--output", place("out"), "--repeats", "1000", "--scale", "10", "--workloads",
               "factor server", "--contestants", "glibc ashlar"]
    with open(place("errors"), "wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment())
    end = time.monotonic() + SECONDS
    while not os.path.exists(place("out/results.json")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    is_equal(process.wait(SECONDS), 130, "status")
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    is_equal(commands_in(place("tmp")), [], "left running")
    is_equal(raw_results()["complete"], False)
    with open(place("out/results.md"), encoding="utf-8") as file:
        contains(file.read(), "**Interrupted: not all repeats were run.**")
    lacks(pathlib.Path(place("errors")).read_text(), "Traceback")


@story
def killed_run_leaves_no_process():
    command = [RUN, "--build", BUILD, "--output", place("out"), "--repeats", "1000", "--workloads", "server",
               "--contestants", "glibc"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    end = time.monotonic() + SECONDS
    while not any("bench/server" in command for command in commands_in(place("tmp"))) and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()
    end = time.monotonic() + 5
    while commands_in(place("tmp")) and time.monotonic() < end:
        time.sleep(0.05)
    is_equal(commands_in(place("tmp")), [], "left running")


main()
