# witness: */postgres */psql */pgbench */pg_ctl */initdb */pg_dump
# A PostgreSQL cluster of its own on a unix socket: pgbench from four clients, queries with hashes, sorts and JSON,
# parallel workers, a dump that makes the same database again. The server refuses to run as root, so root becomes
# another user first.

bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
PATH=$bin:$PATH
if [ "$(id -u)" = 0 ] && [ -z "${NOT_ROOT-}" ]; then
    chown nobody "$PWD" "$HOME" "$RECORD"
    NOT_ROOT=1 exec setpriv --reuid nobody --regid nogroup --clear-groups bash -eu -o pipefail "$0"
fi

export PGHOST=$PWD PGDATA=$PWD/data PGUSER=tester PGDATABASE=postgres PGTZ=UTC
initdb -A trust -N -U tester --encoding UTF8 --locale C.UTF-8 >initdb.log 2>&1
trap 'pg_ctl -w -m immediate stop >/dev/null 2>&1 || true' EXIT
pg_ctl -w -l server.log -o "-k $PWD -c listen_addresses='' -c fsync=off -c shared_buffers=32MB -c work_mem=2MB \
    -c max_parallel_workers_per_gather=2 -c min_parallel_table_scan_size=0 -c parallel_setup_cost=0 -c jit=on \
    -c jit_above_cost=50000 -c max_wal_size=256MB" start >start.log
pg_ctl status | grep -o 'server is running'

echo '== pgbench'
createdb bench
pgbench -q -i -s 3 bench >pgbench.log 2>&1
pgbench -n -c 4 -j 2 -t 300 --random-seed=7 bench 2>>pgbench.log | grep -E 'processed|failed'
pgbench -n -c 4 -j 2 -t 300 -M prepared --random-seed=8 bench 2>>pgbench.log | grep -E 'processed|failed'
pgbench -n -S -c 8 -j 2 -t 500 -M extended --random-seed=9 bench 2>>pgbench.log | grep -E 'processed|failed'
psql -d bench -At <<'SQL'
SELECT 'balance', (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
    (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches),
    (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT count(*) FROM pgbench_history);
SQL

echo '== queries'
createdb work
cat >fill.sql <<'SQL'
SET client_min_messages = warning;
CREATE TABLE part(id int PRIMARY KEY, name text, weight numeric(8, 3), tags text[], data jsonb, at timestamptz);
INSERT INTO part SELECT i, 'part ' || md5(i::text), i * 31 % 997 / 8.0, ARRAY['t' || i % 7, 't' || i % 11],
    jsonb_build_object('id', i, 'list', jsonb_build_array(i % 3, i % 5, repeat('x', i % 40))),
    timestamptz '2020-01-01 UTC' + i * interval '1 minute'
    FROM generate_series(1, 40000) i;
CREATE TABLE sale AS SELECT i AS id, i * 7919 % 40000 + 1 AS part, i % 365 AS day, i * 13 % 101 AS amount
    FROM generate_series(1, 150000) i;
CREATE INDEX ON part(name);
CREATE INDEX ON part USING gin(tags);
CREATE INDEX ON part USING gin(data jsonb_path_ops);
CREATE INDEX ON sale(part, day);
CREATE FUNCTION collatz(n bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE steps int := 0;
BEGIN
    WHILE n <> 1 LOOP n := CASE WHEN n % 2 = 0 THEN n / 2 ELSE 3 * n + 1 END; steps := steps + 1; END LOOP;
    RETURN steps;
EXCEPTION WHEN numeric_value_out_of_range THEN RETURN -1;
END $$;
CREATE MATERIALIZED VIEW daily AS SELECT day, count(*) AS sales, sum(amount) AS amount FROM sale GROUP BY day;
ANALYZE;
SQL
cat >ask.sql <<'SQL'
SELECT 'join', count(*), sum(amount * weight) FROM sale JOIN part ON part.id = sale.part WHERE day < 200;
SELECT 'parallel', count(DISTINCT name), max(length(data::text)) FROM part;
SELECT 'window', part, day, amount, rank() OVER (PARTITION BY day % 7 ORDER BY amount DESC, id) AS place
    FROM sale ORDER BY place, part LIMIT 3;
SELECT 'json', count(*) FROM part WHERE data @> '{"list": [2]}';
SELECT 'tags', count(*) FROM part WHERE tags @> ARRAY['t3', 't5'];
SELECT 'text', count(*), md5(string_agg(name, ',' ORDER BY name)) FROM part WHERE name ~ 'part [a-f]{2}[0-9]{2,}';
SELECT 'sort', md5(string_agg(id::text, ' ' ORDER BY amount, day, id)) FROM sale;
SELECT 'function', max(collatz(id)), sum(collatz(id)) FROM part WHERE id <= 3000;
SELECT 'view', sum(sales), sum(amount), max(amount) FROM daily;
SELECT 'xml', length(json_agg(part)::text) FROM part WHERE id <= 5000;
WITH RECURSIVE tree(id, depth) AS
    (SELECT 1, 0 UNION ALL SELECT id * 2 + b, depth + 1 FROM tree, generate_series(0, 1) b WHERE depth < 14)
    SELECT 'tree', count(*), sum(id) FROM tree;
SELECT 'aggregates', percentile_cont(0.5) WITHIN GROUP (ORDER BY weight), round(stddev(weight), 6),
    mode() WITHIN GROUP (ORDER BY weight) FROM part;
SQL
psql -q -d work -v ON_ERROR_STOP=1 -f fill.sql
psql -d work -At -v ON_ERROR_STOP=1 -f ask.sql | tee answers.txt
psql -d work -At -c 'SELECT 1 / 0' 2>&1 || echo "psql status $?"

echo '== dump and restore'
pg_dump -Fc -f work.dump work
createdb again
pg_restore -j 2 -d again work.dump
psql -d again -q -c ANALYZE
psql -d again -At -f ask.sql | diff - answers.txt && echo 'same answers'
psql -q -d work -c 'VACUUM FULL' -c 'REINDEX DATABASE work' -c 'DELETE FROM sale WHERE day > 100' -c 'VACUUM ANALYZE'
pg_amcheck --install-missing work && echo 'checked'
pg_ctl -w -m fast stop >stop.log
grep -cE 'PANIC|FATAL|terminated by signal' server.log || true
