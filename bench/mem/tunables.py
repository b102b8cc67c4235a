"""Which setting of glibc suits this machine: chosen here, by measurements that are used for nothing else.

Each threshold by itself: every value that is tried has a process of its own, all are visited in turn, and each process
compares glibc with the string instructions, whose code no setting changes. So no ratio is between two processes.
"""

import subprocess

import cases
from instrument import BASELINE, REP, Instrument
from results import geometric_mean
from statistic import LEAST_MARGIN, estimate

ROUNDS = 11
KIB, MIB = cases.KIB, cases.MIB
NEVER = 1 << 40
THRESHOLDS = {  # name: (function, values that are tried beside glibc's own choice)
    "glibc.cpu.x86_rep_movsb_threshold": (cases.COPY, (512, 8 * KIB, 64 * KIB, MIB, NEVER)),
    "glibc.cpu.x86_rep_stosb_threshold": (cases.FILL, (512, 8 * KIB, 64 * KIB, MIB, NEVER)),
    "glibc.cpu.x86_non_temporal_threshold": (cases.COPY, (MIB, 4 * MIB, 16 * MIB)),
}


def known():
    """The thresholds that the loader of this machine has."""
    try:
        listed = subprocess.run(["/lib64/ld-linux-x86-64.so.2", "--list-tunables"], capture_output=True, text=True,
                                check=False).stdout
    except OSError:
        return []
    return [name for name in THRESHOLDS if name in listed]


def setting_of(values):
    """GLIBC_TUNABLES for {name: value}."""
    return ":".join(f"{name}={value:#x}" for name, value in values.items())


def _score(instrument, paths, order):
    """Medians of glibc's time over that of the instructions, on each plan."""
    ratios = {path: [] for path in paths}
    for path in paths * ROUNDS:
        times = instrument.plan(path, order.sample([BASELINE, REP], 2))
        ratios[path].append(times[BASELINE] / times[REP])
    return geometric_mean([estimate(values).median for values in ratios.values()])


def _best(name, start, paths, order):
    """The value of one threshold with the best score, None when glibc's own is as good."""
    scores = {}
    for value in (None, *THRESHOLDS[name][1]):
        instrument = start({name: value} if value else {})
        try:
            scores[value] = _score(instrument, paths, order)
        finally:
            instrument.end()
    best = min(scores, key=scores.get)
    return best if scores[best] < (1 - LEAST_MARGIN) * scores[None] else None


def choose(program, processors, players, environment, write_plan, order):
    """returns: the value of GLIBC_TUNABLES; "" when nothing is better than glibc's own choice.

    `write_plan` puts a cell's plan into a file and returns its path; `order` is a random.Random.
    """
    settings = cases.Settings(largest=64 * MIB)
    cells = [cell for cell in cases.regimes_cases(settings) if cell.bytes_timed > 256 * cell.calls_timed]
    paths = {function: [write_plan(cell) for cell in cells if cell.function == function]
             for function in (cases.COPY, cases.FILL)}
    pair = [player for player in players if player.name in (BASELINE, REP)]

    def start(values):
        return Instrument(program, processors, pair, environment | {"GLIBC_TUNABLES": setting_of(values)})

    chosen = {name: _best(name, start, paths[THRESHOLDS[name][0]], order) for name in known()}
    return setting_of({name: value for name, value in chosen.items() if value})
