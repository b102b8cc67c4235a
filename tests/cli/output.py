#!/usr/bin/python3
"""Where the summary goes, what it looks like, and what the budgets say."""

import json
import os
import random
import resource
import stat
import subprocess

from lib.tap import (ASHLAR, Skip, actor, check_schema, contains, environment, is_equal, lacks, main, place, run,
                     run_json, story, validator)


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


@story
def schema_is_checked():
    if validator() is None:
        raise Skip("python3-jsonschema is not installed")
    told = run_json("true")[1]
    check_schema(told)
    for name in ("schema", "counts", "processes", "wall_ns"):
        assert not validator().is_valid({key: value for key, value in told.items() if key != name}), name


@story
def text_on_standard_error():
    result = run("--", actor(), "hold", "100", "100")
    is_equal((result.status, result.out), (0, ""))
    lines = result.err.splitlines()
    contains(lines[0], "ashlar: active in actor (")
    starts = ["  time      ", "  memory    peak heap ", "  faults    ", "  blocks    ", "  purged    ",
              "  errors    none"]
    for line, start in zip(lines[1:], starts):
        is_equal(line[:len(start)], start)
    assert len(lines) <= 20, result.err
    lacks(result.err, "\x1b")


@story
def at_most_ten_classes_unless_verbose():
    sizes = "20 40 60 80 100 150 200 300 400 600 800 1200 2000 3000"
    words = ["sh", "-c", f"for i in {sizes}; do {actor()} hold 500 $i; done"]
    told = run_json(*words)[1]
    assert len(told["classes"]) > 10, told["classes"]
    for options, expected in (([], 10), (["-v"], len(told["classes"]))):
        lines = run(*options, "--", *words).err.splitlines()
        start = next(i for i, line in enumerate(lines) if "size class" in line)
        rows = [line for line in lines[start + 1:] if line.endswith(" %")]
        is_equal(len(rows), expected, str(options))


@story
def json_on_standard_error():
    result = run("--json", "--", "true")
    told = json.loads(result.err)
    check_schema(told)
    is_equal((result.status, told["active"], told["command"]), (0, True, ["true"]))


@story
def json_on_standard_output():
    result = run("--json", "-o", "-", "--", "sh", "-c", "exit 3")
    is_equal((result.status, result.err, json.loads(result.out)["status"]), (3, "", 3))


@story
def json_tells_what_was_run():
    words = ["sh", "-c", "exit 0", "a b", "\udcff", "\u00e9"]
    told = run_json(*words)[1]
    is_equal(told["command"], words[:4] + ["\ufffd", "\u00e9"])
    is_equal(os.path.basename(told["library"]), "libashlar.so.1")
    is_equal((told["reason"], told["message"]), (None, None))
    is_equal(told["budget"], {"max_peak_bytes": None, "max_allocations": None})


@story
def plain_is_one_fact_per_line():
    result = run("--plain", "-o", place("plain"), "--", actor(), "hold", "10", "10")
    facts = dict(line.split(" ", 1) for line in read(place("plain")).splitlines())
    is_equal((result.status, result.err, facts["active"], facts["processes.0.name"]), (0, "", "true", "actor"))
    assert int(facts["counts.allocations"]) >= 10, facts


@story
def file_is_whole_and_has_its_permissions():
    file = place("summary")
    run("-o", file, "--", "true", umask=0o027)
    contains(read(file), "ashlar: active in true")
    is_equal(stat.S_IMODE(os.stat(file).st_mode), 0o640)
    os.chmod(file, 0o604)
    run("--json", "-o", file, "--", "true")
    check_schema(json.loads(read(file)))
    is_equal(stat.S_IMODE(os.stat(file).st_mode), 0o604)
    is_equal(sorted(os.listdir(place(""))), ["summary", "tmp"])


@story
def symbolic_link_is_followed():
    os.symlink(place("real"), place("link"))
    with open(place("real"), "w", encoding="ascii"):
        pass
    run("-o", place("link"), "--", "true")
    is_equal(os.path.islink(place("link")), True)
    contains(read(place("real")), "ashlar: active")


@story
def device_is_written_not_replaced():
    result = run("-o", "/dev/null", "--", "true")
    is_equal((result.status, result.err, stat.S_ISCHR(os.stat("/dev/null").st_mode)), (0, "", True))


@story
def unwritable_file_is_told_before_the_run():
    for file in (place("no/such/directory/file"), place("")):
        result = run("-o", file, "--", "sh", "-c", f"touch {place('ran')}")
        is_equal((result.status, os.path.exists(place("ran"))), (5, False), file)
        contains(result.err, "cannot be written")


