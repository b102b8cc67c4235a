#!/usr/bin/python3
"""The pages of `ashlar explain`, and their examples, which compile without a warning and run."""

import os
import re
import subprocess

from lib.tap import ASHLAR, PROJECT, Skip, ashlar, contains, is_equal, main, place, story

PAGES = os.path.join(PROJECT, "cli", "explain")
HEADINGS = {"en": ("What it promises", "How it fails", "Traps", "Source", "See also"),
            "zh": ("承诺", "如何失败", "陷阱", "出处", "参见")}


def topics():
    with open(os.path.join(PAGES, "topics.def"), encoding="utf-8") as stream:
        return re.findall(r"^TOPIC\((\w+)\)", stream.read(), re.M)


def read(*parts):
    with open(os.path.join(PAGES, *parts), encoding="utf-8") as stream:
        return stream.read()


@story
def topics_are_listed():
    for language in ("en", "zh"):
        lines = ashlar("explain", "--lang", language).out.splitlines()
        is_equal([re.split("[:：]", line)[0] for line in lines], topics(), language)


@story
def every_file_is_a_topic():
    for folder, ending in (("en", ".txt"), ("zh", ".txt"), ("examples", ".c")):
        is_equal(sorted(os.listdir(os.path.join(PAGES, folder))), sorted(name + ending for name in topics()), folder)


@story
def page_and_example_are_shown_whole():
    for language in ("en", "zh"):
        for topic in topics():
            result = ashlar("explain", "--lang", language, topic)
            is_equal((result.status, result.err), (0, ""), topic)
            assert result.out.startswith(read(language, topic + ".txt")), topic
            for line in read("examples", topic + ".c").splitlines():
                contains(result.out, line)


@story
def functions_have_all_sections():
    for topic in ("malloc", "calloc", "realloc", "memalign", "valloc", "alloca", "free", "memset", "memcpy", "memmove"):
        for language, headings in HEADINGS.items():
            for heading in headings:
                contains(read(language, topic + ".txt"), "\n" + heading + "\n")


@story
def references_lead_somewhere():
    for language, heading in (("en", "See also"), ("zh", "参见")):
        for topic in topics():
            text = read(language, topic + ".txt")
            line = text[text.index("\n" + heading + "\n") + len(heading) + 2:]
            for name in re.findall(r"[a-z]+(?=[,;；\n])", re.sub(r"ashlar lab.*", "", line)):
                contains(topics(), name)
            for card in re.findall(r"--only (\w+)", line):
                is_equal(ashlar("lab", "--only", card, "--list").status, 0, card)


@story
def lines_fit_a_terminal():
    for topic in topics():
        for line in read("en", topic + ".txt").splitlines() + read("examples", topic + ".c").splitlines():
            assert len(line) <= 120, (topic, line)
        for line in read("zh", topic + ".txt").splitlines():
            assert sum(2 if ord(letter) > 0x2e80 else 1 for letter in line) <= 88, (topic, line)


def example(topic):
    """A story: the example compiles without a warning, runs and says something."""

    def body():
        program = place(topic)
        command = [os.environ.get("CC", "cc"), "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
                   os.path.join(PAGES, "examples", topic + ".c"), "-o", program]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        except FileNotFoundError:
            raise Skip(f"no compiler: {command[0]}") from None
        is_equal((done.returncode, done.stdout.decode()), (0, ""), topic)
        ran = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        is_equal((ran.returncode, ran.stderr), (0, b""), topic)
        assert ran.stdout.strip(), topic

    body.__name__ = f"example_of_{topic}_runs"
    return body


for word in topics():
    story(example(word))


@story
def unknown_topic_is_answered_with_the_nearest():
    result = ashlar("explain", "mallco")
    is_equal((result.status, result.out), (2, ""))
    contains(result.err, "no topic is called 'mallco', did you mean 'malloc'?")
    contains(ashlar("explain", "fragment").err, "did you mean 'fragmentation'?")
    contains(ashlar("explain", "MALLOC").err, "did you mean 'malloc'?")
    contains(ashlar("explain", "posix_memalign").err, "these have the word: free, memalign")
    contains(ashlar("explain", "leak").err, "these have the word: heap, manage")
    contains(ashlar("explain", "OVERCOMMIT").err, "limits")
    contains(ashlar("explain", "碎片").err, "fragmentation")
    result = ashlar("explain", "xylophone")
    is_equal(result.status, 2)
    contains(result.err, "('ashlar explain' lists them)")


@story
def page_that_cannot_be_written_is_told():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([ASHLAR, "explain", "malloc"], stdout=full,
                              stderr=subprocess.PIPE, check=False)
    is_equal(done.returncode, 5)
    contains(done.stderr.decode(), "the page could not be written")


if __name__ == "__main__":
    main()
