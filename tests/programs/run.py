#!/usr/bin/python3
"""Real programs, once with the system's malloc and once with Ashlar, must do exactly the same.

    cases/NAME.sh --+-- plain run ------> status, output, witnesses --+
                    |                                                 +--> the same? as expected? on Ashlar? quiet?
                    +-- preloaded run --> status, output, witnesses --+

With --memory each case is run preloaded twice more: with Ashlar's memory functions, and with all of its copies checked.
A case is a script for bash, run with `-eu -o pipefail` in an empty directory, that does some seconds of real work with
one program and prints what came out of it. In the preloaded run the script's shell and every command that it starts are
preloaded. A case passes when in both runs
  - the exit status is 0, and what is printed on both outputs is the same;
  - every line of expected/NAME.txt is printed, whole and in this order (so two runs that fail alike are found);
  - the same set of executables testified (witness.c), and in the preloaded run each of them got Ashlar's malloc;
  - the programs which the case names in a line `# witness: PATTERN...` are among them;
  - no line begins with `ashlar:`, on the outputs or in a *.log file that the case left;
  - no process is left behind.

What a case finds in its environment:
    SOURCE     root of the source tree
    PROGRAMS   this folder
    RECORD     a directory that outlives the plain run, so that the preloaded run can read what the plain one wrote
    PRELOADED  0 or 1
Lines that begin with `note:` are shown with the result, and not compared.
"""
import argparse
import contextlib
import ctypes
import difflib
import fnmatch
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("ASHLAR_BUILD", SOURCE / "build")).resolve()

# The ten fastest by measurement among those with light packages; the table at the end of a run shows the times.
FAST = ("shell", "sqlite3", "perl", "lua5.4", "git", "archive", "ssh-keygen", "tmux", "gdb", "vim")

HANG_SECONDS = 400  # a case that has not ended by then hangs; no result depends on how fast it was
WAITING = {"/usr/bin/sleep"}  # run while a case waits for its server: not at all when that was quick
SHOWN_LINES = 30  # of one difference; the rest is in the files that are kept


class Dress:
    """What the programs of a preloaded run are given: libraries, and options of ours."""

    def __init__(self, name, libraries, options=""):
        self.name = name
        self.libraries = libraries
        self.options = options


class Outcome:
    """What one run of a case did."""

    def __init__(self, status, output, errors, witnesses, problems):
        self.status = status  # exit status, or None when it hung
        self.output = output  # lines of standard output
        self.errors = errors  # lines of standard error
        self.witnesses = witnesses  # list of (executable, object that provides malloc)
        self.problems = problems  # sentences about this run alone

    def executables(self):
        return {executable for executable, _ in self.witnesses} - WAITING

    def notes(self):
        return [line for line in self.output if line.startswith("note:")]

    def compared_output(self):
        return [line for line in self.output if not line.startswith("note:")]


# ---- Packages ----


def read_packages():
    """packages.txt as {case: [package, ...]}."""
    packages = {}
    for line in (HERE / "packages.txt").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            case, _, names = line.partition(":")
            packages[case.strip()] = names.split()
    return packages


def installed(package):
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def root_command(command):
    asks = [] if sys.stdin.isatty() else ["-n"]
    return command if os.getuid() == 0 else ["sudo", *asks, *command]


