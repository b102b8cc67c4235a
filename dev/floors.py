#!/usr/bin/env python3
"""floors.py [BUILD] [--source ROOT]: does no floor of src/ reach for a higher one?

    base < os < page < slab < heap < prof < api          mem, stack: annexes on base only; all floors above base may use mem

Two witnesses, because each sees what the other cannot:
  includes  A file includes its own folder, any header of base, and of every other floor below it the one header
            FLOOR/FLOOR.h. prof, api, mem and stack include the public headers that they implement, and mem and stack those
            by which they ask libashlar when it is there. The command includes public headers, and the layout of the page
            in which a process leaves its figures.
  symbols   In the objects of BUILD that were compiled one source at a time, what a floor leaves undefined is defined in
            the same or in a lower floor, or in libc; never one of the standard names that api gives (a floor that calls
            malloc would call the roof).

Prints one line `file:line: what is wrong` for each finding. exit status: 0 without findings, 1 with, 2 when there is
nothing to look at.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys

FLOORS = ("base", "os", "page", "slab", "heap", "prof", "api")
MEM = "mem"
PUBLIC_HEADERS = {"prof": {"ashlar.h"}, "api": {"ashlar.h", "ashlar_mem.h"}, MEM: {"ashlar_mem.h"},
                  "stack": {"ashlar.h", "ashlar_stack.h"}}
COMMAND_READS = ("prof/status_page.h", "mem/mem.h", "mem/names.h")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(ashlar[^>]*)>)')
# One line of nm -l: value, kind, name, and where the source is known a tab and file:line.
SYMBOL = re.compile(r"^(?:[0-9a-f]+|\s+)\s+(\S) (\S+)(?:\t(.+))?$")

# What the compiler, the linker and the loader give to every object.
GIVEN = {"_GLOBAL_OFFSET_TABLE_", "__dso_handle", "__ehdr_start", "_DYNAMIC", "__stack_chk_fail"}


def may_use(floor, used):
    """Whether sources of one floor may know another one at all."""
    if floor == used or used == "base" or used == MEM and floor in FLOORS[1:]:
        return True
    return floor in FLOORS and used in FLOORS and FLOORS.index(used) < FLOORS.index(floor)


class Source:
    """The tree under one root: where its floors and headers are."""

    def __init__(self, root):
        self.root = root
        self.src = root / "src"
        self.include = root / "include"

    def floor_of(self, path):
        """Folder of src/ that holds `path`, or None when it is outside of src/ or in no folder (one.c)."""
        try:
            parts = path.relative_to(self.src).parts
        except ValueError:
            return None
        return parts[0] if len(parts) > 1 else None

    def resolve(self, includer, text):
        """The file of this tree that an #include names, as the compiler would find it; None: not ours."""
        for folder in (includer.parent, self.src, self.include):
            path = (folder / text).resolve()
            if path.is_file() and self.root in path.parents:
                return path
        return None


# ---- Includes ----