@story
def full_disk_is_told_after_the_run():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    result = run("-o", "/dev/full", "--", "true")
    is_equal(result.status, 5)
    contains(result.err, "ashlar: the summary could not be written to /dev/full: No space left on device")
    is_equal(run("-o", "/dev/full", "--", "sh", "-c", "exit 7").status, 7)


@story
def full_directory_for_pages_harms_nobody():
    """A page that the file system has no room for must not be made: touching it would kill the program (SIGBUS)."""
    command = [ASHLAR, "run", "--json", "-o", place("run.json"), "--", "sh", "-c",
               f"{actor()} fork 10 10 && {actor()} exec exec exec hold 10 10 && exit 9"]
    for size, active in ((48, True), (8, False)):
        mount = f"mount -t tmpfs -o size={size}k none {place('tmp')}"
        done = subprocess.run(["unshare", "-m", "sh", "-c", f'{mount} || exit 77; "$@"', "sh", *command], timeout=60,
                              stderr=subprocess.PIPE, env=environment(), check=False)
        if done.returncode == 1 and b"unshare" in done.stderr or done.returncode == 77:
            raise Skip("no right to mount a file system")
        is_equal(done.returncode, 9, done.stderr.decode())
        told = json.loads(read(place("run.json")))
        check_schema(told)
        is_equal((told["active"], told["reason"]), (active, None if active else "no_room"))
        assert len(told["processes"]) <= 3 and told["unreadable_pages"] >= 3, told


