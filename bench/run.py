#!/usr/bin/python3
"""Measure Ashlar against other malloc libraries: every contestant, on every workload, interleaved.

    bench/run.py [--build build] [--quick] [--repeats N] [--workloads "a b"] [--contestants "a b"] [--output DIRECTORY]
    bench/run.py --report results.json        make the tables and the page again from raw results, beside them

The environment variables REPEATS, WORKLOADS and CONTESTANTS do the same; BENCH_RIVALS="name=/path.so[;NAME=VALUE] ..."
adds contestants. The method is explained in docs/benchmarking.md. Exit status: 0 when every run succeeded, 1 when a
contestant failed somewhere (the report says where), 2 when nothing could be measured, 130 when interrupted (what was
measured until then is kept).
"""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import contestants
import host
import programs
import results
import workloads
from shared import (INTERRUPTED, ROOT, CannotMeasure, Progress, base_environment, build_programs, choose, command_line,
                    from_root, make_directory, remark, whole_number, write_raw)

FORMAT = 1  # of the raw results
QUICK_REPEATS, QUICK_SLOW_ROUNDS, TIMEOUT_SECONDS = 4, 1, 300
SLOW_RATIO, SLOW_ROUNDS = 8, 1
SETTINGS = ("REPEATS", "WORKLOADS", "CONTESTANTS", "BENCH_RIVALS")  # environment variables that are read


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measure malloc libraries against each other, interleaved.")
    given = os.environ.get
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build directory (default: build)")
    parser.add_argument("--output", type=pathlib.Path, help="directory of the results (default: in the build)")
    parser.add_argument("--repeats", type=whole_number, default=given("REPEATS") or None, help="rounds (default: 10)")
    parser.add_argument("--workloads", default=given("WORKLOADS") or "", help="names in one argument (default: all)")
    parser.add_argument("--contestants", default=given("CONTESTANTS") or "", help="names (default: all present)")
    parser.add_argument("--seed", type=int, help="of the order of runs (default: from the clock)")
    parser.add_argument("--quick", action="store_true", help="an eighth of the work, 4 repeats, no curves: under five minutes")
    parser.add_argument("--scale", type=whole_number, help="work of each run in percent of the usual")
    parser.add_argument("--list", action="store_true", help="list workloads and contestants, and end")
    parser.add_argument("--report", type=pathlib.Path, metavar="JSON",
                        help="only make the tables and the page again, beside these raw results")
    arguments = parser.parse_args()
    arguments.repeats = arguments.repeats or (QUICK_REPEATS if arguments.quick else results.WANTED_REPEATS)
    arguments.scale = arguments.scale or (workloads.QUICK_SCALE if arguments.quick else 100)
    if arguments.seed is None:
        arguments.seed = time.time_ns() % 2**32
    return arguments


# ---- One run ---------------------------------------------------------------------------------------------------------


