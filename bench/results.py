"""From raw runs to tables: medians with their uncertainty, ratios to the best rival, targets. No run is left out."""

import dataclasses
import math
import random
import statistics

from contestants import AGAIN, BASELINE, SUBJECT, UNCHECKED
from workloads import CURVES, LIVE_MIB

RESAMPLES = 2000
WANTED_REPEATS = 10
LEAST_RUNS = 5  # with fewer, an interval says nothing
IDLE = ("idle", "idle_64", "idle_asleep")  # the workloads that read what sleeping threads keep


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
        self.rivals = [name for name in self.names if name not in (SUBJECT, UNCHECKED) and not name.endswith(AGAIN)]
        self.yardsticks = self.rivals or [name for name in self.names if name == UNCHECKED]  # what all are compared with
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
        """The workloads whose "time" or "memory" counts, and on which the subject succeeded and one it is compared with."""
        return [name for name, workload in self.workloads.items()
                if workload["judges_" + quantity] and self.best(name, quantity, self.yardsticks)
                and (SUBJECT not in self.names or self.cell(name, SUBJECT).valid)]

    def taken(self, name, quantity):
        """Those of the judged workloads on which this contestant succeeded."""
        return [workload for workload in self.judged(quantity) if self.cell(workload, name).valid]

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
        """Geometric mean, over the judged workloads on which it succeeded, of the ratio to each one's best rival."""
        return geometric_mean([self.ratio(workload, name, self.best(workload, quantity, self.yardsticks), quantity)
                               for workload in self.taken(name, quantity)])

    def mean_against(self, other, quantity):
        """Geometric mean of the subject's ratio to `other`, over the judged workloads on which both succeeded."""
        return geometric_mean([self.ratio(workload, SUBJECT, other, quantity)
                               for workload in self.taken(other, quantity)])

    def best_single(self, quantity, among):
        """The one contestant of `among` with the smallest geometric mean, or None."""
        present = [name for name in among if name in self.rivals and self.taken(name, quantity)]
        return min(present, key=lambda name: self.mean_ratio(name, quantity)) if present else None

    # ---- The report -------------------------------------------------------------------------------------------------

    def report(self):
        """All of it, as Markdown."""
        parts = [self._heading(), self._means(), self._targets(), self._subject(), self._noise(),
                 *map(self._kept_memory, IDLE), self._fragmentation(), *map(self._curve, CURVES), *map(self._details, self.contests()),
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
        rows = [[name, *(field for quantity in ("time", "memory")
                         for field in (f"{self.mean_ratio(name, quantity):.3f}", len(self.taken(name, quantity))))]
                for name in self.names]
        return ["## Geometric means", "",
                "Each workload's median over that of its best rival, and the number of workloads in the mean. Who failed on "
                "a workload has a mean without it.", "",
                *table(["contestant", "time", "of", "peak RSS", "of"], rows)]

    def _targets(self):
        if SUBJECT not in self.names or not self.yardsticks:
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
        if self.rivals:
            yield from self._contest_values()
        if UNCHECKED in self.names:
            for quantity, text, bound in (("time", "time", 1.03), ("memory", "peak RSS", 1.02)):
                mean = self.mean_against(UNCHECKED, quantity)
                yield f"{text}, geometric mean over that without checks", mean, f"<= {bound}", mean <= bound

    def _contest_values(self):
        """The same, for the targets that rivals set."""
        single = self.best_single("time", self.rivals)
        mean = self.mean_against(single, "time")
        yield f"time, geometric mean over that of the best single rival ({single})", mean, "<= 0.95", mean <= 0.95
        ratios = {workload: self.ratio(workload, SUBJECT, self.best(workload, "time", self.rivals))
                  for workload in self.judged("time")}
        if ratios:
            worst = max(ratios, key=ratios.get)
            yield f"time, worst workload over its best rival ({worst})", ratios[worst], "<= 1.03", ratios[worst] <= 1.03
        compact = self.best_single("memory", ("mimalloc", "jemalloc", "tcmalloc"))
        for other, bound in ((compact, 0.95), (BASELINE, 1.0)):
            if other in self.names:
                mean = self.mean_against(other, "memory")
                yield f"peak RSS, geometric mean over that of {other}", mean, f"<= {bound:.2f}", mean <= bound
        more = math.nan
        if self.cell("startup", SUBJECT).valid and self.cell("startup", BASELINE).valid:
            more = (self.median("startup", SUBJECT, "memory") - self.median("startup", BASELINE, "memory")) / 1024
        yield f"startup, MiB of peak RSS above that with {BASELINE}", more, "<= 0.4", more <= 0.4
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
        floors = [whole / floor for whole, floor in (self.cost(name, SUBJECT) for _, name in self.points("live"))]
        complete = len(floors) == len(LIVE_MIB) and not any(map(math.isnan, floors))
        spread = max(floors) / min(floors) if complete else math.nan
        yield "cost over the floor, highest over lowest of all live sizes", spread, "<= 1.10", spread <= 1.10

    def _subject(self):
        if SUBJECT not in self.names or not self.yardsticks:
            return []
        rows = []
        for workload in self.contests():
            row = [workload]
            for quantity in ("time", "memory"):
                best = self.best(workload, quantity, self.yardsticks)
                judged = self.workloads[workload]["judges_" + quantity]
                row += [best, f"{self.ratio(workload, SUBJECT, best, quantity):.3f}",
                        self.verdict(workload, SUBJECT, best, quantity) if judged else "not judged"]
            rows.append(row)
        return [f"## {SUBJECT} against the best of all rivals", "",
                "Medians; below 1 is better. A win or a loss is one whose 95 % intervals do not overlap.", "",
                *table(["workload", "fastest rival", "time", "", "smallest rival", "peak RSS", ""], rows)]

    def _noise(self):
        lines = [self._difference(name, quantity, text) for name in self.names if name + AGAIN in self.names
                 for quantity, text in (("time", "time"), ("memory", "peak RSS"))]
        return ["## Noise floor", "", "The same malloc under two names:", "", *filter(None, lines)] if any(lines) else []

    def _difference(self, name, quantity, text):
        """How far apart the two names of one contestant came out; None when they have no workload in common."""
        again = name + AGAIN
        both = [workload for workload in self.taken(name, quantity) if self.cell(workload, again).valid]
        if not both:
            return None
        logs = {workload: abs(math.log(self.ratio(workload, again, name, quantity))) for workload in both}
        worst = max(logs, key=logs.get)
        apart = [workload for workload in both if self.verdict(workload, again, name, quantity) in ("win", "LOSS")]
        return (f"- {text}, {name} and {again}: typical difference of the medians "
                f"{100 * (math.exp(statistics.median(logs.values())) - 1):.1f} %, largest "
                f"{100 * (math.exp(logs[worst]) - 1):.1f} % ({worst}); intervals apart on {len(apart)} of {len(both)} "
                f"workloads{': ' + ', '.join(apart) if apart else ''}.")

    def _kept_memory(self, workload):
        fields = (("full_kib", "full"), ("freed_kib", "freed"), ("idle_1000_kib", "after 1 s"),
                  ("idle_kib", "after 1.5 s"), ("trimmed_kib", "malloc_trim"))
        if workload not in self.workloads:
            return []
        return self._resident(workload, f"Memory kept by idle threads: {workload}", "", fields, _mebibytes)

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
        question = self.workloads[workload]["question"]
        return [f"## {title}", "", f"{question[0].upper()}{question[1:]}. RSS in MiB, medians{remark}.", "",
                *table(["contestant", *(text for _, text in fields)], rows)]

    def _curve(self, axis):
        points = self.points(axis)
        if not points:
            return []
        rows = []
        for name in self.names:
            if not any(self.cell(workload, name).valid or self.cell(workload, name).failures for _, workload in points):
                continue
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
        best = self.best(workload, "time", self.yardsticks)
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
