#!/usr/bin/python3
"""What `ashlar lab` measures, under limits and accidents too. No story depends on how fast anything is."""

import json
import os
import resource
import signal
import subprocess
import time

from lib.lab import CARDS, SUPPORT, check_schema, lab, measure, metric, results, validator, verdicts
from lib.tap import ASHLAR, Skip, contains, environment, is_equal, lacks, main, place, skip_if_sanitized, story

MIB = 1024 * 1024


def alone(card):
    """A story: the card alone is complete and sound."""

    def body():
        skip_if_sanitized()
        result, told = measure("--only", card)
        is_equal((result.status, list(verdicts(told))), (0, [card]), str(result))
        if verdicts(told)[card] == "skipped":
            raise Skip(", ".join({note["why"] for entry in results(told, card) for note in entry["notes"]}))
        assert verdicts(told)[card] in ("agrees", "depends", "differs"), told["results"]
        for entry in results(told, card):
            assert entry["says"] and entry["metrics"], entry
            for value in entry["metrics"]:
                assert value["lo"] <= value["median"] <= value["hi"] and value["median"] <= value["p99"], value
        is_equal(sum(told["counts"].values()), 1)

    body.__name__ = f"card_{card}_alone"
    return body


for name in CARDS:
    story(alone(name))


@story
def heaps_are_measured_with_both_mallocs():
    skip_if_sanitized()
    told = measure("--only", "malloc")[1]
    host, ours = results(told, "malloc")
    is_equal((host["preloaded"], ours["preloaded"]), (False, True))
    assert host["allocator"].startswith("glibc "), host["allocator"]
    assert ours["allocator"].startswith("Ashlar "), ours["allocator"]


@story
def schema_is_checked():
    if validator() is None:
        raise Skip("python3-jsonschema is not installed")
    told = measure("--only", "valloc")[1]
    for name in ("schema", "counts", "machine", "results"):
        assert not validator().is_valid({key: value for key, value in told.items() if key != name}), name


def limited(limit, *cards):
    """The verdicts of cards under a limit of the shell: none may be inconclusive, and what is skipped says why."""
    file = place("lab.json")
    done = subprocess.run(["sh", "-c", f'{limit} && exec "$@"', "sh", ASHLAR, "lab", "--quick", "--json", "-o", file,
                           "--only", ",".join(cards)], stderr=subprocess.PIPE, env=environment(), timeout=60, check=False)
    is_equal(done.returncode, 0, done.stderr.decode())
    with open(file, encoding="utf-8") as stream:
        told = json.load(stream)
    check_schema(told)
    for card, verdict in verdicts(told).items():
        reasons = [note["why"] for result in results(told, card) for note in result["notes"]]
        assert verdict != "inconclusive" and (verdict != "skipped" or reasons), (card, verdict, reasons)
    return told


@story
def under_a_small_stack():
    skip_if_sanitized()
    limited("ulimit -s 1024", "limits", "growth", "fragment", "alloca")


@story
def under_a_limit_of_addresses():
    skip_if_sanitized()
    told = limited("ulimit -v 400000", "manage", "fragment", "limits", "malloc")
    largest = metric(results(told, "limits")[0], "limits_largest")["median"]
    assert largest < 400000 * 1024, largest
    contains(results(told, "limits")[0]["says"], "limits_filled_remark")
    host = results(limited("ulimit -v 120000", "limits"), "limits")[0]
    contains(host["says"], "limits_filled_refused")
    lacks(host["says"], "limits_filled_remark")


def played(files, *cards):
    """A run in which files of the kernel are played: path -> content, None for one that is not there."""
    for path, content in files.items():
        name = place("played") + path + (".absent" if content is None else "")
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w", encoding="ascii") as stream:
            stream.write(content or "")
    changes = {"LD_PRELOAD": os.path.join(SUPPORT, "played.so"), "PLAYED_ROOT": place("played")}
    result, told = measure("--only", ",".join(cards), changes=changes)
    is_equal((result.status, told["counts"]["inconclusive"]), (0, 0), str(result))
    return told


@story
def without_smaps():
    skip_if_sanitized()
    told = played({"/proc/self/smaps_rollup": None}, "manage", "malloc")
    is_equal(set(verdicts(told).values()) - {"agrees", "depends", "differs"}, set())


@story
def in_a_control_group_with_little_memory():
    """A quarter of what the group leaves, whichever version of the interface tells it, and the group above counts."""
    skip_if_sanitized()
    second = {"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/memory.max": f"{256 * MIB}\n",
              "/sys/fs/cgroup/a/memory.current": f"{16 * MIB}\n", "/sys/fs/cgroup/a/b/memory.max": "max\n"}
    is_equal(played(second, "valloc")["most_bytes"], 60 * MIB)
    first = {"/proc/self/cgroup": "4:memory:/c\n", "/sys/fs/cgroup/memory/c/memory.limit_in_bytes": f"{128 * MIB}\n",
             "/sys/fs/cgroup/memory/c/memory.usage_in_bytes": f"{28 * MIB}\n"}
    told = played(first, "malloc", "manage", "static")
    is_equal((told["most_bytes"], verdicts(told)["static"]), (25 * MIB, "skipped"))


