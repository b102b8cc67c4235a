#!/usr/bin/python3
"""Record what real programs copy and fill, by `ashlar sizes`, and keep it small in recordings/.

    bench/mem/record.py [--build build] [--output DIRECTORY] [NAME...]

The inputs are made here, from fixed seeds. Each recording holds all sizes and alignments, and a stretch of calls in
order; recordings/README.md says how they came to be. Exit status: 0, 1 when a program failed, 2 when nothing could be
recorded.
"""

import argparse
import json
import lzma
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import inputs  # noqa: E402
import recordings  # noqa: E402
from shared import ROOT, CannotMeasure, base_environment, choose, make_directory, remark  # noqa: E402

STRETCH = 65536  # calls of each kind that are kept in order
SECONDS = 600
SCRIPTS = ROOT / "bench" / "scripts"


class Failed(Exception):
    """A program could not be recorded."""


def make(*command, **more):
    """Run a command that prepares an input."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


# ---- The programs ----------------------------------------------------------------------------------------------------


# What python3 does: many objects of all kinds, most of them dropped, texts and numbers there and back.
PYTHON = """
import json, random
dice, table = random.Random(1), {}
for i in range(300000):
    tags = ["tag" * dice.randrange(30) for _ in range(dice.randrange(4))]
    table[i] = {"name": f"item {dice.randrange(10**9)}", "tags": tags, "bytes": bytes(int(dice.paretovariate(1)) % 3000)}
    if dice.random() < 0.9:
        del table[i if i - 1 not in table or dice.random() < 0.5 else i - 1]
text = json.dumps([{**value, "bytes": value["bytes"].hex()} for value in table.values()])
lines = sorted(text.replace("}", "}\\n").splitlines(), key=lambda line: line[::-1])
buffer = bytearray()
for line in lines:
    buffer += line.encode()
print(len(json.loads(text)), len(buffer))
"""


def python3(scratch):
    script = scratch / "objects.py"
    script.write_text(PYTHON)
    return ["/usr/bin/python3", "-I", "-S", str(script)], ["/usr/bin/python3", "--version"]


def sqlite3(scratch):
    script = scratch / "script.sql"
    script.write_text(inputs.sql_script(40000))
    return ["sqlite3", ":memory:", f".read {script}"], ["sqlite3", "--version"]


def redis(scratch):
    """The server alone is recorded; its clients are other programs."""
    commands, socket = scratch / "commands.txt", scratch / "redis.sock"
    commands.write_text(inputs.redis_commands(60000))
    server = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(scratch),
              "--logfile", "/dev/null", "--daemonize", "no"]
    ask = f"redis-cli -s {socket}"
    client = (f"until {ask} ping >/dev/null 2>&1; do sleep 0.1; done; {ask} --pipe <{commands} >/dev/null && "
              f"redis-benchmark -s {socket} -q -n 30000 -c 20 -P 16 -d 200 -t set,get,incr,lpush,rpush,lpop,hset "
              f">/dev/null; {ask} flushall >/dev/null; {ask} shutdown nosave")
    return server, ["redis-server", "--version"], client


def gcc(scratch):
    sources = []
    for number in range(8):
        sources.append(scratch / f"part{number}.c")
        sources[-1].write_text(inputs.c_source(20 + 4 * number))
    return ["sh", "-c", f"cd {scratch} && for file in {' '.join(one.name for one in sources)}; do "
            "gcc -O2 -c -w $file || exit 1; done"], ["gcc", "--version"]


def git(scratch):
    history = scratch / "history.git"
    stream = scratch / "stream.txt"
    stream.write_text(inputs.git_history(1300))
    make("git", "init", "--quiet", "--bare", str(history))
    return ["sh", "-c", f"git -C {history} fast-import --quiet <{stream} && git -C {history} -c pack.threads=1 gc --quiet "
            "--prune=now"], ["git", "--version"]


def perl(scratch):
    return ["perl", str(SCRIPTS / "words.pl"), "100"], ["perl", "-e", "print \"perl $^V\\n\""]


PROGRAMS = {"python3": python3, "sqlite3": sqlite3, "redis": redis, "gcc": gcc, "git": git, "perl": perl}


# ---- One recording ---------------------------------------------------------------------------------------------------


def end_all(process):
    """End what a process has started, too: it leads a session of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all have ended
    process.wait()


