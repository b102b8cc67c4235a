"""A workload for python3 (PYTHONMALLOC=malloc): objects, dictionaries, strings, JSON there and back.

Usage: objects.py [SCALE], a percentage. Prints one result line that depends on the work alone.
"""

import json
import re
import sys
import zlib


class Record:
    """A small object with a few attributes, as programs make them by the thousand."""

    def __init__(self, number):
        self.number = number
        self.name = f"record-{number % 977}-{number:x}"
        self.tags = [f"tag{(number * step) % 53}" for step in range(1, number % 7 + 2)]
        self.values = {f"key{step}": number * step / 8 for step in range(number % 5 + 1)}

    def as_dictionary(self):
        return {"number": self.number, "name": self.name, "tags": self.tags, "values": self.values}


def index_by_tag(records):
    index = {}
    for record in records:
        for tag in record["tags"]:
            index.setdefault(tag, []).append(record["name"])
    return index


def work(count):
    """Build, serialise, parse and index `count` records. returns: a checksum of the results."""
    text = json.dumps([Record(number).as_dictionary() for number in range(count)], indent=1)
    records = json.loads(text)
    if len(records) != count:
        raise SystemExit("objects.py: JSON lost records")
    index = index_by_tag(records)
    words = re.findall(r"[a-z]+-\d+", text)
    lines = sorted(" ".join(sorted(names)) for names in index.values())
    return zlib.crc32("\n".join(lines + sorted(set(words))).encode())


def main():
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    count = max(1, 25000 * scale // 100)
    print(f"ok workload=python3 operations={count} checksum={work(count):08x}")


main()
