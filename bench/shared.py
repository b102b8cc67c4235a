"""What the benches share: their start, their end, what they say while they run."""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INTERRUPTED = 130  # exit status, as of a shell


class CannotMeasure(Exception):
    """Something outside the contest is missing or wrong."""


def whole_number(text):
    """Of an argument: 1 or more."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


def remark(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def choose(available, wanted_text, kind):
    """The names in `wanted_text`, in the order of `available`; all of them when it is empty."""
    wanted = wanted_text.split() or list(available)
    for name in wanted:
        if name not in available:
            raise CannotMeasure(f"no {kind} '{name}'; there are: {' '.join(available)}")
    return [name for name in available if name in wanted]


def command_line(settings):
    """How this run was started, for who wants to repeat it: `settings` are the environment variables that it reads."""
    given = [f"{name}={shlex.quote(os.environ[name])}" for name in settings if os.environ.get(name)]
    return " ".join([*given, shlex.join(sys.argv)])


def from_root(raw):
    """`raw` with the paths of the project's own files as seen from its root: where it lies is nobody's business."""
    return json.loads(json.dumps(raw).replace(f"{ROOT}/", ""))


def make_directory(path):
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise CannotMeasure(f"--output: {reason}") from None


def write_raw(raw, directory, **form):
    """results.json, replaced as a whole; `form` is for json.dumps."""
    fresh = directory / "results.json.new"
    fresh.write_text(json.dumps(raw, **form) + "\n")
    fresh.replace(directory / "results.json")


def build_programs(build, target):
    """Build what is measured, as a part of the whole build where it is one, else alone. returns: where."""
    directory = build / "bench"
    part_of_whole = (directory / "cmake_install.cmake").exists() and not (directory / "CMakeCache.txt").exists()
    if part_of_whole:
        steps = [["cmake", "--build", str(build), "--target", target]]
    else:
        steps = [["cmake", "-S", str(ROOT / "bench"), "-B", str(directory)],
                 ["cmake", "--build", str(directory), "--target", target]]
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise CannotMeasure(f"{shlex.join(step)} failed:\n{done.stdout}")
    return directory


def base_environment(scratch):
    """What every program gets: nothing of the caller's environment, which might hold options of some malloc."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(scratch), "TMPDIR": str(scratch)}


class Progress:
    """A bar on a terminal; elsewhere one line a round."""

    WIDTH = 30

    def __init__(self, total):
        self.total, self.done, self.start = total, 0, time.monotonic()
        self.terminal = sys.stderr.isatty()

    def show(self, round_number, workload, contestant):
        if not self.terminal:
            return
        filled = self.WIDTH * self.done // self.total
        left = ""
        if self.done:
            seconds = (time.monotonic() - self.start) / self.done * (self.total - self.done)
            left = f"{seconds // 60:.0f}:{seconds % 60:02.0f} left"
        text = f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] round {round_number}  {workload}, {contestant}  {left}"
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def advance(self, runs):
        self.done += runs

    def end_round(self, round_number, rounds):
        if not self.terminal:
            remark(f"round {round_number} of {rounds} done, {time.monotonic() - self.start:.0f} s")

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
