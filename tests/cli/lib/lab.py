"""lab.py: what the tests of `ashlar lab` share."""

import functools
import json
import os

from lib.tap import BUILD, PROJECT, ashlar, is_equal, place

CARDS = ("manage limits fragment growth efficiency static fault "
         "malloc calloc memalign valloc alloca realloc free memset memcpy memmove").split()
SUPPORT = os.path.join(BUILD, "tests", "cli")


@functools.lru_cache(maxsize=None)
def validator():
    """None when python3-jsonschema is not installed."""
    try:
        import jsonschema
    except ImportError:
        return None
    with open(os.path.join(PROJECT, "cli", "schemas", "lab.schema.json"), encoding="utf-8") as stream:
        schema = json.load(stream)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check_schema(told):
    if validator() is not None:
        errors = [f"{error.json_path}: {error.message}" for error in validator().iter_errors(told)]
        is_equal(errors[:3], [], "schema")


def lab(*words, **more):
    """`ashlar lab WORDS`; afterwards nothing may be left of it."""
    result = ashlar("lab", *words, **more)
    is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
    return result


def measure(*words, **more):
    """`ashlar lab --quick --json -o FILE`. Returns the result and the report, checked against the schema."""
    file = place("lab.json")
    result = lab("--quick", "--json", "-o", file, *words, **more)
    with open(file, encoding="utf-8") as stream:
        told = json.load(stream)
    check_schema(told)
    return result, told


def verdicts(told):
    return {card["id"]: card["verdict"] for card in told["cards"]}


def results(told, card):
    return [result for result in told["results"] if result["id"] == card]


def metric(result, name, x=None):
    for entry in result["metrics"]:
        if entry["name"] == name and entry.get("x") == x:
            return entry
    raise AssertionError(f"{name} at {x} was not measured: {result['notes']}")
