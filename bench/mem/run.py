#!/usr/bin/python3
"""Measure Ashlar's memory functions against glibc's: by pointer, interleaved, on many kinds of calls.

    bench/mem/run.py [--build build] [--quick] [--repeats N] [--cases "a b"] [--output DIRECTORY]
    bench/mem/run.py --report results.json        make the tables again from raw results, beside them

The environment variables REPEATS and CASES do the same; BENCH_MEM_RIVALS="name=/path.so ..." adds contestants. The method
is explained in docs/benchmarking.md. Exit status: 0 when everything was measured, 1 when a contestant failed on the way,
2 when nothing could be measured, 130 when interrupted (what was measured until then is kept).
"""

import argparse
import gc
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import cases  # noqa: E402
import host  # noqa: E402
import report  # noqa: E402
import tunables  # noqa: E402
from instrument import AGAIN, BASELINE, REP, SUBJECT, Instrument, find_contestants  # noqa: E402
from shared import (INTERRUPTED, ROOT, CannotMeasure, Progress, base_environment, build_programs,  # noqa: E402
                    choose, command_line, from_root, make_directory, remark, whole_number, write_raw)

FORMAT = 1  # of the raw results
REPEATS = 31  # odd: the median is one of them
ATTEMPTS = 3  # at a visit from which the hypervisor took time
MOST_STOLEN = 0.01  # of the time of a visit
MEMORY_SHARE = 0.25  # of what is available
SETTINGS = ("REPEATS", "CASES", "BENCH_MEM_RIVALS")
PLAIN, TUNED = "plain", "tuned"
ROOFS = ("load", "store", "stream")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measure memory functions against each other, interleaved.")
    given = os.environ.get
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build directory (default: build)")
    parser.add_argument("--output", type=pathlib.Path, help="directory of the results (default: in the build)")
    parser.add_argument("--repeats", type=whole_number, default=given("REPEATS") or REPEATS,
                        help=f"rounds (default: {REPEATS})")
    parser.add_argument("--cases", default=given("CASES") or "", help="names in one argument (default: all)")
    parser.add_argument("--seed", type=int, help="of the order of visits (default: from the clock)")
    parser.add_argument("--quick", action="store_true", help="fewer cells, no tuned glibc: a minute")
    parser.add_argument("--list", action="store_true", help="list the cases, and end")
    parser.add_argument("--report", type=pathlib.Path, metavar="JSON",
                        help="only make the tables again, beside these raw results")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = time.time_ns() % 2**32
    return arguments


# ---- What is measured ------------------------------------------------------------------------------------------------


class Plans:
    """Cells' plans as files in the scratch directory."""

    def __init__(self, scratch):
        self.scratch, self.count = scratch, 0

    def write(self, cell):
        """returns: the path of a new file with the cell's plan."""
        self.count += 1
        path = self.scratch / f"{self.count}.plan"
        path.write_bytes(cell.content())
        return str(path)


def describe(cell):
    """A cell in the raw results."""
    return {"case": cell.case, "name": cell.name, "function": cell.function, "group": cell.group,
            "calls": cell.calls_timed, "bytes": cell.bytes_timed, "footprint": cell.footprint,
            "threads": cell.threads, "judged": cell.case not in cases.NOT_JUDGED}


def takes_part(name, cell):
    """The string instructions go upwards only."""
    return name != REP or not cell.overlaps


# ---- Rounds ----------------------------------------------------------------------------------------------------------


def one_visit(instrument, path, names):
    """All contestants once. returns: ({name: nanoseconds}, clock ticks that were stolen, whether it counts)."""
    ticks, start = host.stolen_ticks(), time.monotonic()
    times = instrument.plan(path, names)
    stolen, elapsed = host.stolen_ticks() - ticks, time.monotonic() - start
    return times, stolen, stolen / os.sysconf("SC_CLK_TCK") <= MOST_STOLEN * elapsed


def visit(raw, round_number, process, index, instrument, path, names):
    """Visit a cell, again when the hypervisor took time from the visit. What is not counted is kept, too."""
    for _ in range(ATTEMPTS):
        times, stolen, counts = one_visit(instrument, path, names)
        raw["visits"].append({"round": round_number, "process": process, "cell": index, "stolen": stolen,
                              "counts": counts, "ns": times})
        if counts:
            return


