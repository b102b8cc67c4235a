"""Inputs for the real programs, made here from a fixed seed, so that everybody measures the same work."""

import random


def c_source(functions):
    """A C file of `functions` random functions: arithmetic, loops, arrays, structs, switches, calls."""
    source = random.Random(1)
    text = ["struct node { struct node *next; long key; int value; unsigned char bytes[24]; };",
            "static long table[4096];", "extern long effect(long);"]
    for number in range(functions):
        text.append(_c_function(source, number))
    text.append("long all(struct node *n) {\n    long sum = 0;")
    text += [f"    sum += function_{number}(n, sum, {number});" for number in range(functions)]
    text.append("    return sum;\n}")
    return "\n".join(text) + "\n"


def _c_function(source, number):
    lines = [f"long function_{number}(struct node *n, long a, int b) {{", "    long x = a, y = b, z = 1;"]
    for _ in range(source.randint(8, 24)):
        lines.append("    " + source.choice(_C_STATEMENTS).format(
            e=_c_expression(source, 3), f=_c_expression(source, 2), v=source.choice("xyz"), k=source.randint(1, 4095),
            m=source.randint(2, 9), callee=source.randrange(number) if number else 0, sum="x + y"))
    return "\n".join(lines + ["    return x ^ y ^ z;", "}", ""])


_C_STATEMENTS = (
    "{v} += {e};",
    "if ({e} > {f}) {{ {v} = {e}; }} else {{ {v} -= {f}; }}",
    "for (int i = 0; i < {m}; i++) {{ table[(i * {k}) & 4095] += {e}; {v} ^= table[i]; }}",
    "while (n && n->key < {e}) {{ {v} += n->value; n = n->next; }}",
    "switch ((int)({e}) & 7) {{ case 0: {v} = {e}; break; case 1: case 2: {v}++; break; case 5: {v} = {f}; break; "
    "default: {v} ^= {k}; }}",
    "if (n) {{ n->value = (int)({e}); n->bytes[({v}) & 15] = (unsigned char){k}; }}",
    "{v} += effect({e});",
    "{v} = {v} * {k} + ({e}) / {m};",
    "{{ struct node copy = {{0, {e}, (int)({f}), {{0}}}}; {v} += copy.key + copy.value + copy.bytes[{m}]; }}",
)


def _c_expression(source, depth):
    if depth == 0:
        number = source.randint(0, 4095)
        return source.choice(("x", "y", "z", "a", "b", f"{number}", f"table[{number}]"))
    left, right = _c_expression(source, depth - 1), _c_expression(source, depth - 1)
    return f"({left} {source.choice('+-*&|^')} {right})"


def sql_script(rows):
    """A script for sqlite3: fill, index, join, update, delete, aggregate; it prints sums of what it found."""
    return f"""
PRAGMA temp_store = memory;
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price INTEGER, body TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, item INTEGER, amount INTEGER, day INTEGER);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO item SELECT i, i * 7919 % 97, printf('name-%d-%x', i * 31 % 1009, i), i * 104729 % 10007,
    hex(printf('%0*d', 8 + i % 90, i)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {2 * rows})
INSERT INTO sale SELECT i, 1 + i * 6007 % {rows}, i % 11, i * 13 % 365 FROM n;
COMMIT;
CREATE INDEX item_kind ON item(kind, price);
CREATE INDEX item_name ON item(name);
CREATE INDEX sale_item ON sale(item);
UPDATE item SET body = body || name WHERE kind % 5 = 0;
DELETE FROM sale WHERE day % 10 = 3;
SELECT count(*), sum(length(body)) FROM item;
SELECT sum(total), max(total) FROM (SELECT kind, sum(price * amount) AS total FROM item JOIN sale ON sale.item = item.id
    GROUP BY kind);
SELECT count(*) FROM (SELECT DISTINCT substr(name, 1, 8) FROM item);
SELECT sum(length(line)) FROM (SELECT group_concat(name) AS line FROM item GROUP BY kind ORDER BY 1);
SELECT count(*) FROM (SELECT id FROM item ORDER BY body DESC LIMIT {rows // 2});
DROP INDEX item_name;
VACUUM;
SELECT sum(id) FROM item WHERE name LIKE '%7%';
"""


