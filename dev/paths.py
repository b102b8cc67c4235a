#!/usr/bin/env python3
"""paths.py [LIBRARY] [-v]: how many instructions are the hot paths of malloc and free?

    entry --+-- jcc --> slow function (tail jump)      leaves the hot path: not counted
            |
            +-- jcc --> block that calls something     leaves it too
            |
            +-- ... ----------------------------> ret  the hot path

Reads the disassembly of a release library. Slow work is reached by tail jumps and in .cold parts only, so the hot path
is what stays inside the function from its entry to a `ret` without a call. Where several such ways exist (two ways to
find a size class, NULL in free) the longest one counts. The count is an upper bound for the real thing;
tests/house/paths.sh steps through a running program and compares.

Fails when a path is longer than its limit, does not exist, saves registers, is atomic, or looks at the options: a
feature that is off must cost no instruction.
"""
import argparse
import bisect
import dataclasses
import re
import subprocess
import sys

LIMITS = {"malloc": 26, "free": 36}
OPTIONS = re.compile(r"option|config", re.IGNORECASE)


@dataclasses.dataclass
class Instruction:
    address: int
    text: str  # mnemonic and operands, without what objdump says about addresses
    target: int | None  # where a direct branch goes
    reference: int | None  # address of the data that it names
    end: int = 0  # address behind it

    @property
    def mnemonic(self):
        return self.text.split()[0]


@dataclasses.dataclass
class Machine:
    """What the walk must know of an instruction set. All are patterns for the whole text of an instruction."""

    returns: str
    jumps: str  # unconditional, direct or not
    branches: str  # conditional
    forbidden: dict  # pattern: what is wrong with it
    calls: str

    def __post_init__(self):
        for field in ("returns", "jumps", "branches", "calls"):
            setattr(self, field, re.compile(getattr(self, field)))
        self.forbidden = {re.compile(pattern): fault for pattern, fault in self.forbidden.items()}


X86_64 = Machine(
    returns=r"(bnd |rep[z]? )?ret",
    jumps=r"(bnd |notrack )*jmp",
    branches=r"(bnd )?j(?!mp)[a-z]+(,p[nt])?\s|loop",
    calls=r"(bnd |notrack )*call|syscall",
    forbidden={
        r"push": "saves a register",
        r"lock ": "is atomic",
        r"xchg\w*\s.*\(": "is atomic (an exchange with memory locks it)",
        r"[msl]fence": "is a fence",
        r"i?div": "divides",
    },
)
AARCH64 = Machine(
    returns=r"ret",
    jumps=r"(b|br)\s",
    branches=r"b\.[a-z]+\s|cbn?z\s|tbn?z\s",
    calls=r"blr?\s|svc",
    forbidden={
        r"(str|stp)\s.*\[sp, #-\d+\]!": "saves a register",
        r"(ld|st)(a|l)?xp?r|(ld|st)(add|clr|eor|set|umax|umin)|cas|swp": "is atomic",
        r"d[ms]b": "is a fence",
        r"[us]div": "divides",
    },
)


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Library:
    """Symbols and instructions of one shared library."""

    LINE = re.compile(r"^\s*([0-9a-f]+):\t(.+)$")
    TARGET = re.compile(r"\b([0-9a-f]+) <[^>]+>\s*$")

    def __init__(self, path):
        self.machine = AARCH64 if "AArch64" in output_of("readelf", "--file-header", path) else X86_64
        tools = "aarch64-linux-gnu-" if self.machine is AARCH64 else ""
        self.functions = {}  # name: (address, bytes)
        self.objects = []  # sorted (address, end, name)
        self.read_symbols(output_of(tools + "nm", "--print-size", path))
        self.code = {}  # address: Instruction
        self.read_code(output_of(tools + "objdump", "-d", "--no-show-raw-insn", path))

    def read_symbols(self, text):
        for line in text.splitlines():
            fields = line.split()
            if len(fields) == 4:
                address, size, kind, name = int(fields[0], 16), int(fields[1], 16), *fields[2:]
                if kind in "tTWi":
                    self.functions[name] = address, size
                else:
                    self.objects.append((address, address + size, name))
        self.objects.sort()

    def read_code(self, text):
        last = None
        for line in text.splitlines():
            match = self.LINE.match(line)
            if match:
                instruction = self.parse(int(match.group(1), 16), match.group(2))
                self.code[instruction.address] = instruction
                if last:
                    last.end = instruction.address
                last = instruction

    def parse(self, address, text):
        text, _, comment = text.partition("# ") if self.machine is X86_64 else text.partition("//")
        text = " ".join(text.split("\t")).strip()
        target = self.TARGET.search(text)
        reference = self.TARGET.search(comment) or target
        return Instruction(address, re.sub(r"\s+", " ", text) + " ", target and int(target.group(1), 16),
                           reference and int(reference.group(1), 16))

    def object_at(self, address):
        """Name of the data object that holds `address`, or None."""
        place = bisect.bisect_right(self.objects, (address, sys.maxsize)) - 1
        if place >= 0 and address < self.objects[place][1]:
            return self.objects[place][2]
        return None