def apt_install(packages):
    """Install Debian packages without starting the servers in them. Returns an error text, or None."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")  # asked by every package before it starts its service
    forbid = not policy.exists()
    try:
        if forbid:
            text = "#!/bin/sh\n# made by Ashlar's tests/programs/run.py while it installs\nexit 101\n"
            tee = root_command(["tee", str(policy)])
            subprocess.run(tee, input=text, text=True, stdout=subprocess.DEVNULL, check=True)
            subprocess.run(root_command(["chmod", "755", str(policy)]), check=True)
        print("# installing Debian packages:", *packages, flush=True)
        environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
        apt = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
        done = subprocess.run(root_command([*environment, *apt, *packages]), capture_output=True, text=True)
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        return None if done.returncode == 0 else (lines or ["apt-get failed"])[-1]
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{error}"
    finally:
        if forbid:
            subprocess.run(root_command(["rm", "-f", str(policy)]), stderr=subprocess.DEVNULL)


def update_lists():
    subprocess.run(root_command(["apt-get", "-q", "update"]), capture_output=True)  # old lists may still do


def reasons_to_skip(cases, packages, install):
    """{case: reason} for the cases whose packages are missing and cannot be had."""
    missing = {case: [name for name in packages[case] if not installed(name)] for case in cases}
    missing = {case: names for case, names in missing.items() if names}
    reasons = {}
    if install and missing:
        update_lists()
    if install and missing and apt_install(sorted({name for names in missing.values() for name in names})):
        for case, names in missing.items():  # one by one: a package that cannot be had stops its own case only
            error = apt_install(names)
            if error:
                reasons[case] = f"{' '.join(names)} cannot be had: {error}"
    elif not install:
        for case, names in missing.items():
            reasons[case] = f"not installed: {' '.join(names)} (--install brings it)"
    return reasons


# ---- Running a case ----


def adopt_orphans():
    """Make orphaned descendants our children, so that a server which detached itself is still found."""
    PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("run.py: prctl(PR_SET_CHILD_SUBREAPER) refused")


def our_children():
    """Process ids of our children, zombies reaped first."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    return [int(word) for word in pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def name_of(process):
    try:
        return pathlib.Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return "?"


def end_leftovers():
    """Kill what the case left running. Returns the names of those processes."""
    deadline = time.monotonic() + 2
    while our_children() and time.monotonic() < deadline:
        time.sleep(0.05)  # a process told to end may need a moment
    names = []
    while children := our_children():  # killing one may hand us its children
        for child in children:
            names.append(name_of(child))
            os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
    return names


def case_environment(place, preload, dress):
    options = ",".join(filter(None, (os.environ.get("ASHLAR_CONF"), dress.options if dress else "")))
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "SHELL": "/bin/sh",
        "SOURCE": str(SOURCE),
        "PROGRAMS": str(HERE),
        "RECORD": str(place / "record"),
        "PRELOADED": str(int(dress is not None)),
        "ASHLAR_WITNESS": str(place / "witness.txt"),
        "LD_PRELOAD": " ".join(map(str, [*preload, *(dress.libraries if dress else [])])),
        **({"ASHLAR_CONF": options} if options else {}),
    }


def prepare(place):
    """Empty directories and an empty witness file; another user, as which a case may start a server, can reach them."""
    for folder in ("work", "home", "tmp"):
        shutil.rmtree(place / folder, ignore_errors=True)
        (place / folder).mkdir()
    (place / "tmp").chmod(0o1777)
    (place / "witness.txt").write_text("")
    (place / "witness.txt").chmod(0o666)


def end_script(process):
    """End the script and all of its session that did not leave it; its trap may still stop a server."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end_leftovers()


def run_script(script, place, environment):
    """Run the script in its own session. Returns its status, or None when it hung and was killed."""
    with open(place / "output", "wb") as output, open(place / "errors", "wb") as errors:
        process = subprocess.Popen(
            ["/bin/bash", "-eu", "-o", "pipefail", str(script)],
            cwd=place / "work", env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.returncode is None:  # it hangs, or we are told to end
                end_script(process)


def lines_of(path):
    return path.read_text(errors="replace").splitlines()


def loud_lines(place):
    """What Ashlar said, on the outputs and in the logs of the case."""
    files = [place / "output", place / "errors", *sorted((place / "work").rglob("*.log"))]
    return [f"{path.name}: {line}" for path in files if path.is_file() for line in lines_of(path)
            if line.startswith("ashlar:")]  # fmt: skip


def normalised(lines, place):
    """Lines without what differs between two runs or two machines: the directory's name, process ids."""
    text = [line.replace(str(place), "PLACE") for line in lines]
    return [re.sub(r"\bpid(\W{1,2})\d+", r"pid\1N", line) for line in text]