def cpp_source(modules):
    """A C++ file of `modules` random namespaces: class hierarchies, templates, standard containers and algorithms."""
    source = random.Random(2)
    text = ["#include <algorithm>", "#include <map>", "#include <memory>", "#include <numeric>", "#include <string>",
            "#include <vector>", _CPP_COMMON]
    text += [_cpp_module(source, number) for number in range(modules)]
    calls = " + ".join(f"module_{number}::run({source.randint(1, 99)})" for number in range(modules))
    return "\n".join(text + [f"long run_all() {{ return {calls}; }}", ""])


# What every module builds on: a template that inherits from itself, one over types, one over a function.
_CPP_COMMON = """
template <int N> struct Chain : Chain<N - 1> {
    std::vector<Chain<N - 1> *> links;
    long depth() const override { return N + Chain<N - 1>::depth() + static_cast<long>(links.size()); }
};
template <> struct Chain<0> {
    virtual ~Chain() = default;
    virtual long depth() const { return 0; }
};
template <typename... Parts> struct Record {
    static constexpr long width = (0 + ... + static_cast<long>(sizeof(Parts)));
};
template <typename List, typename Function> long sum_of(const List &list, Function function)
{
    return std::accumulate(list.begin(), list.end(), 0L,
                           [&](long sum, const auto &entry) { return sum + function(entry); });
}
"""


def _cpp_module(source, number):
    """A hierarchy with virtual functions, a map of its objects, and a function that fills, sorts and sums them."""
    kinds = source.randint(2, 4)
    parts = ", ".join(source.choice(("char", "short", "int", "long", "double", "void *")) for _ in range(6))
    lines = [f"namespace module_{number} {{",
             "struct Base { long key = 0; std::string name; virtual ~Base() = default; "
             "virtual long value(long) const = 0; };"]
    for kind in range(kinds):
        first, limit, factor = source.randint(1, 999), source.randint(2, 30), source.randint(1, 99)
        lines.append(f"struct Kind{kind} : Base {{ long a = {first}; long value(long x) const override {{"
                     f" long y = key; for (long i = 0; i < {limit}; i++) y += (x ^ a) * i;"
                     f" return y + static_cast<long>(name.size()) * {factor}; }} }};")
    lines.append(f"template <int N> struct Table : Chain<N> {{ std::map<{source.choice(('int', 'long', 'short'))},"
                 " std::shared_ptr<Base>> entries; };")
    lines += ["long run(long x) {", f"    Table<{number % 8 + 2}> table;", "    std::vector<Base *> sorted;"]
    for kind in range(kinds):
        lines.append(f"    for (long i = 0; i < x; i++) {{ auto made = std::make_shared<Kind{kind}>();"
                     f" made->key = i * {source.randint(3, 97)}; made->name = std::to_string(i + x);"
                     " table.entries[made->key] = made; }")
    lines += ["    for (auto &[key, entry] : table.entries) sorted.push_back(entry.get());",
              "    std::sort(sorted.begin(), sorted.end(), [](auto *a, auto *b) { return a->name < b->name; });",
              "    return table.depth() + sum_of(sorted, [x](const Base *entry) { return entry->value(x); }) + "
              f"Record<{parts}>::width;", "}", "}"]
    return "\n".join(lines)


def smt_script(problems):
    """Problems for z3, each on its own: random 3-SAT, bit vectors, linear arithmetic. Each is sat or unsat."""
    source = random.Random(3)
    makers = (_smt_clauses, _smt_vectors, _smt_integers)
    lines = []
    for number in range(problems):
        lines += ["(push)", *makers[number % len(makers)](source), "(check-sat)", "(pop)"]
    return "\n".join(lines) + "\n"


