#!/usr/bin/python3
"""The JSON of ashlar_stats_json(), read by Python's own parser: it parses, has every field of the struct, and no
negative or absurd number. The list of fields is the header's."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("ASHLAR_BUILD", os.path.join(HERE, "../../build"))
HEADER = os.path.join(HERE, "../../include/ashlar.h")

# Runs on Ashlar: a document of some size, then the figures.
PROGRAM = """
import ctypes, sys
library = ctypes.CDLL(None)
library.ashlar_stats_json.restype = ctypes.c_size_t
kept = [bytes(size) for size in range(0, 200000, 37)]
buffer = ctypes.create_string_buffer(1 << 20)
length = library.ashlar_stats_json(buffer, ctypes.c_size_t(1 << 20))
assert length == len(buffer.value), (length, len(buffer.value))
sys.stdout.write(buffer.value.decode("ascii"))
"""


def struct_fields(name):
    text = open(HEADER).read()
    body = re.search(r"struct %s \{(.*?)\n\};" % name, text, re.S).group(1)
    return re.findall(r"^\s*uint\d+_t (\w+);", body, re.M)


def numbers_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_of(item)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def reject_duplicates(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), "a key twice"
    return dict(pairs)


results = []


def check(name, passed, detail=""):
    results.append((name, passed, detail))


def main():
    environment = dict(os.environ, LD_PRELOAD=os.path.join(BUILD, "libashlar.so"), PYTHONMALLOC="malloc")
    environment.pop("ASHLAR_CONF", None)
    run = subprocess.run(["/usr/bin/python3", "-c", PROGRAM], env=environment, capture_output=True, text=True)
    check("python3 runs on the library", run.returncode == 0 and run.stderr == "", run.stderr)
    try:
        stats = json.loads(run.stdout, object_pairs_hook=reject_duplicates)
    except (ValueError, AssertionError) as error:
        check("the text is JSON", False, f"{error}: {run.stdout[:200]!r}")
        return
    check("the text is JSON", True)
    check("the schema is named first", next(iter(stats.items())) == ("schema", "ashlar.stats/1"), str(list(stats)[:3]))
    fields = [field for field in struct_fields("ashlar_stats") if field not in ("version", "bytes")]
    missing = [field for field in fields if field not in stats]
    check("every field of the struct is there", len(fields) > 20 and not missing, f"missing: {missing}")
    rows = stats.get("classes", [])
    row_fields = struct_fields("ashlar_class_stats")
    check("every class has every field", len(rows) > 10 and all(set(row_fields) <= set(row) for row in rows),
          f"{len(rows)} rows, the first: {rows[:1]}")
    check("no unused rows", all(row.get("block_bytes", 0) > 0 for row in rows))
    numbers = numbers_of(stats)
    check("numbers are whole, not negative, below 2^56",
          all(isinstance(number, int) and 0 <= number < 2**56 for number in numbers), str(numbers))
    live = stats.get("large_live_bytes", 0) + stats.get("huge_live_bytes", 0) + sum(
        row["live_blocks"] * row["block_bytes"] for row in rows)
    check("live bytes are the sum of their parts", stats.get("live_bytes") == live, f"{stats.get('live_bytes')} {live}")
    check("the program's blocks are in it", stats.get("live_bytes", 0) > 500 * 10**6, str(stats.get("live_bytes")))


main()
print(f"1..{len(results)}")
for number, (name, passed, detail) in enumerate(results, 1):
    print(f"{'ok' if passed else 'not ok'} {number} - {name}")
    if not passed:
        print("".join(f"# {line}\n" for line in detail.splitlines()), end="")
sys.exit(not all(passed for _, passed, _ in results))
