#!/usr/bin/env python3
"""options.py [--check] [--source ROOT]: write docs/options.md and docs/man/ashlar-options.7 from src/base/options.def.

    options.def --+--> the parser and confirm:on      (src/api/options.c includes it)
                  +--> docs/options.md, the man page  (this script)

--check writes nothing: it prints the files that are not what they would be made now.
exit status: 0 when the files are as they should be, 1 when --check found a stale one, 2 when the table makes no sense.
"""
import argparse
import dataclasses
import pathlib
import re
import sys

# A comment, or one token of the table.
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|\s+|(?P<word>\w+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[(),])', re.DOTALL)

# What a kind of option takes besides its own words.
KINDS = {
    "CHOICE": None,
    "SIZE": "a size",
    "STACK": "a size from 1M to 4G",
    "TIME": "a time",
    "FOLDER": "an absolute path",
}
CHANGES = {"START": "no", "LIVE": "yes"}
FIELDS = ("name", "kind", "initial", "choices", "changes", "meaning")


class TableError(Exception):
    pass


@dataclasses.dataclass
class Option:
    name: str
    kind: str
    initial: str
    choices: list
    changes: str
    meaning: str

    def takes(self):
        """The values of this option, the words first."""
        return self.choices + ([KINDS[self.kind]] if KINDS[self.kind] else [])


# ---- The table ----


def tokens_of(text):
    """(group, token) for each token of the table."""
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            line = text.count("\n", 0, position) + 1
            raise TableError(f"options.def:{line}: cannot read {text[position:position + 20]!r}")
        if match.lastgroup:
            yield match.lastgroup, match.group()
        position = match.end()


def calls_in(text):
    """The arguments of each OPTION(...); neighbouring strings are one, as in C."""
    arguments = None
    for group, token in tokens_of(text):
        if arguments is None:
            if token == "OPTION":
                arguments = []
            else:
                raise TableError(f"options.def: {token} outside of OPTION(...)")
        elif token == "(" and not arguments:
            arguments.append("")
        elif token == ",":
            arguments.append("")
        elif token == ")":
            yield arguments
            arguments = None
        elif arguments:
            arguments[-1] += token[1:-1].replace('\\"', '"') if group == "text" else token
        else:
            raise TableError(f"options.def: {token} where a ( belongs")
    if arguments is not None:
        raise TableError("options.def: the last OPTION( has no end")


def option_of(arguments):
    if len(arguments) != len(FIELDS):
        raise TableError(f"options.def: {len(arguments)} fields instead of {len(FIELDS)} in {arguments}")
    option = Option(**dict(zip(FIELDS, arguments)))
    if option.kind not in KINDS or option.changes not in CHANGES:
        raise TableError(f"options.def: unknown word in {option.name}: {option.kind}, {option.changes}")
    option.choices = option.choices.split()
    if option.kind == "CHOICE" and option.initial not in option.choices:
        raise TableError(f"options.def: {option.name} begins as {option.initial}, which is none of its choices")
    return option


def read_table(path):
    options = [option_of(arguments) for arguments in calls_in(path.read_text())]
    if not options:
        raise TableError(f"{path}: no options")
    return options


# ---- docs/options.md ----

GUIDE = """\
# Options

<!-- Made by dev/options.py from src/base/options.def. Do not edit: change the table, run dev/options.py. -->

Ashlar reads one variable of the environment, once, before its first allocation:

    ASHLAR_CONF="key:value,key:value" program

It is strict, and all or nothing. A key that does not exist, a value that is not allowed, a key given twice: one line
on descriptor 2, and every setting is ignored. Half a configuration never runs. In a program that has more rights than
its caller (setuid, setgid, file capabilities; the kernel says `AT_SECURE`) the variable is not looked at.

| option | default | values | can change while running | meaning |
|---|---|---|---|---|
{rows}

- **Size**: digits, and `K`, `M`, `G` or `T` if you like, multiples of 1024: `8M`. No sign, no blank, no fraction.
- **Time**: digits and `ms`, `s` or `m` (minutes): `500ms`. The unit is needed.
- **Word**: as it stands in the table, in small letters.

## Looking at the settings

`confirm:on` prints every option, its value and where that comes from:

{confirm}

A program asks with `ashlar_option("dirty", text, sizeof text)`, and changes with `ashlar_option_set("dirty", "16M")`
what may change while it runs. Both are declared in [ashlar.h](../include/ashlar.h).

## What an error looks like

The nearest name is offered when one is near:

{errors}
"""

