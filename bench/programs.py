"""The workloads that are real programs, from Debian's packages.

For each there is a function that makes its input in the scratch directory and returns the Workload, or None when the
program is not installed. A program is always Debian's own: another one in the PATH may be a script, or carry its own
malloc. Inputs are made from fixed seeds (inputs.py) or by a script with a fixed seed of its own (scripts/). Where a
short run is no simple thing, the proof of the preload is `--version`: all symbols are bound at start.
"""

import os
import pathlib
import pwd
import shlex
import shutil
import subprocess

import inputs
from workloads import Client, Workload

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"
PATH = "/usr/bin:/bin"


def _find(*programs):
    """The paths of all these programs, or None when one is missing."""
    paths = [shutil.which(program, path=PATH) for program in programs]
    return paths if all(paths) else None


def _make(*command, **options):
    """Run a command that makes a part of the input. Raises ValueError when it fails. returns: its stdout."""
    environment = {"PATH": PATH, "LC_ALL": "C", "HOME": "/nonexistent"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise ValueError(f"{shlex.join(command)} failed: {' '.join((done.stdout + done.stderr).split())[-300:]}")
    return done.stdout.strip()


def _count(settings, usual):
    """A number of pieces of work at the wanted scale."""
    return max(1, usual * settings.scale // 100)


# ---- Compilers -------------------------------------------------------------------------------------------------------


def _compiler(driver, name):
    """The compiler proper that gcc or g++ would start, or None."""
    found = _find(driver)
    path = _make(*found, f"-print-prog-name={name}") if found else ""
    return path if pathlib.Path(path).is_file() else None


def _cc1(settings):
    """The assembly must be the same with every malloc."""
    compiler = _compiler("gcc", "cc1")
    if compiler is None:
        return None
    source, small, output = (settings.scratch / name for name in ("large.c", "small.c", "large.s"))
    source.write_text(inputs.c_source(2 + settings.scale // 4))
    small.write_text(inputs.c_source(2))
    options = (compiler, "-quiet", "-O1", "-w", "-frandom-seed=0")
    return Workload("cc1", "gcc's C compiler, -O1, on a large file", (*options, str(source), "-o", str(output)),
                    (*options, str(small), "-o", "/dev/null"), output=output)


def _cc1plus(settings):
    """The preprocessor has been there before: the compiler proper does not know where the headers are."""
    compiler = _compiler("g++", "cc1plus")
    if compiler is None:
        return None
    source, large, small, output = (settings.scratch / name
                                    for name in ("large.cc", "large.ii", "small.ii", "cc1plus.s"))
    source.write_text(inputs.cpp_source(_count(settings, 2)))
    small.write_text("int small() { return 0; }\n")
    _make(*_find("g++"), "-E", "-std=c++17", str(source), "-o", str(large))
    options = (compiler, "-quiet", "-O1", "-w", "-std=c++17", "-fpreprocessed", "-frandom-seed=0")
    return Workload("cc1plus", "gcc's C++ compiler, -O1: templates, classes, standard containers",
                    (*options, str(large), "-o", str(output)), (*options, str(small), "-o", "/dev/null"),
                    output=output)


# ---- Interpreters ----------------------------------------------------------------------------------------------------


def _script(settings, question, program, script, *, environment=None, threads=1):
    """An interpreter with one of our scripts, which take the scale and print one result line."""
    found = _find(program)
    if found is None:
        return None
    command = (*found, str(SCRIPTS / script))
    return Workload(program, question, (*command, str(settings.scale)), (*command, "1"), threads,
                    environment=environment or {})


def _python3(settings):
    return _script(settings, "objects, dictionaries, JSON; PYTHONMALLOC=malloc", "python3", "objects.py",
                   environment={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


def _lua(settings):
    return _script(settings, "trees, strings, closures, coroutines", "lua5.4", "trees.lua")


def _perl(settings):
    return _script(settings, "regular expressions, hashes, sorting, closures", "perl", "words.pl",
                   environment={"PERL_HASH_SEED": "0"})


def _ruby(settings):
    return _script(settings, "strings, hashes, JSON, Marshal", "ruby", "records.rb")


def _node(settings):
    """It brings threads of its own for the collector and the compiler, so it is not pinned."""
    return _script(settings, "array buffers, zlib, JSON", "node", "buffers.js", threads=settings.threads)


# ---- Other programs that read, work and end --------------------------------------------------------------------------


def _sqlite3(settings):
    found = _find("sqlite3")
    if found is None:
        return None
    script, small = settings.scratch / "large.sql", settings.scratch / "small.sql"
    script.write_text(inputs.sql_script(450 * settings.scale))
    small.write_text(inputs.sql_script(100))
    command = (*found, "-batch", ":memory:")
    return Workload("sqlite3", "a database in memory", (*command, f".read {script}"), (*command, f".read {small}"))


def _z3(settings):
    found = _find("z3")
    if found is None:
        return None
    script, small = settings.scratch / "large.smt2", settings.scratch / "small.smt2"
    script.write_text(inputs.smt_script(_count(settings, 110)))
    small.write_text(inputs.smt_script(3))
    return Workload("z3", "a theorem prover: clauses, bit vectors, integers", (*found, str(script)),
                    (*found, str(small)))


def _ghostscript(settings):
    found = _find("gs")
    if found is None:
        return None
    output = settings.scratch / "pages.ppm"

    def command(pages, where):
        return (*found, "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=ppmraw", "-r100", f"-dPAGES={pages}", "-o",
                str(where), str(SCRIPTS / "drawing.ps"))

    return Workload("ghostscript", "PostScript pages of shapes, text and pictures, drawn to pixels",
                    command(_count(settings, 3), output), command(1, "/dev/null"), output=output)


def _git(settings):
    """Every delta is sought anew, by one thread: several would share the work differently each time. The list of packs
    names the new pack by the digest of its content."""
    found = _find("git")
    if found is None:
        return None
    original, copy = settings.scratch / "history.git", settings.scratch / "collected.git"
    _make(*found, "init", "--quiet", "--bare", str(original))
    _make(*found, "-C", str(original), "fast-import", "--quiet",
          input=inputs.git_history(_count(settings, 45)))
    command = (*found, "-C", str(copy), "-c", "pack.threads=1", "gc", "--quiet", "--aggressive", "--prune=now")
    return Workload("git", "git gc --aggressive on a small repository", command, (*found, "--version"),
                    output=copy / "objects" / "info" / "packs", fresh=(original, copy))


def _rocksdb(settings):
    """Its own threads flush and compact in the background."""
    found = _find("db_bench")
    if found is None:
        return None
    command = (*found, "--benchmarks=fillrandom,overwrite,readrandom,compact", "--seed=1", "--compression_type=none",
               f"--write_buffer_size={1 << 20}", f"--cache_size={1 << 20}", f"--db={settings.scratch / 'rocksdb'}")
    return Workload("rocksdb", "db_bench: fill, overwrite, read, compact",
                    (*command, f"--num={_count(settings, 25000)}"), (*command, "--num=1"), settings.threads,
                    result=r"^readrandom .*(\(\d+ of \d+ found\))")


def _xz(settings):
    found = _find("xz")
    if found is None:
        return None
    source, output = settings.scratch / "words.txt", settings.scratch / "words.txt.xz"
    source.write_text(inputs.text(_count(settings, 800)))
    return Workload("xz", "compression, one thread", (*found, "-T1", "-4", "--keep", str(source)),
                    (*found, "--version"), output=output)


def _xz_decompress(settings):
    """It compares the content with the digest that each stream carries, and writes nothing."""
    found = _find("xz")
    if found is None:
        return None
    source, packed = settings.scratch / "stream.txt", settings.scratch / "streams.xz"
    source.write_text(inputs.text(_count(settings, 800)))
    _make(*found, "-T1", "-4", str(source))
    packed.write_bytes(source.with_suffix(".txt.xz").read_bytes() * 24)
    return Workload("xz_decompress", "decompression of 24 streams, one thread",
                    (*found, "-T1", "--test", str(packed)), (*found, "--version"))


# ---- Servers: on a unix socket in the scratch directory --------------------------------------------------------------


def _redis(settings):
    """Commands of all kinds from a file, then redis-benchmark; without its random keys, whose seed is the time."""
    found = _find("redis-server", "redis-cli", "redis-benchmark")
    if found is None:
        return None
    server, command_line, benchmark = found
    socket, commands = settings.scratch / "redis.sock", settings.scratch / "redis.txt"
    commands.write_text(inputs.redis_commands(_count(settings, 60000)))
    ask = f"{command_line} -s {socket}"
    script = (f"{ask} --pipe <{commands} && {benchmark} -s {socket} -q -n {_count(settings, 30000)} -c 20 -P 16 -d 200 "
              f"-t set,get,incr,lpush,rpush,lpop,hset && echo counter $({ask} get counter:__rand_int__), "
              f"list $({ask} llen mylist), $({ask} dbsize) keys")
    command = (server, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(settings.scratch),
               "--logfile", "/dev/null", "--jemalloc-bg-thread", "no")
    return Workload("redis", "redis-server, asked by redis-cli and redis-benchmark", command, (server, "--version"),
                    client=Client(f"{ask} ping", script), brings_malloc=True,
                    result=r"^errors: \d+, replies: \d+$|^counter \d+, list \d+, \d+ keys$")


def _memcached(settings):
    """`-u` is for a server that is started by root; any other user stays who he is."""
    found = _find("memcached")
    if found is None:
        return None
    socket, client = settings.scratch / "memcached.sock", settings.programs / "memcached_client"
    command = (*found, "-u", "root", "-s", str(socket), "-m", "256", "-t", str(settings.threads))
    return Workload("memcached", "memcached, asked by as many connections as it has threads", command,
                    (*found, "--version"), settings.threads,
                    client=Client(f"{client} {socket}", f"{client} {socket} {settings.scale} {settings.threads}"))


def _postgresql(settings):
    """pgbench's simple updates, and queries that sort and make JSON, from two connections. Each has a thread of its own
    in pgbench, which else would draw both connections' scripts as they come. The sums at the end show that all updates
    were made; the data are the same for each run."""
    places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    if not places or not all((places[-1] / program).exists() for program in ("postgres", "pgbench", "psql")):
        return None
    programs, home = places[-1], settings.scratch / "postgresql"
    original, copy, queries = home / "original", home / "data", home / "queries.sql"
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    home.mkdir()
    if user is not None:
        settings.scratch.chmod(0o711)
        os.chown(home, user, user)
    _make_cluster(programs, home, original, user)
    queries.write_text(inputs.PGBENCH_QUERIES)
    connection = f"-h {home} -U bench"
    script = (f"{programs}/pgbench {connection} -n -c 2 -j 2 -t {_count(settings, 500)} --random-seed=7 "
              f"-b simple-update@8 -f {queries}@2 postgres && {programs}/psql {connection} -At postgres -c 'SELECT "
              "(SELECT sum(abalance) FROM pgbench_accounts), sum(delta), count(*) FROM pgbench_history'")
    server = str(programs / "postgres")
    return Workload("postgresql", "postgres, asked by pgbench", (server, "-D", str(copy), *_postgresql_settings(home)),
                    (server, "--version"), settings.threads,
                    client=Client(f"{programs}/pg_isready {connection}", script), fresh=(original, copy), user=user,
                    result=r"^number of transactions actually processed: \d+/\d+$|^-?\d+\|-?\d+\|\d+$")


def _postgresql_settings(home):
    """A small server with its socket in `home`. Neither disk nor vacuum takes part in what is measured."""
    settings = ("listen_addresses=", f"unix_socket_directories={home}", "shared_buffers=8MB", "jit=off", "fsync=off",
                "autovacuum=off", "wal_level=minimal", "max_wal_senders=0", "logging_collector=off")
    return [part for setting in settings for part in ("-c", setting)]


def _make_cluster(programs, home, data, user):
    """A data directory with pgbench's tables, made by and for `user` (None: by us)."""
    options = {"cwd": home}
    if user is not None:
        options |= {"user": user, "group": user, "extra_groups": []}
    _make(f"{programs}/initdb", "-D", str(data), "-A", "trust", "-N", "-U", "bench", "--locale=C", "--encoding=UTF8",
          "--wal-segsize=1", **options)
    control = (f"{programs}/pg_ctl", "-s", "-w", "-D", str(data), "-l", str(home / "log"))
    _make(*control, "-o", shlex.join(_postgresql_settings(home)), "start", **options)
    try:
        _make(f"{programs}/pgbench", "-h", str(home), "-U", "bench", "-q", "-i", "-s", "1", "postgres", **options)
    finally:
        _make(*control, "stop", **options)


# name: (function, Debian package)
_PROGRAMS = {
    "cc1": (_cc1, "gcc"), "cc1plus": (_cc1plus, "g++"), "python3": (_python3, "python3"),
    "sqlite3": (_sqlite3, "sqlite3"), "lua5.4": (_lua, "lua5.4"), "perl": (_perl, "perl"), "ruby": (_ruby, "ruby"),
    "node": (_node, "nodejs"), "z3": (_z3, "z3"), "ghostscript": (_ghostscript, "ghostscript"), "git": (_git, "git"),
    "rocksdb": (_rocksdb, "rocksdb-tools"), "xz": (_xz, "xz-utils"), "xz_decompress": (_xz_decompress, "xz-utils"),
    "redis": (_redis, "redis-server and redis-tools"), "memcached": (_memcached, "memcached"),
    "postgresql": (_postgresql, "postgresql-15 and postgresql-client-15"),
}


def names():
    """The name of every program's workload, in order."""
    return list(_PROGRAMS)


def prepare(wanted, settings):
    """The workloads of these names, ready to run. returns: (workloads, remarks about those that are missing)."""
    ready, remarks = [], []
    for name, (make, package) in _PROGRAMS.items():
        workload = make(settings) if name in wanted else None
        if workload:
            ready.append(workload)
        elif name in wanted:
            remarks.append(f"{name} is left out: not installed (Debian package {package})")
    return ready, remarks