class Launch:
    """A launcher that was started, and the pipe on which it will report."""

    def __init__(self, process, reader):
        self.process, self.reader = process, os.fdopen(reader)

    def await_rest(self):
        """Wait until the program rests, or has ended. The line by which it says so is no part of its output."""
        output, end = self.process.stdout.fileno(), time.monotonic() + TIMEOUT_SECONDS
        while select.select([output], [], [], max(0, end - time.monotonic()))[0]:
            if os.read(output, 1) in (b"\n", b""):
                return

    def wait(self):
        """returns: (the launcher's report, stdout, stderr or a message)."""
        try:
            output, error = self.process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return {}, "", f"killed after {TIMEOUT_SECONDS} seconds"
        fields = dict(field.split("=") for field in self.reader.read().split())
        return {name: int(value) for name, value in fields.items()}, output, " ".join(error.split())

    def end(self):
        """Kill what still runs, and close the pipes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
        self.reader.close()


@dataclasses.dataclass
class Runner:
    """Runs one workload under one contestant by the launcher, and checks the result against the reference's."""

    launcher: pathlib.Path
    environment: dict
    processor: int  # where single-threaded workloads are pinned
    broken: dict    # pairs of names that are not to be run, and why
    expected: dict = dataclasses.field(default_factory=dict)  # workload name: the result of its first run

    def run(self, workload, contestant):
        """One entry of the raw results. A failed run has a text in "failure" and no figures that count."""
        return self.run_together(workload, [contestant])[0]

    def run_together(self, workload, players):
        """The same for several contestants; each starts when the one before rests. returns: an entry for each."""
        _start_afresh(workload)
        launches = {}
        try:
            for contestant in players:
                if (workload.name, contestant.name) not in self.broken:
                    launches[contestant.name] = self._launch(workload, contestant)
                    if workload.rests:
                        launches[contestant.name].await_rest()
            judged_first = sorted(players, key=lambda contestant: contestant.name != contestants.BASELINE)
            return [self._entry(workload, contestant, launches.get(contestant.name)) for contestant in judged_first]
        finally:
            for launch in launches.values():
                launch.end()

    def _entry(self, workload, contestant, launch):
        """The entry of a run that was started, or of one that may not be."""
        if launch is None:
            return self.refuse(workload, contestant)
        run = {"workload": workload.name, "contestant": contestant.name, "failure": None, "measured": {}}
        report, output, error = launch.wait()
        run |= report
        if "exit" not in report and "signal" not in report:
            run["failure"] = error or "the launcher reported nothing"
        elif report.get("exit") != 0:
            run["failure"] = f"{_ending(report)}: {error[-300:]}" if error else _ending(report)
        else:
            run |= self._judge(workload, output)
        return run

    def _judge(self, workload, output):
        """The fields of the entry that come from the output of a run that ended well."""
        try:
            result, measured = workloads.split_output(output, workload.result)
        except ValueError as reason:
            return {"failure": str(reason)}
        if workload.output:
            result += f" output={host.digest(workload.output)}"
        right = self.expected.setdefault(workload.name, result) == result
        return {"result": result, "measured": measured, "failure": None if right else f"wrong result: {result[:200]}"}

    def refuse(self, workload, contestant):
        """The entry of a pair that failed before the first round: it is not run again."""
        reason = self.broken[workload.name, contestant.name]
        return {"workload": workload.name, "contestant": contestant.name, "measured": {},
                "failure": f"already in a short run: {reason}"}

    def _command(self, workload, contestant, report):
        command = [str(self.launcher), "--report", str(report)]
        library = contestants.as_served(contestant, workload).library
        if library:
            command += ["--preload", library]
        if workload.threads == 1:
            command += ["--cpu", str(self.processor)]
        if workload.user is not None:
            command += ["--user", str(workload.user)]
        if workload.client:
            command += ["--ready", workload.client.ready, "--client", workload.client.script]
        return command + ["--", *workload.command]

    def _launch(self, workload, contestant):
        """Start one run."""
        environment = self.environment | workload.environment | contestant.environment
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(self._command(workload, contestant, writer), env=environment,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, errors="replace", pass_fds=(writer,), start_new_session=True)
        finally:
            os.close(writer)
        return Launch(process, reader)


def _start_afresh(workload):
    """Take away what the run before has left. `cp` keeps owners and times."""
    if workload.output:
        workload.output.unlink(missing_ok=True)
    if workload.fresh:
        original, copy = workload.fresh
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run(["cp", "-a", str(original), str(copy)], check=True)


def _ending(report):
    if "signal" in report:
        return f"killed by {signal.Signals(report['signal']).name}"
    return f"exit status {report['exit']}"


# ---- All runs --------------------------------------------------------------------------------------------------------


def prove_all(ready, players, environment):
    """Every pair of program and contestant must show that the preload takes effect. Raises CannotMeasure.

    returns: the pairs (workload name, contestant name) that failed already in this short run, each with the reason.
    """
    outcomes, broken = {}, {}
    for workload in ready:
        for contestant in players:
            served = contestants.as_served(contestant, workload)
            pair = workload.proof[0], served.library, *contestant.environment.items()
            try:
                if pair not in outcomes:
                    outcomes[pair] = contestants.prove(served, workload.proof, environment | workload.environment)
            except contestants.NotInEffect as reason:
                raise CannotMeasure(f"{contestant.name} does not serve {workload.name}: {reason}") from None
            if outcomes[pair]:
                broken[workload.name, contestant.name] = outcomes[pair]
    return broken


