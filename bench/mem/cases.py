"""The cases: questions about copying and filling, each made of cells, each cell a plan that measure.c carries out."""

import array
import dataclasses
import functools
import itertools
import random
import struct

import recordings

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
LINE = 64
COPY, FILL = "copy", "fill"
NO_USE, ENDS, SUM = range(3)                     # enum plan_use of plan.h
WARM, COLD_TARGET, COLD_CODE, FRESH = range(4)   # enum plan_state
MAGIC = 0x316e616c706d656d

SMALL = 4 * KIB          # of recorded calls, those up to here are drawn and replayed
RECORDED_CALLS = 65536
REGIMES = (("0-16", 0, 16), ("17-64", 17, 64), ("65-256", 65, 256), ("257-2K", 257, 2 * KIB),
           ("2K-64K", 2 * KIB + 1, 64 * KIB), ("64K-1M", 64 * KIB + 1, MIB), ("1M-64M", MIB + 1, 64 * MIB),
           ("above 64M", 64 * MIB + 1, 256 * MIB))


@dataclasses.dataclass
class Cell:
    """One thing to measure."""

    case: str
    name: str
    function: str         # COPY or FILL
    calls: list           # of (to, from, bytes): offsets in the memory below; kept as numbers in a row
    to_bytes: int         # memory of the targets, for each thread
    from_bytes: int = 0   # of the sources; 0: they are in the targets' memory
    use: int = NO_USE
    state: int = WARM
    value: int = 0
    threads: int = 1
    passes: int = 1
    warm_up: int = 0      # calls, of the last
    group: str = ""       # cells with the same are judged together as well

    def __post_init__(self):
        self.calls = array.array("I", itertools.chain.from_iterable(self.calls))

    @property
    def sizes(self):
        return self.calls[2::3]

    @property
    def overlaps(self):
        return self.function == COPY and self.from_bytes == 0

    @property
    def calls_timed(self):
        return len(self.sizes) * self.passes * self.threads

    @property
    def bytes_timed(self):
        return sum(self.sizes) * self.passes * self.threads

    @property
    def footprint(self):
        """Bytes of memory that all calls of a thread touch, at most."""
        touched = sum(self.sizes) * (1 if self.function == FILL else 2)
        return min(touched, self.to_bytes + self.from_bytes)

    @property
    def memory(self):
        return (self.to_bytes + self.from_bytes) * self.threads

    def content(self):
        """The plan, as plan.h says."""
        head = struct.pack("<Q8I2Q", MAGIC, self.function == FILL, self.use, self.state, self.value, self.threads,
                           self.passes, self.warm_up, len(self.sizes), self.to_bytes, self.from_bytes)
        return head + self.calls.tobytes()


def _passes(size, calls):
    """So many that what is timed takes some 100 microseconds at 20 bytes a nanosecond."""
    return max(1, int(100_000 / (calls * (5 + size / 20))))


