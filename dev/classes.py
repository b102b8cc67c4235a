#!/usr/bin/python3
"""Which size classes, and which granule? Asks traces of real programs.

    dev/classes.py [--traces DIRECTORY] [--programs "a b"]

    program --trace.so--> trace --replay--> peak of live bytes, and there: waste in blocks, pages that slabs keep open

Records each program once, with dev/trace.c, into DIRECTORY (default: build/traces; remove it to record anew), and
replays the traces with dev/replay.c under every set of classes and every granule below. Where a program is a case of
tests/programs, or a workload of the bench, it does that work. Of a case's processes the one counts whose live bytes
rise highest. Our own classes are not copied: the compiler is asked for CLASS_TABLE.

The sets: 4, 8 and 16 classes in each doubling; ours; *even*: ours with 4160 in the place of 4368; *fewer*: ours, but
four in each doubling above 256; *short*: ours, but only up to 16 KiB, larger blocks having pages of their own; and
every multiple of 16, whose waste no set of classes can undercut.

Prints Markdown. All figures are percentages of the bytes that are live, as requested, in blocks up to 64 KiB, at the
moment when these are most:
    waste   what blocks have beyond the request
    kept    touched pages of slabs, less the blocks that are live
    sum     both: touched pages of slabs, less what was requested
docs/design/002-classes.md explains and keeps the results. Exit status: 0 when every program was recorded and replayed.
"""

import argparse
import bisect
import collections
import dataclasses
import fnmatch
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import inputs  # noqa: E402
from results import table  # noqa: E402

CASES = ROOT / "tests" / "programs"
CLASS_BYTES_MAX = 64 << 10
GRANULES_KIB = (16, 32, 64)
KEPT_BYTES = (CLASS_BYTES_MAX, 4096, 1024)  # in classes above, an empty current slab would end; the first is src/
SQLITE_PAGE = 4368  # a page of 4096 bytes and sqlite3's records of it
OURS = "ours"
CANDIDATES = (OURS, "even", "short")  # these are replayed with every granule, and with every KEPT_BYTES
SHOWN_SIZES = 8


class CannotAnswer(Exception):
    """A program or a tool is missing, or failed."""


# ---- Programs --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Program:
    """One row: which executable to look at while some work is done."""

    name: str
    executable: str  # pattern of its path
    work: str        # a case of tests/programs, or one of _WORK


PROGRAMS = (
    Program("cc1", "*/cc1", "gcc"),
    Program("cc1plus", "*/cc1plus", "gcc"),
    Program("clang", "*/clang*", "clang"),
    Program("sqlite3", "*/sqlite3", "sqlite3 in memory"),
    Program("z3", "*/z3", "z3"),
    Program("python3", "*/python3*", "python3 objects"),
    Program("perl", "*/perl*", "perl"),
    Program("lua", "*/lua5.4", "lua5.4"),
    Program("ruby", "*/ruby*", "ruby"),
    Program("php", "*/php*", "php"),
    Program("node", "*/node", "node"),
    Program("redis", "*/redis-check-rdb", "redis"),
    Program("git", "*/git", "git"),
    Program("ghostscript", "*/gs", "ghostscript"),
    Program("gdb", "*/gdb", "gdb"),
)


def sqlite3_command(directory):
    script = directory / "script.sql"
    script.write_text(inputs.sql_script(60000))
    return ["sqlite3", "-batch", ":memory:", f".read {script}"]


def python3_command(directory):
    return ["/usr/bin/python3", str(ROOT / "bench" / "scripts" / "objects.py")]


_WORK = {"sqlite3 in memory": sqlite3_command, "python3 objects": python3_command}


def command_of(work, directory):
    if work in _WORK:
        return _WORK[work](directory)
    return ["bash", "-eu", "-o", "pipefail", str(CASES / "cases" / f"{work}.sh")]


# ---- Tools -----------------------------------------------------------------------------------------------------------