def includes_of(path):
    """(line number, text) of every #include that may be ours."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) or match.group(2)


def fault_of_floor(source, floor, included):
    """What is wrong with a file of `floor` including `included`, or None."""
    if source.include in included.parents:
        is_its = included.name in PUBLIC_HEADERS.get(floor, ())
        return None if is_its else f"{floor} includes the public header {included.name}"
    used = source.floor_of(included)
    if used is None:
        return f"{floor} includes {included.name}, which stands on no floor"
    if not may_use(floor, used):
        return f"{floor} includes {used}/{included.name} of a higher floor"
    if used not in (floor, "base") and included != source.src / used / f"{used}.h":
        return f"{floor} includes {used}/{included.name}; the one door of {used} is {used}/{used}.h"
    return None


def fault_of_command(source, included):
    """The same for a file of the command."""
    if source.src not in included.parents or str(included.relative_to(source.src)) in COMMAND_READS:
        return None
    return f"the command includes src/{included.relative_to(source.src)}; it may know public headers only"


def include_faults(source):
    for folder in (source.src, source.root / "cli"):
        for path in sorted(folder.rglob("*.[ch]")):
            floor = source.floor_of(path)
            for number, text in includes_of(path):
                included = source.resolve(path, text)
                if included is None or path == source.src / "one.c":
                    continue
                fault = fault_of_floor(source, floor, included) if floor else fault_of_command(source, included)
                if fault:
                    yield f"{path.relative_to(source.root)}:{number}: {fault}"


# ---- Symbols ----


def read_symbols(objects):
    """[(object, kind, name, place)] as nm tells it, `place` being "file:line" or None."""
    symbols = []
    for path in objects:
        output = subprocess.run(["nm", "-l", str(path)], check=True, capture_output=True, text=True).stdout
        for line in output.splitlines():
            match = SYMBOL.match(line)
            if match:
                symbols.append((path, *match.groups()))
    return symbols


def libc_names():
    """Every name that libc and its loader define."""
    names = set()
    for library in ("libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libc_nonshared.a"):
        found = subprocess.run(["gcc", f"-print-file-name={library}"], check=True, capture_output=True, text=True)
        path = found.stdout.strip()
        if pathlib.Path(path).is_file():
            table = ["nm"] if path.endswith(".a") else ["nm", "-D"]
            output = subprocess.run([*table, "--defined-only", path], check=True, capture_output=True, text=True)
            names.update(line.split()[-1].partition("@")[0] for line in output.stdout.splitlines() if line.strip())
    return names


def standard_names(source):
    """The names that api gives to programs, whether or not these objects define them."""
    path = source.root / "tests" / "abi" / "exports.txt"
    return {line.split()[0] for line in path.read_text().splitlines() if line.strip() and line[0] != "#"}


def floor_of_object(path):
    """.../src/slab/slab.c.o is on the floor "slab"; one straight under src/ on none."""
    parts = path.parts
    place = len(parts) - 1 - parts[::-1].index("src")
    return parts[place + 1] if len(parts) > place + 2 else None


def symbol_faults(source, objects):
    symbols = read_symbols(objects)
    homes = collections.defaultdict(set)
    for path, kind, name, _ in symbols:
        if kind.isupper() and kind not in "UN":
            homes[name].add(floor_of_object(path))
    for name in standard_names(source):
        homes[name].add("api")
    outside = libc_names() | GIVEN
    for path, kind, name, place in symbols:
        floor = floor_of_object(path)
        if kind != "U" or any(may_use(floor, home) for home in homes[name]):
            continue
        where = place.replace(f"{source.root}/", "") if place else f"src/{floor}/{path.stem}:1"
        if homes[name]:
            yield f"{where}: {floor} needs {name}, which {' and '.join(sorted(homes[name]))} defines"
        elif name not in outside:
            yield f"{where}: {floor} needs {name}, which neither a floor nor libc defines"


# ---- The whole ----


def objects_of(build, source):
    """The objects of the internal library and of the annex, one for each source that is still there."""
    folders = [build / "CMakeFiles" / f"{target}.dir" for target in ("ashlar_internal", "ashlar_mem_core")]
    return [path for folder in folders for path in sorted(folder.glob("src/*/*.c.o"))
            if (source.root / path.relative_to(folder).with_suffix("")).is_file()]


def main():
    parser = argparse.ArgumentParser(description="Check the floors rule of src/.")
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path, help="build directory")
    parser.add_argument("--source", default=pathlib.Path(__file__).parent.parent, type=pathlib.Path, help="root")
    arguments = parser.parse_args()
    source = Source(arguments.source.resolve())
    objects = objects_of(arguments.build, source)
    headers = sorted(source.src.glob("*/*.h"))
    if not objects or not headers:
        print(f"floors.py: no objects in {arguments.build} or no headers in {source.src}", file=sys.stderr)
        return 2
    faults = [*include_faults(source), *symbol_faults(source, objects)]
    print(*faults, f"{len(headers)} headers, {len(objects)} objects, {len(faults)} findings", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