# Each command stands in the guide with the line that it really prints: tests/house/options.sh runs them.
ERRORS = (
    ("purge_dely:1s", 'unknown key "purge_dely" (did you mean "purge_delay"?)'),
    ("sized:abrt", 'bad value for "sized": "abrt" (did you mean "abort"?)'),
    ("purge_delay:1", 'bad value for "purge_delay": "1"'),
    ("dirty", 'no ":" in "dirty"'),
    ("dirty:1M,dirty:2M", 'given twice: "dirty"'),
)
CONFIRMED = {"confirm": "on", "dirty": "16M"}


def block(*lines):
    return "\n".join("    " + line for line in lines)


def row_of(option):
    values = ", ".join(f"`{value}`" if value in option.choices else value for value in option.takes())
    return f"| `{option.name}` | `{option.initial}` | {values} | {CHANGES[option.changes]} | {option.meaning} |"


def confirm_example(options):
    given = ",".join(f"{key}:{value}" for key, value in CONFIRMED.items())
    lines = [f"$ ASHLAR_CONF={given} LD_PRELOAD=build/libashlar.so /bin/true"]
    for option in options:
        origin = "ASHLAR_CONF" if option.name in CONFIRMED else "default"
        lines.append(f"ashlar: confirm: {option.name}:{CONFIRMED.get(option.name, option.initial)} ({origin})")
    return block(*lines)


def error_examples():
    examples = []
    for given, words in ERRORS:
        examples.append(f"$ ASHLAR_CONF={given} LD_PRELOAD=build/libashlar.so /bin/true")
        examples.append(f"ashlar: ASHLAR_CONF: {words}; all settings ignored")
    return block(*examples)


def guide(options):
    rows = "\n".join(row_of(option) for option in options)
    return GUIDE.format(rows=rows, confirm=confirm_example(options), errors=error_examples())


# ---- docs/man/ashlar-options.7 ----

MAN = """\
.\\" Made by dev/options.py from src/base/options.def. Do not edit.
.Dd November 23, 2026
.Dt ASHLAR-OPTIONS 7
.Os Ashlar
.Sh NAME
.Nm ashlar-options
.Nd what ASHLAR_CONF may say
.Sh DESCRIPTION
.Ev ASHLAR_CONF
holds settings of the form
.Ar key : Ns Ar value ,
with commas between them and no blanks.
It is read once, before the first allocation.
An error prints one line on descriptor 2, and all settings are ignored.
In a program with more rights than its caller the variable is not looked at.
.Pp
A size is a number of bytes, or of
.Cm K , M , G
or
.Cm T
(multiples of 1024).
A time is a number with
.Cm ms , s
or
.Cm m
(minutes).
.Bl -tag -width Ds
{items}
.El
.Pp
Options marked with * may change while the program runs, by
.Fn ashlar_option_set .
.Sh EXAMPLES
.Dl ASHLAR_CONF=confirm:on,dirty:16M LD_PRELOAD=libashlar.so.1 program
.Sh SEE ALSO
.Xr ashlar 1 ,
.Xr ashlar-run 1
"""


def item_of(option):
    values = " | ".join(option.takes())
    star = "*" if option.changes == "LIVE" else ""
    return "\n".join((f".It Cm {option.name}{star} : Ns Ar {values}", option.meaning[0].upper() + option.meaning[1:] + ".",
                      f"Default: {option.initial}."))


def man_page(options):
    return MAN.format(items="\n".join(item_of(option) for option in options))


# ---- Writing and checking ----


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, print the files that are stale")
    parser.add_argument("--source", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="root of the tree (default: the one of this script)")
    arguments = parser.parse_args()
    root = arguments.source
    try:
        options = read_table(root / "src/base/options.def")
    except (TableError, OSError) as error:
        print(f"options.py: {error}", file=sys.stderr)
        return 2

    stale = 0
    for path, text in ((root / "docs/options.md", guide(options)), (root / "docs/man/ashlar-options.7", man_page(options))):
        if path.is_file() and path.read_text() == text:
            continue
        stale += 1
        if arguments.check:
            print(f"{path.relative_to(root)}: not made from the present options.def; run dev/options.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
