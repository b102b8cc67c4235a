"""Who takes part: glibc, Ashlar, the rivals that are installed, and any named in BENCH_RIVALS.

A contestant is a malloc library and what must be in the environment beside it. Before anything is measured, each
pair of contestant and program must prove itself: the dynamic loader's own record of its bindings (LD_DEBUG=bindings)
has to show that malloc, free, calloc and realloc of every object in the process are bound to the contestant's library.
"""

import dataclasses
import glob
import pathlib
import re
import subprocess
import tempfile

# name: (soname, or pattern of a path where the dynamic loader does not look; Debian package)
KNOWN_RIVALS = {
    "mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"),
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    "tbbmalloc": ("libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
    "scudo": ("/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-*64.so", "libclang-rt-dev"),
}

PROOF_SECONDS = 120
ELF_MAGIC = b"\x7fELF"

SUBJECT = "ashlar"
BASELINE = "glibc"
AGAIN = "-again"  # ends the second name of a contestant that takes part twice: what differs between the two is noise
UNCHECKED = "unchecked"  # ashlar without its checks: make bench-checks


@dataclasses.dataclass(frozen=True)
class Contestant:
    name: str
    library: str | None  # path of the preload; None: what the programs are linked with
    environment: dict = dataclasses.field(default_factory=dict)


class NotInEffect(Exception):
    """A preload did not take effect in a program."""


def find_library(name):
    """The path of a shared library as the dynamic loader would find it, or the last that a pattern names; or None."""
    if name.startswith("/"):
        return max(glob.glob(name), default=None)
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        entry, arrow, path = line.strip().partition(" => ")
        if arrow and entry.split()[0] == name:
            return path
    return None


def as_served(contestant, workload):
    """The contestant as it is for this workload's program. One that is linked with a malloc of its own is given libc
    as a preload where libc's malloc is meant: else it would measure its own malloc under the name of glibc."""
    if contestant.library or not workload.brings_malloc:
        return contestant
    return dataclasses.replace(contestant, library=find_library("libc.so.6"))


def parse_rival(text):
    """`name=/path.so` or `name=/path.so;NAME=VALUE;...`, the latter with environment variables for this contestant."""
    specification, *settings = text.split(";")
    name, equals, path = specification.partition("=")
    if not equals or not re.fullmatch(r"[\w.+-]+", name) or not pathlib.Path(path).is_file():
        raise ValueError(f"BENCH_RIVALS: '{specification}' is not name=/path/to/library.so of an existing file")
    with open(path, "rb") as file:
        if file.read(len(ELF_MAGIC)) != ELF_MAGIC:
            raise ValueError(f"BENCH_RIVALS: {path} is no shared library")
    if any("=" not in setting for setting in settings):
        raise ValueError(f"BENCH_RIVALS: '{text}': after ';' NAME=VALUE is wanted")
    return Contestant(name, str(pathlib.Path(path).resolve()), dict(setting.split("=", 1) for setting in settings))


def find_contestants(build, extra_rivals):
    """All contestants present on this machine, the baseline first. returns: (contestants, remarks on missing ones)."""
    found, remarks = [Contestant(BASELINE, None), Contestant(BASELINE + AGAIN, None)], []
    subject = build / "libashlar.so"
    if subject.exists():
        found.append(Contestant(SUBJECT, str(subject.resolve())))
    else:
        remarks.append(f"no {subject}: rivals only")
    for name, (library, package) in KNOWN_RIVALS.items():
        path = find_library(library)
        if path:
            found.append(Contestant(name, path))
        else:
            remarks.append(f"{name} is not installed (Debian package {package})")
    found += [parse_rival(text) for text in extra_rivals.split()]
    names = [contestant.name for contestant in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"BENCH_RIVALS: the name {twice[0]} is taken")
    return found, remarks


BINDING = re.compile(r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `(malloc|free|calloc|realloc)'")


def prove(contestant, command, environment):
    """Run `command` once, its symbols bound at start. Raises NotInEffect unless malloc is the contestant's.

    returns: None, or how the command failed, which is a result of the bench and no fault of its set-up.
    """
    with tempfile.TemporaryDirectory() as scratch:
        environment = environment | contestant.environment | {
            "LD_DEBUG": "bindings", "LD_BIND_NOW": "1", "LD_DEBUG_OUTPUT": f"{scratch}/bindings"}
        if contestant.library:
            environment["LD_PRELOAD"] = contestant.library
        try:
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True, timeout=PROOF_SECONDS, check=False)
            said = " ".join(done.stderr.split())[-300:]
            failure = f"status {done.returncode}: {said}" if done.returncode else None
        except subprocess.TimeoutExpired:
            failure = f"not done after {PROOF_SECONDS} seconds"
        text = "".join(file.read_text(errors="replace") for file in pathlib.Path(scratch).iterdir())
    check_bindings(contestant, text)
    return failure


def check_bindings(contestant, text):
    """Raises NotInEffect unless every binding in the loader's record goes to the contestant's library."""
    bindings = BINDING.findall(text)
    if not any(symbol == "malloc" for _, _, symbol in bindings):
        raise NotInEffect("no binding of malloc seen: a static program, or one with a malloc of its own")
    direct = {(binder, symbol) for binder, provider, symbol in bindings if _is_library(contestant, provider)}
    for binder, provider, symbol in bindings:
        if _is_library(contestant, provider) or _is_library(contestant, binder):
            continue  # what the library itself looks up (libc's malloc, by dlsym) is its own affair
        # A program at a fixed address lends its own jump table as the address of `free`: that entry must be bound.
        if (provider, symbol) not in direct:
            raise NotInEffect(f"{symbol} of {binder} is bound to {provider}")


def _is_library(contestant, provider):
    if contestant.library is None:
        return pathlib.Path(provider).name.startswith("libc.so")
    return pathlib.Path(provider).resolve() == pathlib.Path(contestant.library).resolve()
