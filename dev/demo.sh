#!/bin/sh
# demo.sh: two real programs at real work, each on Ashlar and unchanged. `make demo` builds first.
set -eu
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

say() {
    printf '\n%s\n\n' "$*"
}

say "python3 builds a large document and writes it as JSON. It is Debian's own python3: \`ashlar run\` gives it Ashlar's
malloc for this one run, and says at the end what its heap did. (PYTHONMALLOC=malloc is python's own switch: it then
takes every object from malloc, and none from a pool of its own.)"
PYTHONMALLOC=malloc build/ashlar run -- /usr/bin/python3 -c '
import json
catalogue = [
    {"number": number, "title": f"Volume {number}", "authors": [f"Author {number % 977}", f"Author {number % 1009}"],
     "shelf": {"room": number % 40, "row": number % 12, "place": number}, "words": list(range(number % 30))}
    for number in range(100000)]
text = json.dumps({"catalogue": catalogue}, indent=1)
again = json.loads(text)
assert again["catalogue"] == catalogue
print(f"{len(catalogue)} volumes, {len(text) / 1e6:.1f} MB of JSON, read back and equal")
'

say "gcc compiles Ashlar itself, all of its library in one piece. The driver starts the compiler and the assembler; each
of these processes runs on Ashlar, too."
build/ashlar run -- gcc -std=gnu17 -O2 -g -fPIC -fvisibility=hidden -fexceptions -D_GNU_SOURCE -DASHLAR_OVERRIDE=1 \
    -Isrc -Iinclude -c src/one.c -o "$folder/one.o"
printf '\n%s\n' "one.o: $(stat --format %s "$folder/one.o") bytes of object code."

say "To run a program of yours: build/ashlar run -- PROGRAM ARGUMENTS..."
