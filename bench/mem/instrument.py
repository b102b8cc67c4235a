"""The program that measures, as the driver sees it: contestants and orders go in, nanoseconds come out."""

import dataclasses
import os
import pathlib
import platform
import subprocess

from shared import CannotMeasure

SUBJECT, BASELINE, AGAIN, REP = "ashlar", "glibc", "glibc-again", "rep"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A name, and where its functions come from: see contestant.c."""

    name: str
    source: str

    @property
    def library(self):
        """The file that it is; None for libc and for instructions."""
        return self.source if "/" in self.source else None


def find_contestants(build, rivals):
    """glibc, glibc once more, Ashlar, the string instructions, and those of BENCH_MEM_RIVALS: "name=/path.so ..."."""
    found = [Contestant(BASELINE, "libc"), Contestant(AGAIN, "copy-of-libc"),
             Contestant(SUBJECT, str((build / "libashlar-mem.so").resolve()))]
    if platform.machine() == "x86_64":
        found.append(Contestant(REP, "rep"))
    for word in rivals.split():
        name, _, path = word.partition("=")
        if not name or not path or not pathlib.Path(path).is_file():
            raise CannotMeasure(f"BENCH_MEM_RIVALS: '{word}' is not NAME=/path of an existing file")
        if name in (contestant.name for contestant in found):
            raise CannotMeasure(f"BENCH_MEM_RIVALS: the name {name} is taken")
        found.append(Contestant(name, str(pathlib.Path(path).resolve())))
    if not pathlib.Path(found[2].source).is_file():
        raise CannotMeasure(f"{found[2].source} is missing: build it first")
    return found


class Instrument:
    """One process of it, with a setting of glibc or without."""

    def __init__(self, program, processors, players, environment):
        self.names = [player.name for player in players]
        command = [str(program), ",".join(map(str, processors)), *(f"{one.name}={one.source}" for one in players)]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)
        try:
            self._prove(self._answer().rstrip("\n").split("\t")[1:], {player.name: player for player in players})
        except BaseException:
            self.end()
            raise

    @staticmethod
    def _prove(told, players):
        """The functions that will be measured must all lie in the files that were asked for."""
        for place in told:
            name, _, path = place.partition("=")
            player = players[name]
            right = {"libc": os.path.basename(path) == "libc.so.6", "copy-of-libc": os.path.basename(path) == "libc.so.6",
                     "rep": True}.get(player.source, os.path.realpath(path) == player.source)
            if not right:
                raise CannotMeasure(f"{name}: a function of it is in {path}")

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise CannotMeasure(f"the measuring program ended: {self.process.stderr.read().strip()}")
        return line

    def _ask(self, order):
        try:
            self.process.stdin.write(order + "\n")
        except OSError:
            pass  # it has ended: _answer() says why
        return [int(word) for word in self._answer().split()]

    def plan(self, path, names):
        """Carry out a plan with these contestants, in this order. returns: {name: nanoseconds}."""
        numbers = " ".join(str(self.names.index(name)) for name in names)
        return dict(zip(names, self._ask(f"plan {path} {numbers}")))

    def roof(self, kind, size, times):
        """Nanoseconds of going over the memory so often; None where there is no such roof."""
        elapsed = self._ask(f"roof {kind} {size} {times}")[0]
        return elapsed if elapsed >= 0 else None

    def end(self):
        """End the process, and wait until it has."""
        self.process.kill()
        self.process.communicate()
