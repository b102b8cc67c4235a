#!/usr/bin/python3
"""What is told of the programs of a run: each named, its figures its own, however it was made and however it ended."""

import os
import signal

from lib.tap import actor, contains, is_equal, lacks, main, named, place, run, run_json, story

KIB = 1024


def only(told, name, made_by=None):
    found = [process for process in named(told, name) if made_by in (None, process["made_by"])]
    is_equal(len(found), 1, f"programs named {name}")
    return found[0]


@story
def figures_of_one_program():
    result, told = run_json(actor(), "hold", "1000", "5000")
    is_equal(result.status, 0)
    me = only(told, "actor")
    is_equal((me["made_by"], me["end"], me["final"]), ("exec", "exit", True))
    is_equal((me["pid"], me["program"], me["argument"]), (told["pid"], actor(), actor()))
    assert 1000 <= me["allocations"] < 1100, me
    assert 1000 <= me["live_blocks"] < 1100, me
    assert 5000 * KIB * 0.95 < me["live_bytes"] < 8000 * KIB, me
    assert me["live_bytes"] <= me["peak_heap_bytes"], me
    assert told["peak_rss_bytes"] > 4 * KIB * KIB, told["peak_rss_bytes"]
    assert told["user_ns"] + told["system_ns"] > 0 and told["wall_ns"] > 0 and told["minor_faults"] > 1000, told
    # the class that serves 5000 bytes has the most bytes
    first = told["classes"][0]
    assert 5000 <= first["block_bytes"] <= 8192 and 1000 <= first["allocations"] < 1010, first
    is_equal(first["bytes"], first["block_bytes"] * first["allocations"])
    is_equal(told["classes"], sorted(told["classes"], key=lambda row: (-row["bytes"], row["block_bytes"])))


@story
def program_that_does_not_allocate():
    result, told = run_json("/bin/true")
    is_equal((result.status, told["active"]), (0, True))
    contains(run("--", "/bin/true").err, "ashlar: active in true (")


@story
def children_are_named():
    result, told = run_json("sh", "-c", "cat /dev/null; env true; :")
    is_equal(result.status, 0)
    shell = only(told, "sh", "exec")
    is_equal((only(told, "cat")["parent_pid"], only(told, "true")["parent_pid"]), (shell["pid"], shell["pid"]))
    is_equal(only(told, "env")["pid"], only(told, "true")["pid"])
    is_equal((only(told, "env")["end"], only(told, "true")["end"]), ("exec", "exit"))
    text = run("--", "sh", "-c", "cat /dev/null; :").err
    contains(text, "more program")
    contains(text, "  cat (")


@story
def fork_without_exec():
    result, told = run_json(actor(), "fork", "2000", "1000")
    is_equal(result.status, 0)
    child = only(told, "actor", "fork")
    parent = only(told, "actor", "exec")
    is_equal((child["parent_pid"], parent["pid"]), (parent["pid"], told["pid"]))
    is_equal(child["final"], True)
    assert 2000 <= child["allocations"] < 2010, child
    assert parent["allocations"] < 100, parent
    assert told["counts"]["allocations"] == child["allocations"] + parent["allocations"], told["counts"]
    is_equal((told["peak"]["pid"], told["peak"]["heap_bytes"]), (child["pid"], child["peak_heap_bytes"]))
    contains(run("--", actor(), "fork", "10", "10").err, ", forked by ")


@story
def exec_chain_in_one_process():
    result, told = run_json(actor(), "exec", "exec", "exec", "exit", "5")
    is_equal(result.status, 5)
    is_equal([process["pid"] for process in told["processes"]], [told["pid"]] * 4)
    is_equal([process["end"] for process in told["processes"]], ["exec", "exec", "exec", "exit"])
    is_equal({process["made_by"] for process in told["processes"]}, {"exec"})


@story
def exec_of_a_program_without_ashlar():
    result, told = run_json(actor(), "become", actor("-static"), "exit", "5")
    is_equal((result.status, [process["end"] for process in told["processes"]]), (5, ["cut"]))


@story
def all_ways_out():
    for word in ("exit", "_exit", "quick_exit"):
        result, told = run_json(actor(), word, "3")
        is_equal((result.status, only(told, "actor")["end"]), (3, "exit"), word)
        assert word == "exit" or only(told, "actor")["allocations"] >= 10, told
    result, told = run_json(actor(), "bare_exit", "3")
    is_equal((result.status, only(told, "actor")["end"], only(told, "actor")["final"]), (3, "cut", False))


@story
def killed_program_keeps_its_last_figures():
    result, told = run_json(actor(), "die", "1000", "5000", "9")
    is_equal((result.status, told["command_signal"], told["active"]), (137, 9, True))
    me = only(told, "actor")
    is_equal((me["end"], me["final"], told["live_at_exit"]["final"]), ("cut", False, False))
    assert me["allocations"] >= 1000 and me["peak_heap_bytes"] > 4000 * KIB, me
    contains(run("--", actor(), "die", "1000", "5000", "9").err, "live when last seen")