def _smt_clauses(source):
    """Near 4.2 clauses for a variable, where either answer is likely."""
    count = 110
    lines = [f"(declare-const v{i} Bool)" for i in range(count)]
    for _ in range(count * 42 // 10):
        literals = " ".join(source.choice(("{}", "(not {})")).format(f"v{i}") for i in source.sample(range(count), 3))
        lines.append(f"(assert (or {literals}))")
    return lines


def _smt_vectors(source):
    lines = [f"(declare-const b{i} (_ BitVec 16))" for i in range(6)]
    for _ in range(5):
        a, b, c = source.sample(range(6), 3)
        operation, other = source.sample(("bvadd", "bvmul", "bvxor", "bvand", "bvor"), 2)
        lines.append(f"(assert (= ({operation} b{a} b{b}) ({other} b{c} #x{source.randrange(1, 65536):04x})))")
    return lines


def _smt_integers(source):
    count = 12
    lines = [f"(declare-const i{i} Int)(assert (and (<= 0 i{i}) (<= i{i} 50)))" for i in range(count)]
    for _ in range(count):
        terms = " ".join(f"(* {source.randint(-9, 9)} i{i})" for i in source.sample(range(count), 4))
        lines.append(f"(assert (<= (+ {terms}) {source.randint(-40, 60)}))")
    return lines


def git_history(commits):
    """A stream for `git fast-import`: `commits` commits, each changing some lines in a few of 60 files."""
    source = random.Random(4)
    files = [[_text_line(source) for _ in range(source.randint(50, 400))] for _ in range(60)]
    text = []
    for commit in range(commits):
        text.append(f"commit refs/heads/main\ncommitter Bench <bench@example.org> {1600000000 + 60 * commit} +0000\n"
                    f"data <<END\nchange {commit}\nEND\n")
        for number in source.sample(range(60), 4) if commit else range(60):
            lines = files[number]
            for _ in range(3):
                lines[source.randrange(len(lines))] = _text_line(source)
            text.append(f"M 100644 inline folder{number % 7}/file{number}.txt\ndata <<END\n" + "\n".join(lines)
                        + "\nEND\n")
    return "".join(text)


def _text_line(source):
    """A line of some words, none of which is END."""
    return " ".join(source.choice(_WORDS) for _ in range(source.randint(3, 12)))


_WORDS = [f"{first}{middle}{last}" for first in ("st", "pr", "k", "m", "b", "gr") for middle in ("a", "e", "io", "u")
          for last in ("nd", "r", "ttle", "sh", "ver", "m")]


def text(kib):
    """Lines of words and numbers, `kib` KiB of them."""
    source = random.Random(5)
    lines, wanted = [], kib * 1024
    while wanted > 0:
        lines.append(f"{_text_line(source)} {source.randrange(10**6)}\n")
        wanted -= len(lines[-1])
    return "".join(lines)


def redis_commands(count):
    """Commands for `redis-cli --pipe`: values of all types that are made, grown, replaced and deleted."""
    source = random.Random(6)
    return "".join(source.choice(_REDIS_COMMANDS).format(
        key=source.randrange(count // 8 + 1), few=source.randrange(count // 200 + 1), field=source.randrange(100),
        number=source.randrange(10**6), value="x" * int(source.paretovariate(1.0) * 16 % 4000)) for _ in range(count))


_REDIS_COMMANDS = (
    "SET string:{key} {value}{number}\n", "SET string:{key} {value}\n", "APPEND string:{key} {number}\n",
    "GET string:{key}\n", "DEL string:{key}\n", "HSET hash:{few} field:{field} {value}\n", "HGETALL hash:{few}\n",
    "RPUSH list:{few} {value} {number}\n", "LPOP list:{few}\n", "ZADD sorted:{few} {number} member:{key}\n",
    "ZRANGE sorted:{few} 0 20\n", "SADD set:{few} {number}\n",
)


# Read by pgbench, for PostgreSQL; `low` is drawn anew each time.
PGBENCH_QUERIES = """\\set low random(1, 90000)
SELECT count(*), sum(balance) FROM (SELECT abalance + aid % 97 AS balance, aid % 53 AS kind FROM pgbench_accounts
    WHERE aid BETWEEN :low AND :low + 800 ORDER BY kind, balance) AS sorted;
SELECT length(string_agg(line, ',')) FROM (SELECT aid % 31 AS kind, json_agg(json_build_object('aid', aid, 'balance',
    abalance))::text AS line FROM pgbench_accounts WHERE aid BETWEEN :low AND :low + 400 GROUP BY kind) AS lines;
"""