def measure_roofs(raw, round_number, instrument, largest):
    """Once over each kind and size."""
    for size in [size for size in report.ROOF_BYTES if size <= largest]:
        for kind in ROOFS:
            times = max(1, 4 * cases.MIB // size)
            elapsed = instrument.roof(kind, size, times)
            if elapsed:
                raw["roofs"].append({"round": round_number, "kind": kind, "bytes": size, "times": times, "ns": elapsed})


def measure(raw, cells, paths, instruments, largest):
    """All rounds. In each, every cell is visited in every process that it concerns, in a fresh order; within a visit, the
    contestants' order is fresh as well."""
    order, rounds = random.Random(raw["settings"]["seed"]), raw["settings"]["repeats"]
    visits = [(process, index) for process in instruments for index, cell in enumerate(cells)
              if process == PLAIN or cell.case in cases.FOR_TUNED]
    progress = Progress(len(visits) * rounds)
    gc.disable()  # nothing is made in circles, and a collection would be in somebody's visit
    for round_number in range(1, rounds + 1):
        order.shuffle(visits)
        for process, index in visits:
            instrument, cell = instruments[process], cells[index]
            names = [name for name in instrument.names if takes_part(name, cell)]
            progress.show(round_number, cell.case, cell.name)
            visit(raw, round_number, process, index, instrument, paths[index], order.sample(names, len(names)))
            progress.advance(1)
        measure_roofs(raw, round_number, instruments[PLAIN], largest)
        progress.end_round(round_number, rounds)
    progress.end()
    raw["complete"] = True


# ---- Start and end ---------------------------------------------------------------------------------------------------


def write_results(raw, directory):
    """returns: the report."""
    raw = from_root(raw)
    write_raw(raw, directory, separators=(",", ":"))
    return write_tables(raw, directory)


def write_tables(raw, directory):
    text = report.Report(raw).text()
    (directory / "results.md").write_text(text)
    return text


def report_again(path):
    """Tables from raw results, beside them. returns: the report."""
    try:
        raw = json.loads(path.read_text())
        if not isinstance(raw, dict) or raw.get("format") != FORMAT or "visits" not in raw:
            raise CannotMeasure(f"{path}: no raw results of this bench")
        return write_tables(raw, path.parent)
    except (AttributeError, LookupError, TypeError):
        raise CannotMeasure(f"{path}: something is missing in these results") from None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as reason:
        raise CannotMeasure(f"--report: {path}: {reason}") from None


def processors():
    """Two to measure on, or one; not the first, which serves most interrupts, for what one thread does."""
    allowed = sorted(os.sched_getaffinity(0))
    return [allowed[-1], allowed[0]] if len(allowed) > 1 else allowed


def start_instruments(program, players, environment, setting):
    """{process: Instrument}: plain, and with the setting of glibc where there is one."""
    started = {PLAIN: Instrument(program, processors(), players, environment)}
    if setting:
        compared = [player for player in players if player.name in (BASELINE, AGAIN, SUBJECT)]
        try:
            started[TUNED] = Instrument(program, processors(), compared, environment | {"GLIBC_TUNABLES": setting})
        except BaseException:
            started[PLAIN].end()
            raise
    return started


def choose_setting(arguments, wanted, program, players, environment, plans):
    """The setting of glibc, and what is said about it."""
    if arguments.quick or not set(wanted) & set(cases.FOR_TUNED):
        return "", "glibc with other thresholds is not measured"
    if not tunables.known():
        return "", "this libc has no thresholds to set: there is no tuned glibc"
    remark("choosing thresholds for glibc")
    setting = tunables.choose(program, processors(), players, environment, plans.write, random.Random(arguments.seed))
    return setting, f"tuned glibc: GLIBC_TUNABLES={setting}" if setting else "no threshold is better than glibc's own"


def bench(arguments, scratch):
    """Measure everything asked for. returns: exit status."""
    wanted = choose(list(cases.CASES), arguments.cases, "case")
    if arguments.list:
        print("cases:", *cases.CASES)
        return 0
    players = find_contestants(arguments.build, os.environ.get("BENCH_MEM_RIVALS", ""))
    output = arguments.output or arguments.build / "bench-results" / time.strftime("mem-%Y%m%d-%H%M%S")
    make_directory(output)
    machine = host.record(ROOT)
    if machine["load_at_start"][0] > 0.5:
        remark(f"the machine is busy (load {machine['load_at_start'][0]:.2f}): the intervals will be wide")
    program = build_programs(arguments.build, "bench_mem") / "mem"
    environment, plans = base_environment(scratch), Plans(scratch)
    amount = cases.QUICK if arguments.quick else cases.Settings(two=len(processors()) > 1)
    memory = int(MEMORY_SHARE * host.available_mib() * cases.MIB)
    cells, remarks = cases.make(wanted, amount, memory)
    setting, said = choose_setting(arguments, wanted, program, players, environment, plans)
    for text in (*remarks, said):
        remark(text)
    raw = {
        "format": FORMAT, "complete": False, "host": machine, "remarks": [*remarks, said],
        "settings": {"repeats": arguments.repeats, "seed": arguments.seed, "quick": arguments.quick,
                     "cases": wanted, "glibc_tunables": setting, "processors": processors(),
                     "command": command_line(SETTINGS)},
        "contestants": [{"name": player.name, "source": player.source} | host.describe_library(player.library)
                        for player in players],
        "cells": [describe(cell) for cell in cells], "visits": [], "roofs": []}
    paths = [plans.write(cell) for cell in cells]
    remark(f"{len(cells)} cells, {len(players)} contestants, {arguments.repeats} rounds, seed {arguments.seed}")
    instruments = start_instruments(program, players, environment, setting)
    status = 0
    try:
        measure(raw, cells, paths, instruments, min(amount.largest, memory))
    except KeyboardInterrupt:
        remark("interrupted; what was measured so far is kept")
        status = INTERRUPTED
    except CannotMeasure as reason:
        raw["remarks"].append(str(reason))
        remark(f"{reason}; what was measured so far is kept")
        status = 1
    finally:
        for instrument in instruments.values():
            instrument.end()
    raw["host"]["stolen_ticks_at_end"] = host.stolen_ticks()
    print(write_results(raw, output))
    remark(f"raw results and tables are in {output}")
    return status


def main():
    arguments = parse_arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # as an interrupt: nothing is left behind
    try:
        if arguments.report:
            print(report_again(arguments.report), end="")
            return 0
        with tempfile.TemporaryDirectory(prefix="ashlar-bench-") as scratch:
            return bench(arguments, pathlib.Path(scratch))
    except (CannotMeasure, ValueError) as reason:
        remark(str(reason))
        return 2
    except KeyboardInterrupt:
        remark("interrupted before the first round")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