def run_case(script, place, preload, dress=None):
    """`dress`: None for the plain run."""
    prepare(place)
    status = run_script(script, place, case_environment(place, preload, dress))
    problems = [f"left a process behind: {name}" for name in end_leftovers()]
    problems += [f"Ashlar spoke in {line}" for line in loud_lines(place)]
    if status is None:
        problems.append(f"hung: killed after {HANG_SECONDS} s")
    elif status != 0:
        problems.append(f"exit status {status}")
    output, errors = (normalised(lines_of(place / name), place) for name in ("output", "errors"))
    witnesses = [tuple(line.split("\t")) for line in lines_of(place / "witness.txt")]
    return Outcome(status, output, errors, witnesses, problems)


# ---- Judging ----


def missing_lines(expected, output):
    """Lines of `expected` that `output` does not hold in this order."""
    missing, start = [], 0
    for line in expected:
        try:
            start = output.index(line, start) + 1
        except ValueError:
            missing.append(line)
    return missing


def difference(name, plain, preloaded):
    if plain == preloaded:
        return []
    lines = list(difflib.unified_diff(plain, preloaded, f"{name}, plain", f"{name}, preloaded", lineterm="", n=1))
    more = [f"... and {len(lines) - SHOWN_LINES} lines more"] if len(lines) > SHOWN_LINES else []
    return lines[:SHOWN_LINES] + more


def declared_witnesses(script):
    found = re.findall(r"^# witness: (.*)$", script.read_text(), re.MULTILINE)
    return [pattern for line in found for pattern in line.split()]


def witness_problems(script, library, plain, preloaded):
    problems = []
    for executable, owner in sorted(set(preloaded.witnesses)):
        if owner != str(library):
            problems.append(f"not preloaded: malloc of {executable} is in {owner}")
    for pattern in declared_witnesses(script):
        if not any(fnmatch.fnmatch(name, pattern) for name in preloaded.executables()):
            problems.append(f"no witness: {pattern} did not run preloaded")
    if plain.executables() != preloaded.executables():
        names = sorted(plain.executables() ^ preloaded.executables())
        problems.append(f"ran in one of the runs only: {' '.join(names)}")
    return problems


def judge(script, library, plain, preloaded):
    """Sentences and difference lines; none when the case passed."""
    file = HERE / "expected" / f"{script.stem}.txt"
    expected = lines_of(file) if file.exists() else None
    problems = [f"plain run: {text}" for text in plain.problems]
    problems += [f"preloaded run: {text}" for text in preloaded.problems]
    if not expected:
        problems.append(f"no recorded expectation: {file.name} is missing or empty")
    for name, outcome in (("plain", plain), ("preloaded", preloaded)):
        problems += [f"{name} run: expected line missing: {line}"
                     for line in missing_lines(expected or [], outcome.output)[:SHOWN_LINES]]  # fmt: skip
    problems += difference("output", plain.compared_output(), preloaded.compared_output())
    problems += difference("errors", plain.errors, preloaded.errors)
    return problems + witness_problems(script, library, plain, preloaded)


def keep(case, name, outcome):
    """Leave a failed run's outputs where a person finds them."""
    folder = BUILD / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case}.{name}.out").write_text("\n".join([*outcome.output, ""]))
    (folder / f"{case}.{name}.err").write_text("\n".join([*outcome.errors, ""]))
    return folder / f"{case}.{name}.*"


