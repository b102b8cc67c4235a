"""From raw runs to tables: medians with their uncertainty, ratios to the best rival, targets. No run is left out."""

import dataclasses
import math
import random
import statistics

from contestants import BASELINE, BASELINE_AGAIN, SUBJECT, UNCHECKED
from workloads import CURVES

RESAMPLES = 2000
WANTED_REPEATS = 10
LEAST_RUNS = 5  # with fewer, an interval says nothing


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A median, and the interval that holds it with 95 % confidence (bootstrap, percentiles)."""

    median: float
    low: float
    high: float

    def overlaps(self, other):
        return self.low <= other.high and other.low <= self.high


def estimate(values):
    """Seeded: the same values give the same answer.

    source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    source = random.Random(len(values))
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return Estimate(statistics.median(values), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1])


@dataclasses.dataclass(frozen=True)
class Cell:
    """One contestant on one workload. Valid only when every run succeeded."""

    failures: tuple
    runs: int = 0
    minimum: float = 0
    time: Estimate | None = None    # seconds
    memory: Estimate | None = None  # KiB, peak
    faults: float = 0
    processor: float = 0            # seconds, user and system
    measured: dict = dataclasses.field(default_factory=dict)  # what the program measured itself, medians

    @property
    def valid(self):
        return not self.failures and self.time is not None


def make_cell(runs):
    """From all runs of one contestant on one workload."""
    failures = tuple(run["failure"] for run in runs if run["failure"])
    if failures or not runs:
        return Cell(failures)
    walls = [run["wall_ns"] / 1e9 for run in runs]
    names = runs[0]["measured"]
    return Cell((), len(runs), min(walls), estimate(walls), estimate([run["peak_kib"] for run in runs]),
                statistics.median(run["minor_faults"] + run["major_faults"] for run in runs),
                statistics.median((run["user_us"] + run["system_us"]) / 1e6 for run in runs),
                {name: statistics.median(run["measured"][name] for run in runs) for name in names})


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else math.nan


def table(header, rows):
    """Markdown, padded so that it also reads well in a terminal. All columns but the first are right-aligned."""
    rows = [[str(field) for field in row] for row in rows]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(row):
        first, *rest = (field.ljust(width) if column == 0 else field.rjust(width)
                        for column, (field, width) in enumerate(zip(row, widths)))
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join("-" * (width + 2) if column == 0 else "-" * (width + 1) + ":"
                          for column, width in enumerate(widths)) + "|"
    return [line(header), rule, *map(line, rows)]


