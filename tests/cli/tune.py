#!/usr/bin/python3
"""`ashlar tune`: what it measures is bound to our library, what it advises the library takes, and its file is whole."""

import json
import os
import shutil
import subprocess

from lib.tap import BUILD, ashlar, contains, environment, is_equal, main, place, story

SHORT = ("-q", "--seconds=1", "--max-size=64K", "--seed=5")
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def check_schema(told):
    import jsonschema
    with open(os.path.join(PROJECT, "cli/schemas/tune.schema.json"), encoding="utf-8") as file:
        jsonschema.validate(told, json.load(file))


@story
def figures_and_advice_fit_the_schema_and_each_other():
    result = ashlar("tune", *SHORT, "--json")
    is_equal((result.status, result.err), (0, ""), str(result))
    told = json.loads(result.out)
    check_schema(told)
    is_equal((told["seed"], told["rounds"] >= 11), (5, True))
    is_equal({cell["bytes"] for cell in told["cells"]}, {64 << i for i in range(11)})
    threads = {1} if len(os.sched_getaffinity(0)) == 1 else {1, 2}
    is_equal({cell["threads"] for cell in told["cells"]}, threads)
    for cell in told["cells"]:
        assert cell["lo"] <= cell["default_over_this"] <= cell["hi"], cell
        if cell["variant"] == "default":
            is_equal(cell["default_over_this"], 1)
    is_equal({cell["operation"] for cell in told["cells"] if cell["variant"] == "nt"},
             {"copy"} if os.uname().machine == "x86_64" else set())
    is_equal((told["copy"]["nt_from"], told["copy"]["changes_nt"]), (None, False), "64 KiB are in some cache")
    larger = [cell["ns"] for cell in told["cells"] if (cell["operation"], cell["threads"], cell["variant"]) == ("copy", 1, "sse2")]
    assert larger[-1] > larger[0], "64 KiB take no longer than 64 bytes"


@story
def what_it_writes_the_library_takes():
    result = ashlar("tune", *SHORT, "-o", place("conf"))
    is_equal((result.status, result.err), (0, ""), str(result))
    contains(result.out, "copy, 1 thread: bytes a nanosecond (medians)")
    contains(result.out, ", seed 5; noise ")
    with open(place("conf"), encoding="utf-8") as file:
        line = file.read()
    assert line == "" or line.startswith("ASHLAR_CONF=") and line.endswith("\n"), line
    conf = line[len("ASHLAR_CONF="):-1]
    if conf:
        contains(result.out, line)
    done = subprocess.run(["/bin/true"], capture_output=True, text=True, check=False,
                          env=environment(LD_PRELOAD=f"{BUILD}/libashlar-mem.so", ASHLAR_CONF=conf))
    is_equal((done.returncode, done.stderr), (0, ""))


@story
def the_callers_own_settings_do_not_reach_what_is_measured():
    result = ashlar("tune", *SHORT, "--json", changes={"ASHLAR_CONF": "nonsense", "LD_PRELOAD": ""})
    is_equal((result.status, result.err), (0, ""), str(result))


@story
def two_threads_are_not_measured_on_one_processor():
    one = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(["taskset", "-c", one, os.path.join(BUILD, "ashlar"), "tune", *SHORT, "--json"], check=True,
                          capture_output=True, env=environment())
    is_equal({cell["threads"] for cell in json.loads(done.stdout)["cells"]}, {1})


@story
def words_that_make_no_sense_are_refused():
    for words, text in ((["--seconds=0"], "--seconds is a whole number from 1 to 3600, not '0'"),
                        (["--max-size=1K"], "--max-size is a size of at least 64K, not '1K'"),
                        (["--seed=x"], "--seed is a whole number below 2^63, not 'x'"),
                        (["--seed=9223372036854775808"], "below 2^63"), (["more"], "Too many arguments")):
        result = ashlar("tune", *words)
        is_equal(result.status, 2, str(result))
        contains(result.err, text)


@story
def a_file_that_cannot_be_written_is_told_before_anything_is_measured():
    result = ashlar("tune", *SHORT, "-o", "/nowhere/conf")
    is_equal((result.status, result.out), (5, ""))
    contains(result.err, "nothing was measured")


@story
def without_the_library_it_says_so():
    for name in ("ashlar", "libashlar.so.1", "libashlar-status.so"):
        shutil.copy(os.path.join(BUILD, name), place(name))
    done = subprocess.run([place("ashlar"), "tune", *SHORT], capture_output=True, text=True, check=False)
    is_equal((done.returncode, done.stdout), (125, ""))
    contains(done.stderr, "libashlar-mem.so.1 is neither beside the library")


@story
def the_hidden_half_is_for_it_alone():
    result = ashlar("tune-measure")
    is_equal(result.status, 2)
    contains(result.err, "this subcommand is for 'ashlar tune' alone")


main()