def run(command, **more):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout
    except FileNotFoundError:
        raise CannotAnswer(f"{command[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        raise CannotAnswer(f"{' '.join(command)}: status {error.returncode}\n{error.stderr[-2000:]}") from None


def build(directory):
    """returns: paths of the recorder and of the simulator."""
    trace, replay = directory / "trace.so", directory / "replay"
    common = ["cc", "-std=gnu17", "-O2", "-Wall", "-Wextra"]
    run([*common, "-fPIC", "-shared", "-fno-builtin", "-o", str(trace), str(ROOT / "dev" / "trace.c")])
    run([*common, "-o", str(replay), str(ROOT / "dev" / "replay.c")])
    return trace, replay


# ---- Sets of classes -------------------------------------------------------------------------------------------------


def our_classes(directory):
    source, program = directory / "table.c", directory / "table"
    source.write_text('#include "slab/class.h"\n#include <stdio.h>\n'
                      '#define PRINT(bytes) printf("%zu\\n", (size_t)(bytes));\n'
                      "int main(void) { CLASS_TABLE(PRINT) }\n")
    run(["cc", "-std=gnu17", f"-I{ROOT / 'src'}", "-o", str(program), str(source)])
    return [int(line) for line in run([str(program)]).split()]


def per_doubling(count):
    """`count` classes in each doubling, all multiples of 16."""
    classes, low = list(range(16, 16 * count + 1, 16)), 16 * count
    while low < CLASS_BYTES_MAX:
        classes += [low + low * i // count for i in range(1, count + 1)]
        low *= 2
    return classes


def sets_of_classes(ours):
    """{name: classes}, in the order of the table."""
    eight, four = per_doubling(8), per_doubling(4)
    even = set(ours) - {SQLITE_PAGE} | {4160}
    fewer = {size for size in ours if size <= 256 or size in four or size not in eight}
    short = {size for size in ours if size <= 16384}
    sets = {"4": four, "8": eight, OURS: ours, "16": per_doubling(16), "even": even, "fewer": fewer, "short": short,
            "every-16": range(16, CLASS_BYTES_MAX + 1, 16)}
    return {name: sorted(classes) for name, classes in sets.items()}


# ---- Recording -------------------------------------------------------------------------------------------------------


def record(work, programs, trace, replay, traces):
    """Do `work`, and keep for each of `programs` the trace of its process with the highest peak."""
    with tempfile.TemporaryDirectory(dir=traces) as scratch:
        scratch = pathlib.Path(scratch)
        home, kept, files = (scratch / name for name in ("home", "record", "files"))
        for directory in (home, kept, files):
            directory.mkdir()
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(home), "TMPDIR": str(scratch),
                       "SOURCE": str(ROOT), "PROGRAMS": str(CASES), "RECORD": str(kept), "PRELOADED": "0",
                       "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "TRACE_DIRECTORY": str(files),
                       "LD_PRELOAD": str(trace)}
        print(f"classes.py: recording {work}", file=sys.stderr, flush=True)
        run(command_of(work, scratch), cwd=home, env=environment, stdin=subprocess.DEVNULL)
        best = {}
        for path in files.iterdir():
            summary = Replayed(run([str(replay), str(path)], input=""))
            for program in programs:
                if fnmatch.fnmatch(summary.program, program.executable):
                    best[program] = max(best.get(program, (0, "")), (summary.requested, str(path)))
        for program in programs:
            if program not in best:
                raise CannotAnswer(f"{work}: no process of {program.executable} was recorded")
            os.replace(best[program][1], trace_path(traces, program))


def trace_path(traces, program):
    return traces / f"{program.name}.trace"


def record_all(programs, trace, replay, traces):
    missing = collections.defaultdict(list)
    for program in programs:
        if not trace_path(traces, program).exists():
            missing[program.work].append(program)
    for work, wanted in missing.items():
        record(work, wanted, trace, replay, traces)


# ---- Replaying -------------------------------------------------------------------------------------------------------


class Replayed:
    """What replay printed about one trace."""

    def __init__(self, text):
        self.sizes, self.models = {}, {}
        for line in text.splitlines():
            kind, name, *pairs = line.split()
            values = {key: int(value) for key, value in (pair.split("=") for pair in pairs)}
            if kind == "trace":
                self.program, self.values = name, values
            elif kind == "size":
                self.sizes[int(name)] = values["live"]
            else:
                self.models[name, values["granule"] >> 10, values["kept"]] = values

    @property
    def requested(self):
        return self.values["requested"]

    def waste(self, name):
        return self.model(name)["blocks"] - self.requested

    def kept(self, name, **more):
        return self.model(name, **more)["open"] - self.model(name, **more)["blocks"]

    def sum(self, name, **more):
        return self.model(name, **more)["open"] - self.requested

    def model(self, name, granule=64, kept=KEPT_BYTES[0]):
        return self.models[name, granule, kept]


def models_of(sets):
    """(set, granule in KiB, bytes up to which empty current slabs are kept) of each model that the report asks for."""
    usual = (GRANULES_KIB[-1], KEPT_BYTES[0])
    variants = {usual, *((granule, usual[1]) for granule in GRANULES_KIB), *((usual[0], kept) for kept in KEPT_BYTES)}
    return [(name, *variant) for name in sets for variant in sorted(variants if name in CANDIDATES else {usual})]


def replay_all(programs, sets, replay, traces):
    text = "".join(f"{name} {granule << 10} {kept} {' '.join(map(str, sets[name]))}\n"
                   for name, granule, kept in models_of(sets))
    return {program.name: Replayed(run([str(replay), str(trace_path(traces, program))], input=text))
            for program in programs}


# ---- Report ----------------------------------------------------------------------------------------------------------


def percent(part, whole):
    return f"{100 * part / whole:.1f}"


def print_table(title, columns, replayed, figures_of):
    """What `figures_of` makes of each program's replays, in per cent; then the mean of these, and the bytes of all."""
    print(f"\n**{title}**\n")
    figures = {name: figures_of(one) for name, one in replayed.items()}
    lines = [[name, *(percent(figure, one.requested) for figure in figures[name])] for name, one in replayed.items()]
    means = [statistics.fmean(figure / one.requested for figure, one in zip(column, replayed.values()))
             for column in zip(*figures.values())]
    totals = [sum(column) for column in zip(*figures.values())]
    lines.append(["*mean*", *(percent(mean, 1) for mean in means)])
    lines.append(["*all, MiB*", *(f"{total / 2**20:.1f}" for total in totals)])
    print(*table(["program", *columns], lines), sep="\n")


def print_programs(replayed):
    print("What was recorded, at the peak of live bytes in blocks up to 64 KiB:\n")
    lines = [[name, one.values["events"], one.values["threads"], one.values["live"],
              f"{one.requested / 2**20:.2f}", f"{one.values['glibc'] / 2**20:.2f}"] for name, one in replayed.items()]
    print(*table(["program", "events", "threads", "live blocks", "live MiB", "as glibc's chunks"], lines), sep="\n")


def print_sizes(replayed, ours):
    """For each program the sizes that waste most in our classes."""
    print("\n**Sizes that waste most in our classes: size x live blocks (per cent of all that is live)**\n")
    for name, one in replayed.items():
        waste = {size: live * (ours[bisect.bisect_left(ours, size)] - size) for size, live in one.sizes.items()}
        worst = sorted(waste, key=waste.get, reverse=True)[:SHOWN_SIZES]
        print(f"- {name}: " + ", ".join(f"{size} x {one.sizes[size]} ({percent(waste[size], one.requested)})"
                                        for size in worst))


def report(replayed, sets):
    columns = [f"{name} ({len(classes)})" for name, classes in sets.items()]
    print_programs(replayed)
    print_table("Waste inside blocks", ["glibc", *columns], replayed,
                lambda one: [one.values["glibc"] - one.requested, *(one.waste(name) for name in sets)])
    print_table("Kept open, granules of 64 KiB", columns, replayed, lambda one: [one.kept(name) for name in sets])
    print_table("Sum, granules of 64 KiB", columns, replayed, lambda one: [one.sum(name) for name in sets])
    by_granule = [(name, granule) for name in CANDIDATES for granule in GRANULES_KIB]
    print_table("Sum, by set and granule", [f"{name}, {granule} KiB" for name, granule in by_granule], replayed,
                lambda one: [one.sum(name, granule=granule) for name, granule in by_granule])
    by_kept = [(name, kept) for name in CANDIDATES for kept in KEPT_BYTES]
    print_table("Sum, by set and the size above which an empty current slab ends",
                [f"{name}, {'none' if kept == CLASS_BYTES_MAX else kept}" for name, kept in by_kept], replayed,
                lambda one: [one.sum(name, kept=kept) for name, kept in by_kept])
    print_sizes(replayed, sets[OURS])


def parse_arguments():
    parser = argparse.ArgumentParser(description="Judge size classes and granules by traces of real programs.")
    parser.add_argument("--traces", type=pathlib.Path, default=ROOT / "build" / "traces", help="where they are kept")
    parser.add_argument("--programs", default="", help="names in one argument (default: all)")
    return parser.parse_args()


def chosen_programs(names):
    known = {program.name: program for program in PROGRAMS}
    for name in names:
        if name not in known:
            raise CannotAnswer(f"no program '{name}'; there are: {' '.join(known)}")
    return [known[name] for name in names or known]


def main():
    arguments = parse_arguments()
    try:
        programs = chosen_programs(arguments.programs.split())
        traces = arguments.traces.resolve()
        traces.mkdir(parents=True, exist_ok=True)
        trace, replay = build(traces)
        sets = sets_of_classes(our_classes(traces))
        record_all(programs, trace, replay, traces)
        replayed = replay_all(programs, sets, replay, traces)
    except CannotAnswer as error:
        print(f"classes.py: {error}", file=sys.stderr)
        return 2
    report(replayed, sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