@story
def on_one_processor():
    skip_if_sanitized()
    limited("taskset -p -c 0 $$ >/dev/null", "fault", "memmove")


@story
def with_little_memory_to_touch():
    """What would touch more is skipped, and no child becomes larger than it may."""
    skip_if_sanitized()
    result, told = measure("--max-touch", "24M", "--only", "manage,malloc,fault,memset,realloc,fragment")
    is_equal(result.status, 0, str(result))
    is_equal(verdicts(told)["malloc"], "skipped")
    assert any(note["why"] == "skip_most" for note in results(told, "malloc")[0]["notes"]), told["results"]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert told["most_bytes"] == 24 * MIB, (told["most_bytes"], peak)


@story
def largest_child_stays_below_the_cap():
    skip_if_sanitized()
    script = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run(["python3", "-c", script, ASHLAR, "lab", "--quick", "--max-touch", "32M", "--json", "-o",
                           place("lab.json"), "--only", "limits,malloc,fault,fragment"], stdout=subprocess.PIPE,
                          env=environment(), timeout=60, check=True)
    peak = int(done.stdout) * 1024
    assert peak < (32 + 16) * MIB, peak  # the command itself has some pages, too


@story
def same_seed_same_requests():
    skip_if_sanitized()
    traces = [metric(results(measure("--only", "fragment", "--seed", seed)[1], "fragment")[0], "fragment_trace")
              for seed in ("7", "7", "8")]
    is_equal(traces[0], traces[1])
    assert traces[0]["median"] != traces[2]["median"], traces
    is_equal(traces[0]["lo"], traces[0]["hi"])


@story
def descending_malloc_contradicts_growth():
    skip_if_sanitized()
    result, told = measure("--only", "growth", changes={"LD_PRELOAD": os.path.join(SUPPORT, "descending.so")})
    host = results(told, "growth")[0]
    is_equal((result.status, host["allocator"]), (0, "descending.so"), str(result))
    assert host["verdict"] in ("depends", "differs"), host
    assert told["cards"][0]["contradicts_textbook"], told["cards"]
    for size in (64, 65536, MIB):
        is_equal(metric(host, "growth_blocks_up", size)["median"], 0)


def injected(how, card, *others):
    """A run in which the children of one card crash or hang. Returns the notes about them; the others are sound."""
    changes = {"LD_PRELOAD": os.path.join(SUPPORT, "inject.so"), "INJECT_CARD": card, "INJECT_HOW": how}
    result, told = measure("--only", ",".join((card, *others)), changes=changes)
    is_equal((result.status, told["counts"]["inconclusive"]), (1, 1), str(result))
    for other in others:
        is_equal(verdicts(told)[other], "agrees", other)
    is_equal(verdicts(told)[card], "inconclusive")
    return [note for result in results(told, card) for note in result["notes"]]


@story
def crash_of_a_child_harms_no_other():
    skip_if_sanitized()
    for note in injected("crash", "growth", "valloc", "alloca"):
        is_equal((note["why"], note["signal"]), ("note_died", signal.SIGSEGV))


@story
def hang_of_a_child_harms_no_other():
    skip_if_sanitized()
    is_equal([note["why"] for note in injected("hang", "manage", "valloc")], ["note_late"])


@story
def end_of_the_time_is_nobodys_hang():
    """Three cards hang for 4 of 14 seconds each. The children of the fourth are cut off by the end of the run: skipped."""
    skip_if_sanitized()
    cards = ("manage", "growth", "valloc", "alloca")
    changes = {"LD_PRELOAD": os.path.join(SUPPORT, "inject.so"), "INJECT_CARD": ",".join(cards), "INJECT_HOW": "hang"}
    result, told = measure("--only", ",".join(cards), changes=changes)
    is_equal(result.status, 1, str(result))
    is_equal(sorted(verdicts(told).values()), ["inconclusive"] * 3 + ["skipped"])
    is_equal([note["why"] for note in results(told, "alloca")[0]["notes"]][:1], ["note_untried"])


@story
def interrupt_leaves_nothing_behind():
    skip_if_sanitized()
    process = subprocess.Popen([ASHLAR, "lab", "--json", "-o", place("lab.json")], env=environment())
    while not os.listdir(place("tmp")):
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    is_equal(process.wait(30), -signal.SIGINT)
    is_equal((os.listdir(place("tmp")), os.path.exists(place("lab.json"))), ([], False))


