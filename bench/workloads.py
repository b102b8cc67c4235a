"""What a workload is, and the table of our own: what each one asks, how it is run, and what of it is judged.

Our own programs take SCALE (a percentage) and THREADS; the real programs are in programs.py. Every command prints a
result that depends on the work alone, so that all contestants must print the same.
"""

import dataclasses
import pathlib
import re

QUICK_SCALE = 12


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the commands depend on."""

    programs: pathlib.Path  # where our own programs are built
    scratch: pathlib.Path   # for the inputs and outputs of real programs
    threads: int            # for workloads with "many" threads, at least 2
    scale: int              # percentage of the usual work


@dataclasses.dataclass(frozen=True)
class Client:
    """What makes a workload's command a server: two shell scripts that run without the preload (see launcher.c)."""

    ready: str   # succeeds when the server answers
    script: str  # asks; its wall time and its output are the run's


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the bench, ready to run."""

    name: str
    question: str
    command: tuple
    proof: tuple                # a short run of the same program, for the proof that the preload took effect
    threads: int = 1            # 1: pinned to one processor
    judges_time: bool = True    # counts in the geometric mean of time
    judges_memory: bool = True  # counts in the geometric mean of peak RSS
    output: pathlib.Path | None = None  # a file whose content is part of the result
    curve: tuple = ()           # (axis, place on it): a point of a curve, not judged as a workload
    most_rounds: int | None = None  # it takes part in the first so many rounds only
    rests: bool = False         # it works, says so by a line, and idles long: the next contestant starts meanwhile
    memory_mib: int = 0         # without so much available memory it is left out
    environment: dict = dataclasses.field(default_factory=dict)
    client: Client | None = None
    result: str = ""            # a pattern: the result is all that matches it in the output ("": all of the output)
    fresh: tuple = ()           # (directory, copy): before each run, uncounted, the copy is made anew
    user: int | None = None     # the command's user and group, when it refuses to run as root
    brings_malloc: bool = False  # linked with another malloc than libc's


@dataclasses.dataclass(frozen=True)
class _Own:
    """A program of ours. `arguments` follow the scale; "THREADS" stands for `threads`, "MANY" for one a processor."""

    name: str
    question: str
    program: str
    threads: int | str = 1
    arguments: tuple = ("THREADS",)
    factor: int = 1  # of the scale
    fixed: bool = False  # always at the usual scale: its result is an amount, and targets are set for that amount
    judges_time: bool = True
    judges_memory: bool = True
    curve: tuple = ()
    most_rounds: int | None = None
    rests: bool = False
    memory_mib: int = 0
    environment: dict = dataclasses.field(default_factory=dict)

    def prepare(self, settings):
        threads = settings.threads if self.threads == "MANY" else self.threads
        program = str(settings.programs / self.program)
        tail = tuple(str(threads if argument == "THREADS" else argument) for argument in self.arguments)
        scale = 100 if self.fixed else settings.scale * self.factor
        return Workload(self.name, self.question, (program, str(scale), *tail), (program, "1", *tail), threads,
                        self.judges_time, self.judges_memory, curve=self.curve, most_rounds=self.most_rounds,
                        rests=self.rests, memory_mib=self.memory_mib, environment=self.environment)


def _point(axis, place, live_mib=64, threads=1, kinds=16):
    """One point of a curve: the cost of a replacement and the peak RSS at that live size, threads, or sizes in use."""
    question = {"live": f"{place} MiB live", "threads": f"{place} threads, 64 MiB live",
                "kinds": f"{place} sizes in use, 64 MiB live"}[axis]
    return _Own(f"scale_{axis}_{place}", f"random replacement: {question}", "scale", threads,
                (live_mib * 1024, "THREADS", kinds), judges_time=False, judges_memory=False, curve=(axis, place),
                most_rounds=1 if live_mib >= 2048 else 2, memory_mib=live_mib + live_mib // 4)


LIVE_MIB = (1, 16, 256, 2048, 8192)
CURVES = {"live": "live memory, MiB", "threads": "threads", "kinds": "sizes in use"}

_OWN = (
    _Own("factor", "tiny short-lived objects: big-integer factoring", "factor", arguments=()),
    _Own("minimise", "cubes and covers of a logic minimiser", "minimise", arguments=()),
    _Own("tree_builder", "tokens, syntax trees, symbol tables, folding", "tree_builder", arguments=()),
    _Own("nbody", "little allocation beside much computing: a tree of bodies, built anew each step", "nbody",
         arguments=()),
    _Own("batches", "batches of small blocks, freed in reverse or oldest first", "batches"),
    _Own("batches_threads", "the same on every processor", "batches", "MANY"),
    _Own("random_pareto", "random replacement in 2^18 slots, Pareto sizes", "random_pareto"),
    _Own("random_pareto_threads", "the same on every processor", "random_pareto", "MANY"),
    _Own("server", "workers hand their blocks to successors that start before they end", "server", "MANY"),
    _Own("producer_consumer", "pure producers and pure consumers of 64-byte blocks", "producer_consumer", "MANY"),
    _Own("mixed_cross", "8 to 16000 bytes, one in four freed by another thread", "mixed_cross", "MANY"),
    _Own("false_sharing_active", "small blocks of different threads, written all the time", "false_sharing", "MANY",
         arguments=("THREADS", 1)),
    _Own("false_sharing_passive", "the same, after blocks that lay in one line were handed out", "false_sharing", "MANY",
         arguments=("THREADS", 2)),
    _Own("medium", "4 to 32 KiB per thread, written in full", "medium", "MANY"),
    _Own("medium_tiny", "4 bytes to 32 KiB, nearly all tiny, written in full", "medium", "MANY",
         arguments=("THREADS", 4, 32768), factor=10),
    _Own("churn", "threads made anew all the time, with survivors in a shared table", "churn", "MANY"),
    _Own("large", "5 to 25 MiB, 20 live, written in full", "large", arguments=()),
    _Own("realloc_double", "one vector doubling to 1 GiB", "realloc_growth", arguments=(1024, 1), memory_mib=2048),
    _Own("realloc_step", "one vector growing to 400 MiB by 1 MiB", "realloc_growth", arguments=(400, 2)),
    _Own("realloc_many", "128 vectors of 64 KiB to 16 MiB that grow side by side", "realloc_many", arguments=()),
    # No contest, but a yardstick for the two above: one malloc of the final size, touched.
    _Own("touch_double", "what touching 1 GiB costs", "realloc_growth", arguments=(1024, 3), judges_time=False,
         judges_memory=False, memory_mib=1536),
    _Own("touch_step", "what touching 400 MiB costs", "realloc_growth", arguments=(400, 3), judges_time=False,
         judges_memory=False),
    _Own("calloc_large", "zeroed 256 KiB to 16 MiB, an eighth of it used", "calloc_large", arguments=()),
    _Own("startup", "200 short processes: fork, exec, exit", "startup", arguments=()),
    _Own("idle", "16 threads free 30 MB each and sleep", "idle", 16, fixed=True, judges_time=False,
         most_rounds=2),
    # The same twice more, for what is kept: with more threads, and when nobody allocates, with Ashlar's responder on.
    _Own("idle_64", "64 threads free 30 MB each and sleep", "idle", 64, fixed=True, judges_time=False,
         judges_memory=False, most_rounds=1, memory_mib=3072),
    _Own("idle_asleep", "16 threads free 30 MB each, and all sleep; ashlar's responder is on", "idle", 16,
         arguments=("THREADS", 2), fixed=True, judges_time=False, judges_memory=False, most_rounds=1,
         environment={"ASHLAR_CONF": "responder:on"}),
    _Own("phases", "six phases with other sizes, few survivors, then idle", "phases", "MANY", judges_time=False,
         most_rounds=1, rests=True),
    *(_point("live", live, live_mib=live) for live in LIVE_MIB),
    *(_point("threads", threads, threads=threads) for threads in (1, 2, 4, 8, 16, 64)),
    *(_point("kinds", kinds, kinds=kinds) for kinds in (1, 4, 16, 64)),
)


def names(whole=True):
    """The name of every workload of our own, in order; or without those that are slow and judge nothing."""
    return [own.name for own in _OWN if whole or not own.most_rounds or own.judges_time or own.judges_memory]


def prepare(wanted, settings):
    """Those of our own workloads that have these names, ready to run."""
    return [own.prepare(settings) for own in _OWN if own.name in wanted]


# Values that a program measures about itself end in _kib or _ps; everything else in its output is the result.
MEASURED = re.compile(r" (\w+_(?:kib|ps))=(\d+)")


def split_output(text, result=""):
    """returns: (what must be the same for all, values that were measured) of a program's output.

    Raises ValueError when there is a pattern for the result and nothing matches it.
    """
    measured = {name: int(value) for name, value in MEASURED.findall(text)}
    if not result:
        return MEASURED.sub("", text).strip(), measured
    found = re.findall(result, text, re.MULTILINE)
    if not found:
        raise ValueError(f"no result in the output: {text[:200]}")
    return "; ".join(found), measured