@story
def program_killed_at_once_has_no_figures():
    result, told = run_json("sh", "-c", "kill -9 $$")
    is_equal((result.status, told["active"], told["peak"], told["live_at_exit"]), (137, True, None, None))
    is_equal(only(told, "sh")["published"], False)
    contains(run("--", "sh", "-c", "kill -9 $$").err, "started, ended before it told its figures")


@story
def killed_child_keeps_its_last_figures():
    result, told = run_json(actor(), "fork_die", "1000", "5000", "9")
    is_equal(result.status, 0)
    child = only(told, "actor", "fork")
    is_equal((child["end"], child["final"]), ("cut", False))
    assert child["allocations"] >= 1000, child
    contains(run("--", actor(), "fork_die", "100", "100", "9").err, "ended by a signal or exec; figures from ")


@story
def vfork_child_publishes_nothing():
    result, told = run_json(actor(), "vfork", "7")
    is_equal(result.status, 0)
    me = only(told, "actor")
    is_equal((me["end"], me["pid"]), ("exit", told["pid"]))
    assert me["allocations"] >= 200, me


@story
def child_without_fork_handlers_is_unharmed():
    result, told = run_json(actor(), "bare_fork")
    is_equal((result.status, len(told["processes"])), (0, 1))


@story
def frees_by_another_thread():
    result, told = run_json(actor(), "hand_over")
    is_equal(result.status, 0)
    assert 900 <= told["counts"]["remote_frees"] <= 1000, told["counts"]


@story
def misuse_is_told():
    result, told = run_json(actor(), "free_twice")
    is_equal((result.status, told["command_signal"]), (128 + signal.SIGABRT, signal.SIGABRT))
    contains(result.err, "ashlar: double free of 0x")
    is_equal(told["errors"]["reports"], 1)
    contains(only(told, "actor")["last_report"], "double free of 0x")
    text = run("--", actor(), "free_twice").err
    contains(text, "errors    1 report")
    contains(text, "last: double free of 0x")


@story
def many_programs_are_all_in_the_json_and_twelve_in_the_text():
    loop = "i=0; while [ $i -lt 40 ]; do cat /dev/null; i=$((i + 1)); done"
    _, told = run_json("sh", "-c", loop)
    is_equal(len(named(told, "cat")), 40)
    text = run("--", "sh", "-c", loop).err
    shown = [line for line in text.splitlines() if line.startswith("  cat (")]
    assert len(shown) in (11, 12), text
    more = int(text.splitlines()[-1].split()[1])
    is_equal(text.splitlines()[-1], f"  and {more} more")
    text = run("--verbose", "--", "sh", "-c", loop).err
    is_equal(len([line for line in text.splitlines() if line.startswith("  cat (")]), 40)


@story
def pages_of_ended_programs_are_cleared_during_the_run():
    # the run would hang here, and be ended by the test's time limit, if they were not
    loop = ('i=0; while [ $i -lt 50 ]; do cat /dev/null; i=$((i + 1)); done; '
            'until [ $(ls "${ASHLAR_CONF#*status:}" | wc -l) -lt 10 ]; do sleep 0.1; done')
    result, told = run_json("sh", "-c", loop)
    is_equal((result.status, len(named(told, "cat"))), (0, 50))


@story
def program_that_outlives_the_command():
    # it waits for a line on its standard input, which comes only after the command is over
    reader, writer = os.pipe()
    os.mkfifo(place("ready"))
    try:
        script = f"'{actor()}' echo <&{reader} >'{place('ready')}' 2>&1 & read line <'{place('ready')}'; exit 3"
        _, told = run_json("sh", "-c", script, pass_fds=[reader], data=None)
        is_equal(told["command_status"], 3)
        is_equal((only(told, "actor")["end"], only(told, "actor")["final"]), ("running", False))
    finally:
        os.close(reader)
        os.close(writer)


@story
def hostile_names_are_clean():
    name = "evil\x1b[31m\u202e\n\udcff"
    os.symlink(actor(), place(name))
    result, told = run_json(place(name), "exit", "0")
    is_equal(result.status, 0)
    is_equal(told["processes"][0]["name"], "evil\x1b[31m\u202e\n\ufffd")
    text = run("--", place(name), "exit", "0").err
    lacks(text, "\x1b")
    lacks(text, "\u202e")
    contains(text, "evil\\x1b[31m\\xe2\\x80\\xae\\x0a\\xff (")


@story
def verified_bindings():
    result, told = run_json(actor(), "hold", "1", "1", options=["--verify"])
    is_equal(result.status, 0)
    bindings = told["bindings"]
    assert bindings["ashlar"]["malloc"] >= 1 and bindings["ashlar"]["free"] >= 1, bindings
    is_equal((bindings["elsewhere_total"], bindings["elsewhere"]), (0, []))
    contains(run("--verify", "--", actor(), "hold", "1", "1").err, "  bound     malloc free")
    is_equal(run_json(actor(), "exit", "0")[1]["bindings"], None)


if __name__ == "__main__":
    main()