@story
def hang_up_that_is_ignored_stays_ignored():
    """As nohup leaves it: the report is finished."""
    skip_if_sanitized()
    process = subprocess.Popen([ASHLAR, "lab", "--quick", "--only", "valloc,growth", "--json", "-o", place("lab.json")],
                               env=environment(), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while not os.listdir(place("tmp")):
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    is_equal(process.wait(30), 0)
    with open(place("lab.json"), encoding="utf-8") as stream:
        is_equal(list(verdicts(json.load(stream))), ["growth", "valloc"])


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return stream.read().split()
    except FileNotFoundError:
        raise Skip("the kernel lists no children (CONFIG_PROC_CHILDREN)") from None


@story
def kernel_short_of_memory_takes_the_child():
    skip_if_sanitized()
    changes = {"LD_PRELOAD": os.path.join(SUPPORT, "inject.so"), "INJECT_CARD": "growth", "INJECT_HOW": "hang"}
    process = subprocess.Popen([ASHLAR, "lab", "--quick", "--only", "growth", "-o", place("lab.txt")],
                               stderr=subprocess.DEVNULL, env=environment(**changes))
    scores = set()
    while process.poll() is None and "1000" not in scores:
        for child in children_of(process.pid):
            try:
                with open(f"/proc/{child}/oom_score_adj", encoding="ascii") as stream:
                    scores.add(stream.read().strip())
            except OSError:
                pass  # it has ended
        time.sleep(0.01)
    contains(scores, "1000")
    process.send_signal(signal.SIGTERM)
    is_equal(process.wait(30), -signal.SIGTERM)


@story
def copy_beyond_its_block_is_stopped_by_the_check():
    skip_if_sanitized()
    result, told = measure("--only", "memcpy")
    entry = results(told, "memcpy")[0]
    is_equal((result.status, entry["notes"]), (0, []), str(result))
    is_equal(metric(entry, "beyond_with")["median"], 0)
    is_equal(metric(entry, "beyond_signal")["median"], signal.SIGABRT)
    assert metric(entry, "beyond_without")["median"] > 0, entry["metrics"]
    contains(entry["says"], "checked_stopped")
    for name in ("copy_without", "copy_with"):
        assert metric(entry, name, 256)["median"] > 0, name


@story
def setting_of_the_user_does_not_change_what_is_checked():
    skip_if_sanitized()
    entry = results(measure("--only", "memcpy", changes={"ASHLAR_CONF": "check_mem:report"})[1], "memcpy")[0]
    contains(entry["says"], "checked_stopped")


@story
def copies_that_do_not_overlap_are_not_counted():
    skip_if_sanitized()
    lengths = [1]
    while lengths[-1] <= 20000:
        lengths.append(lengths[-1] + 1 if lengths[-1] < 256 else lengths[-1] + lengths[-1] // 12)
    expected = sum(abs(distance) < length <= 20000 for distance in range(-64, 65) for length in lengths)
    for card in ("memcpy", "memmove"):
        is_equal(metric(results(measure("--only", card)[1], card)[0], "overlap_cases")["median"], expected, card)


@story
def free_that_frees_nothing_contradicts_free():
    skip_if_sanitized()
    result, told = measure("--only", "free", changes={"LD_PRELOAD": os.path.join(SUPPORT, "descending.so")})
    host, ours = results(told, "free")
    is_equal((result.status, host["verdict"], ours["verdict"]), (0, "depends", "agrees"), str(result))
    is_equal(metric(host, "free_again")["median"], 0)
    for sentence in ("free_not_reused", "free_twice_unnoticed"):
        contains(host["says"], sentence)
    contains(ours["says"], "free_twice_stopped")


@story
def sentences_are_those_of_the_figures():
    """What is said of a step over the guard page and of calloc's price depends on what was measured."""
    skip_if_sanitized()
    told = measure("--only", "limits,calloc", changes={"LD_PRELOAD": os.path.join(SUPPORT, "descending.so")})[1]
    for entry in results(told, "limits"):
        stepped = metric(entry, "limits_jump_unprobed")["median"] > 0
        is_equal(("limits_jump_remark" in entry["says"], "limits_jump_caught" in entry["says"]), (stepped, not stepped))
    for entry in results(told, "calloc"):
        later = metric(entry, "calloc_read_faults")["median"] > metric(entry, "calloc_faults")["median"]
        is_equal(("calloc_later" in entry["says"], "calloc_at_once" in entry["says"]), (later, not later))


@story
def without_a_compiler_static_is_skipped():
    skip_if_sanitized()
    result, told = measure("--only", "static", changes={"CC": "/nonexistent/cc"})
    is_equal((result.status, verdicts(told)["static"]), (0, "skipped"), str(result))
    is_equal({note["why"] for note in results(told, "static")[0]["notes"]}, {"skip_compiler"})


@story
def compiler_may_have_options():
    skip_if_sanitized()
    for compiler in (f"{os.environ.get('CC', 'cc')} -O0  -g", " "):
        result, told = measure("--only", "static", changes={"CC": compiler})
        is_equal((result.status, results(told, "static")[0]["notes"]), (0, []), compiler)


@story
def refuses_under_a_sanitizer():
    compiler = os.environ.get("CC", "gcc")
    library = subprocess.run([compiler, "-print-file-name=libasan.so"], stdout=subprocess.PIPE, check=False).stdout.decode().strip()
    if not os.path.isabs(library):
        raise Skip("no address sanitizer")
    result = lab("--quick", changes={"LD_PRELOAD": os.path.realpath(library), "ASAN_OPTIONS": "detect_leaks=0"})
    is_equal(result.status, 1, str(result))
    contains(result.err, "nothing that is measured under a sanitizer would be true")


if __name__ == "__main__":
    main()