class Walk:
    """The ways from the entry of a function to its returns, without leaving it and without a call."""

    def __init__(self, library, name):
        self.library = library
        self.machine = library.machine
        self.start, size = library.functions[name]
        self.end = self.start + size
        self.known = {}  # address: longest rest of the way, as a tuple of addresses, or None
        self.loops = set()  # addresses that a way comes back to

    def longest(self):
        """Instructions of the longest way, or an empty list when every way leaves."""
        sys.setrecursionlimit(100000)
        way = self.rest(self.start, frozenset())
        return [self.library.code[address] for address in way or ()]

    def rest(self, address, on_the_way):
        """The longest way from `address` to a return; a back edge leads nowhere and is noted."""
        if not self.start <= address < self.end:
            return None
        if address in on_the_way:
            self.loops.add(address)
            return None
        if address in self.known:
            return self.known[address]
        here = self.library.code[address]
        if self.machine.returns.match(here.text):
            best = ()
        else:
            rests = [self.rest(next_address, on_the_way | {address}) for next_address in self.after(here)]
            best = max((rest for rest in rests if rest is not None), key=len, default=None)
        self.known[address] = None if best is None else (address, *best)
        return self.known[address]

    def after(self, here):
        """Addresses that may come after `here` on a way that stays."""
        if self.machine.calls.match(here.text):
            return []
        if self.machine.jumps.match(here.text):
            return [here.target] if here.target is not None else []
        if self.machine.branches.match(here.text):
            return [here.end, here.target]
        return [here.end]


def faults_of(library, name, way, loops, limit):
    """What is wrong with a hot path."""
    if not way:
        yield f"{name}: no way from its entry to a return without leaving the function or calling another"
    if len(way) > limit:
        yield f"{name}: {len(way)} instructions, at most {limit} are allowed"
    for here in way:
        if here.address in loops:
            yield f"{name}: {here.address:x}: `{here.text.strip()}` begins a loop"
        for pattern, fault in library.machine.forbidden.items():
            if pattern.match(here.text):
                yield f"{name}: {here.address:x}: `{here.text.strip()}` {fault}"
        used = here.reference is not None and library.object_at(here.reference)
        if used and OPTIONS.search(used):
            yield f"{name}: {here.address:x}: `{here.text.strip()}` looks at {used}"


def main():
    parser = argparse.ArgumentParser(description="Count the instructions on the hot paths of malloc and free.")
    parser.add_argument("library", nargs="?", default="build/libashlar.so")
    parser.add_argument("-v", "--verbose", action="store_true", help="list the paths")
    arguments = parser.parse_args()
    library = Library(arguments.library)
    faults = []
    for name, limit in LIMITS.items():
        if name not in library.functions:
            sys.exit(f"paths.py: {arguments.library} defines no function {name}")
        walk = Walk(library, name)
        way = walk.longest()
        print(f"{name:<7} {len(way):3} instructions on the hot path, at most {limit}")
        if arguments.verbose:
            print(*(f"    {here.address:x}  {here.text}" for here in way), "", sep="\n")
        faults += faults_of(library, name, way, walk.loops, limit)
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
