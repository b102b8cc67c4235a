#!/usr/bin/python3
"""The report of `ashlar lab`: text, JSON and HTML say the same, a saved report gives them again, nothing breaks out."""

import html.parser
import json
import os
import re
import subprocess

from lib.lab import check_schema, lab, measure
from lib.tap import ASHLAR, HERE, contains, environment, is_equal, lacks, main, place, skip_if_sanitized, story

GOLDEN = os.path.join(os.path.dirname(HERE), "golden")
FIXTURE = os.path.join(GOLDEN, "lab.json")
FORBIDDEN = ("http:", "https:", "src=", "url(", "@import", "<script", "javascript:")


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def fixture(**changes):
    """The saved report with changes, in a file."""
    told = json.loads(read(FIXTURE))
    told.update(changes)
    with open(place("changed.json"), "w", encoding="utf-8") as stream:
        json.dump(told, stream)
    return place("changed.json")


def page(file, *words):
    result = lab("--from", file, "--html", place("lab.html"), "-o", place("lab.txt"), *words)
    assert result.status in (0, 1), str(result)
    return read(place("lab.html"))


class Reader(html.parser.HTMLParser):
    """Whether tags balance, and what the page holds."""

    VOID = {"meta", "br", "line", "rect", "path", "circle"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.values = []  # exact numbers of the tables
        self.shown = []   # what people read there
        self.pictures = []
        self.words = []
        self.feed(text)
        self.close()
        is_equal(self.open, [], "tags left open")

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "data":
            self.values.append(float(attributes["value"]))
            self.shown.append("")
        if tag == "svg":
            self.pictures.append({"attributes": attributes, "inside": []})
        if "svg" in self.open:
            self.pictures[-1]["inside"].append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if "svg" in self.open:
            self.pictures[-1]["inside"].append(tag)

    def handle_endtag(self, tag):
        is_equal(self.open.pop(), tag, "closing tag")

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "data":
            self.shown[-1] += data


@story
def golden_report_is_rendered_byte_for_byte():
    check_schema(json.loads(read(FIXTURE)))
    for language in ("en", "zh"):
        text = page(FIXTURE, "--lang", language)
        is_equal(text == read(os.path.join(GOLDEN, f"lab.{language}.html")), True, f"HTML, {language}")
        is_equal(read(place("lab.txt")), read(os.path.join(GOLDEN, f"lab.{language}.txt")), f"text, {language}")
    lab("--from", FIXTURE, "--json", "-o", place("again.json"))
    is_equal(read(place("again.json")), read(FIXTURE))


@story
def saved_report_is_rendered_as_it_was_measured():
    skip_if_sanitized()
    words = ("--only", "growth,valloc,memmove")
    measure(*words, "--html", place("first.html"))
    is_equal(page(place("lab.json")), read(place("first.html")))
    lab("--from", place("lab.json"), "--json", "-o", place("again.json"))
    is_equal(read(place("again.json")), read(place("lab.json")))


@story
def report_is_read_from_standard_input():
    with open(FIXTURE, "rb") as stream:
        result = lab("--from", "-", data=stream.read())
    is_equal((result.status, result.out), (0, read(os.path.join(GOLDEN, "lab.en.txt"))))


@story
def page_needs_nothing_else():
    text = page(FIXTURE)
    for part in FORBIDDEN:
        lacks(text, part)
    contains(text, "default-src 'none'; style-src 'unsafe-inline'")
    contains(text, "prefers-color-scheme:dark")
    contains(text, "@media print")
    contains(text, "width=device-width")
    assert len(text.encode()) <= 1024 * 1024, len(text)


@story
def tags_balance_and_pictures_are_described():
    for language in ("en", "zh"):
        reader = Reader(page(FIXTURE, "--lang", language))
        assert len(reader.pictures) >= 4, len(reader.pictures)
        for picture in reader.pictures:
            contains(picture["attributes"], "viewbox")
            is_equal(picture["attributes"]["role"], "img")
            is_equal(picture["inside"][:2], ["title", "desc"])


@story
def numbers_are_those_of_the_json():
    told = json.loads(read(FIXTURE))
    reader = Reader(page(FIXTURE))
    expected = sorted(metric["median"] for result in told["results"] for metric in result["metrics"])
    is_equal(sorted(reader.values), expected)


@story
def text_shows_the_numbers_of_the_page():
    """Curves of many points are told by their ends; every other value stands in the text as in the page."""
    told = json.loads(read(FIXTURE))
    reader = Reader(page(FIXTURE))
    text = re.sub(r"\s+", " ", read(place("lab.txt")))
    shown = dict(zip(reader.values, reader.shown))
    for result in told["results"]:
        for metric in result["metrics"]:
            points = sum(other["name"] == metric["name"] for other in result["metrics"])
            if points <= 12:
                contains(text, shown[metric["median"]])


@story
def first_line_of_a_card_tells_the_contradiction():
    told = json.loads(read(FIXTURE))
    text = page(FIXTURE)
    lines = read(place("lab.txt")).split("\n\n")
    is_equal(len(lines) - 1, len(told["cards"]))
    for card, block in zip(told["cards"], lines[1:]):
        first = block.splitlines()[0]
        is_equal("contradicts" in first, card["contradicts_textbook"], first)
        heading = re.search(f'id="{card["id"]}"><h2>(.*?)</h2>', text).group(1)
        is_equal("contradicts" in heading, card["contradicts_textbook"], heading)
    contains(lines[0].splitlines()[0], f"{len(told['cards'])} cards: ")
    contains(lines[0].splitlines()[0], f"{told['counts']['differs']} contradicting it")


@story
def one_card_is_not_cards():
    told = json.loads(read(FIXTURE))
    page(fixture(cards=told["cards"][:1]))
    assert read(place("lab.txt")).startswith("1 card: "), read(place("lab.txt"))[:40]


@story
def hostile_strings_stay_strings():
    told = json.loads(read(FIXTURE))
    told["machine"]["processor"] = "<&\"> '</td><script>x</script>\x1b[31m"
    told["machine"]["<b>"] = "&lt;"
    told["machine"]["blank"] = " ends in blanks  "
    told["machine"]["empty"] = ""
    told["results"][0]["allocator"] = "<i>\"&'\u202e"
    text = page(fixture(machine=told["machine"], results=told["results"]))
    lacks(text, "<script")
    lacks(text, "<b>")
    lacks(text, "<i>")
    words = "".join(Reader(text).words)
    contains(words, "<&\"> '</td><script>x</script>")
    lacks(read(place("lab.txt")), "\x1b")


@story
def chinese_report_has_no_english_sentence():
    page(FIXTURE, "--lang", "zh")
    for line in read(place("lab.txt")).splitlines():
        if line.startswith(("  教", "    *", "  陷")):
            assert re.search("[\u4e00-\u9fff]", line), line
        lacks(line, "the ")


@story
def lines_fit_a_terminal():
    """80 columns, of which a Chinese character takes two. No line begins or ends with the wrong mark."""
    for language in ("en", "zh"):
        page(FIXTURE, "--lang", language)
        for line in read(place("lab.txt")).splitlines():
            assert sum(2 if ord(letter) >= 0x3000 else 1 for letter in line) <= 80, (language, line)
            lacks("，。；：）、”？", line.strip()[:1] or "-")
            lacks("（“", line[-1:] or "-")


@story
def every_text_has_two_languages():
    """Chinese has Chinese in it, English has none, and both have the same places for values."""
    source = read(os.path.join(os.path.dirname(HERE), "..", "..", "cli", "lab", "texts.def"))
    literal = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
    rows = re.findall(r"^TEXT\((\w+),\s*" + literal + r",\s*" + literal + r"\)", source, re.M)
    is_equal(len(rows), len(re.findall(r"^TEXT\(", source, re.M)))
    names = {"malloc_title", "calloc_title", "memalign_title", "valloc_title", "alloca_title", "realloc_title",
             "free_title", "memset_title", "memcpy_title", "memmove_title"}
    for name, english, chinese in rows:
        assert not re.search("[\u4e00-\u9fff]", english), name
        assert name in names or re.search("[\u4e00-\u9fff]|；", chinese), name
        places = [set(re.findall(r"\{[^}]*\}", re.sub(r'"\s*"', "", text))) for text in (english, chinese)]
        is_equal(places[1] - places[0], set(), name)


@story
def bad_report_is_refused():
    cases = {"{": "at byte", "[]": "its schema is not", '{"schema":"ashlar.run/1"}': "its schema is not",
             '{"schema":"ashlar.lab/1"}': "are missing"}
    for text, message in cases.items():
        with open(place("bad.json"), "w", encoding="utf-8") as stream:
            stream.write(text)
        result = lab("--from", place("bad.json"))
        is_equal((result.status, result.out), (4, ""), text)
        contains(result.err, message)
    is_equal(lab("--from", place("missing.json")).status, 4)


@story
def damaged_parts_of_a_report_are_refused():
    def damaged(change):
        told = json.loads(read(FIXTURE))
        change(told)
        return lab("--from", fixture(**told)).status

    is_equal(damaged(lambda told: None), 0)
    is_equal(damaged(lambda told: told["cards"][0].update(id="<b>")), 4)
    is_equal(damaged(lambda told: told["cards"][0].update(verdict="fine")), 4)
    is_equal(damaged(lambda told: told["results"][0]["says"].append("no_such_sentence")), 4)
    is_equal(damaged(lambda told: told["results"][0]["says"].append(3)), 4)
    is_equal(damaged(lambda told: told["results"][0]["metrics"][0].update(name="x")), 4)
    is_equal(damaged(lambda told: told["results"][0]["metrics"][0].update(median="1")), 4)
    is_equal(damaged(lambda told: told["results"][0]["metrics"][0].update(median=1e300)), 4)
    is_equal(damaged(lambda told: told["results"][0]["metrics"][0].update(x=-1e300)), 4)
    is_equal(damaged(lambda told: told["results"][0].update(metrics=7)), 4)
    is_equal(damaged(lambda told: told.update(machine=[])), 4)


@story
def unwritable_report_is_told_before_anything_is_measured():
    for words in (["-o", place("no/file")], ["--html", place("no/file")], ["-o", place("")]):
        result = lab(*words)
        is_equal(result.status, 5, str(result))
        contains(result.err, "nothing was measured")


@story
def two_reports_in_one_place_are_refused():
    """The second would wipe out the first, or follow it in the same stream."""
    with open(place("old"), "w", encoding="ascii") as stream:
        stream.write("kept")
    os.link(place("old"), place("other_name"))
    for words in (["-o", place("new"), "--html", place("new")], ["--html", "-"], ["-o", "-", "--html", "-"],
                  ["-o", place("old"), "--html", place("other_name")]):
        result = lab("--from", FIXTURE, *words)
        is_equal((result.status, result.out), (2, ""), str(words))
        contains(result.err, "two reports cannot go to one place")
    is_equal((read(place("old")), os.path.exists(place("new"))), ("kept", False))
    is_equal(lab("--from", FIXTURE, "-o", "/dev/null", "--html", "/dev/null").status, 2)
    result = lab("--from", FIXTURE, "-o", place("text"), "--html", "-")
    assert result.status == 0 and result.out.startswith("<!doctype html>"), str(result)


@story
def page_is_there_although_nobody_reads_the_text():
    """As `ashlar lab --html FILE | head -1` ends."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        subprocess.run([ASHLAR, "lab", "--from", FIXTURE, "--html", place("lab.html")], stdout=pipe, env=environment(),
                       check=False)
    is_equal(read(place("lab.html")), read(os.path.join(GOLDEN, "lab.en.html")))


@story
def full_disk_is_told():
    for words in (["-o", "/dev/full"], ["--html", "/dev/full"]):
        result = lab("--from", FIXTURE, *words)
        is_equal(result.status, 5, str(result))
        contains(result.err, "the report could not be written to /dev/full")


if __name__ == "__main__":
    main()
