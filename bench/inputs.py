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
