"""The workloads that are real programs, from Debian's packages.

For each there is a function that makes its input in the scratch directory and returns the Workload, or None when the
program is not installed. A program is always Debian's own: another one in the PATH may be a script, or carry its own
malloc. Inputs are made from fixed seeds (inputs.py) or by a script with a fixed seed of its own (scripts/).
"""

import pathlib
import shlex
import shutil
import subprocess

import inputs
from workloads import Workload

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"
PATH = "/usr/bin:/bin"


def _find(*programs):
    """The paths of all these programs, or None when one is missing."""
    paths = [shutil.which(program, path=PATH) for program in programs]
    return paths if all(paths) else None


def _make(*command, **options):
    """Run a command that makes a part of the input. Raises ValueError when it fails. returns: its stdout."""
    environment = {"PATH": PATH, "LC_ALL": "C", "HOME": "/nonexistent"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise ValueError(f"{shlex.join(command)} failed: {' '.join((done.stdout + done.stderr).split())[-300:]}")
    return done.stdout.strip()


# ---- Compilers -------------------------------------------------------------------------------------------------------


def _compiler(driver, name):
    """The compiler proper that gcc or g++ would start, or None."""
    found = _find(driver)
    path = _make(*found, f"-print-prog-name={name}") if found else ""
    return path if pathlib.Path(path).is_file() else None


def _cc1(settings):
    """The assembly must be the same with every malloc."""
    compiler = _compiler("gcc", "cc1")
    if compiler is None:
        return None
    source, small, output = (settings.scratch / name for name in ("large.c", "small.c", "large.s"))
    source.write_text(inputs.c_source(2 + settings.scale * 7 // 10))
    small.write_text(inputs.c_source(2))
    options = (compiler, "-quiet", "-O1", "-w", "-frandom-seed=0")
    return Workload("cc1", "gcc's C compiler, -O1, on a large file", (*options, str(source), "-o", str(output)),
                    (*options, str(small), "-o", "/dev/null"), output=output)


# ---- Interpreters ----------------------------------------------------------------------------------------------------


def _script(settings, question, program, script, *, environment=None, threads=1):
    """An interpreter with one of our scripts, which take the scale and print one result line."""
    found = _find(program)
    if found is None:
        return None
    command = (*found, str(SCRIPTS / script))
    return Workload(program, question, (*command, str(settings.scale)), (*command, "1"), threads,
                    environment=environment or {})


def _python3(settings):
    return _script(settings, "objects, dictionaries, JSON; PYTHONMALLOC=malloc", "python3", "objects.py",
                   environment={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


# ---- Other programs that read, work and end --------------------------------------------------------------------------


def _sqlite3(settings):
    found = _find("sqlite3")
    if found is None:
        return None
    script, small = settings.scratch / "large.sql", settings.scratch / "small.sql"
    script.write_text(inputs.sql_script(600 * settings.scale))
    small.write_text(inputs.sql_script(100))
    command = (*found, "-batch", ":memory:")
    return Workload("sqlite3", "a database in memory", (*command, f".read {script}"), (*command, f".read {small}"))


# name: (function, Debian package)
_PROGRAMS = {"cc1": (_cc1, "gcc"), "python3": (_python3, "python3"), "sqlite3": (_sqlite3, "sqlite3")}


def names():
    """The name of every program's workload, in order."""
    return list(_PROGRAMS)


def prepare(wanted, settings):
    """The workloads of these names, ready to run. returns: (workloads, remarks about those that are missing)."""
    ready, remarks = [], []
    for name, (make, package) in _PROGRAMS.items():
        workload = make(settings) if name in wanted else None
        if workload:
            ready.append(workload)
        elif name in wanted:
            remarks.append(f"{name} is left out: not installed (Debian package {package})")
    return ready, remarks
