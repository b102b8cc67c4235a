"""tap.py: TAP for the tests of the command, and the little that they share.

A test file marks its stories with @story and ends with main(). Each story runs with an empty directory of its own, its
TMPDIR in it, so that what `ashlar run` leaves behind shows.
"""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BUILD = os.path.abspath(os.environ.get("ASHLAR_BUILD", os.path.join(PROJECT, "build")))
ASHLAR = os.path.join(BUILD, "ashlar")
SECONDS = 60  # after so long a program hangs, and the story fails

stories = []


class Skip(Exception):
    """What this story needs is not to be had here."""


def story(function):
    stories.append(function)
    return function


def is_equal(got, expected, what=""):
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"


def contains(text, part):
    assert part in text, f"{part!r} is not in {text!r}"


def lacks(text, part):
    assert part not in text, f"{part!r} is in {text!r}"


def main():
    print(f"1..{len(stories)}")
    failed = 0
    for number, function in enumerate(stories, 1):
        place.path = tempfile.mkdtemp(prefix="ashlar-test.")
        os.chmod(place.path, 0o755)  # some stories run programs as another user
        os.mkdir(place("tmp"), 0o777)
        try:
            function()
            print(f"ok {number} - {function.__name__}")
        except Skip as reason:
            print(f"ok {number} - {function.__name__} # SKIP {reason}")
        except Exception as error:  # whatever went wrong: the other stories still run
            failed += 1
            for line in f"{type(error).__name__}: {error}".splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {function.__name__}")
        finally:
            shutil.rmtree(place.path, ignore_errors=True)
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


def place(name):
    """A path in the story's own directory."""
    return os.path.join(place.path, name)


def environment(**changes):
    """The environment of a story: ours, without what would change the outcome. None takes a variable out."""
    result = dict(os.environ, TMPDIR=place("tmp"), LC_ALL="C.UTF-8", TERM="xterm")
    for name in ("LD_PRELOAD", "ASHLAR_CONF", "NO_COLOR", "XDG_RUNTIME_DIR"):
        result.pop(name, None)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


class Result:
    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")

    def __str__(self):
        return f"status {self.status}\nout: {self.out}\nerr: {self.err}"


def ashlar(*words, data=b"", changes=None, **more):
    """Run the command with these words."""
    done = subprocess.run([ASHLAR, *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                          env=environment(**(changes or {})), check=False, **more)
    return Result(done)


def run(*words, **more):
    """`ashlar run WORDS`; afterwards nothing may be left of it."""
    result = ashlar("run", *words, **more)
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    return result


def run_json(*words, options=(), **more):
    """`ashlar run --json -o FILE`. Returns the result and what the file says, checked against the schema."""
    file = place("run.json")
    result = run("--json", "-o", file, *options, "--", *words, **more)
    with open(file, encoding="utf-8") as stream:
        told = json.load(stream)
    check_schema(told)
    return result, told


@functools.lru_cache(maxsize=None)
def validator(command="run"):
    """Of the results of `ashlar COMMAND --json`; None when python3-jsonschema is not installed."""
    try:
        import jsonschema
    except ImportError:
        return None
    with open(os.path.join(PROJECT, "cli", "schemas", f"{command}.schema.json"), encoding="utf-8") as stream:
        schema = json.load(stream)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check_schema(told, command="run"):
    if validator(command) is not None:
        errors = [f"{error.json_path}: {error.message}" for error in validator(command).iter_errors(told)]
        is_equal(errors[:3], [], "schema")


@functools.lru_cache(maxsize=None)
def actor(*flags, name="actor"):
    """lib/NAME.c compiled with these flags: a program that does what it is told. Kept until the test file ends."""
    directory = tempfile.mkdtemp(prefix="ashlar-actor.")
    atexit.register(shutil.rmtree, directory, True)
    os.chmod(directory, 0o755)
    program = os.path.join(directory, name)
    source = os.path.join(HERE, f"{name}.c")
    command = [os.environ.get("CC", "cc"), "-O1", "-fno-builtin", "-pthread", *flags, source, "-o", program]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise Skip(f"no compiler: {command[0]}") from None
    if done.returncode != 0:
        raise Skip(f"cannot be compiled: {' '.join(command)}: {done.stdout.decode(errors='replace').splitlines()[-1:]}")
    return program


def skip_if_sanitized():
    """A command built with the address sanitizer cannot have anything preloaded into itself."""
    with open(ASHLAR, "rb") as stream:
        if b"__asan_init" in stream.read():
            raise Skip("the command is built with the address sanitizer")


def reachable_by_others(path):
    """Whether another user may enter all directories above the path."""
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


def named(told, name):
    """The programs of that name."""
    return [process for process in told["processes"] if process["name"] == name]