def _placed(source, sizes, room, fill):
    """Calls of these sizes at random places in `room` bytes, which are their only lines while they fit; alignments are
    random. returns: (calls, bytes of memory)."""
    calls, lines = [], max(1, room // LINE)
    for size in sizes:
        to, origin = int(source.random() * lines) * LINE, int(source.random() * lines) * LINE
        calls.append((to + source.getrandbits(6), 0 if fill else origin + source.getrandbits(6), size))
    return calls, room + max(sizes) + LINE


def _random_cell(case, name, function, sizes, room, **more):
    """A cell of calls of these sizes at random places, targets in one half of the memory, sources in the other."""
    source = random.Random(f"{case} {name} {function}")
    calls, memory = _placed(source, sizes, room, function == FILL)
    more.setdefault("passes", _passes(sum(sizes) / len(sizes), len(sizes)))
    more.setdefault("warm_up", len(calls))
    return Cell(case, name, function, calls, memory, 0 if function == FILL else memory, **more)


def _size_text(size):
    for unit, text in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {text}"
    return f"{size} B"


# ---- The cases -------------------------------------------------------------------------------------------------------


def sizes_cases(settings):
    """Every size up to 512 bytes, the same in every call, at random places in 16 KiB."""
    for function in (COPY, FILL):
        for size in range(0, 513, settings.step):
            low = size // 32 * 32 if size < 512 else 480
            yield _random_cell("sizes", f"{size}", function, [size] * 1024, 8 * KIB, warm_up=256,
                               group=f"{low}-{low + 31 if low < 480 else 512}")


def _recorded_cell(name, kind, form, calls, room):
    source = random.Random(f"{name} {kind} {form} {room}")
    lines = room // 2 // LINE
    placed = [(int(source.random() * lines) * LINE + to, int(source.random() * lines) * LINE + origin, size)
              for size, to, origin in calls]
    fill = kind == "fills"
    memory = room // 2 + SMALL + LINE
    return Cell("recorded", f"{name}, {form}, {_size_text(room)}", FILL if fill else COPY, placed, memory,
                0 if fill else memory, warm_up=min(4096, len(placed)), group=form)


def recorded_cases(settings):
    """Sizes and alignments of real programs, up to 4 KiB: drawn independently, and in the order in which they were
    recorded; at random places of 32 KiB and of 1 MiB."""
    for name, recording in recordings.load_all().items():
        for kind in recordings.KINDS:
            calls = recording[kind]
            small = [call for call in calls.order if call[0] <= SMALL]
            if not small:
                continue
            for room in settings.rooms:
                drawn = calls.draw(random.Random(f"{name} {kind}"), RECORDED_CALLS, SMALL)
                yield _recorded_cell(name, kind, "independent", drawn, room)
                yield _recorded_cell(name, kind, "in order", small, room)


def _spread_sizes(source, low, high, count):
    """Sizes of a regime: evenly where it is small, else evenly by their logarithm."""
    if high <= 256:
        return [source.randint(low, high) for _ in range(count)]
    return [min(high, int(low * (high / low) ** source.random())) for _ in range(count)]


def regimes_cases(settings):
    """Independent random sizes in each regime; from 1 MiB on a few that are spread over it."""
    for function in (COPY, FILL):
        for name, low, high in REGIMES:
            if high > settings.largest:
                continue
            source = random.Random(f"{name} {function}")
            if low < MIB:
                count = 16384 if high <= 256 else 4096 if high <= 2 * KIB else 256 if high <= 64 * KIB else 16
                sizes = _spread_sizes(source, low, high, count)
            else:
                sizes = [int(low * (high / low) ** share) for share in ((0.1, 0.35, 0.6, 0.85) if high <= 64 * MIB
                                                                        else (0.25, 0.75))]
            room = 8 * KIB if high <= 256 else 16 * KIB if high <= 2 * KIB else 256 * KIB if high <= 64 * KIB else MIB
            large = low > MIB
            yield _random_cell("regimes", name, function, sizes, room, warm_up=0 if large else min(1024, count),
                               **({"passes": 1} if large else {}))


def _cold_cell(name, function, size, count):
    """Each target is written once, and has lines of its own: the call before must not have warmed it. The sources lie in
    one place, which the calls before the time is taken have read."""
    source = random.Random(f"{name} {function}")
    span = size // LINE * LINE + 2 * LINE
    places = source.sample(range(count), count)
    calls = [(place * span + source.getrandbits(6), 0 if function == FILL else source.getrandbits(6), size)
             for place in places]
    return Cell("large", name, function, calls, count * span, 0 if function == FILL else size + LINE, state=COLD_TARGET,
                warm_up=count, group="target cold")


def large_cases(settings):
    """One size, 1 KiB to 1 GiB: target in cache or not, one thread and two."""
    for function in (COPY, FILL):
        for shift in range(10, 31, 2):
            size = 1 << shift
            if size > settings.largest:
                continue
            count = max(1, min(1024, 4 * MIB // size))
            for state, threads in ((WARM, 1), (COLD_TARGET, 1), (WARM, 2)):
                if (state == COLD_TARGET and size > 4 * MIB) or \
                        (threads == 2 and (size < MIB or size > 256 * MIB or not settings.two)):
                    continue
                if state == COLD_TARGET:
                    yield _cold_cell(f"{_size_text(size)}, target cold", function, size, count)
                    continue
                words = "two threads" if threads == 2 else "one thread"
                yield _random_cell("large", f"{_size_text(size)}, {words}", function, [size] * count, 4 * KIB,
                                   threads=threads, passes=max(1, min(8, _passes(size, count))),
                                   warm_up=0 if size >= 64 * MIB else 1 if size >= MIB else min(count, 64), group=words)


def use_cases(settings):
    """The result is read at once: its first and last eight bytes, or all of it."""
    for function in (COPY, FILL):
        for size in (16, 64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, MIB):
            for use, words in ((ENDS, "ends read"), (SUM, "all read")):
                count = max(1, min(1024, MIB // size))
                yield _random_cell("use", f"{_size_text(size)}, {words}", function, [size] * count,
                                   min(8 * KIB, max(LINE, 8 * size)), use=use, group=words)


def alias_cases(settings):
    """Target a little above the source, modulo 4 KiB: loads seem to depend on the stores before them."""
    for size in (256, KIB, 4 * KIB, 16 * KIB):
        for distance in (16, 64, 256, 2048):
            calls = [(KIB + distance, KIB, size)] * 256
            memory = size + 8 * KIB
            yield Cell("alias", f"{_size_text(size)}, {distance} above", COPY, calls, memory, memory,
                       passes=_passes(size, 256), warm_up=256)


def overlap_cases(settings):
    """Ranges a few bytes apart, up and down, as when an array gets or loses an element."""
    for size in (64, 256, 4 * KIB):
        for distance in (1, 2, 4, 8, 15, 16, 32, 48, 63, 64):
            for words, to, origin in (("down", KIB, KIB + distance), ("up", KIB + distance, KIB)):
                yield Cell("overlap", f"{_size_text(size)}, {distance} {words}", COPY, [(to, origin, size)] * 256,
                           size + 4 * KIB, passes=_passes(size, 256), warm_up=256, group=words)


def fill_cases(settings):
    """Filling with zeros, and with another value."""
    for size in (16, 64, 256, KIB, 4 * KIB, 64 * KIB, MIB):
        for value, words in ((0, "zero"), (0xA5, "not zero")):
            count = max(1, min(1024, MIB // size))
            yield _random_cell("fill", f"{_size_text(size)}, {words}", FILL, [size] * count, 8 * KIB, value=value,
                               group=words)


def code_cases(settings):
    """The first call after 256 KiB of other code, each timed alone."""
    for function in (COPY, FILL):
        for size in (8, 32, 100, 200, KIB):
            yield _random_cell("code", _size_text(size), function, [size] * 64, 8 * KIB, state=COLD_CODE, passes=1)


def touch_cases(settings):
    """Onto pages that are touched for the first time: the kernel's work is in it, which is why nothing is judged."""
    for function in (COPY, FILL):
        for size in (64 * KIB, MIB, 16 * MIB):
            memory = size + 2 * LINE
            yield Cell("touch", _size_text(size), function, [(LINE, LINE, size)], memory,
                       0 if function == FILL else memory, state=FRESH)


CASES = {"sizes": sizes_cases, "recorded": recorded_cases, "regimes": regimes_cases, "large": large_cases,
         "use": use_cases, "alias": alias_cases, "overlap": overlap_cases, "fill": fill_cases, "code": code_cases,
         "touch": touch_cases}
NOT_JUDGED = ("touch",)
FOR_TUNED = ("recorded", "regimes", "large", "use")  # what a setting of glibc can change


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured."""

    step: int = 1                           # between two sizes of `sizes`
    rooms: tuple = (32 * KIB, MIB)          # of `recorded`
    largest: int = GIB
    two: bool = True                        # there are two processors


QUICK = Settings(step=16, rooms=(32 * KIB,), largest=64 * MIB)


@functools.lru_cache(maxsize=None)
def question(case):
    """What the case asks, in words."""
    return " ".join(CASES[case].__doc__.split())


def make(names, settings, memory):
    """The cells of these cases. returns: (those that fit into `memory` bytes, remarks about the others)."""
    cells = [cell for name in names for cell in CASES[name](settings)]
    fitting = [cell for cell in cells if cell.memory <= memory]
    remarks = [f"{cell.case}: {cell.name} ({cell.function}) is left out: it needs {_size_text(cell.memory)} of memory"
               for cell in cells if cell.memory > memory]
    return fitting, remarks
