"""From raw visits to tables: ratios of times within a visit, wins and losses beside each other. Nothing is left out."""

import functools
import math

import cases
from instrument import AGAIN, BASELINE, SUBJECT
from results import geometric_mean, table
from statistic import LEAST_MARGIN, estimate, noise_floor, verdict

ROOF_BYTES = (16 * cases.KIB, 128 * cases.KIB, cases.MIB, 16 * cases.MIB, 256 * cases.MIB)
ROOF_LEAST = 2 * cases.KIB  # bytes of a call from which on bandwidth is what limits it
PLAIN, TUNED = "plain", "tuned"


class Report:
    """All of one run of the bench, and what it says. A ratio is the baseline's time over a contestant's: above 1 the
    contestant is faster."""

    def __init__(self, raw):
        self.raw, self.cells = raw, raw["cells"]
        self.names = [contestant["name"] for contestant in raw["contestants"]]
        self.others = [name for name in self.names if name not in (BASELINE, AGAIN, SUBJECT)]
        self.times = {}
        for visit in raw["visits"]:
            if visit["counts"]:
                self.times.setdefault((visit["process"], visit["cell"]), []).append(visit["ns"])

    # ---- Figures -----------------------------------------------------------------------------------------------------

    def cases(self):
        """The names of the cases that were measured, in order."""
        return list(dict.fromkeys(cell["case"] for cell in self.cells))

    def indices(self, case):
        return [index for index, cell in enumerate(self.cells) if cell["case"] == case]

    def _ratios(self, index, name, process=PLAIN):
        """One for each visit that counts."""
        return [times[BASELINE] / times[name] for times in self.times.get((process, index), []) if name in times]

    @functools.lru_cache(maxsize=None)
    def ratio(self, index, name=SUBJECT, process=PLAIN):
        """An Estimate; None where it was not measured."""
        ratios = self._ratios(index, name, process)
        return estimate(ratios) if ratios else None

    def together(self, indices, name=SUBJECT, process=PLAIN):
        """An Estimate of the geometric mean over cells: that of the first visits of all, of the second visits, ..."""
        columns = [ratios for ratios in (self._ratios(index, name, process) for index in indices) if ratios]
        means = [geometric_mean(row) for row in zip(*columns)]
        return estimate(means) if means else None

    def floor(self, index, process=PLAIN):
        """The noise floor of a cell: what glibc differs from itself."""
        return noise_floor(self.ratio(index, AGAIN, process))

    def verdict(self, index, process=PLAIN):
        """Of the subject on one cell."""
        ratio = self.ratio(index, SUBJECT, process)
        if not self.cells[index]["judged"]:
            return "not judged"
        return verdict(ratio, self.floor(index, process)) if ratio else "not measured"

    def verdict_together(self, indices):
        """Of the subject on several cells."""
        ratio = self.together(indices)
        return verdict(ratio, noise_floor(self.together(indices, AGAIN))) if ratio else "not measured"

    def nanoseconds(self, index, name):
        """Median time of a call."""
        times = [times[name] / self.cells[index]["calls"] for times in self.times.get((PLAIN, index), [])
                 if name in times]
        return estimate(times).median if times else math.nan

    def roof(self, kind, size):
        """Bytes a nanosecond: the most that was seen."""
        return max((one["bytes"] * one["times"] / one["ns"] for one in self.raw["roofs"]
                    if one["kind"] == kind and one["bytes"] == size), default=math.nan)

    def ceiling(self, index):
        """Bytes a nanosecond that the memory could take, for one thread, where this cell's bytes are: by the largest
        roof that is not larger, so that caches are not taken for smaller than they are."""
        cell = self.cells[index]
        present = sorted({one["bytes"] for one in self.raw["roofs"]})
        size = max((size for size in present if size <= cell["footprint"]), default=present[0])
        writing = max(self.roof("store", size), self.roof("stream", size))
        return writing if cell["function"] == cases.FILL else min(self.roof("load", size), writing)

    # ---- Text --------------------------------------------------------------------------------------------------------

    def text(self):
        """All of it, as Markdown."""
        parts = [self._heading(), self._noise(), self._targets(), self._losses(),
                 *([self._sizes()] if self.indices("sizes") else []),
                 *(self._case(case) for case in self.cases() if case != "sizes"), self._roofs()]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _heading(self):
        host, settings = self.raw["host"], self.raw["settings"]
        state = " with uncommitted changes" if host["uncommitted_changes"] else ""
        lines = [f"# Memory functions, {host['date']}", "",
                 f"{host['processor']}, processors {settings['processors']}, memory {host['memory']}, {host['system']}, "
                 f"kernel {host['kernel']}, {host['libc']}, huge pages: {host['transparent_huge_pages']}, load at start "
                 f"{host['load_at_start'][0]:.2f}. Commit {host['commit'] or 'none'}{state}.", "",
                 f"{settings['repeats']} rounds, order shuffled with seed {settings['seed']}. "
                 f"Command: `{settings['command']}`.", "",
                 f"A ratio is glibc's time over the other's: above 1 the other is faster. In brackets: 95 % interval of the "
                 f"median. A win or a loss when it excludes 1 by more than {100 * LEAST_MARGIN:.0f} % and more than the noise floor."]
        if not self.raw["complete"]:
            lines += ["", "**Interrupted: not all rounds were run.**"]
        lines += ["", *(f"- {one['name']}: {one['path'] or one['source']} ({one['package'] or 'no package'})"
                        for one in self.raw["contestants"])]
        lines += ["", *(f"- {remark}" for remark in self.raw["remarks"])] if self.raw["remarks"] else []
        return lines

    def _noise(self):
        """glibc against itself comes first: what it shows limits everything below."""
        rows = []
        for case in self.cases():
            visits = [visit for visit in self.raw["visits"] if self.cells[visit["cell"]]["case"] == case]
            floors = sorted(floor for floor in map(self.floor, self.indices(case)) if not math.isnan(floor))
            among = [_percent(floors[int(share * (len(floors) - 1))]) if floors else "-" for share in (0.5, 0.9, 1)]
            rows.append([case, len(self.indices(case)), *among, _ratio(self.together(self.indices(case), AGAIN)),
                         len(visits), sum(not visit["counts"] for visit in visits)])
        return ["## Noise: glibc against glibc loaded a second time", "",
                "The floor of a cell is how far from 1 the interval of that ratio reaches.", "",
                *table(["case", "cells", "median floor", "90 %", "highest", "geometric mean", "visits",
                        "stolen, not counted"], rows)]

    def _targets(self):
        rows = [[text, _ratio(ratio), wanted, word] for text, ratio, wanted, word in self.target_values()]
        remarks = ["An indication only: the targets are set for a whole run.", ""] if self.raw["settings"]["quick"] else []
        return ["## Targets", "", *remarks, *table(["target", "measured", "wanted", ""], rows)] if rows else []

    def target_values(self):
        """Yields (what, Estimate, bound in words, judgement) for those targets that were measured."""
        for form, bound in (("independent", 1.40), ("in order", 1.10)):
            of_form = [index for index in self.indices("recorded") if self.cells[index]["group"] == form]
            yield from self._target(f"T1 recorded sizes, {form}", bound, of_form)
            for function in (cases.COPY, cases.FILL):
                yield from self._target(f"T1 {form}, {function}", bound,
                                        [index for index in of_form if self.cells[index]["function"] == function])
        for index in self.indices("regimes"):
            yield from self._target(f"T2 {self.cells[index]['function']}, {self.cells[index]['name']}", 0.97, [index])
        for function, words in ((cases.COPY, "copy, then use"), (cases.FILL, "set, then read")):
            yield from self._target(f"T5 {words}", 0.97, [index for index in self.indices("use")
                                                          if self.cells[index]["function"] == function])
        yield from self._target("T8 same size, up to 512 B", 0.97, self.indices("sizes"))

    def _target(self, text, bound, indices):
        ratio = self.together(indices)
        if ratio:
            word = "met" if ratio.low >= bound else "MISSED" if ratio.high < bound else "undecided"
            yield text, ratio, f">= {bound:.2f}", word

    def _losses(self):
        """Every cell that is lost."""
        rows = [[cell["case"], cell["name"], cell["function"], _ratio(self.ratio(index, SUBJECT, process)), process]
                for process in (PLAIN, TUNED) for index, cell in enumerate(self.cells)
                if self.verdict(index, process) == "LOSS"]
        words = [self.verdict(index) for index, cell in enumerate(self.cells) if cell["judged"]]
        counts = [words.count(word) for word in ("win", "LOSS", "inside noise")]
        rest = len(words) - sum(counts)
        lines = ["## Losses", "", f"Of {len(words)} cells against glibc as it is, {counts[0]} are won, {counts[1]} lost, "
                 f"{counts[2]} inside noise{f', {rest} without a verdict' if rest else ''}."]
        return [*lines, "", *table(["case", "cell", "function", "ratio", "glibc"], rows)] if rows else lines

    def _sizes(self):
        """512 rows would tell less than groups of 32 sizes."""
        groups = {}
        for index in self.indices("sizes"):
            groups.setdefault((self.cells[index]["function"], self.cells[index]["group"]), []).append(index)
        rows = []
        for (function, group), indices in groups.items():
            words = [self.verdict(index) for index in indices]
            rows.append([f"{function}, {group} B", _mean(self.nanoseconds(index, BASELINE) for index in indices),
                         _mean(self.nanoseconds(index, SUBJECT) for index in indices), _ratio(self.together(indices)),
                         _percent(noise_floor(self.together(indices, AGAIN))), self.verdict_together(indices),
                         words.count("win"), words.count("LOSS"), len(words),
                         *(_ratio(self.together(indices, name)) for name in self.others)])
        return [*self._title("sizes"),
                *table(["group of sizes", "glibc ns", "ashlar ns", "ratio", "noise", "", "wins", "losses", "of",
                        *self.others], rows)]

    def _title(self, case):
        return [f"## {case}", "", cases.question(case), ""]

    def _case(self, case):
        indices = self.indices(case)
        tuned = any((TUNED, index) in self.times for index in indices)
        rows = [self._row(index, tuned) for index in indices]
        extra = ["against tuned glibc", ""] if tuned else []
        return [*self._title(case), *table(["cell", "function", "glibc ns", "ashlar ns", "ratio", "noise", "", *extra,
                                            "bytes/ns", "of roof", *self.others], rows)]

    def _row(self, index, tuned):
        cell, mine = self.cells[index], self.nanoseconds(index, SUBJECT)
        size = cell["bytes"] / cell["calls"]
        speed, share = "", ""
        if size >= ROOF_LEAST:
            speed = f"{size / mine:.1f}"
            share = f"{100 * size / mine / self.ceiling(index):.0f} %" if cell["threads"] == 1 and self.raw["roofs"] else ""
        compared = [_ratio(self.ratio(index, SUBJECT, TUNED)),
                    self.verdict(index, TUNED) if self.ratio(index, SUBJECT, TUNED) else ""] if tuned else []
        return [cell["name"], cell["function"], _figure(self.nanoseconds(index, BASELINE)), _figure(mine),
                _ratio(self.ratio(index)), _percent(self.floor(index)), self.verdict(index), *compared, speed, share,
                *(_ratio(self.ratio(index, name)) for name in self.others)]

    def _roofs(self):
        sizes = sorted({one["bytes"] for one in self.raw["roofs"]})
        rows = [[f"{size // cases.KIB} KiB", *(f"{self.roof(kind, size):.1f}" for kind in ("load", "store", "stream"))]
                for size in sizes]
        return ["## Roofs", "", "Bytes a nanosecond of loops of the widest vectors, one thread; stream: stores past the "
                "caches. The roof of a fill is the better way to store, that of a copy the lower of loading and storing.",
                "", *table(["memory", "load", "store", "stream"], rows)] if rows else []


# ---- Figures as text -------------------------------------------------------------------------------------------------


def _percent(value):
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def _ratio(ratio):
    return f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})" if ratio else "-"


def _figure(value):
    """Nanoseconds with three digits that matter."""
    return "-" if math.isnan(value) else f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def _mean(values):
    return _figure(geometric_mean([value for value in values if not math.isnan(value)]))