def without_unreadable(ready, players):
    """Leave out what runs as a user who may not read one of the libraries. returns: (the others, remarks)."""
    readable, remarks = [], []
    for workload in ready:
        hidden = [contestant.library for contestant in players if workload.user is not None and contestant.library
                  and subprocess.run(["test", "-r", contestant.library], user=workload.user, group=workload.user,
                                     extra_groups=[], check=False).returncode]
        if hidden:
            remarks.append(f"{workload.name} is left out: it runs as user {workload.user}, who cannot read {hidden[0]}")
        else:
            readable.append(workload)
    return readable, remarks


def without_room(ready):
    """Leave out what needs more memory than is there. returns: (the others, remarks)."""
    available = host.available_mib()
    remarks = [f"{workload.name} is left out: it needs {workload.memory_mib} MiB of memory, {available} are available"
               for workload in ready if workload.memory_mib > available]
    return [workload for workload in ready if workload.memory_mib <= available], remarks


def settle_results(ready, reference, runner):
    """Run every workload once under the reference, uncounted: its results are what all others must give.

    Of one that rests, the result is that of the first round: a minute is saved. returns: (workloads that the reference
    can run, remarks about the others).
    """
    settled, remarks = [], []
    for workload in ready:
        failure = None if workload.rests else runner.run(workload, reference)["failure"]
        if failure:
            remarks.append(f"{workload.name} is left out: it fails with {reference.name}, the reference: {failure}")
        else:
            settled.append(workload)
    return settled, remarks


def far_behind(runs, workload):
    """The contestants that took SLOW_RATIO times as long as the fastest on this workload: never one that all others are
    compared with."""
    fastest = {}
    for run in runs:
        if run["workload"] == workload.name and not run["failure"]:
            fastest[run["contestant"]] = min(run["wall_ns"], fastest.get(run["contestant"], run["wall_ns"]))
    return {name for name, wall in fastest.items()
            if name.removesuffix(contestants.AGAIN) not in (contestants.SUBJECT, contestants.BASELINE)
            and wall > SLOW_RATIO * min(fastest.values())}


def rounds_of(workload, settings):
    """In how many rounds it takes part. One that takes part in the first few only is slow: fewer still in a short run."""
    repeats = settings["repeats"]
    if not workload.most_rounds:
        return repeats
    return min(workload.most_rounds, repeats, QUICK_SLOW_ROUNDS if repeats <= QUICK_REPEATS else repeats)


def takes_part(contestant, workload):
    """A second name shows noise, which matters where something is judged."""
    return workload.judges_time or workload.judges_memory or not contestant.name.endswith(contestants.AGAIN)


def measure(raw, ready, players, runner, save):
    """All rounds. Within a round, each workload is run by all contestants, in a fresh order every time.

    A contestant that is far behind on a workload after SLOW_ROUNDS runs it no more: its figure is clear.
    """
    slow = {workload.name: set() for workload in ready}
    order, rounds = random.Random(raw["settings"]["seed"]), raw["settings"]["repeats"]
    progress = Progress(sum(rounds_of(workload, raw["settings"]) for workload in ready) * len(players))
    for round_number in range(1, rounds + 1):
        if round_number == SLOW_ROUNDS + 1:
            slow = {workload.name: far_behind(raw["runs"], workload) for workload in ready}
        for workload in ready:
            if round_number > rounds_of(workload, raw["settings"]):
                continue
            present = [one for one in order.sample(players, len(players))
                       if takes_part(one, workload) and one.name not in slow[workload.name]]
            progress.advance(len(players) - len(present))
            for group in [present] if workload.rests else [[one] for one in present]:
                progress.show(round_number, workload.name, group[0].name if len(group) == 1 else "one after the other")
                raw["runs"] += [{"round": round_number} | run for run in runner.run_together(workload, group)]
                progress.advance(len(group))
        save()
        progress.end_round(round_number, rounds)
    progress.end()
    raw["complete"] = True


def write_results(raw, directory):
    """results.json, replaced as a whole, and beside it the tables. returns: the report."""
    write_raw(raw, directory, indent=1)
    return write_tables(raw, directory)


def write_tables(raw, directory):
    report = results.Results(raw).report()
    (directory / "results.md").write_text(report)
    return report


def write_page(raw, directory):
    """The plots and the tables as one page, where the library that draws is installed."""
    try:
        import page
    except ModuleNotFoundError as reason:
        if reason.name != "matplotlib":
            raise
        remark("no page of plots: python3-matplotlib is not installed")
        return
    outcome = results.Results(raw)
    (directory / "results.html").write_text(page.make(outcome, outcome.report()))