def run(ashlar, command, client, scratch):
    """What `ashlar sizes` tells about the command; the client, a shell script, runs beside it, not recorded."""
    result = scratch / "sizes.json"
    environment = base_environment(scratch)
    wanted = [[str(ashlar), "sizes", "--json", "-o", str(result), "--", *command], *([["sh", "-c", client]] if client else [])]
    started = []
    try:
        for words in wanted:
            started.append(subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, start_new_session=True))
        for process in started:
            if process.wait(SECONDS) != 0:
                raise Failed(f"{shlex.join(process.args)}: exit status {process.returncode}")
    except subprocess.TimeoutExpired as reason:
        raise Failed(f"no end after {reason.timeout} seconds") from None
    finally:
        for process in started:
            end_all(process)
    return json.loads(result.read_text())


def sum_lines(lines):
    return [sum(column) for column in zip(*lines)] if lines else [0] * 64


def stretch(order):
    """The middle of the calls in order: neither a start alone nor an end alone."""
    first = max(0, (len(order["bytes"]) - STRETCH) // 2)
    return {"first": first} | {name: order[name][first:first + STRETCH] for name in ("bytes", "to", "from")
                               if name in order}


def kept(told, kind, order):
    """What is kept of the copies or the fills."""
    functions = [function for function in told["functions"] if function["kind"] == kind]
    sizes = {}
    for function in functions:
        for entry in function["sizes"]:
            key = entry["least"], entry["most"]
            sizes[key] = sizes.get(key, 0) + entry["calls"]
    return {"functions": {function["name"]: function["calls"] for function in functions},
            "calls": sum(function["calls"] for function in functions),
            "bytes": sum(function["bytes"] for function in functions),
            "overlapping": sum(function["overlapping"] for function in functions),
            "in_place": sum(function["in_place"] for function in functions),
            "sizes": [[*key, calls] for key, calls in sorted(sizes.items())],
            "to": sum_lines([function["to"] for function in functions]),
            "from": sum_lines([function["from"] for function in functions]) if kind == "copy" else None,
            "order": stretch(order)}


def condense(name, told, command, version, scratch):
    """The recording: nothing of this machine's paths is in it."""
    def clean(text):
        return text.replace(str(scratch), "SCRATCH").replace(str(ROOT), ".")

    return {"format": recordings.FORMAT, "name": name, "command": clean(shlex.join(command)), "version": version,
            "date": time.strftime("%Y-%m-%d"), "programs": told["programs"],
            "copies": kept(told, "copy", told["order"]["copies"]), "fills": kept(told, "fill", told["order"]["fills"])}


def record(name, ashlar, output):
    """Make one recording. returns: a line about it."""
    with tempfile.TemporaryDirectory(prefix="ashlar-record-") as directory:
        scratch = pathlib.Path(directory)
        command, asked, *client = PROGRAMS[name](scratch)
        if shutil.which(command[0]) is None or shutil.which(asked[0]) is None:
            raise Failed(f"{asked[0]} is not installed")
        version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.partition("\n")[0]
        told = run(ashlar, command, client[0] if client else None, scratch)
        content = condense(name, told, command, version, scratch)
    path = output / f"{name}{recordings.SUFFIX}"
    path.write_bytes(lzma.compress(json.dumps(content, separators=(",", ":")).encode(), preset=9))
    recordings.load(path)  # what cannot be read is no recording
    return (f"{path.name}: {path.stat().st_size // 1024} KiB, {content['copies']['calls']} copies, "
            f"{content['fills']['calls']} fills, {version}")


def main():
    parser = argparse.ArgumentParser(description="Record what real programs copy and fill.")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build directory (default: build)")
    parser.add_argument("--output", type=pathlib.Path, default=recordings.DIRECTORY, help="default: recordings/")
    parser.add_argument("names", nargs="*", help="programs (default: all)")
    arguments = parser.parse_args()
    failed = False
    try:
        make_directory(arguments.output)
        for name in choose(list(PROGRAMS), " ".join(arguments.names), "program"):
            try:
                print(record(name, arguments.build.resolve() / "ashlar", arguments.output), flush=True)
            except (Failed, OSError, subprocess.CalledProcessError) as reason:
                remark(f"{name}: {reason}")
                failed = True
    except CannotMeasure as reason:
        remark(str(reason))
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
