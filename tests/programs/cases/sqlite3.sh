# witness: */sqlite3
# SQL work on a database file (write-ahead log, indexes, text search, triggers) and in memory; then the file is checked.

cat >fill.sql <<'SQL'
PRAGMA journal_mode = wal;
CREATE TABLE part(id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight REAL, colour TEXT);
CREATE TABLE stock(part INTEGER REFERENCES part, place INTEGER, amount INTEGER, PRIMARY KEY(part, place)) WITHOUT ROWID;
CREATE TABLE history(at INTEGER, part INTEGER, change INTEGER);
CREATE TRIGGER keep_history AFTER UPDATE OF amount ON stock
    BEGIN INSERT INTO history VALUES ((SELECT count(*) FROM history), new.part, new.amount - old.amount); END;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
    INSERT INTO part SELECT i, printf('part %05d %s', i * 7919 % 60000, hex(i * 104729)), (i * 31 % 997) / 8.0,
        CASE i % 4 WHEN 0 THEN 'red' WHEN 1 THEN 'green' WHEN 2 THEN 'blue' END FROM n;
INSERT INTO stock SELECT id, id % 17, id * 13 % 101 FROM part;
INSERT INTO stock SELECT id, 17 + id % 5, id * 29 % 211 FROM part WHERE id % 3 = 0;
COMMIT;
CREATE INDEX part_name ON part(name);
CREATE INDEX part_colour ON part(colour, weight);
UPDATE stock SET amount = amount + 5 WHERE place = 3;
DELETE FROM part WHERE id % 1000 = 999;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO words SELECT name || ' ' || coalesce(colour, 'plain') FROM part WHERE id <= 20000;
SQL

cat >ask.sql <<'SQL'
SELECT 'parts', count(*), round(sum(weight), 1), count(DISTINCT name) FROM part;
SELECT 'colours', colour, count(*), max(name) FROM part GROUP BY colour ORDER BY colour;
SELECT 'stock', place, sum(amount) AS total FROM stock JOIN part ON part.id = stock.part
    GROUP BY place ORDER BY total DESC LIMIT 3;
SELECT 'history', count(*), sum(change) FROM history;
SELECT 'search', count(*) FROM words WHERE words MATCH 'blue';
SELECT 'rank', name, weight, rank() OVER (PARTITION BY colour ORDER BY weight DESC, id) AS place
    FROM part ORDER BY place, name LIMIT 3;
SELECT 'json', json_extract(json_group_array(json_object('id', id, 'name', name)), '$[1234].name') FROM part;
SELECT 'text', length(group_concat(name, ';')) FROM (SELECT name FROM part ORDER BY name);
SQL

sqlite3 -batch store.db <fill.sql
sqlite3 -batch store.db <ask.sql
sqlite3 -batch store.db 'PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check; PRAGMA foreign_key_check(part);'

echo "== the dump makes the same database"
sqlite3 -batch store.db .dump >dump.sql
sqlite3 -batch copy.db <dump.sql
sqlite3 -batch copy.db <ask.sql >copy.txt
sqlite3 -batch store.db <ask.sql | diff - copy.txt && echo same
sqlite3 -batch store.db 'DELETE FROM history; VACUUM; PRAGMA integrity_check;'

echo "== in memory"
sqlite3 -batch :memory: <<'SQL'
.read fill.sql
.read ask.sql
PRAGMA integrity_check;
SELECT 'big', length(hex(zeroblob(20000000))), length(replace(printf('%.*c', 3000000, 'a'), 'a', 'bcd'));
SQL