@story
def limit_of_file_sizes_harms_nobody():
    """Neither the program, by its page, nor the command, by its file, dies of the signal (SIGXFSZ)."""
    for limit, active in ((512, False), (1 << 20, True)):
        done = subprocess.run([ASHLAR, "run", "--json", "-o", place("run.json"), "--", "sh", "-c", "exit 0"],
                              timeout=60, stderr=subprocess.PIPE, env=environment(), check=False,
                              preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        error = done.stderr.decode()
        is_equal((done.returncode, os.path.exists(place("run.json"))), (0 if active else 5, active), error)
        is_equal("could not be written" in error and "File too large" in error, not active, error)
        is_equal([name for name in os.listdir(place("")) if name.startswith("run.json.")], [])
    with open(place("error"), "wb") as error:
        for words in ((), ("-v",)):
            done = subprocess.run([ASHLAR, "run", *words, "--", "sh", "-c", "exit 7"], timeout=60, stderr=error, env=environment(),
                                  check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
            is_equal(done.returncode, 7)


@story
def directory_that_goes_away_during_the_run():
    os.mkdir(place("home"))
    result = run("-o", place("home/file"), "--", "rmdir", place("home"))
    is_equal(result.status, 5)
    contains(result.err, "could not be written")


@story
def closed_standard_error_changes_nothing():
    done = subprocess.run([ASHLAR, "run", "--", "sh", "-c", "exit 4"], preexec_fn=lambda: os.close(2), timeout=60,
                          env=environment(), check=False)
    is_equal(done.returncode, 4)


@story
def closed_streams_are_closed_for_the_command_too():
    words = ["sh", "-c", "ls /proc/self/fd >" + place("seen")]
    closing = {"preexec_fn": lambda: os.closerange(0, 3), "timeout": 60, "env": environment(), "check": False}
    is_equal(subprocess.run(words, **closing).returncode, 0)
    alone = read(place("seen"))
    is_equal(subprocess.run([ASHLAR, "run", "-o", place("summary"), "--", *words], **closing).returncode, 0)
    is_equal(read(place("seen")), alone)
    is_equal(read(place("summary")).count("ashlar: "), 1)


@story
def reader_that_went_away():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([ASHLAR, "run", "--", "sh", "-c", "exit 4"], stderr=writer, timeout=60, env=environment(),
                          check=False)
    os.close(writer)
    is_equal(done.returncode, 4)


@story
def quiet_says_nothing_but_what_matters():
    is_equal(run("-q", "--", "true").err, "")
    contains(run("-q", "--", actor("-static"), "exit", "0").err, "statically linked")
    contains(run("-q", "--max-allocs=1", "--", actor(), "hold", "9", "9").err, "over budget")
    result = run("-q", "-o", place("file"), "--", "true")
    is_equal(result.err, "")
    contains(read(place("file")), "ashlar: active")


@story
def verbose_tells_the_plan():
    result = run("-v", "--", "true")
    for part in ("ashlar: library /", "libashlar.so.1\n", "ashlar: program /", "ashlar: pages in "):
        contains(result.err, part)


@story
def colours():
    for options, changes, coloured in (([], {}, False), (["--color=auto"], {}, False), (["--color=never"], {}, False),
                                       (["--color=always"], {}, True), (["--color=always"], {"NO_COLOR": "1"}, True)):
        text = run(*options, "--", "true", changes=changes).err
        is_equal("\x1b[" in text, coloured, str((options, changes)))
    run("--color=always", "-o", place("file"), "--", "true")
    lacks(read(place("file")), "\x1b")


@story
def budget_of_peak():
    hold = ["--", actor(), "hold", "1000", "5000"]
    result = run("--max-peak", "4M", *hold)
    is_equal(result.status, 1)
    contains(result.err, "ashlar: over budget: actor (")
    contains(result.err, "--max-peak allows 4,194,304\n")
    for size in ("1G", "20M", "20480K", "20971520"):
        result = run("--max-peak", size, *hold)
        is_equal(result.status, 0, size)
        lacks(result.err, "over budget")


@story
def budget_of_allocations():
    is_equal(run("--max-allocs", "999", "--", actor(), "hold", "1000", "10").status, 1)
    is_equal(run("--max-allocs", "1100", "--", actor(), "hold", "1000", "10").status, 0)
    # of all programs together
    is_equal(run("--max-allocs", "1100", "--", "sh", "-c", f"{actor()} hold 800 10; {actor()} hold 800 10").status, 1)


@story
def budget_gives_way_to_the_commands_status():
    result, told = run_json(actor(), "die", "1000", "5000", "9", options=["--max-peak=1M", "--max-allocs=1"])
    is_equal((result.status, told["status"]), (137, 137))
    is_equal(told["budget"], {"max_peak_bytes": {"most": 1 << 20, "exceeded": True},
                              "max_allocations": {"most": 1, "exceeded": True}})
    result, told = run_json(actor(), "hold", "1000", "5000", options=["--max-peak=1M"])
    is_equal((result.status, told["status"], told["command_status"]), (1, 1, 0))


@story
def files_that_are_no_pages():
    junk = ('d=${ASHLAR_CONF#*status:}; '
            ': >"$d/41"; head -c 100 /dev/urandom >"$d/42"; head -c 20000 /dev/urandom >"$d/43"; '
            'ln -s /etc/passwd "$d/44"; mkfifo "$d/45"; ln "$d/$$" "$d/46"; : >"$d/other"; : >"$d/47.x"')
    result, told = run_json("sh", "-c", junk)
    is_equal((result.status, told["active"]), (0, True))
    is_equal(told["unreadable_pages"], 6)
    is_equal({process["name"] for process in told["processes"]} & {"sh"}, {"sh"})


@story
def damaged_pages():
    """Pages of our own making, each changed in a few places: none may upset the command."""
    seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 32)))
    print(f"# seed {seed}")
    dice = random.Random(seed)
    run("-q", "--", "sh", "-c", f'd=${{ASHLAR_CONF#*status:}}; cp "$d/$$" {place("page")}; echo $$ >{place("pid")}')
    pid = read(place("pid")).strip()
    with open(place("page"), "rb") as stream:
        page = stream.read()
    os.mkdir(place("damaged"))
    for number in range(400):
        changed = bytearray(page)
        for _ in range(dice.choice([1, 2, 5, 50])):
            at = dice.randrange(dice.choice([64, 1000, len(page)]))
            changed[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        with open(place(f"damaged/{pid}.{number}"), "wb") as stream:
            stream.write(changed)
    result, told = run_json("sh", "-c", f'cp {place("damaged")}/* "${{ASHLAR_CONF#*status:}}"')
    is_equal((result.status, told["active"]), (0, True), str(result))
    assert len(told["processes"]) + told["unreadable_pages"] >= 400, told
    result = run("-v", "--", "sh", "-c", f'cp {place("damaged")}/* "${{ASHLAR_CONF#*status:}}"')
    is_equal(result.status, 0)


@story
def nothing_stays_behind():
    for command in ("true", "kill -9 $$", "kill -15 $$", "exec /no/such/file", f"exec {actor('-static')} exit 0"):
        run("-q", "--", "sh", "-c", command)  # looks at TMPDIR
    run("-q", "--", "/no/such/file")
    run("-q", "--", actor("-static"))


if __name__ == "__main__":
    main()