def report_again(path):
    """Tables and page from raw results, beside them. returns: the report."""
    try:
        raw = json.loads(path.read_text())
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise CannotMeasure(f"{path}: no raw results of this bench")
        write_page(raw, path.parent)
        return write_tables(raw, path.parent)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as reason:
        raise CannotMeasure(f"--report: {path}: {reason}") from None


def describe(workload):
    return {"name": workload.name, "question": workload.question, "command": list(workload.command),
            "client": workload.client.script if workload.client else None,
            "threads": workload.threads, "judges_time": workload.judges_time, "judges_memory": workload.judges_memory,
            "curve": list(workload.curve)}


def bench(arguments, scratch):
    """Measure everything asked for. returns: exit status."""
    found, remarks = contestants.find_contestants(arguments.build, os.environ.get("BENCH_RIVALS", ""))
    chosen = choose([contestant.name for contestant in found], arguments.contestants, "contestant")
    everything = workloads.names() + programs.names()
    wanted = choose(everything, arguments.workloads, "workload")
    if arguments.quick and not arguments.workloads:
        wanted = workloads.names(whole=False) + programs.names()
    if arguments.list:
        print("workloads:", *wanted, "\ncontestants:", *chosen)
        return 0
    players = [contestant for contestant in found if contestant.name in chosen]
    output = arguments.output or arguments.build / "bench-results" / time.strftime("%Y%m%d-%H%M%S")
    make_directory(output)
    machine = host.record(ROOT)
    if machine["load_at_start"][0] > 0.5:
        remark(f"the machine is busy (load {machine['load_at_start'][0]:.2f}): the intervals will be wide")
    built = build_programs(arguments.build, "bench_programs")
    processors = sorted(os.sched_getaffinity(0))
    settings = workloads.Settings(built, scratch, max(2, len(processors)), arguments.scale)
    real, missing = programs.prepare(wanted, settings)
    ready, hidden = without_unreadable(workloads.prepare(wanted, settings) + real, players)
    ready, too_large = without_room(ready)
    environment = base_environment(scratch)
    remark("checking that every preload takes effect")
    runner = Runner(built / "launcher", environment, processors[-1], prove_all(ready, players, environment))
    remark(f"every preload takes effect; running each workload once with {found[0].name}, the reference")
    ready, unfit = settle_results(ready, found[0], runner)
    remarks += missing + hidden + too_large + unfit
    for text in remarks:
        remark(text)
    if not ready:
        raise CannotMeasure("nothing is left to measure")
    remark(f"{len(ready)} workloads, {len(players)} contestants, {arguments.repeats} rounds, seed {arguments.seed}")
    raw = {
        "format": FORMAT, "complete": False, "host": machine, "remarks": remarks,
        "settings": {"repeats": arguments.repeats, "scale": arguments.scale, "threads": settings.threads,
                     "seed": arguments.seed, "command": command_line(SETTINGS),
                     "partial": len(ready) < len(everything) or len(players) < len(found)},
        "contestants": [{"name": contestant.name, "environment": contestant.environment}
                        | host.describe_library(contestant.library) for contestant in players],
        "workloads": [describe(workload) for workload in ready], "runs": [],
    }
    raw = from_root(raw)
    interrupted = False
    try:
        measure(raw, ready, players, runner, lambda: write_results(raw, output))
    except KeyboardInterrupt:
        remark("interrupted; what was measured so far is kept")
        interrupted = True
    raw["host"]["stolen_ticks_at_end"] = host.stolen_ticks()
    print(write_results(raw, output))
    write_page(raw, output)
    remark(f"raw results, tables and a page are in {output}")
    if interrupted:
        return INTERRUPTED
    return 1 if any(run["failure"] for run in raw["runs"]) else 0


def main():
    arguments = parse_arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # as an interrupt: nothing is left behind
    try:
        if arguments.report:
            print(report_again(arguments.report), end="")
            return 0
        with tempfile.TemporaryDirectory(prefix="ashlar-bench-") as scratch:
            return bench(arguments, pathlib.Path(scratch))
    except (CannotMeasure, ValueError) as reason:
        remark(str(reason))
        return 2
    except KeyboardInterrupt:
        remark("interrupted before the first round")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