class Results:
    """All cells of one run of the bench, and the comparisons between them."""

    def __init__(self, raw):
        self.raw = raw
        self.workloads = {workload["name"]: workload for workload in raw["workloads"]}
        self.names = [contestant["name"] for contestant in raw["contestants"]]
        self.rivals = [name for name in self.names if name not in (SUBJECT, BASELINE_AGAIN)]
        runs = {(workload, name): [] for workload in self.workloads for name in self.names}
        for run in raw["runs"]:
            runs[run["workload"], run["contestant"]].append(run)
        self.cells = {key: make_cell(value) for key, value in runs.items()}

    def cell(self, workload, name):
        """The cell, also for a workload or contestant that did not take part (then it is not valid)."""
        return self.cells.get((workload, name), Cell(()))

    def median(self, workload, name, quantity):
        return getattr(self.cell(workload, name), quantity).median

    def best(self, workload, quantity, among):
        """The contestant of `among` with the smallest median "time" or "memory", or None when all of them failed."""
        valid = [name for name in among if self.cell(workload, name).valid]
        return min(valid, key=lambda name: self.median(workload, name, quantity)) if valid else None

    def ratio(self, workload, name, other, quantity="time"):
        """Median of `name` over median of `other`; NaN unless both are valid."""
        if not (self.cell(workload, name).valid and self.cell(workload, other).valid):
            return math.nan
        return self.median(workload, name, quantity) / self.median(workload, other, quantity)

    def verdict(self, workload, name, other, quantity):
        """How `name` compares with `other`: a win or a loss only when the intervals of the medians are apart."""
        mine, theirs = self.cell(workload, name), self.cell(workload, other)
        if not mine.valid:
            return "FAILED" if mine.failures else "not run"
        if not theirs.valid:
            return "no rival"
        if min(mine.runs, theirs.runs) < LEAST_RUNS:
            return "too few runs"
        a, b = getattr(mine, quantity), getattr(theirs, quantity)
        if a.overlaps(b):
            return "inside noise"
        return "win" if a.median < b.median else "LOSS"

    def judged(self, quantity):
        """The workloads whose "time" or "memory" counts, and on which every contestant succeeded."""
        return [name for name, workload in self.workloads.items()
                if workload["judges_" + quantity] and all(self.cell(name, other).valid for other in self.names)]

    def contests(self):
        """The workloads that are no points of a curve."""
        return [name for name, workload in self.workloads.items() if not workload.get("curve")]

    def points(self, axis):
        """(place on the axis, workload) of a curve's points, in order."""
        return sorted((workload["curve"][1], name) for name, workload in self.workloads.items()
                      if workload.get("curve") and workload["curve"][0] == axis)

    def cost(self, workload, name):
        """(nanoseconds of a replacement, of which the program's own cache misses): NaN when it failed."""
        measured = self.cell(workload, name).measured
        return measured.get("op_ps", math.nan) / 1000, measured.get("floor_ps", math.nan) / 1000

    def mean_ratio(self, name, quantity):
        """Geometric mean, over the judged workloads, of the ratio to each workload's best rival."""
        return geometric_mean([self.ratio(workload, name, self.best(workload, quantity, self.rivals), quantity)
                               for workload in self.judged(quantity)])

    def best_single(self, quantity, among):
        """The one contestant of `among` with the smallest geometric mean, or None."""
        present = [name for name in among if name in self.rivals]
        return min(present, key=lambda name: self.mean_ratio(name, quantity)) if present else None

    # ---- The report -------------------------------------------------------------------------------------------------

    def report(self):
        """All of it, as Markdown."""
        parts = [self._heading(), self._means(), self._targets(), self._subject(), self._noise(), self._kept_memory(),
                 self._fragmentation(), *map(self._curve, CURVES), *map(self._details, self.contests()),
                 self._failures()]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _heading(self):
        host, settings = self.raw["host"], self.raw["settings"]
        state = " with uncommitted changes" if host["uncommitted_changes"] else ""
        lines = [f"# Bench of {host['date']}", "",
                 f"{host['processor']}, processors {host['processors_allowed']}, memory {host['memory']}, "
                 f"{host['system']}, kernel {host['kernel']}, {host['libc']}, huge pages: "
                 f"{host['transparent_huge_pages']}, load at start {host['load_at_start'][0]:.2f}. "
                 f"Commit {host['commit'] or 'none'}{state}.", "",
                 f"{settings['repeats']} repeats, scale {settings['scale']} %, {settings['threads']} threads where "
                 f"many, order shuffled with seed {settings['seed']}. Command: `{settings['command']}`."]
        if not self.raw["complete"]:
            lines += ["", "**Interrupted: not all repeats were run.**"]
        lines += ["", *(f"- {contestant['name']}: {contestant['path'] or 'no preload'} "
                        f"({contestant['package'] or 'no package'}){_settings_text(contestant['environment'])}"
                        for contestant in self.raw["contestants"])]
        lines += ["", *(f"- {remark}" for remark in self.raw["remarks"])] if self.raw["remarks"] else []
        return lines

    def _means(self):
        failed = sorted({workload for (workload, _), cell in self.cells.items() if cell.failures})
        rows = [[name, f"{self.mean_ratio(name, 'time'):.3f}", f"{self.mean_ratio(name, 'memory'):.3f}"]
                for name in self.names]
        return ["## Geometric means", "",
                f"Each workload's median over that of its best rival; {len(self.judged('time'))} workloads for time, "
                f"{len(self.judged('memory'))} for peak RSS. A workload on which anybody failed is left out of both: "
                f"{', '.join(failed) if failed else 'none'}.", "",
                *table(["contestant", "time", "peak RSS"], rows)]

    def _targets(self):
        if SUBJECT not in self.names or not self.rivals:
            return []
        rows = [[text, f"{value:.3g}", bound, "not measured" if math.isnan(value) else "met" if met else "MISSED"]
                for text, value, bound, met in self._target_values()]
        return ["## Targets", "", *self._target_remarks(), *table(["target", "measured", "wanted", ""], rows)]

    def _target_remarks(self):
        """Why the figures may be worth less than they seem."""
        settings, absent = self.raw["settings"], []
        failed = [workload for workload in self.workloads if self.cell(workload, SUBJECT).failures]
        if failed:
            absent.append(f"**{SUBJECT} failed on {', '.join(failed)}: the means are without these.**")
        if settings["scale"] != 100 or settings["repeats"] < WANTED_REPEATS or not self.raw["complete"]:
            absent.append(f"An indication only: the targets are set for scale 100 % and {WANTED_REPEATS} repeats.")
        if settings["partial"]:
            absent.append("Not all workloads were run, or not all rivals: the means are over what was.")
        return [*absent, ""] if absent else []

    def _target_values(self):
        """Yields (what, value, bound in words, met)."""
        single = self.best_single("time", self.rivals)
        mean = self.mean_ratio(SUBJECT, "time") / self.mean_ratio(single, "time")
        yield f"time, geometric mean over that of the best single rival ({single})", mean, "<= 0.95", mean <= 0.95
        ratios = {workload: self.ratio(workload, SUBJECT, self.best(workload, "time", self.rivals))
                  for workload in self.judged("time")}
        if ratios:
            worst = max(ratios, key=ratios.get)
            yield f"time, worst workload over its best rival ({worst})", ratios[worst], "<= 1.03", ratios[worst] <= 1.03
        compact = self.best_single("memory", ("mimalloc", "jemalloc", "tcmalloc"))
        for other, bound in ((compact, 0.95), (BASELINE, 1.0)):
            if other in self.names:
                mean = self.mean_ratio(SUBJECT, "memory") / self.mean_ratio(other, "memory")
                yield f"peak RSS, geometric mean over that of {other}", mean, f"<= {bound:.2f}", mean <= bound
        speed = self.ratio("producer_consumer", "mimalloc", SUBJECT)
        yield "producer_consumer, throughput over mimalloc's", speed, ">= 1.5", speed >= 1.5
        for workload, yardstick in (("realloc_double", "touch_double"), ("realloc_step", "touch_step")):
            fastest = self.best(yardstick, "time", self.names)
            value = math.nan
            if fastest and self.cell(workload, SUBJECT).valid:
                value = self.median(workload, SUBJECT, "time") / self.median(yardstick, fastest, "time")
            yield f"{workload}, time over the fastest {yardstick}", value, "<= 1.1", value <= 1.1
        for field, text, bound in (("idle_1000_kib", "one second after the frees", 40),
                                   ("trimmed_kib", "after malloc_trim(0)", 16)):
            value = self.cell("idle", SUBJECT).measured.get(field, math.nan) / 1024
            yield f"idle, MiB {text}", value, f"<= {bound}", value <= bound
        if self.points("live"):
            floors = [whole / floor for whole, floor in (self.cost(name, SUBJECT) for _, name in self.points("live"))]
            spread = max(floors) / min(floors)
            yield "cost over the floor, highest over lowest of all live sizes", spread, "<= 1.10", spread <= 1.10
        if UNCHECKED in self.names:
            for quantity, text, bound in (("time", "time", 1.03), ("memory", "peak RSS", 1.02)):
                mean = self.mean_ratio(SUBJECT, quantity) / self.mean_ratio(UNCHECKED, quantity)
                yield f"{text}, geometric mean over that without checks", mean, f"<= {bound}", mean <= bound

    def _subject(self):
        if SUBJECT not in self.names or not self.rivals:
            return []
        rows = []
        for workload in self.contests():
            row = [workload]
            for quantity in ("time", "memory"):
                best = self.best(workload, quantity, self.rivals)
                judged = self.workloads[workload]["judges_" + quantity]
                row += [best, f"{self.ratio(workload, SUBJECT, best, quantity):.3f}",
                        self.verdict(workload, SUBJECT, best, quantity) if judged else "not judged"]
            rows.append(row)
        return [f"## {SUBJECT} against the best of all rivals", "",
                "Medians; below 1 is better. A win or a loss is one whose 95 % intervals do not overlap.", "",
                *table(["workload", "fastest rival", "time", "", "smallest rival", "peak RSS", ""], rows)]

    def _noise(self):
        if BASELINE_AGAIN not in self.names or BASELINE not in self.names:
            return []
        ratios = {workload: self.ratio(workload, BASELINE_AGAIN, BASELINE) for workload in self.judged("time")}
        if not ratios:
            return []
        logs = {workload: abs(math.log(ratio)) for workload, ratio in ratios.items()}
        worst = max(logs, key=logs.get)
        apart = [workload for workload in ratios
                 if self.verdict(workload, BASELINE_AGAIN, BASELINE, "time") in ("win", "LOSS")]
        return ["## Noise floor", "",
                f"The same malloc under two names ({BASELINE} and {BASELINE_AGAIN}): typical difference of the medians "
                f"{100 * (math.exp(statistics.median(logs.values())) - 1):.1f} %, largest "
                f"{100 * (math.exp(logs[worst]) - 1):.1f} % ({worst}); intervals apart on {len(apart)} of {len(ratios)}"
                f" workloads{': ' + ', '.join(apart) if apart else ''}."]

    def _kept_memory(self):
        fields = (("full_kib", "full"), ("freed_kib", "freed"), ("idle_1000_kib", "after 1 s"),
                  ("idle_kib", "after 1.5 s"), ("trimmed_kib", "malloc_trim"))
        return self._resident("idle", "Memory kept by idle threads", "", fields, _mebibytes)

    def _fragmentation(self):
        fields = (("peak_kib", "peak"), ("freed_kib", "freed"), ("idle_1_kib", "after 1 s"),
                  ("idle_10_kib", "after 10 s"), ("idle_60_kib", "after 60 s"))
        return self._resident("phases", "Memory kept after phases", ", and in brackets how many times the bytes that "
                              "are live after the frees", fields, _mebibytes_over_live)

    def _resident(self, workload, title, remark, fields, show):
        """What a workload read of its own RSS: a row for each contestant, a column for each moment."""
        rows = [[name, *(show(self.cell(workload, name).measured, field) for field, _ in fields)]
                for name in self.names if self.cell(workload, name).measured]
        if not rows:
            return []
        return [f"## {title}", "", f"RSS in MiB, medians, in the workload {workload}{remark}.", "",
                *table(["contestant", *(text for _, text in fields)], rows)]

    def _curve(self, axis):
        points = self.points(axis)
        if not points:
            return []
        rows = []
        for name in self.names:
            costs = [self.cost(workload, name) for _, workload in points]
            peaks = [self.cell(workload, name) for _, workload in points]
            rows.append([name, *(f"{whole:.0f} ({whole / floor:.2f})" for whole, floor in costs),
                         *(f"{cell.memory.median / 1024:.0f}" if cell.valid else "-" for cell in peaks)])
        places = [str(place) for place, _ in points]
        return [f"## Curve: {CURVES[axis]}", "",
                "A replacement at a random place: nanoseconds, and in brackets how many times the floor, which is the same "
                "pattern without malloc and free. Then peak RSS in MiB.", "",
                *table(["contestant", *(f"ns at {place}" for place in places), *(f"MiB at {place}" for place in places)],
                       rows)]

    def _details(self, workload):
        about = self.workloads[workload]
        best = self.best(workload, "time", self.rivals)
        rows = []
        for name in self.names:
            cell = self.cell(workload, name)
            if not cell.valid:
                rows.append([name, *["FAILED" if cell.failures else "not run"] * 7])
                continue
            rows.append([name, f"{cell.minimum:.3f}", f"{cell.time.median:.3f}",
                         f"{cell.time.low:.3f}-{cell.time.high:.3f}", f"{self.ratio(workload, name, best):.3f}",
                         f"{cell.memory.median / 1024:.1f}", f"{cell.faults:.0f}", f"{cell.processor:.3f}"])
        threads = "1 thread, pinned" if about["threads"] == 1 else f"{about['threads']} threads"
        header = ["contestant", "min s", "median s", "95 %", "x best rival", "peak MiB", "faults", "CPU s"]
        return [f"## {workload}", "", f"{about['question']} ({threads})", "", *table(header, rows)]

    def _failures(self):
        lines = [f"- {workload} with {name}, {len(cell.failures)} runs, the first: {cell.failures[0]}"
                 for (workload, name), cell in self.cells.items() if cell.failures]
        return ["## Failures", "", *lines] if lines else []


def _mebibytes(measured, field):
    """The text of a measured value; a dash when the run was too short for it."""
    return f"{measured[field] / 1024:.1f}" if field in measured else "-"


def _mebibytes_over_live(measured, field):
    """The same, and the ratio to the bytes that were live."""
    return f"{_mebibytes(measured, field)} ({measured[field] / measured['live_kib']:.2f})" if field in measured else "-"


def _settings_text(environment):
    return "".join(f" {name}={value}" for name, value in environment.items())