class Runner:
    """Runs cases one after the other and prints TAP."""

    def __init__(self, base, library, memory, repeat):
        self.base = base  # temporary directory
        self.rows = []  # of the table
        self.failures = 0
        self.library = self.share(library, "libashlar.so.1")
        self.dresses = repeat * [Dress("Ashlar", [self.library])]  # of the preloaded runs of each case
        if memory:
            both = [self.library, self.share(memory, "libashlar-mem.so.1")]
            self.dresses += [Dress("with memory functions", both),
                             Dress("with checked copies", both, "check_mem:report,check_mem_small:full")]  # fmt: skip
        self.witness = self.compile_witness()

    def share(self, library, name):
        """A copy that a server running as another user can read, wherever the source tree is."""
        copy = self.base / name
        shutil.copyfile(library.resolve(), copy)
        copy.chmod(0o755)
        return copy

    def compile_witness(self):
        target = self.base / "witness.so"
        compiler = os.environ.get("CC", "cc").split()
        flags = ["-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"]
        subprocess.run([*compiler, *flags, target, HERE / "witness.c"], check=True)
        return target

    def run(self, number, case):
        script, place = HERE / "cases" / f"{case}.sh", self.base / case
        (place / "record").mkdir(parents=True)
        place.chmod(0o755)
        problems = []
        try:
            started = time.monotonic()
            plain = run_case(script, place, [self.witness])
            between = time.monotonic()
            for dress in self.dresses:
                preloaded = run_case(script, place, [self.witness], dress)
                problems = [f"{dress.name}: {text}" for text in judge(script, self.library, plain, preloaded)]
                if problems:
                    break
            ended = time.monotonic()
        finally:
            shutil.rmtree(place, ignore_errors=True)
        self.report(number, case, plain, preloaded, problems)
        self.rows.append((case, "no" if problems else "yes", f"{between - started:.1f}",
                          f"{(ended - between) / len(self.dresses):.1f}", str(len(preloaded.witnesses))))  # fmt: skip

    def report(self, number, case, plain, preloaded, problems):
        print(f"{'not ok' if problems else 'ok'} {number} - {case}")
        for line in preloaded.notes():
            print(f"# {line}")
        if problems:
            self.failures += 1
            for line in problems:
                print(f"#   {line}")
            for name, outcome in (("plain", plain), ("preloaded", preloaded)):
                print(f"#   kept: {keep(case, name, outcome)}")
        sys.stdout.flush()

    def skip(self, number, case, reason):
        print(f"ok {number} - {case} # SKIP {reason}", flush=True)
        self.rows.append((case, "skipped", "", "", ""))

    def print_table(self):
        titles = ("case", "same", "plain s", "preloaded s", "processes preloaded")
        widths = [max(len(row[column]) for row in [titles, *self.rows]) for column in range(len(titles))]
        for row in [titles, *self.rows]:
            print("#", "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


# ---- Command line ----


def parse_arguments(known):
    parser = argparse.ArgumentParser(description="Run real programs without and with Ashlar and compare.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases to run (default: all)")
    parser.add_argument("--fast", action="store_true", help="the ten fastest with light packages")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="preloaded runs of each case")
    parser.add_argument("--memory", action="store_true", help="also with Ashlar's memory functions, and checked copies")
    parser.add_argument("--install", action="store_true", help="install missing Debian packages (as root or by sudo)")
    parser.add_argument("--tap", action="store_true", help="TAP only, without the table at the end")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--packages", action="store_true", help="print the Debian packages that the cases need")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no such case: {' '.join(unknown)}")
    if arguments.repeat < 1:
        parser.error("--repeat needs at least 1")
    return arguments


def run_all(cases, packages, library, arguments):
    """Returns the number of cases that failed."""
    reasons = reasons_to_skip(cases, packages, arguments.install)
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="ashlar-programs-") as base:
        os.chmod(base, 0o755)
        memory = BUILD / "libashlar-mem.so" if arguments.memory else None
        runner = Runner(pathlib.Path(base), library, memory, arguments.repeat)
        print(f"TAP version 13\n1..{len(cases)}", flush=True)
        for number, case in enumerate(cases, 1):
            if case in reasons:
                runner.skip(number, case, reasons[case])
            else:
                runner.run(number, case)
        if not arguments.tap:
            runner.print_table()
        return runner.failures


def end_by_signal(number, _frame):
    """Unwind, so that what was started is ended and temporary files go."""
    sys.exit(128 + number)


def main():
    signal.signal(signal.SIGTERM, end_by_signal)
    for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):  # by a shell that started us in the background
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)
    packages = read_packages()
    arguments = parse_arguments(packages)
    cases = arguments.names or [case for case in packages if not arguments.fast or case in FAST]
    if arguments.list:
        print(*cases, sep="\n")
        return 0
    if arguments.packages:
        print(*sorted({name for case in cases for name in packages[case]}), sep="\n")
        return 0
    library = pathlib.Path(os.environ.get("ASHLAR_PRELOAD", BUILD / "libashlar.so"))
    if not library.exists():
        sys.exit(f"run.py: {library} does not exist: run `make build` first")
    return 1 if run_all(cases, packages, library, arguments) else 0


if __name__ == "__main__":
    sys.exit(main())
